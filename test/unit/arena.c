/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The arena: alignment, chunks, the two limits, and that it is warm after the first large message.
 */
#include "ttrpc/arena.h"

#include <stdlib.h>
#include <string.h>

#include "proto/google/protobuf/any.pb-c.h"
#include "test/test.h"

TEST(allocations_are_aligned_and_do_not_overlap)
{
	_Alignas(16) uint8_t first[256];
	uint8_t *blocks[300];
	struct arena arena;

	arena_init(&arena, first, sizeof(first), 1u << 20);
	for (size_t i = 0; i < 300; i++) {
		blocks[i] = arena_alloc(&arena, i);
		ASSERT(blocks[i]);
		ASSERT_EQ((uintptr_t)blocks[i] % 16, 0);
		memset(blocks[i], (int)(i & 0xff), i);
	}
	for (size_t i = 0; i < 300; i++)
		for (size_t k = 0; k < i; k++)
			ASSERT_EQ(blocks[i][k], i & 0xff);
	arena_deinit(&arena);
}

TEST(bytes_are_limited_until_the_reset)
{
	_Alignas(16) uint8_t first[64];
	struct arena arena;

	arena_init(&arena, first, sizeof(first), 10000);
	ASSERT(!arena_alloc(&arena, 10001));
	ASSERT(arena.exceeded);
	arena_reset(&arena);
	ASSERT(!arena.exceeded);
	ASSERT(arena_alloc(&arena, 5000));
	ASSERT(arena_alloc(&arena, 4000));
	ASSERT(!arena_alloc(&arena, 1001));
	ASSERT(!arena_alloc(&arena, SIZE_MAX));
	arena_reset(&arena);
	ASSERT(arena_alloc(&arena, 10000));
	ASSERT(!arena_alloc(&arena, 1));
	arena_deinit(&arena);
}

TEST(one_chunk_of_ordinary_size_is_kept)
{
	_Alignas(16) uint8_t first[64];
	struct arena arena;
	void *block;

	arena_init(&arena, first, sizeof(first), 1u << 20);
	ASSERT(arena_alloc(&arena, 64) == (void *)first);
	block = arena_alloc(&arena, 1000);
	arena_reset(&arena);
	ASSERT(arena.kept);
	ASSERT(arena_alloc(&arena, 64) == (void *)first);
	ASSERT(arena_alloc(&arena, 1000) == block);
	ASSERT(!arena.kept);
	arena_reset(&arena);
	ASSERT(arena_alloc(&arena, 100000));
	arena_reset(&arena);
	ASSERT(arena.kept);
	ASSERT(!arena.chunks);
	arena_deinit(&arena);
}

TEST(messages_are_decoded_and_malformed_ones_refused)
{
	_Alignas(16) uint8_t first[64];
	Google__Protobuf__Any *any;
	struct arena arena;

	arena_init(&arena, first, sizeof(first), 1000);
	any = (Google__Protobuf__Any *)(void *)arena_unpack(
		&arena, &google__protobuf__any__descriptor, (const uint8_t *)"\n\3abc\x12\2xy", 9);
	ASSERT(any);
	ASSERT_STR(any->type_url, "abc");
	ASSERT_EQ(any->value.len, 2);
	arena_reset(&arena);
	ASSERT(!arena_unpack(&arena, &google__protobuf__any__descriptor,
			     (const uint8_t *)"\n\x7f"
					      "abc",
			     5));
	ASSERT(!arena.exceeded);
	arena_reset(&arena);
	arena.limit = 40;
	ASSERT(!arena_unpack(&arena, &google__protobuf__any__descriptor,
			     (const uint8_t *)"\n\3abc\x12\2xy", 9));
	ASSERT(arena.exceeded);
	arena_deinit(&arena);
}

/* A message type that contains itself, by hand: no schema of the field's has one. */
struct nested {
	ProtobufCMessage base;
	struct nested *inner;
};

static const ProtobufCMessageDescriptor nested_descriptor;

static const ProtobufCFieldDescriptor nested_fields[] = {
	{
		.name = "inner",
		.id = 1,
		.label = PROTOBUF_C_LABEL_OPTIONAL,
		.type = PROTOBUF_C_TYPE_MESSAGE,
		.offset = offsetof(struct nested, inner),
		.descriptor = &nested_descriptor,
	},
};

static const unsigned nested_by_name[] = {0};
static const ProtobufCIntRange nested_ranges[] = {{1, 0}, {0, 1}};

static const ProtobufCMessageDescriptor nested_descriptor = {
	.magic = PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC,
	.name = "test.Nested",
	.short_name = "Nested",
	.c_name = "Nested",
	.package_name = "test",
	.sizeof_message = sizeof(struct nested),
	.n_fields = 1,
	.fields = nested_fields,
	.fields_sorted_by_name = nested_by_name,
	.n_field_ranges = 1,
	.field_ranges = nested_ranges,
};

static size_t nest(uint8_t *end, int depth)
{
	size_t size = 0;

	for (int i = 0; i < depth; i++) {
		size_t length = size, digits = 1;

		while (length >>= 7)
			digits++;
		length = size;
		for (size_t k = 0; k < digits; k++, length >>= 7)
			end[(ptrdiff_t)k - (ptrdiff_t)(size + digits)] =
				(uint8_t)((length & 0x7f) | (k + 1 < digits ? 0x80 : 0));
		size += digits + 1;
		end[-(ptrdiff_t)size] = 0x0a;
	}
	return size;
}

static ProtobufCMessage *unpack_nested(struct arena *arena, int depth, bool on_heap)
{
	static uint8_t bytes[1u << 20];
	uint8_t *end = bytes + sizeof(bytes);
	size_t size = nest(end, depth);

	if (on_heap)
		return arena_unpack_heap(arena, &nested_descriptor, end - size, size);
	return arena_unpack(arena, &nested_descriptor, end - size, size);
}

TEST(depth_is_limited)
{
	_Alignas(16) uint8_t first[64];
	ProtobufCMessage *message;
	struct arena arena;

	arena_init(&arena, first, sizeof(first), 8u << 20);
	ASSERT(unpack_nested(&arena, 5, false));
	arena_reset(&arena);
	ASSERT(!unpack_nested(&arena, 100000, false));
	ASSERT(arena.exceeded);
	arena_reset(&arena);
	message = unpack_nested(&arena, 5, true);
	ASSERT(message);
	protobuf_c_message_free_unpacked(message, NULL);
	ASSERT(!unpack_nested(&arena, 100000, true));
	ASSERT(arena.exceeded);
	arena_deinit(&arena);
}
