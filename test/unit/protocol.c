/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ttrpc/PROTOCOL.md is held against the library: every vector in it is encoded and decoded, its
 * tables are those of the headers, its schemas those of the messages. protobuf-c, which knows the
 * envelope from proto/ttrpc.proto, is the second opinion. The exchanges are protocol_talk.c's.
 */
#include "test/unit/protocol_document.h"

#include <errno.h>

#include "proto/ttrpc.pb-c.h"
#include "test/unit/protocol.pb-c.h"
#include "ttrpc/envelope.h"
#include "ttrpc/frame.h"

#define PAIRS_MAX 4

/* What a vector says: one of the three kinds of frame. */
struct vector {
	struct frame frame;
	char service[64], method[64], text[64];
	uint8_t payload[256];
	size_t payload_size;
	long long timeout;
	int code;
	char pairs[2 * PAIRS_MAX][32];
	struct ttrpc_pair metadata[PAIRS_MAX];
	size_t n_metadata;
	uint8_t bytes[512]; /* the whole frame */
	size_t size;
};

static void vector_kind(struct vector *vector, const struct line *line)
{
	static const char *const names[] = {"", "request", "response", "data"};
	unsigned id, flags;

	for (uint8_t type = 1; type <= 3; type++)
		if (strcmp(line->key, names[type]) == 0)
			vector->frame.type = type;
	if (vector->frame.type == 0)
		return;
	ASSERT_EQ(sscanf(line->text, "id=%u flags=%x", &id, &flags), 2);
	vector->frame.id = id;
	vector->frame.flags = (uint8_t)flags;
}

static void vector_pair(struct vector *vector, const char *text)
{
	char *key = vector->pairs[2 * vector->n_metadata], *value = key + sizeof(vector->pairs[0]);

	ASSERT(vector->n_metadata < PAIRS_MAX);
	ASSERT_EQ(sscanf(text, "%31[^=]=%31s", key, value), 2);
	vector->metadata[vector->n_metadata++] = (struct ttrpc_pair){key, value};
}

static void vector_line(struct vector *vector, const struct line *line)
{
	const char *text = line->text;

	if (strncmp(line->key, "res", 3) == 0 || strncmp(line->key, "req", 3) == 0 ||
	    strcmp(line->key, "data") == 0)
		vector_kind(vector, line);
	else if (strcmp(line->key, "service") == 0)
		copy_line(vector->service, sizeof(vector->service), text);
	else if (strcmp(line->key, "method") == 0)
		copy_line(vector->method, sizeof(vector->method), text);
	else if (strcmp(line->key, "text") == 0)
		copy_line(vector->text, sizeof(vector->text), text);
	else if (strcmp(line->key, "payload") == 0)
		vector->payload_size = hex_parse(&text, vector->payload, sizeof(vector->payload));
	else if (strcmp(line->key, "timeout") == 0)
		vector->timeout = strtoll(text, NULL, 10);
	else if (strcmp(line->key, "code") == 0)
		vector->code = (int)strtol(text, NULL, 10);
	else if (strcmp(line->key, "metadata") == 0)
		vector_pair(vector, text);
	else if (strcmp(line->key, "=") == 0)
		vector->size = hex_parse(&text, vector->bytes, sizeof(vector->bytes));
	else
		test_fail(__FILE__, __LINE__, "unknown line: %s %s", line->key, text);
}

/* The next vector of this kind; counts them. */
static bool vector_next(struct document *document, const char *kind, struct vector *vector,
			struct block *block)
{
	struct line line;

	while (document_block(document, "vector", block)) {
		if (strcmp(block->kind, kind) != 0)
			continue;
		memset(vector, 0, sizeof(*vector));
		while (block_line(block, &line))
			vector_line(vector, &line);
		if (vector->frame.type == 0 || vector->size < FRAME_HEADER_SIZE)
			test_fail(__FILE__, __LINE__, "%s: no kind or no bytes", block->title);
		vector->frame.length = (uint32_t)(vector->size - FRAME_HEADER_SIZE);
		return true;
	}
	return false;
}

static struct slice vector_data(const struct vector *vector)
{
	return (struct slice){vector->bytes + FRAME_HEADER_SIZE, vector->frame.length};
}

/* ---- encoding ---- */

static size_t encode_request(const struct vector *vector, uint8_t *at)
{
	const struct envelope_call call = {
		.service = vector->service,
		.method = vector->method,
		.metadata = vector->metadata,
		.n_metadata = vector->n_metadata,
		.timeout = vector->timeout,
		.payload_size = vector->payload_size,
	};
	uint8_t *payload, *end = envelope_request_write(at, &call, &payload);

	memcpy(payload, vector->payload, vector->payload_size);
	ASSERT_EQ(end - at, envelope_request_size(&call));
	return (size_t)(end - at);
}

static size_t encode_response(const struct vector *vector, uint8_t *at)
{
	size_t text_size = strlen(vector->text);
	uint8_t *rest;

	if (vector->code == 0) {
		rest = envelope_reply_write(at, vector->payload_size);
		memcpy(rest, vector->payload, vector->payload_size);
		return envelope_reply_size(vector->payload_size);
	}
	rest = envelope_status_write(at, (enum ttrpc_code)vector->code, text_size);
	memcpy(rest, vector->text, text_size);
	return envelope_status_size((enum ttrpc_code)vector->code, text_size);
}

static size_t encode(const struct vector *vector, uint8_t *at)
{
	if (vector->frame.type == FRAME_REQUEST)
		return encode_request(vector, at);
	if (vector->frame.type == FRAME_RESPONSE)
		return encode_response(vector, at);
	memcpy(at, vector->payload, vector->payload_size);
	return vector->payload_size;
}

