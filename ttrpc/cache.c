/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pieces that are kept: a few, whatever their size. The timer runs only while there are some.
 */
#include "ttrpc/cache.h"

#include <stdbool.h>
#include <stdlib.h>

#include "ttrpc/list.h"
#include "ttrpc/loop.h"

#define CACHE_ROUND 65536u /* so that messages of nearly one size find each other's memory */

struct piece {
	void *memory; /* NULL: free slot */
	size_t size;
};

struct cache {
	struct ttrpc_timer timer;
	struct ttrpc_loop *loop;
	struct piece pieces[CACHE_SLOTS];
	size_t bytes;
	bool used; /* since the timer was set */
};

static void *cache_take(struct cache *cache, struct piece *piece)
{
	void *memory = piece->memory;

	cache->bytes -= piece->size;
	*piece = (struct piece){.memory = NULL};
	return memory;
}

static void cache_clear(struct cache *cache)
{
	for (unsigned i = 0; i < CACHE_SLOTS; i++)
		free(cache_take(cache, &cache->pieces[i]));
}

static void cache_timer(struct ttrpc_timer *timer)
{
	struct cache *cache = container_of(timer, struct cache, timer);

	if (cache->used)
		ttrpc_timer_set(cache->loop, timer, ttrpc_now() + CACHE_TIME, cache_timer);
	else
		cache_clear(cache);
	cache->used = false;
}

/* The smallest piece of at least size bytes; size 0 and a free slot: that one. */
static struct piece *cache_find(struct cache *cache, size_t size)
{
	struct piece *best = NULL;

	for (unsigned i = 0; i < CACHE_SLOTS; i++) {
		struct piece *piece = &cache->pieces[i];

		if (size > 0 && !piece->memory)
			continue;
		if (piece->size >= size && (!best || piece->size < best->size))
			best = piece;
	}
	return best;
}

void *cache_alloc(struct cache_owner *owner, size_t size, size_t *ret_size)
{
	struct piece *piece = NULL;
	void *memory;

	if (size >= CACHE_SIZE_MIN) {
		size = (size + CACHE_ROUND - 1) & ~(size_t)(CACHE_ROUND - 1);
		if (owner && owner->cache)
			piece = cache_find(owner->cache, size);
	}
	if (piece) {
		*ret_size = piece->size;
		return cache_take(owner->cache, piece);
	}
	memory = malloc(size);
	if (memory)
		*ret_size = size;
	return memory;
}

void cache_free(struct cache_owner *owner, void *memory, size_t size)
{
	struct cache *cache;
	struct piece *piece;

	if (size < CACHE_SIZE_MIN || !owner || !memory) {
		free(memory);
		return;
	}
	if (!owner->cache)
		owner->cache = calloc(1, sizeof(*owner->cache));
	cache = owner->cache;
	/* The smallest has to give way; a free slot is smaller than any. */
	piece = cache ? cache_find(cache, 0) : NULL;
	if (!piece || piece->size >= size || cache->bytes - piece->size + size > CACHE_BYTES_MAX) {
		free(memory);
		return;
	}
	free(cache_take(cache, piece));
	*piece = (struct piece){memory, size};
	cache->bytes += size;
	cache->used = true;
	cache->loop = owner->loop;
	if (owner->loop && !cache->timer.loop)
		ttrpc_timer_set(owner->loop, &cache->timer, ttrpc_now() + CACHE_TIME, cache_timer);
}

void cache_deinit(struct cache_owner *owner)
{
	if (!owner->cache)
		return;
	ttrpc_timer_clear(&owner->cache->timer);
	cache_clear(owner->cache);
	free(owner->cache);
	owner->cache = NULL;
}
