/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The envelope and the frame header against bytes that another implementation put on the wire, and
 * the reader of the envelope against everything that may be in a protobuf message.
 */
#include "ttrpc/envelope.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "test/test.h"
#include "ttrpc/frame.h"

#define SLICE(text) ((struct slice){(const uint8_t *)(text), sizeof(text) - 1})

static bool slice_equal(struct slice slice, const char *text)
{
	return slice.size == strlen(text) &&
	       (slice.size == 0 || memcmp(slice.data, text, slice.size) == 0);
}

static const char golden_call[] =
	"\n\5svc.S\x12\1M\x1a\6\x08\1\x12\2hi*\6\n\1k\x12\1a*\6\n\1k\x12\1b";

TEST(golden_request_is_written)
{
	static const struct ttrpc_pair metadata[] = {{"K", "a"}, {"k", "b"}};
	const struct envelope_call call = {
		.service = "svc.S",
		.method = "M",
		.metadata = metadata,
		.n_metadata = 2,
		.payload_size = 6,
	};
	uint8_t bytes[128], *payload, *end;

	ASSERT_EQ(envelope_request_size(&call), sizeof(golden_call) - 1);
	end = envelope_request_write(bytes, &call, &payload);
	memcpy(payload, "\x08\1\x12\2hi", 6);
	ASSERT_EQ(end - bytes, sizeof(golden_call) - 1);
	ASSERT_MEM(bytes, golden_call, sizeof(golden_call) - 1);
}

TEST(golden_request_is_read)
{
	struct envelope_request request;
	struct slice value;

	ASSERT_EQ(envelope_request_parse(SLICE(golden_call), 2, &request), 0);
	ASSERT(slice_equal(request.service, "svc.S"));
	ASSERT(slice_equal(request.method, "M"));
	ASSERT(slice_equal(request.payload, "\x08\1\x12\2hi"));
	ASSERT_EQ(request.timeout, 0);
	ASSERT_EQ(request.n_metadata, 2);
	ASSERT(envelope_metadata(&request, "K", &value));
	ASSERT(slice_equal(value, "a"));
	ASSERT(!envelope_metadata(&request, "kk", &value));
	ASSERT(!envelope_metadata(&request, "", &value));
	ASSERT_EQ(envelope_request_parse(SLICE(golden_call), 1, &request), -E2BIG);
}

TEST(golden_streams_are_read)
{
	struct envelope_request request;

	ASSERT_EQ(envelope_request_parse(SLICE("\n\5svc.S\x12\1B"), 0, &request), 0);
	ASSERT(slice_equal(request.method, "B"));
	ASSERT_EQ(request.payload.size, 0);
	ASSERT_EQ(envelope_request_parse(SLICE("\n\5svc.S\x12\2SS\x1a\2\x08\2"), 0, &request), 0);
	ASSERT(slice_equal(request.method, "SS"));
	ASSERT(slice_equal(request.payload, "\x08\2"));
}

TEST(golden_replies_are_written)
{
	uint8_t bytes[32], *end;

	ASSERT_EQ(envelope_reply_size(2), 4);
	end = envelope_reply_write(bytes, 2);
	memcpy(end, "\x08\3", 2);
	ASSERT_EQ(end - bytes, 2);
	ASSERT_MEM(bytes, "\x12\2\x08\3", 4);
	ASSERT_EQ(envelope_reply_size(0), 0);
	ASSERT_EQ(envelope_reply_write(bytes, 0) - bytes, 0);
}

static void check_status(enum ttrpc_code code, const char *text, struct slice golden)
{
	size_t size = strlen(text);
	uint8_t bytes[64], *end;

	ASSERT_EQ(envelope_status_size(code, size), golden.size);
	end = envelope_status_write(bytes, code, size);
	memcpy(end, text, size);
	ASSERT_EQ((size_t)(end - bytes) + size, golden.size);
	ASSERT_MEM(bytes, golden.data, golden.size);
}

