/* SPDX-License-Identifier: Apache-2.0 */
#include "test/bench-ttrpc/frames.h"

#include <string.h>

enum field { FIELD_SERVICE = 0x0a, FIELD_METHOD = 0x12, FIELD_PAYLOAD = 0x1a, FIELD_VALUE = 0x0a };

static uint8_t *put_u32(uint8_t *to, uint32_t value)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		*to++ = (uint8_t)(value >> shift);
	return to;
}

static uint8_t *put_varint(uint8_t *to, size_t value)
{
	for (; value >= 0x80; value >>= 7)
		*to++ = (uint8_t)(value | 0x80);
	*to++ = (uint8_t)value;
	return to;
}

static size_t varint_size(size_t value)
{
	uint8_t bytes[10];

	return (size_t)(put_varint(bytes, value) - bytes);
}

static uint8_t *put_string(uint8_t *to, uint8_t field, const char *text)
{
	*to++ = field;
	to = put_varint(to, strlen(text));
	return (uint8_t *)memcpy(to, text, strlen(text)) + strlen(text);
}

static uint8_t *put_value(uint8_t *to, size_t size)
{
	*to++ = FIELD_VALUE;
	to = put_varint(to, size);
	return (uint8_t *)memset(to, 0, size) + size;
}

static size_t value_size(size_t size)
{
	return 1 + varint_size(size) + size;
}

/* The header, once its data lies behind it. */
static uint8_t *finish(uint8_t *frame, uint32_t id, enum frames_type type, uint8_t flags,
		       uint8_t *end)
{
	put_u32(frame, (uint32_t)(end - frame - (ptrdiff_t)FRAMES_HEADER));
	put_u32(frame + 4, id);
	frame[8] = (uint8_t)type;
	frame[9] = flags;
	return end;
}

static uint8_t *put_request(uint8_t *to, const char *service, const char *method)
{
	to = put_string(to, FIELD_SERVICE, service);
	return put_string(to, FIELD_METHOD, method);
}

uint8_t *frames_echo(uint8_t *to, uint32_t id, size_t size)
{
	uint8_t *end = put_request(to + FRAMES_HEADER, "bench.Bench", "Echo");

	*end++ = FIELD_PAYLOAD;
	end = put_varint(end, value_size(size));
	end = put_value(end, size);
	return finish(to, id, FRAMES_REQUEST, 0, end);
}

uint8_t *frames_answer(uint8_t *to, uint32_t id, size_t size)
{
	uint8_t *end = to + FRAMES_HEADER;

	*end++ = FIELD_METHOD; /* the payload of a response has the same number */
	end = put_varint(end, value_size(size));
	end = put_value(end, size);
	return finish(to, id, FRAMES_RESPONSE, 0, end);
}

uint8_t *frames_open(uint8_t *to, uint32_t id)
{
	/* Open, and no message with it: Rust would take it for a first one. */
	return finish(to, id, FRAMES_REQUEST, 6,
		      put_request(to + FRAMES_HEADER, "bench.Talker", "Talk"));
}

uint8_t *frames_message(uint8_t *to, uint32_t id, size_t size)
{
	return finish(to, id, FRAMES_DATA, 0, put_value(to + FRAMES_HEADER, size));
}

uint8_t *frames_fetch(uint8_t *to, uint32_t id, uint32_t size)
{
	uint8_t *end = put_request(to + FRAMES_HEADER, "bench.Bench", "Fetch");

	*end++ = FIELD_PAYLOAD;
	end = put_varint(end, 1 + varint_size(size));
	*end++ = 0x08;
	end = put_varint(end, size);
	return finish(to, id, FRAMES_REQUEST, 0, end);
}

void frames_set_id(uint8_t *frame, uint32_t id)
{
	put_u32(frame + 4, id);
}

static uint32_t get_u32(const uint8_t *from)
{
	return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

uint32_t frames_id(const uint8_t *frame)
{
	return get_u32(frame + 4);
}

uint8_t frames_type(const uint8_t *frame)
{
	return frame[8];
}

size_t frames_size(const uint8_t *frame)
{
	return FRAMES_HEADER + get_u32(frame);
}

bool frames_is_ok(const uint8_t *frame)
{
	if (frame[8] != FRAMES_RESPONSE)
		return frame[8] == FRAMES_DATA;
	/* Rust sends an empty status, or a code of 0, with every answer. */
	return get_u32(frame) == 0 || frame[10] == FIELD_METHOD ||
	       (frame[10] == FIELD_VALUE && (frame[11] == 0 || frame[11] == 2));
}
