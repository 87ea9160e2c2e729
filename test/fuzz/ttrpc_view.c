/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message with large fields in it, decoded with views and without: the same comes out, and goes into
 * the same bytes again. The input is pieces of the message, of which some stand for many bytes.
 */
#include "ttrpc/view.h"

#include <string.h>

#include "proto/google/protobuf/any.pb-c.h"
#include "proto/task.pb-c.h"
#include "test/fuzz/input.h"

#define MESSAGE_MAX 150000u

static uint8_t message[MESSAGE_MAX], plain_again[2 * MESSAGE_MAX], view_again[2 * MESSAGE_MAX];

static const ProtobufCMessageDescriptor *const descriptors[] = {
	&google__protobuf__any__descriptor,
	&containerd__task__v2__exec_process_request__descriptor,
	&containerd__task__v2__create_task_request__descriptor,
};

/* A field of many bytes of this number, its length written in so many bytes. */
static size_t large_field(uint8_t *at, uint8_t number, uint8_t how)
{
	size_t size = VIEW_MIN - 2 + how % 8, length = 3 + how / 8 % 4;

	*at++ = (uint8_t)(number << 3 | 2);
	for (size_t i = 0; i < length; i++)
		*at++ = (uint8_t)((size >> 7 * i & 127) | (i + 1 < length ? 128 : 0));
	/* Of a message inside nothing is decoded then. */
	memset(at, 0, size);
	return 1 + length + size;
}

static size_t build(struct input *input)
{
	size_t size = 0;

	while (input->left > 0 && size < MESSAGE_MAX - 2 * VIEW_MIN) {
		uint8_t what = input_byte(input);
		const uint8_t *bytes;
		size_t part;

		if (what & 128) {
			size += large_field(message + size, what & 15, input_byte(input));
			continue;
		}
		part = input_take(input, what, &bytes);
		memcpy(message + size, bytes, part);
		size += part;
	}
	return size;
}

/* Packed in parts, where that is possible, it is what it is in one. */
static void check_parts(const ProtobufCMessage *decoded, const uint8_t *expected, size_t size)
{
	static uint8_t joined[2 * MESSAGE_MAX];
	struct view_parts parts;
	size_t at = 0;

	if (!view_pack(decoded, size, &parts))
		return;
	for (int i = 0; i < VIEW_PARTS; i++) {
		if (parts.pieces[i].iov_len > 0)
			memcpy(joined + at, parts.pieces[i].iov_base, parts.pieces[i].iov_len);
		at += parts.pieces[i].iov_len;
	}
	CHECK(at == size && memcmp(joined, expected, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	const ProtobufCMessageDescriptor *descriptor = descriptors[input_byte(&input) % 3];
	static _Alignas(16) uint8_t first[1024];
	ProtobufCMessage *plain, *view;
	struct arena arena;

	size = build(&input);
	arena_init(&arena, first, sizeof(first), 256 * MESSAGE_MAX);
	plain = protobuf_c_message_unpack(descriptor, NULL, size, message);
	view = view_unpack(&arena, descriptor, message, size);
	/* Of a length in too many bytes only one of the two complains. */
	CHECK(view || !plain || arena.exceeded);
	if (plain && view) {
		size_t packed = protobuf_c_message_pack(plain, plain_again);

		CHECK(protobuf_c_message_pack(view, view_again) == packed);
		CHECK(memcmp(plain_again, view_again, packed) == 0);
		check_parts(plain, plain_again, packed);
	}
	protobuf_c_message_free_unpacked(plain, NULL);
	arena_reset(&arena);
	arena_deinit(&arena);
	return 0;
}
