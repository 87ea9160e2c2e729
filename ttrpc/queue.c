/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The write queue: a list of blocks, filled at the last, emptied at the first. An empty queue owns
 * no block.
 */
#include "ttrpc/queue.h"

#include <stdlib.h>
#include <sys/uio.h>

#include "ttrpc/cache.h"

#define QUEUE_BLOCK_SIZE 4000u /* with the block's own fields and malloc's, a page */

struct queue_block {
	struct queue_block *next;
	size_t size;     /* of bytes */
	size_t from, to; /* those that wait */
	uint8_t bytes[];
};

static void block_free(const struct queue *queue, struct queue_block *block)
{
	cache_free(queue->cache, block, sizeof(*block) + block->size);
}

void queue_deinit(struct queue *queue)
{
	struct queue_block *block;

	while ((block = queue->first)) {
		queue->first = block->next;
		block_free(queue, block);
	}
	*queue = (struct queue){.cache = queue->cache};
}

uint8_t *queue_reserve(struct queue *queue, size_t size)
{
	struct queue_block *last = queue->last;
	size_t block_size = size > QUEUE_BLOCK_SIZE ? size : QUEUE_BLOCK_SIZE;

	if (last && last->size - last->to >= size)
		return last->bytes + last->to;
	last = cache_alloc(queue->cache, sizeof(*last) + block_size, &block_size);
	if (!last)
		return NULL;
	last->next = NULL;
	last->size = block_size - sizeof(*last);
	last->from = last->to = 0;
	if (queue->last)
		queue->last->next = last;
	else
		queue->first = last;
	queue->last = last;
	return last->bytes;
}

void queue_commit(struct queue *queue, size_t size)
{
	queue->last->to += size;
	queue->size += size;
}

int queue_peek(const struct queue *queue, struct iovec *pieces, int max)
{
	struct queue_block *block;
	int n = 0;

	for (block = queue->first; block && n < max; block = block->next, n++) {
		pieces[n].iov_base = block->bytes + block->from;
		pieces[n].iov_len = block->to - block->from;
	}
	return n;
}

void queue_consume(struct queue *queue, size_t size)
{
	struct queue_block *block;

	queue->size -= size;
	while ((block = queue->first)) {
		size_t length = block->to - block->from;

		if (size < length) {
			block->from += size;
			return;
		}
		size -= length;
		queue->first = block->next;
		block_free(queue, block);
	}
	queue->last = NULL;
}
