/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TTRPC_CACHE_H
#define TTRPC_CACHE_H
/*
 * Large pieces of memory, kept for a moment. An allocator maps and unmaps them each time, and every
 * fresh page costs a fault, which for messages of a mebibyte costs several times what moving their
 * bytes does. So what the frames, queues and arenas of one owner give back is kept for the next
 * message, and really given back when a second went by without one.
 *
 * Small pieces pass straight to malloc and free. An owner that never sees a large one has the
 * pointer and nothing more.
 */
#include <stddef.h>

struct cache;
struct ttrpc_loop;

#define CACHE_SIZE_MIN (32u << 10)
#define CACHE_BYTES_MAX (16u << 20) /* kept by one owner; above: freed */
#define CACHE_SLOTS 6u
#define CACHE_TIME 1000000000u /* ns */

struct cache_owner {
	struct cache *cache;     /* NULL: there was no large piece yet */
	struct ttrpc_loop *loop; /* NULL: what is kept stays as long as the owner */
};

/* At least size bytes; how many in *ret_size, which cache_free() wants to know. NULL: no memory. */
void *cache_alloc(struct cache_owner *owner, size_t size, size_t *ret_size);
void cache_free(struct cache_owner *owner, void *memory, size_t size);
void cache_deinit(struct cache_owner *owner);

#endif
