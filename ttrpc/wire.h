/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TTRPC_WIRE_H
#define TTRPC_WIRE_H
/*
 * The protobuf wire format, as much of it as the envelope needs: walking over the fields of a
 * message in place, and writing single fields. Nothing is allocated; a field's bytes are a slice of
 * the message.
 */
#include <stddef.h>
#include <stdint.h>

struct slice {
	const uint8_t *data;
	size_t size;
};

enum wire_type {
	WIRE_VARINT = 0,
	WIRE_FIXED64 = 1,
	WIRE_BYTES = 2,
	WIRE_GROUP_START = 3,
	WIRE_GROUP_END = 4,
	WIRE_FIXED32 = 5,
};

struct wire_field {
	uint32_t number;
	enum wire_type type;
	uint64_t value;     /* WIRE_VARINT */
	struct slice bytes; /* WIRE_BYTES */
};

/* 1: the next field of message, which is shortened by it; 0: the end; -EBADMSG: malformed. */
int wire_next(struct slice *message, struct wire_field *ret_field);

size_t wire_varint_size(uint64_t value);
size_t wire_bytes_size(uint32_t number, size_t size); /* of a whole field of length size */

/* Each returns the place behind what it wrote. */
uint8_t *wire_varint_write(uint8_t *at, uint64_t value);
uint8_t *wire_tag_write(uint8_t *at, uint32_t number, enum wire_type type);
uint8_t *wire_bytes_write(uint8_t *at, uint32_t number, const void *data, size_t size);

#endif
