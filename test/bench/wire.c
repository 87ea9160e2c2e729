/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The smallest client of ttrpc: blocking, one call at a time, raw frames.
 *
 * The library under test is left out on purpose: every shim is measured through the same few system
 * calls (one write and two reads a call), and a fault of the library can't favour our own shim.
 * The wire is a 10-byte header (length, stream, type, flags; big endian) and a protobuf envelope.
 */
#include "test/bench/wire.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define HEADER_SIZE 10
#define TYPE_REQUEST 1
#define TYPE_RESPONSE 2

enum protobuf_wire_type { NUMBER = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

static void put_varint(struct wire_message *message, uint64_t value)
{
	do {
		if (message->size == sizeof(message->bytes)) {
			message->overflow = true;
			return;
		}
		message->bytes[message->size++] =
			(unsigned char)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
		value >>= 7;
	} while (value);
}

static void put_bytes(struct wire_message *message, unsigned int field, const void *value,
		      size_t size)
{
	put_varint(message, (uint64_t)field << 3 | BYTES);
	put_varint(message, size);
	if (size > sizeof(message->bytes) - message->size) {
		message->overflow = true;
		return;
	}
	memcpy(message->bytes + message->size, value, size);
	message->size += size;
}

void wire_put_number(struct wire_message *message, unsigned int field, uint64_t value)
{
	if (value == 0)
		return;
	put_varint(message, (uint64_t)field << 3 | NUMBER);
	put_varint(message, value);
}

void wire_put_string(struct wire_message *message, unsigned int field, const char *value)
{
	if (value && value[0])
		put_bytes(message, field, value, strlen(value));
}

void wire_put_message(struct wire_message *message, unsigned int field,
		      const struct wire_message *value)
{
	message->overflow |= value->overflow;
	put_bytes(message, field, value->bytes, value->size);
}

void wire_put_any(struct wire_message *message, unsigned int field, const char *type_url,
		  const struct wire_message *value)
{
	struct wire_message any = {.size = 0};

	wire_put_string(&any, 1, type_url);
	wire_put_message(&any, 2, value);
	wire_put_message(message, field, &any);
}

static bool get_varint(const unsigned char **at, const unsigned char *end, uint64_t *ret_value)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; *at < end && shift < 64; shift += 7) {
		unsigned char byte = *(*at)++;

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*ret_value = value;
			return true;
		}
	}
	return false;
}

struct field {
	uint64_t key, number; /* number: the value, or the size of the bytes */
	const unsigned char *bytes;
};

static bool get_field(const unsigned char **at, const unsigned char *end, struct field *ret_field)
{
	struct field field = {.bytes = NULL};

	if (!get_varint(at, end, &field.key))
		return false;
	switch (field.key & 7) {
	case NUMBER:
		if (!get_varint(at, end, &field.number))
			return false;
		*ret_field = field;
		return true;
	case BYTES:
		if (!get_varint(at, end, &field.number))
			return false;
		break;
	case FIXED64:
		field.number = 8;
		break;
	case FIXED32:
		field.number = 4;
		break;
	default:
		return false;
	}
	if (field.number > (uint64_t)(end - *at))
		return false;
	field.bytes = *at;
	*at += field.number;
	*ret_field = field;
	return true;
}

static bool find(const void *bytes, size_t size, uint64_t key, struct field *ret_field)
{
	const unsigned char *at = bytes, *end = at + size;
	struct field field;
	bool found = false;

	while (at < end) {
		if (!get_field(&at, end, &field))
			return false;
		if (field.key != key)
			continue;
		*ret_field = field;
		found = true;
	}
	return found;
}

bool wire_get_number(const void *bytes, size_t size, unsigned int field, uint64_t *ret_value)
{
	struct field found;

	if (!find(bytes, size, (uint64_t)field << 3 | NUMBER, &found))
		return false;
	*ret_value = found.number;
	return true;
}

bool wire_get_bytes(const void *bytes, size_t size, unsigned int field, const void **ret_value,
		    size_t *ret_size)
{
	struct field found;

	if (!find(bytes, size, (uint64_t)field << 3 | BYTES, &found))
		return false;
	*ret_value = found.bytes;
	*ret_size = (size_t)found.number;
	return true;
}

/* Of a socket whose time limit has passed the kernel says that it would block. */
static int last_error(void)
{
	return errno == EAGAIN ? -ETIMEDOUT : -errno;
}