TEST(golden_statuses_are_written)
{
	check_status(TTRPC_UNKNOWN, "plain", SLICE("\n\t\x08\2\x12\5plain"));
	check_status(TTRPC_UNIMPLEMENTED, "service x", SLICE("\n\r\x08\x0c\x12\tservice x"));
	check_status(TTRPC_UNIMPLEMENTED, "method nope",
		     SLICE("\n\x0f\x08\x0c\x12\x0bmethod nope"));
	check_status(TTRPC_ABORTED, "", SLICE("\n\2\x08\n"));
}

TEST(golden_frame_headers)
{
	static const uint8_t half_close[] = {0, 0, 0, 0, 0, 0, 1, 2, 3, 5};
	static const uint8_t large[] = {0, 0x40, 0, 1, 0xff, 0xff, 0xff, 0xfd, 1, 0};
	uint8_t bytes[FRAME_HEADER_SIZE];

	frame_header_write(bytes, &(struct frame){.id = 258,
						  .type = FRAME_DATA,
						  .flags = FRAME_REMOTE_CLOSED | FRAME_NO_DATA});
	ASSERT_MEM(bytes, half_close, sizeof(bytes));
	frame_header_write(bytes, &(struct frame){.length = TTRPC_MESSAGE_MAX + 1,
						  .id = UINT32_MAX - 2,
						  .type = FRAME_REQUEST});
	ASSERT_MEM(bytes, large, sizeof(bytes));
}

TEST(responses_are_read)
{
	struct envelope_response response;

	ASSERT_EQ(envelope_response_parse(SLICE(""), &response), 0);
	ASSERT_EQ(response.code, 0);
	ASSERT_EQ(response.payload.size, 0);
	ASSERT_EQ(envelope_response_parse(SLICE("\n\0\x12\2\x08\3"), &response), 0);
	ASSERT_EQ(response.code, 0);
	ASSERT(slice_equal(response.payload, "\x08\3"));
	ASSERT_EQ(envelope_response_parse(SLICE("\n\t\x08\2\x12\5plain"), &response), 0);
	ASSERT_EQ(response.code, 2);
	ASSERT(slice_equal(response.text, "plain"));
	/* With details, which are skipped. */
	ASSERT_EQ(envelope_response_parse(SLICE("\n\6\x08\5\x1a\2\n\0"), &response), 0);
	ASSERT_EQ(response.code, 5);
}

TEST(requests_with_everything_in_them)
{
	struct envelope_request request;

	/*
	 * Any order; the last of a repeated field; unknown fields of each type, a group in a
	 * group.
	 */
	ASSERT_EQ(envelope_request_parse(SLICE("\x20\x05\x12\1x\n\1s\x12\1M"
					       "\x78\x96\x01\x79"
					       "12345678\x7a\2ab\x7d"
					       "1234"
					       "\x7b\x08\1\x13\x14\x7c"),
					 0, &request),
		  0);
	ASSERT(slice_equal(request.service, "s"));
	ASSERT(slice_equal(request.method, "M"));
	ASSERT_EQ(request.timeout, 5);
	/* A known number with another type is an unknown field. */
	ASSERT_EQ(envelope_request_parse(SLICE("\x08\1\x22\1x"), 0, &request), 0);
	ASSERT_EQ(request.service.size, 0);
	ASSERT_EQ(request.timeout, 0);
	/* Negative timeouts have ten bytes. */
	ASSERT_EQ(envelope_request_parse(SLICE("\x20\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"), 0,
					 &request),
		  0);
	ASSERT_EQ(request.timeout, -1);
	/* Superfluous bytes of a varint are allowed. */
	ASSERT_EQ(envelope_request_parse(SLICE("\x20\x85\x80\0"), 0, &request), 0);
	ASSERT_EQ(request.timeout, 5);
}

