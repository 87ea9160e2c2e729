/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_BENCH_WIRE_H
#define TEST_BENCH_WIRE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_MESSAGE_MAX 4096 /* bytes of one message, either way; above: -EMSGSIZE */

/* A protobuf message being written. An overflow is remembered and refused by wire_call(). */
struct wire_message {
	unsigned char bytes[WIRE_MESSAGE_MAX];
	size_t size;
	bool overflow;
};

/* Strings that are NULL or empty, and zeros, are left out, as proto3 does. */
void wire_put_number(struct wire_message *message, unsigned int field, uint64_t value);
void wire_put_string(struct wire_message *message, unsigned int field, const char *value);
void wire_put_message(struct wire_message *message, unsigned int field,
		      const struct wire_message *value);
void wire_put_any(struct wire_message *message, unsigned int field, const char *type_url,
		  const struct wire_message *value);

/* The last field with this number; false if there is none or the bytes are malformed. */
bool wire_get_number(const void *bytes, size_t size, unsigned int field, uint64_t *ret_value);
bool wire_get_bytes(const void *bytes, size_t size, unsigned int field, const void **ret_value,
		    size_t *ret_size);

struct wire_reply {
	uint64_t code; /* 0: OK */
	char text[512];
	unsigned char payload[WIRE_MESSAGE_MAX];
	size_t size;
};

/* One connection to a shim; calls are made one after the other. */
struct wire {
	int fd;
	uint32_t stream;
};

#define WIRE_NULL ((struct wire){.fd = -1, .stream = 1})

/*
 * address: a path, or "unix://" and a path; seconds: for the header of each answer, and again for its
 * body. All return 0 or a negative errno; after -ETIMEDOUT the connection is of no further use.
 */
int wire_connect(struct wire *wire, const char *address, unsigned int seconds);
int wire_call(struct wire *wire, const char *service, const char *method,
	      const struct wire_message *request, struct wire_reply *ret_reply);
void wire_deinit(struct wire *wire);

/* How long each read and write of a socket may take; -ETIMEDOUT then. */
void wire_limit(int fd, unsigned int seconds);

/*
 * Reads one frame whole. At the end of the connection it returns -EPIPE, at one in mid-frame -EPROTO.
 * The body must fit in WIRE_MESSAGE_MAX.
 */
int wire_receive(int fd, uint32_t *ret_stream, uint8_t *ret_type, unsigned char *body,
		 size_t *ret_size);
int wire_send(int fd, uint32_t stream, uint8_t type, const void *body, size_t size);
#endif
