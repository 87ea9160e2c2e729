/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bump allocator. Memory comes from, in this order, the owner's first bytes, the chunk that was
 * kept, and new chunks that double in size so that a large message costs few of them.
 */
#include "ttrpc/arena.h"

#include <stdlib.h>

#include "ttrpc/cache.h"

#define ARENA_ALIGN 16u

struct arena_chunk {
	struct arena_chunk *next;
	size_t size; /* of the bytes that follow */
	_Alignas(ARENA_ALIGN) uint8_t bytes[];
};

static size_t align_up(size_t size)
{
	return (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
}

static void *allocator_alloc(void *data, size_t size)
{
	return arena_alloc(data, size);
}

static void allocator_free(void *data, void *pointer)
{
	(void)data;
	(void)pointer;
}

void arena_init(struct arena *arena, void *first, size_t first_size, size_t limit)
{
	*arena = (struct arena){
		.allocator = {allocator_alloc, allocator_free, arena},
		.first = first,
		.first_size = first_size,
		.limit = limit,
	};
	arena_reset(arena);
}

void arena_reset(struct arena *arena)
{
	struct arena_chunk *chunk;

	while ((chunk = arena->chunks)) {
		arena->chunks = chunk->next;
		if (chunk->size <= ARENA_CHUNK_KEEP &&
		    (!arena->kept || arena->kept->size < chunk->size)) {
			free(arena->kept);
			arena->kept = chunk;
		} else {
			cache_free(arena->cache, chunk, sizeof(*chunk) + chunk->size);
		}
	}
	arena->at = arena->first;
	arena->end = arena->first_size ? arena->first + arena->first_size : arena->first;
	arena->used = 0;
	arena->exceeded = false;
}

void arena_deinit(struct arena *arena)
{
	arena_reset(arena);
	free(arena->kept);
	arena->kept = NULL;
}

static bool arena_grow(struct arena *arena, size_t size)
{
	struct arena_chunk *chunk = arena->kept;

	if (chunk && chunk->size >= size) {
		arena->kept = NULL;
	} else {
		size_t want = arena->chunks ? 2 * arena->chunks->size : ARENA_CHUNK_MIN;

		if (want < size)
			want = size;
		chunk = cache_alloc(arena->cache, sizeof(*chunk) + want, &want);
		if (!chunk)
			return false;
		chunk->size = want - sizeof(*chunk);
	}
	chunk->next = arena->chunks;
	arena->chunks = chunk;
	arena->at = chunk->bytes;
	arena->end = chunk->bytes + chunk->size;
	return true;
}

/* A frame's address stands for the depth: which way the stack grows doesn't matter. */
static bool stack_exceeded(const struct arena *arena)
{
	const char *here = __builtin_frame_address(0);

	if (!arena->stack)
		return false;
	return (size_t)(here < arena->stack ? arena->stack - here : here - arena->stack) >
	       ARENA_STACK_MAX;
}

/* Counts size bytes against the limit. */
static bool arena_charge(struct arena *arena, size_t size)
{
	size_t rest = arena->limit - arena->used;

	if (size > rest || stack_exceeded(arena)) {
		arena->exceeded = true;
		return false;
	}
	size = align_up(size);
	arena->used += size < rest ? size : rest;
	return true;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	void *result;

	if (!arena_charge(arena, size))
		return NULL;
	size = align_up(size);
	if ((size_t)(arena->end - arena->at) < size && !arena_grow(arena, size)) {
		arena->exceeded = true;
		return NULL;
	}
	result = arena->at;
	arena->at += size;
	return result;
}

static void *heap_alloc(void *data, size_t size)
{
	return arena_charge(data, size) ? malloc(size) : NULL;
}

static void heap_free(void *data, void *pointer)
{
	(void)data;
	free(pointer);
}

ProtobufCMessage *arena_unpack(struct arena *arena, const ProtobufCMessageDescriptor *descriptor,
			       const uint8_t *data, size_t size)
{
	ProtobufCMessage *message;

	arena->stack = __builtin_frame_address(0);
	message = protobuf_c_message_unpack(descriptor, &arena->allocator, size, data);
	arena->stack = NULL;
	return message;
}

ProtobufCMessage *arena_unpack_heap(struct arena *arena,
				    const ProtobufCMessageDescriptor *descriptor,
				    const uint8_t *data, size_t size)
{
	ProtobufCAllocator heap = {heap_alloc, heap_free, arena};
	ProtobufCMessage *message;

	arena->stack = __builtin_frame_address(0);
	message = protobuf_c_message_unpack(descriptor, &heap, size, data);
	arena->stack = NULL;
	return message;
}