TEST(vectors_are_what_is_encoded)
{
	struct document document;
	struct vector vector;
	struct block block;
	unsigned n = 0;

	document_open(&document);
	for (; vector_next(&document, "", &vector, &block); n++) {
		uint8_t bytes[512];
		size_t size = FRAME_HEADER_SIZE + encode(&vector, bytes + FRAME_HEADER_SIZE);

		vector.frame.length = (uint32_t)(size - FRAME_HEADER_SIZE);
		frame_header_write(bytes, &vector.frame);
		if (size != vector.size || memcmp(bytes, vector.bytes, size) != 0)
			test_fail(__FILE__, __LINE__, "%s: other bytes", block.title);
	}
	ASSERT(n >= 13);
}

/* ---- decoding ---- */

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			test_fail(__FILE__, __LINE__, "%s: %s", title, #condition);                \
	} while (0)

static bool slice_is(struct slice slice, const void *data, size_t size)
{
	return slice.size == size && (size == 0 || memcmp(slice.data, data, size) == 0);
}

/* The frame alone, cut out of its bytes. */
static void check_frame(const struct vector *vector, const char *title)
{
	uint8_t scratch[1024];
	struct frame_reader reader;
	struct iovec space[2];
	struct frame frame;

	frame_reader_init(&reader, TTRPC_MESSAGE_MAX);
	frame_reader_begin(&reader, scratch);
	frame_reader_space(&reader, scratch, sizeof(scratch), space);
	memcpy(scratch, vector->bytes, vector->size);
	frame_reader_fed(&reader, vector->size);
	CHECK(frame_reader_next(&reader, sizeof(scratch), &frame) == 1);
	CHECK(frame.length == vector->size - FRAME_HEADER_SIZE);
	CHECK(frame.id == vector->frame.id && frame.type == vector->frame.type);
	CHECK(frame.flags == vector->frame.flags && !frame.oversize);
	CHECK(frame_reader_next(&reader, sizeof(scratch), &frame) == 0);
	frame_reader_deinit(&reader);
}

static void check_request(const struct vector *vector, const char *title)
{
	struct envelope_request request;
	struct slice rest = vector_data(vector), key, value;

	CHECK(envelope_request_parse(rest, PAIRS_MAX, &request) == 0);
	CHECK(slice_is(request.service, vector->service, strlen(vector->service)));
	CHECK(slice_is(request.method, vector->method, strlen(vector->method)));
	CHECK(slice_is(request.payload, vector->payload, vector->payload_size));
	CHECK(request.timeout == vector->timeout && request.n_metadata == vector->n_metadata);
	for (size_t i = 0; i < vector->n_metadata; i++) {
		const struct ttrpc_pair *pair = &vector->metadata[i];

		CHECK(envelope_metadata_next(&rest, &key, &value));
		CHECK(slice_is(key, pair->key, strlen(pair->key)));
		CHECK(slice_is(value, pair->value, strlen(pair->value)));
	}
}

static void check_response(const struct vector *vector, const char *title)
{
	struct envelope_response response;

	CHECK(envelope_response_parse(vector_data(vector), &response) == 0);
	CHECK(response.code == vector->code);
	CHECK(slice_is(response.text, vector->text, strlen(vector->text)));
	CHECK(slice_is(response.payload, vector->payload, vector->payload_size));
}

static unsigned check_vectors(const char *kind)
{
	struct document document;
	struct vector vector;
	struct block block;
	unsigned n = 0;

	document_open(&document);
	for (; vector_next(&document, kind, &vector, &block); n++) {
		check_frame(&vector, block.title);
		if (vector.frame.type == FRAME_REQUEST)
			check_request(&vector, block.title);
		else if (vector.frame.type == FRAME_RESPONSE)
			check_response(&vector, block.title);
	}
	return n;
}

TEST(vectors_are_decoded)
{
	ASSERT(check_vectors("") >= 13);
	ASSERT(check_vectors("accept") >= 8);
}

TEST(malformed_vectors_are_refused)
{
	struct document document;
	struct vector vector;
	struct block block;
	unsigned n = 0;

	document_open(&document);
	for (; vector_next(&document, "reject", &vector, &block); n++) {
		struct envelope_request request;
		struct envelope_response response;
		int error = vector.frame.type == FRAME_REQUEST
				    ? envelope_request_parse(vector_data(&vector), 9, &request)
				    : envelope_response_parse(vector_data(&vector), &response);

		if (error != -EBADMSG)
			test_fail(__FILE__, __LINE__, "%s: %d", block.title, error);
	}
	ASSERT(n >= 5);
}

/* protobuf-c reads and writes the same. */
TEST(vectors_of_a_second_opinion)
{
	struct document document;
	struct vector vector;
	struct block block;

	document_open(&document);
	while (vector_next(&document, "", &vector, &block)) {
		const ProtobufCMessageDescriptor *descriptor =
			vector.frame.type == FRAME_REQUEST    ? &ttrpc__request__descriptor
			: vector.frame.type == FRAME_RESPONSE ? &ttrpc__response__descriptor
							      : &svc__note__descriptor;
		struct slice data = vector_data(&vector);
		ProtobufCMessage *message =
			protobuf_c_message_unpack(descriptor, NULL, data.size, data.data);
		uint8_t bytes[512];

		ASSERT(message);
		if (protobuf_c_message_pack(message, bytes) != data.size ||
		    !slice_is(data, bytes, data.size))
			test_fail(__FILE__, __LINE__, "%s: other bytes", block.title);
		protobuf_c_message_free_unpacked(message, NULL);
	}
}
