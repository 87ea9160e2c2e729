/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TTRPC_QUEUE_H
#define TTRPC_QUEUE_H
/*
 * Bytes that wait to be sent, in heap blocks. Small pieces share a block; a piece larger than a
 * block gets one of its own, which is packed and sent without another copy.
 */
#include <stddef.h>
#include <stdint.h>

struct cache_owner;
struct iovec;
struct queue_block;

struct queue {
	struct queue_block *first, *last;
	size_t size;               /* bytes that wait */
	struct cache_owner *cache; /* for large blocks; NULL: none */
};

#define QUEUE_NULL ((struct queue){0})

void queue_deinit(struct queue *queue);

/* Room for size bytes behind the last ones; NULL: no memory. They count after queue_commit(). */
uint8_t *queue_reserve(struct queue *queue, size_t size);
void queue_commit(struct queue *queue, size_t size);

/* Fills at most max of pieces with the bytes from the first on; returns how many. */
int queue_peek(const struct queue *queue, struct iovec *pieces, int max);

/* The first size bytes were sent. */
void queue_consume(struct queue *queue, size_t size);

#endif
