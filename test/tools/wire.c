/* SPDX-License-Identifier: Apache-2.0 */
/* See wire.h. Wire types: 0 varint, 1 eight bytes, 2 length and bytes, 5 four bytes. */
#include "test/tools/wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define WIRE_HEADER_SIZE 10
#define WIRE_PAYLOAD_MAX (4u << 20)

void wire_deinit(struct wire_buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct wire_buffer){0};
}

static unsigned char *wire_reserve(struct wire_buffer *buffer, size_t size)
{
	size_t capacity = buffer->capacity ? buffer->capacity : 256;
	unsigned char *data;

	while (capacity < buffer->size + size)
		capacity *= 2;
	data = realloc(buffer->data, capacity);
	if (!data) {
		fputs("out of memory\n", stderr);
		exit(4);
	}
	buffer->data = data;
	buffer->capacity = capacity;
	buffer->size += size;
	return data + buffer->size - size;
}

void wire_append(struct wire_buffer *buffer, const void *data, size_t size)
{
	unsigned char *target = wire_reserve(buffer, size);

	if (size)
		memcpy(target, data, size);
}

static void wire_put_varint(struct wire_buffer *buffer, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		*wire_reserve(buffer, 1) = (unsigned char)(value | 0x80);
	*wire_reserve(buffer, 1) = (unsigned char)value;
}

void wire_put_uint(struct wire_buffer *buffer, uint32_t number, uint64_t value)
{
	wire_put_varint(buffer, (uint64_t)number << 3);
	wire_put_varint(buffer, value);
}

void wire_put_bytes(struct wire_buffer *buffer, uint32_t number, const void *data, size_t size)
{
	wire_put_varint(buffer, (uint64_t)number << 3 | 2);
	wire_put_varint(buffer, size);
	wire_append(buffer, data, size);
}

void wire_put_string(struct wire_buffer *buffer, uint32_t number, const char *text)
{
	wire_put_bytes(buffer, number, text, strlen(text));
}

struct wire_reader wire_read(const void *data, size_t size)
{
	const unsigned char *at = data;

	return (struct wire_reader){.at = at, .end = at ? at + size : at};
}

static bool wire_get_varint(struct wire_reader *reader, uint64_t *ret_value)
{
	uint64_t value = 0;
	unsigned int shift;

	for (shift = 0; shift < 64 && reader->at < reader->end; shift += 7) {
		unsigned char byte = *reader->at++;

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*ret_value = value;
			return true;
		}
	}
	return false;
}

bool wire_next(struct wire_reader *reader, struct wire_field *ret_field)
{
	struct wire_field field = {0};
	uint64_t key, size;

	if (!wire_get_varint(reader, &key) || !(key >> 3))
		return false;
	field.number = (uint32_t)(key >> 3);
	switch (key & 7) {
	case 0:
		if (!wire_get_varint(reader, &field.value))
			return false;
		*ret_field = field;
		return true;
	case 1:
		size = 8;
		break;
	case 2:
		if (!wire_get_varint(reader, &size))
			return false;
		break;
	case 5:
		size = 4;
		break;
	default:
		return false;
	}
	if (size > (size_t)(reader->end - reader->at))
		return false;
	field.data = reader->at;
	field.size = size;
	reader->at += size;
	*ret_field = field;
	return true;
}

bool wire_find(const void *data, size_t size, uint32_t number, struct wire_field *ret_field)
{
	struct wire_reader reader = wire_read(data, size);
	struct wire_field field;

	while (wire_next(&reader, &field)) {
		if (field.number == number) {
			*ret_field = field;
			return true;
		}
	}
	return false;
}

int wire_connect(const char *path, int *ret_fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	static const char scheme[] = "unix://";
	int fd, error;

	if (strncmp(path, scheme, sizeof(scheme) - 1) == 0)
		path += sizeof(scheme) - 1;
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		error = errno;
		close(fd);
		return -error;
	}
	*ret_fd = fd;
	return 0;
}

static int wire_send_all(int fd, const unsigned char *data, size_t size)
{
	while (size) {
		ssize_t n = send(fd, data, size, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

int wire_send(int fd, uint32_t stream, uint8_t type, const struct wire_buffer *payload)
{
	uint32_t size = (uint32_t)payload->size;
	const unsigned char header[WIRE_HEADER_SIZE] = {
		(unsigned char)(size >> 24),
		(unsigned char)(size >> 16),
		(unsigned char)(size >> 8),
		(unsigned char)size,
		(unsigned char)(stream >> 24),
		(unsigned char)(stream >> 16),
		(unsigned char)(stream >> 8),
		(unsigned char)stream,
		type,
		0,
	};
	int r = wire_send_all(fd, header, sizeof(header));

	return r < 0 ? r : wire_send_all(fd, payload->data, payload->size);
}

static int wire_receive_all(int fd, unsigned char *data, size_t size)
{
	while (size) {
		ssize_t n = recv(fd, data, size, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ECONNRESET;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

static uint32_t wire_number(const unsigned char *data)
{
	return (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
}

int wire_receive(int fd, struct wire_frame *ret_frame)
{
	struct wire_frame frame = {0};
	unsigned char header[WIRE_HEADER_SIZE];
	uint32_t size;
	int r = wire_receive_all(fd, header, sizeof(header));

	if (r < 0)
		return r;
	size = wire_number(header);
	if (size > WIRE_PAYLOAD_MAX)
		return -EMSGSIZE;
	frame.stream = wire_number(header + 4);
	frame.type = header[8];
	r = wire_receive_all(fd, wire_reserve(&frame.payload, size), size);
	if (r < 0) {
		wire_deinit(&frame.payload);
		return r;
	}
	*ret_frame = frame;
	return 0;
}
