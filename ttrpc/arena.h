/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TTRPC_ARENA_H
#define TTRPC_ARENA_H
/*
 * Memory for one decoded message: a bump allocator behind protobuf-c's allocator interface. Nothing
 * is freed singly; arena_reset() ends all at once. The owner brings the first bytes; what doesn't
 * fit there goes to chunks from the heap, of which one of ordinary size is kept for the next
 * message, so that an arena that is warm calls malloc never.
 *
 * What a peer can reach is bounded twice: by the sum of bytes, and by the depth of the stack,
 * since protobuf-c decodes nested messages by recursion without a limit of its own.
 */
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARENA_CHUNK_MIN 4096u
#define ARENA_CHUNK_KEEP 16384u     /* larger chunks are given back by arena_reset() */
#define ARENA_STACK_MAX (64u << 10) /* of one decode; some fifty levels of nesting */

struct arena_chunk;
struct cache_owner;

struct arena {
	ProtobufCAllocator allocator;
	struct cache_owner *cache; /* for large chunks; NULL: none */
	uint8_t *first;            /* the owner's bytes */
	size_t first_size;
	struct arena_chunk *chunks; /* the newest one first; NULL: only first is in use */
	struct arena_chunk *kept;   /* for reuse */
	uint8_t *at, *end;          /* free bytes of the newest chunk */
	size_t used;                /* bytes handed out since the last reset */
	size_t limit;
	const char *stack; /* where the stack was when the decode began; NULL: not checked */
	bool exceeded;     /* an allocation failed for one of the limits */
};

void arena_init(struct arena *arena, void *first, size_t first_size, size_t limit);
void arena_deinit(struct arena *arena);
void arena_reset(struct arena *arena);

void *arena_alloc(struct arena *arena, size_t size); /* NULL: limit or no memory */

/* NULL: malformed, or (arena->exceeded) too large. The message lives until arena_reset(). */
typedef ProtobufCMessage *(*arena_unpack_fn)(struct arena *arena,
					     const ProtobufCMessageDescriptor *descriptor,
					     const uint8_t *data, size_t size);
ProtobufCMessage *arena_unpack(struct arena *arena, const ProtobufCMessageDescriptor *descriptor,
			       const uint8_t *data, size_t size);

/*
 * The same, bounded alike, but from the heap; for protobuf_c_message_free_unpacked(message, NULL).
 */
ProtobufCMessage *arena_unpack_heap(struct arena *arena,
				    const ProtobufCMessageDescriptor *descriptor,
				    const uint8_t *data, size_t size);

#endif