TEST(malformed_requests)
{
	static const struct slice malformed[] = {
		{(const uint8_t *)"\n", 1},                                          /* no length */
		{(const uint8_t *)"\n\5abc", 5},                                     /* too short */
		{(const uint8_t *)"\n\xff\xff\xff\xff\x0f", 6},                      /* 4 GiB */
		{(const uint8_t *)"\n\xff\xff\xff\xff\xff\xff\xff\xff\xff\1", 11},   /* 2^64 - 1 */
		{(const uint8_t *)"\x20\xff\xff\xff\xff\xff\xff\xff\xff\xff\2", 11}, /* 65 bits */
		{(const uint8_t *)"\x20\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\1",
		 12},                               /* 11 bytes */
		{(const uint8_t *)"\x20\x80", 2},   /* unfinished varint */
		{(const uint8_t *)"\0\1", 2},       /* field 0 */
		{(const uint8_t *)"\x0e\1", 2},     /* type 6 */
		{(const uint8_t *)"\x0f\1", 2},     /* type 7 */
		{(const uint8_t *)"\x7c", 1},       /* end of no group */
		{(const uint8_t *)"\x7b\x08\1", 3}, /* unfinished group */
		{(const uint8_t *)"\x7b\x74", 2},   /* wrong end */
		{(const uint8_t *)"\x7d"
				  "123",
		 4}, /* short fixed32 */
		{(const uint8_t *)"\x79"
				  "1234567",
		 8},                                             /* short fixed64 */
		{(const uint8_t *)"\x80\x80\x80\x80\x80\1x", 7}, /* tag of 36 bits */
		{(const uint8_t *)"\n\2\xc3\x28", 4},            /* service not UTF-8 */
		{(const uint8_t *)"\x12\1\xff", 3},              /* method not UTF-8 */
		{(const uint8_t *)"*\3\n\1\xff", 5},             /* key not UTF-8 */
		{(const uint8_t *)"*\3\x12\1\xff", 5},           /* value not UTF-8 */
		{(const uint8_t *)"*\2\n\5", 4},                 /* malformed pair */
	};

	for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
		struct envelope_request request = {.timeout = 42};

		if (envelope_request_parse(malformed[i], 10, &request) != -EBADMSG)
			test_fail(__FILE__, __LINE__, "malformed[%zu] was accepted", i);
		ASSERT_EQ(request.timeout, 42);
	}
}

TEST(groups_within_groups_are_bounded)
{
	static uint8_t deep[20000];
	struct envelope_request request;

	memset(deep, 0x7b, 99);
	memset(deep + 99, 0x7c, 99);
	ASSERT_EQ(envelope_request_parse((struct slice){deep, 198}, 0, &request), 0);
	memset(deep, 0x7b, sizeof(deep) / 2);
	memset(deep + sizeof(deep) / 2, 0x7c, sizeof(deep) / 2);
	ASSERT_EQ(envelope_request_parse((struct slice){deep, sizeof(deep)}, 0, &request),
		  -EBADMSG);
}

/* Every prefix and every single changed byte of a good request: read without a fault. */
TEST(damaged_requests_are_read_within_their_bounds)
{
	const size_t size = sizeof(golden_call) - 1;

	for (size_t length = 0; length <= size; length++) {
		for (size_t at = 0; at < length; at++) {
			/* On the heap, with nothing behind it, for those who watch over bounds. */
			uint8_t *copy = malloc(length);
			struct envelope_request request;
			struct envelope_response response;
			struct slice value;

			ASSERT(copy);
			memcpy(copy, golden_call, length);
			copy[at] = (uint8_t)(copy[at] ^ (1u << (length + at) % 8));
			if (envelope_request_parse((struct slice){copy, length}, 10, &request) == 0)
				envelope_metadata(&request, "k", &value);
			envelope_response_parse((struct slice){copy, length}, &response);
			free(copy);
		}
	}
}

TEST(varint_sizes)
{
	static const uint64_t values[] = {0,     1,          127,       128,       16383,
					  16384, UINT32_MAX, INT64_MAX, UINT64_MAX};
	static const size_t sizes[] = {1, 1, 1, 2, 2, 3, 5, 9, 10};
	uint8_t bytes[10];

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		ASSERT_EQ(wire_varint_size(values[i]), sizes[i]);
		ASSERT_EQ(wire_varint_write(bytes, values[i]) - bytes, sizes[i]);
	}
}
