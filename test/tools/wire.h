/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_TOOLS_WIRE_H
#define TEST_TOOLS_WIRE_H
/*
 * ttrpc frames and protobuf fields, written by hand and blocking: the tests' own view of the wire.
 * It shares no line with the libraries under test, so that an error in those is not mirrored here.
 *
 * A buffer grows as it is written; running out of memory ends the program. A reader walks over the
 * fields of one message, which it does not own.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire_buffer {
	unsigned char *data;
	size_t size, capacity;
};

struct wire_reader {
	const unsigned char *at, *end;
};

struct wire_field {
	uint32_t number;
	uint64_t value;            /* of a varint */
	const unsigned char *data; /* of a string, bytes or message; NULL for a varint */
	size_t size;
};

enum wire_frame_type {
	WIRE_REQUEST = 1,
	WIRE_RESPONSE = 2,
};

struct wire_frame {
	uint32_t stream;
	uint8_t type;
	struct wire_buffer payload;
};

void wire_deinit(struct wire_buffer *buffer);
void wire_append(struct wire_buffer *buffer, const void *data, size_t size);
void wire_put_uint(struct wire_buffer *buffer, uint32_t number, uint64_t value);
void wire_put_bytes(struct wire_buffer *buffer, uint32_t number, const void *data, size_t size);
void wire_put_string(struct wire_buffer *buffer, uint32_t number, const char *text);

struct wire_reader wire_read(const void *data, size_t size);

/* false at the end, and for what is no protobuf. */
bool wire_next(struct wire_reader *reader, struct wire_field *ret_field);

/* The first field with this number; false if there is none. */
bool wire_find(const void *data, size_t size, uint32_t number, struct wire_field *ret_field);

/* All return 0 or a negative errno; a connection that ended is -ECONNRESET. */
int wire_connect(const char *path, int *ret_fd);
int wire_send(int fd, uint32_t stream, uint8_t type, const struct wire_buffer *payload);
int wire_receive(int fd, struct wire_frame *ret_frame);

#endif
