/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The protobuf wire format. A reader of it must accept fields in any order, repeated ones, unknown
 * ones of every type (groups, too, which nest), and varints with superfluous bytes up to ten.
 */
#include "ttrpc/wire.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define WIRE_GROUPS_MAX 100u /* groups within groups; deeper: malformed */

static int take_varint(struct slice *message, uint64_t *ret_value)
{
	uint64_t value = 0;

	for (size_t i = 0; i < message->size && i < 10; i++) {
		uint8_t byte = message->data[i];

		if (i == 9 && byte > 1)
			return -EBADMSG;
		value |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (byte < 0x80) {
			message->data += i + 1;
			message->size -= i + 1;
			*ret_value = value;
			return 0;
		}
	}
	return -EBADMSG;
}

static int take_bytes(struct slice *message, uint64_t size, struct slice *ret_bytes)
{
	if (size > message->size)
		return -EBADMSG;
	*ret_bytes = (struct slice){message->data, (size_t)size};
	message->data += size;
	message->size -= (size_t)size;
	return 0;
}

static int take_tag(struct slice *message, struct wire_field *field)
{
	uint64_t tag;
	int error = take_varint(message, &tag);

	if (error < 0)
		return error;
	if (tag > UINT32_MAX || tag >> 3 == 0)
		return -EBADMSG;
	field->number = (uint32_t)(tag >> 3);
	field->type = (enum wire_type)(tag & 7);
	return 0;
}

/* The value of a field that isn't a group. */
static int take_value(struct slice *message, struct wire_field *field)
{
	uint64_t size;
	int error;

	switch (field->type) {
	case WIRE_VARINT:
		return take_varint(message, &field->value);
	case WIRE_BYTES:
		error = take_varint(message, &size);
		return error < 0 ? error : take_bytes(message, size, &field->bytes);
	case WIRE_FIXED64:
		return take_bytes(message, 8, &field->bytes);
	case WIRE_FIXED32:
		return take_bytes(message, 4, &field->bytes);
	case WIRE_GROUP_START:
	case WIRE_GROUP_END:
		break;
	}
	return -EBADMSG;
}

/* Behind a group's start: goes behind its end. Each end must bear the number of its start. */
static int skip_group(struct slice *message, uint32_t number)
{
	uint32_t open[WIRE_GROUPS_MAX];
	size_t depth = 0;
	int error;

	open[depth++] = number;
	while (depth > 0) {
		struct wire_field field = {0};

		error = take_tag(message, &field);
		if (error < 0)
			return error;
		if (field.type == WIRE_GROUP_START) {
			if (depth == WIRE_GROUPS_MAX)
				return -EBADMSG;
			open[depth++] = field.number;
		} else if (field.type == WIRE_GROUP_END) {
			if (open[--depth] != field.number)
				return -EBADMSG;
		} else {
			error = take_value(message, &field);
			if (error < 0)
				return error;
		}
	}
	return 0;
}

/* What nearly every field is: bytes, with a tag of one byte and a length of one. */
static bool next_is_short(struct slice *message, struct wire_field *ret_field)
{
	const uint8_t *at = message->data;
	size_t size;

	if (message->size < 2 || ((at[0] | at[1]) & 0x80) || (at[0] & 7) != WIRE_BYTES)
		return false;
	size = at[1];
	if (at[0] < 8 || size > message->size - 2)
		return false;
	ret_field->number = at[0] >> 3;
	ret_field->type = WIRE_BYTES;
	ret_field->value = 0;
	ret_field->bytes = (struct slice){at + 2, size};
	message->data += size + 2;
	message->size -= size + 2;
	return true;
}

int wire_next(struct slice *message, struct wire_field *ret_field)
{
	struct wire_field field = {0};
	int error;

	if (next_is_short(message, ret_field))
		return 1;
	if (message->size == 0)
		return 0;
	error = take_tag(message, &field);
	if (error < 0)
		return error;
	error = field.type == WIRE_GROUP_START ? skip_group(message, field.number)
					       : take_value(message, &field);
	if (error < 0)
		return error;
	*ret_field = field;
	return 1;
}

size_t wire_varint_size(uint64_t value)
{
	size_t size = 1;

	while (value >>= 7)
		size++;
	return size;
}

size_t wire_bytes_size(uint32_t number, size_t size)
{
	return wire_varint_size((uint64_t)number << 3) + wire_varint_size(size) + size;
}

uint8_t *wire_varint_write(uint8_t *at, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		*at++ = (uint8_t)(value | 0x80);
	*at++ = (uint8_t)value;
	return at;
}

uint8_t *wire_tag_write(uint8_t *at, uint32_t number, enum wire_type type)
{
	return wire_varint_write(at, (uint64_t)number << 3 | (uint64_t)type);
}

uint8_t *wire_bytes_write(uint8_t *at, uint32_t number, const void *data, size_t size)
{
	at = wire_tag_write(at, number, WIRE_BYTES);
	at = wire_varint_write(at, size);
	if (size > 0)
		memcpy(at, data, size);
	return at + size;
}