void wire_limit(int fd, unsigned int seconds)
{
	struct timeval limit = {.tv_sec = seconds};

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

int wire_connect(struct wire *wire, const char *address, unsigned int seconds)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	const char *path = strncmp(address, "unix://", 7) == 0 ? address + 7 : address;
	int fd;

	if (strlen(path) >= sizeof(name.sun_path))
		return -ENAMETOOLONG;
	strcpy(name.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	wire_limit(fd, seconds);
	if (connect(fd, (const struct sockaddr *)&name, sizeof(name)) < 0) {
		int error = last_error();

		close(fd);
		return error;
	}
	wire->fd = fd;
	wire->stream = 1;
	return 0;
}

void wire_deinit(struct wire *wire)
{
	if (wire->fd >= 0)
		close(wire->fd);
	*wire = WIRE_NULL;
}

int wire_send(int fd, uint32_t stream, uint8_t type, const void *body, size_t size)
{
	unsigned char header[HEADER_SIZE] = {0};
	struct iovec parts[2] = {
		{.iov_base = header, .iov_len = sizeof(header)},
		{.iov_base = (void *)(uintptr_t)body, .iov_len = size},
	};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = size ? 2 : 1};
	uint32_t length = htobe32((uint32_t)size), number = htobe32(stream);
	ssize_t sent;

	memcpy(header, &length, 4);
	memcpy(header + 4, &number, 4);
	header[8] = type;
	/* A blocking AF_UNIX socket takes a few kilobytes whole, or fails. */
	sent = sendmsg(fd, &message, MSG_NOSIGNAL);
	if (sent < 0)
		return last_error();
	return (size_t)sent == sizeof(header) + size ? 0 : -EIO;
}

static int receive_all(int fd, void *bytes, size_t size)
{
	ssize_t received = size ? recv(fd, bytes, size, MSG_WAITALL) : 0;

	if (received < 0)
		return last_error();
	if ((size_t)received == size)
		return 0;
	if (received == 0)
		return -EPIPE;
	/* Was it the end, or the time limit? */
	return recv(fd, bytes, 1, MSG_DONTWAIT) == 0 ? -EPROTO : -ETIMEDOUT;
}

int wire_receive(int fd, uint32_t *ret_stream, uint8_t *ret_type, unsigned char *body,
		 size_t *ret_size)
{
	unsigned char header[HEADER_SIZE];
	uint32_t length, stream;
	int error;

	error = receive_all(fd, header, sizeof(header));
	if (error < 0)
		return error;
	memcpy(&length, header, 4);
	memcpy(&stream, header + 4, 4);
	if (be32toh(length) > WIRE_MESSAGE_MAX)
		return -EMSGSIZE;
	error = receive_all(fd, body, be32toh(length));
	if (error < 0)
		return error == -EPIPE ? -EPROTO : error;
	*ret_stream = be32toh(stream);
	*ret_type = header[8];
	*ret_size = be32toh(length);
	return 0;
}

static int parse_response(const unsigned char *body, size_t size, struct wire_reply *ret_reply)
{
	const void *bytes;
	size_t length;

	ret_reply->code = 0;
	ret_reply->text[0] = '\0';
	ret_reply->size = 0;
	if (wire_get_bytes(body, size, 1, &bytes, &length)) {
		const void *text;
		size_t text_size;

		wire_get_number(bytes, length, 1, &ret_reply->code);
		if (wire_get_bytes(bytes, length, 2, &text, &text_size)) {
			if (text_size >= sizeof(ret_reply->text))
				text_size = sizeof(ret_reply->text) - 1;
			memcpy(ret_reply->text, text, text_size);
			ret_reply->text[text_size] = '\0';
		}
	}
	if (wire_get_bytes(body, size, 2, &bytes, &length)) {
		memcpy(ret_reply->payload, bytes, length);
		ret_reply->size = length;
	}
	return 0;
}

int wire_call(struct wire *wire, const char *service, const char *method,
	      const struct wire_message *request, struct wire_reply *ret_reply)
{
	struct wire_message envelope = {.size = 0};
	unsigned char body[WIRE_MESSAGE_MAX];
	uint32_t stream;
	uint8_t type;
	size_t size;
	int error;

	wire_put_string(&envelope, 1, service);
	wire_put_string(&envelope, 2, method);
	wire_put_message(&envelope, 3, request);
	if (envelope.overflow)
		return -EMSGSIZE;
	error = wire_send(wire->fd, wire->stream, TYPE_REQUEST, envelope.bytes, envelope.size);
	if (error < 0)
		return error;
	error = wire_receive(wire->fd, &stream, &type, body, &size);
	if (error < 0)
		return error;
	if (stream != wire->stream || type != TYPE_RESPONSE)
		return -EPROTO;
	wire->stream += 2;
	return parse_response(body, size, ret_reply);
}
