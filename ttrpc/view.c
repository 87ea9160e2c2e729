/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What protobuf-c gets to decode is the message with the large field emptied; then the field is
 * pointed at the bytes where they lie. That is done where it is sure to make no difference: for one
 * field at the top, that isn't repeated or of a oneof, with little beside it, and of which no later
 * value comes. All else is decoded as ever. Encoding goes the same way: a copy of the message's struct
 * with the field cut short is packed, and the field is put where it is found in the outcome.
 */
#include "ttrpc/view.h"

#include <stddef.h>
#include <string.h>

#include "ttrpc/wire.h"

struct view {
	const ProtobufCFieldDescriptor *field;
	const uint8_t *begin; /* of the field, its tag */
	struct slice bytes;   /* its value, to its end */
};

static bool is_plain_bytes(const ProtobufCFieldDescriptor *field)
{
	return field && field->type == PROTOBUF_C_TYPE_BYTES &&
	       field->label != PROTOBUF_C_LABEL_REPEATED &&
	       !(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF);
}

/* Where the field that is to be viewed lies in message. */
static bool view_find(struct slice message, const ProtobufCMessageDescriptor *descriptor,
		      struct view *ret_view)
{
	size_t size = message.size;
	struct view view = {.field = NULL};
	struct wire_field field;
	int r;

	for (const uint8_t *at = message.data; (r = wire_next(&message, &field)) > 0;
	     at = message.data) {
		if (view.field && field.number == view.field->id)
			return false;
		if (view.field || field.type != WIRE_BYTES || field.bytes.size <= VIEW_MIN)
			continue;
		view.field = protobuf_c_message_descriptor_get_field(descriptor, field.number);
		view.bytes = field.bytes;
		view.begin = at;
		if (!is_plain_bytes(view.field) || size - field.bytes.size > VIEW_MIN)
			return false;
	}
	*ret_view = view;
	return r == 0 && view.field;
}

ProtobufCMessage *view_unpack(struct arena *arena, const ProtobufCMessageDescriptor *descriptor,
			      const uint8_t *data, size_t size)
{
	struct slice message = {data, size};
	uint8_t *emptied, *end;
	ProtobufCMessage *result;
	struct slice rest;
	struct view view;

	if (size <= VIEW_MIN || !view_find(message, descriptor, &view))
		return arena_unpack(arena, descriptor, data, size);
	emptied = arena_alloc(arena, size - view.bytes.size);
	if (!emptied)
		return NULL;
	rest.data = view.bytes.data + view.bytes.size;
	rest.size = (size_t)(data + size - rest.data);
	memcpy(emptied, data, (size_t)(view.begin - data));
	end = emptied + (view.begin - data);
	end = wire_tag_write(end, view.field->id, WIRE_BYTES);
	*end++ = 0;
	memcpy(end, rest.data, rest.size);
	end += rest.size;
	result = arena_unpack(arena, descriptor, emptied, (size_t)(end - emptied));
	if (result)
		*(ProtobufCBinaryData *)(void *)((uint8_t *)result + view.field->offset) =
			(ProtobufCBinaryData){view.bytes.size,
					      (uint8_t *)(uintptr_t)view.bytes.data};
	return result;
}

/* ---- encoding ---- */

static const ProtobufCBinaryData *field_value(const ProtobufCMessage *message,
					      const ProtobufCFieldDescriptor *field)
{
	return (const void *)((const uint8_t *)message + field->offset);
}

static const ProtobufCFieldDescriptor *find_large(const ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *descriptor = message->descriptor;

	for (unsigned i = 0; i < descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &descriptor->fields[i];

		if (is_plain_bytes(field) && field_value(message, field)->len > VIEW_MIN)
			return field;
	}
	return NULL;
}

/* Finds the field in what was packed, and what lies around it. False: it isn't in there. */
static bool parts_cut(struct view_parts *parts, size_t size, const ProtobufCFieldDescriptor *field)
{
	struct slice packed = {parts->small, size};
	struct wire_field part;

	for (size_t at = 0; wire_next(&packed, &part) > 0; at = size - packed.size) {
		if (part.number != field->id)
			continue;
		parts->pieces[0] = (struct iovec){parts->small, at};
		parts->pieces[3] = (struct iovec){parts->small + size - packed.size, packed.size};
		return true;
	}
	return false;
}

bool view_pack(const ProtobufCMessage *message, size_t size, struct view_parts *ret_parts)
{
	const ProtobufCFieldDescriptor *field =
		size > VIEW_MIN && message->descriptor->sizeof_message <= VIEW_MESSAGE_MAX
			? find_large(message)
			: NULL;
	_Alignas(max_align_t) uint8_t copy[VIEW_MESSAGE_MAX];
	const ProtobufCMessage *cut = (const void *)copy;
	ProtobufCBinaryData value;
	uint8_t byte = 0, *end;

	if (!field)
		return false;
	value = *field_value(message, field);
	memcpy(copy, message, message->descriptor->sizeof_message);
	*(ProtobufCBinaryData *)(void *)(copy + field->offset) = (ProtobufCBinaryData){1, &byte};
	if (protobuf_c_message_get_packed_size(cut) > VIEW_SMALL_MAX ||
	    !parts_cut(ret_parts, protobuf_c_message_pack(cut, ret_parts->small), field))
		return false;
	end = wire_tag_write(ret_parts->head, field->id, WIRE_BYTES);
	end = wire_varint_write(end, value.len);
	ret_parts->pieces[1] = (struct iovec){ret_parts->head, (size_t)(end - ret_parts->head)};
	ret_parts->pieces[2] = (struct iovec){value.data, value.len};
	return true;
}
