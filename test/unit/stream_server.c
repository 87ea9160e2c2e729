/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the server answers to the frames of streams, odd ones above all: a table, each row sent whole,
 * one byte at a time, and under system calls that fail or move little.
 */
#include "test/unit/faults.h"
#include "test/unit/stream_fixture.h"

#define FRAMES_MAX 7
#define ANSWERS_MAX 6

struct sent {
	uint32_t id;
	uint8_t type, flags;
	const char *method; /* NULL: value is the data of a frame */
	const char *value;  /* of a message; NULL: no bytes at all */
	const char *raw;    /* bytes that are no message */
	uint32_t oversize;
};

struct answer {
	uint32_t id;
	uint8_t type, flags;
	int code;          /* of a Response */
	const char *value; /* of the message in it; NULL: no bytes at all, "*": any */
};

struct row {
	const char *name;
	struct sent sent[FRAMES_MAX];
	struct answer answers[ANSWERS_MAX];
	struct {
		size_t messages, half, ended;
		uint32_t left; /* streams that go on */
	} then;
};

#define OPEN(stream_id, open_flags, method_name)                                                   \
	{                                                                                          \
		.id = (stream_id), .type = FRAME_REQUEST, .flags = (open_flags),                   \
		.method = (method_name)                                                            \
	}
#define OPEN_WITH(stream_id, open_flags, method_name, text)                                        \
	{                                                                                          \
		.id = (stream_id), .type = FRAME_REQUEST, .flags = (open_flags),                   \
		.method = (method_name), .value = (text)                                           \
	}
#define DATA(stream_id, data_flags, text)                                                          \
	{                                                                                          \
		.id = (stream_id), .type = FRAME_DATA, .flags = (data_flags), .value = (text)      \
	}
#define GOT(stream_id, data_flags, text)                                                           \
	{                                                                                          \
		.id = (stream_id), .type = FRAME_DATA, .flags = (data_flags), .value = (text)      \
	}
#define STATUS(stream_id, status_code)                                                             \
	{                                                                                          \
		.id = (stream_id), .type = FRAME_RESPONSE, .code = (status_code), .value = "*"     \
	}
#define REPLY(stream_id, text)                                                                     \
	{                                                                                          \
		.id = (stream_id), .type = FRAME_RESPONSE, .value = (text)                         \
	}

static const struct row rows[] = {
	{"echo",
	 {OPEN(1, 2, "Talk"), DATA(1, 0, "a"), DATA(1, 0, "b"), DATA(1, 5, NULL)},
	 {GOT(1, 0, "a"), GOT(1, 0, "b"), GOT(1, 5, NULL)},
	 {2, 1, 1, 0}},
	{"opened with no-data",
	 {OPEN(1, 6, "Talk"), DATA(1, 0, "a"), DATA(1, 5, NULL)},
	 {GOT(1, 0, "a"), GOT(1, 5, NULL)},
	 {1, 1, 1, 0}},
	{"opened without a flag",
	 {OPEN(1, 0, "Talk"), DATA(1, 0, "a")},
	 {GOT(1, 0, "a")},
	 {1, 0, 0, 1}},
	{"opened with undefined flags",
	 {OPEN(1, 0xfa, "Talk"), DATA(1, 0xf8, "a")},
	 {GOT(1, 0, "a")},
	 {1, 0, 0, 1}},
	{"no spurious first message", {OPEN(1, 2, "Talk")}, {{0}}, {0, 0, 0, 1}},
	{"a first message with the request",
	 {OPEN_WITH(1, 2, "Talk", "x"), DATA(1, 0, "y")},
	 {GOT(1, 0, "x"), GOT(1, 0, "y")},
	 {2, 0, 0, 1}},
	{"no-data hides what comes with the request",
	 {OPEN_WITH(1, 6, "Talk", "x"), DATA(1, 0, "y")},
	 {GOT(1, 0, "y")},
	 {1, 0, 0, 1}},
	{"closed with the request", {OPEN(1, 1, "Talk")}, {GOT(1, 5, NULL)}, {0, 1, 1, 0}},
	{"a message and the end with the request",
	 {OPEN_WITH(1, 1, "Talk", "x")},
	 {GOT(1, 0, "x"), GOT(1, 5, NULL)},
	 {1, 1, 1, 0}},
	{"an empty message",
	 {OPEN(1, 2, "Talk"), DATA(1, 0, NULL), DATA(1, 5, NULL)},
	 {GOT(1, 0, NULL), GOT(1, 5, NULL)},
	 {1, 1, 1, 0}},
	{"no data is no message",
	 {OPEN(1, 2, "Talk"), DATA(1, 4, NULL), DATA(1, 0, "a")},
	 {GOT(1, 0, "a")},
	 {1, 0, 0, 1}},
	{"an empty message and the end in one frame",
	 {OPEN(1, 2, "Talk"), DATA(1, 1, NULL)},
	 {GOT(1, 0, NULL), GOT(1, 5, NULL)},
	 {1, 1, 1, 0}},
	{"a message and the end in one frame: one terminal frame",
	 {OPEN(1, 2, "Talk"), DATA(1, 1, "a")},
	 {GOT(1, 0, "a"), GOT(1, 5, NULL)},
	 {1, 1, 1, 0}},
	{"data in a frame without data",
	 {OPEN(1, 2, "Talk"), DATA(1, 5, "a")},
	 {STATUS(1, TTRPC_INVALID_ARGUMENT)},
	 {0, 0, 1, 0}},
	{"data after the client's end: one terminal frame",
	 {OPEN(1, 2, "Hold"), DATA(1, 5, NULL), DATA(1, 0, "a"), DATA(1, 0, "b")},
	 {STATUS(1, TTRPC_INVALID_ARGUMENT)},
	 {0, 0, 1, 0}},
	{"a second end: one terminal frame",
	 {OPEN(1, 2, "Hold"), DATA(1, 5, NULL), DATA(1, 5, NULL)},
	 {STATUS(1, TTRPC_INVALID_ARGUMENT)},
	 {0, 0, 1, 0}},
	{"no data after the client's end is nothing",
	 {OPEN(1, 2, "Hold"), DATA(1, 5, NULL), DATA(1, 4, NULL)},
	 {{0}},
	 {0, 0, 0, 1}},
	{"data for a stream that both ended",
	 {OPEN(1, 2, "Talk"), DATA(1, 5, NULL), DATA(1, 0, "a")},
	 {GOT(1, 5, NULL), STATUS(1, TTRPC_INVALID_ARGUMENT)},
	 {0, 1, 1, 0}},
	{"data for a stream that the server ended: one terminal frame",
	 {OPEN(1, 2, "Quit"), DATA(1, 0, "a"), DATA(1, 0, "b"), DATA(1, 5, NULL)},
	 {GOT(1, 5, NULL)},
	 {0, 0, 1, 0}},
	{"a message that is no Any",
	 {OPEN(1, 2, "Talk"), {.id = 1, .type = FRAME_DATA, .raw = "\n\x7f"}, DATA(1, 0, "x")},
	 {STATUS(1, TTRPC_INTERNAL)},
	 {0, 0, 1, 0}},
	{"an oversize message ends its stream only",
	 {OPEN(1, 2, "Talk"),
	  OPEN(3, 2, "Talk"),
	  {.id = 1, .type = FRAME_DATA, .oversize = 70001},
	  DATA(1, 0, "a"),
	  DATA(3, 0, "b")},
	 {STATUS(1, TTRPC_RESOURCE_EXHAUSTED), GOT(3, 0, "b")},
	 {1, 0, 1, 1}},
	{"the id of a stream used again ends it",
	 {OPEN(1, 2, "Talk"), OPEN(1, 2, "Talk"), DATA(1, 0, "a")},
	 {STATUS(1, TTRPC_INVALID_ARGUMENT)},
	 {0, 0, 1, 0}},
	{"client stream",
	 {OPEN(1, 2, "Sum"), DATA(1, 0, "a"), DATA(1, 0, NULL), DATA(1, 1, "c")},
	 {REPLY(1, "3")},
	 {3, 1, 1, 0}},
	{"client stream that ends with an empty message",
	 {OPEN(1, 2, "Sum"), DATA(1, 1, NULL)},
	 {REPLY(1, "1")},
	 {1, 1, 1, 0}},
	{"data for a stream that was refused: one terminal frame",
	 {OPEN(1, 2, "Refuse"), DATA(1, 0, "a"), DATA(1, 5, NULL)},
	 {STATUS(1, TTRPC_NOT_FOUND)},
	 {0, 0, 0, 0}},
	{"client stream without a message",
	 {OPEN(1, 6, "Sum"), DATA(1, 5, NULL)},
	 {REPLY(1, "0")},
	 {0, 1, 1, 0}},
	{"server stream",
	 {OPEN_WITH(1, 1, "Count", "2")},
	 {GOT(1, 0, "0"), GOT(1, 0, "1"), GOT(1, 5, NULL)},
	 {0, 0, 1, 0}},
	{"server stream opened without a flag",
	 {OPEN_WITH(1, 0, "Count", "1")},
	 {GOT(1, 0, "0"), GOT(1, 5, NULL)},
	 {0, 0, 1, 0}},
	{"server stream with an absent request: its empty message",
	 {OPEN(1, 1, "Count")},
	 {GOT(1, 5, NULL)},
	 {0, 0, 1, 0}},
	{"server stream that fails",
	 {OPEN_WITH(1, 1, "Break", "1")},
	 {GOT(1, 0, "0"), STATUS(1, TTRPC_ABORTED)},
	 {0, 0, 1, 0}},
	{"handler that does nothing",
	 {OPEN(1, 2, "Mute")},
	 {STATUS(1, TTRPC_UNKNOWN)},
	 {0, 0, 0, 0}},
	{"handler that refuses",
	 {OPEN(1, 2, "Refuse")},
	 {STATUS(1, TTRPC_NOT_FOUND)},
	 {0, 0, 0, 0}},
	{"no handler", {OPEN(1, 2, "None")}, {STATUS(1, TTRPC_UNIMPLEMENTED)}, {0, 0, 0, 0}},
	{"two streams",
	 {OPEN(1, 2, "Talk"), OPEN(3, 2, "Talk"), DATA(3, 0, "b"), DATA(1, 0, "a"),
	  DATA(3, 5, NULL)},
	 {GOT(3, 0, "b"), GOT(1, 0, "a"), GOT(3, 5, NULL)},
	 {2, 1, 1, 1}},
	{"what is ignored",
	 {OPEN(1, 2, "Talk"),
	  {.id = 1, .type = FRAME_RESPONSE, .raw = "x"},
	  {.id = 1, .type = 9, .raw = "x"},
	  DATA(1, 0, "a")},
	 {GOT(1, 0, "a")},
	 {1, 0, 0, 1}},
};

static size_t any_pack(uint8_t *at, const char *value)
{
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;

	any.value.data = (uint8_t *)(uintptr_t)value;
	any.value.len = strlen(value);
	return protobuf_c_message_pack(&any.base, at);
}

static size_t sent_build(uint8_t *at, const struct sent *sent)
{
	uint8_t data[512];
	struct envelope_call call = {.service = "test.Stream", .method = sent->method};
	size_t size = sent->value ? any_pack(data, sent->value) : 0;
	uint8_t *payload;

	if (sent->oversize > 0) {
		memset(at + FRAME_HEADER_SIZE, 0x55, sent->oversize);
		return frame_build(at, sent->id, sent->type, sent->flags, at + FRAME_HEADER_SIZE,
				   sent->oversize);
	}
	if (sent->raw)
		return frame_build(at, sent->id, sent->type, sent->flags, sent->raw,
				   strlen(sent->raw));
	if (!sent->method)
		return frame_build(at, sent->id, sent->type, sent->flags, data, size);
	call.payload_size = size;
	frame_build(at, sent->id, sent->type, sent->flags, data, 0);
	envelope_request_write(at + FRAME_HEADER_SIZE, &call, &payload);
	if (size > 0)
		memcpy(payload, data, size);
	size = envelope_request_size(&call);
	at[2] = (uint8_t)(size >> 8);
	at[3] = (uint8_t)size;
	return FRAME_HEADER_SIZE + size;
}

static void answer_check(int fd, const struct row *row, const struct answer *answer)
{
	static uint8_t data[4096];
	uint8_t expected[512];
	struct envelope_response response = {0};
	struct slice payload;
	struct frame frame;
	size_t size;

	if (!raw_receive(fd, &frame, data, sizeof(data)))
		test_fail(__FILE__, __LINE__, "%s: no answer", row->name);
	if (frame.id != answer->id || frame.type != answer->type || frame.flags != answer->flags)
		test_fail(__FILE__, __LINE__, "%s: id %u type %u flags %u", row->name, frame.id,
			  frame.type, frame.flags);
	payload = (struct slice){data, frame.length};
	if (frame.type == FRAME_RESPONSE) {
		ASSERT_EQ(envelope_response_parse(payload, &response), 0);
		payload = response.payload;
	}
	if (response.code != answer->code)
		test_fail(__FILE__, __LINE__, "%s: code %d %.*s", row->name, response.code,
			  (int)response.text.size, (const char *)response.text.data);
	if (answer->value && strcmp(answer->value, "*") == 0)
		return;
	size = answer->value ? any_pack(expected, answer->value) : 0;
	if (size != payload.size || (size > 0 && memcmp(expected, payload.data, size) != 0))
		test_fail(__FILE__, __LINE__, "%s: not %s", row->name, answer->value);
}

static void row_run(const struct row *row, size_t piece)
{
	static uint8_t bytes[100000];
	struct fixture fixture;
	size_t size = 0;
	int fd;

	stream_fixture_init(&fixture);
	fixture.server->limits.message = 70000;
	fd = raw_connect(&fixture);
	for (size_t i = 0; i < FRAMES_MAX && row->sent[i].type; i++)
		size += sent_build(bytes + size, &row->sent[i]);
	for (size_t at = 0; at < size; at += piece) {
		raw_send(fd, bytes + at, size - at < piece ? size - at : piece);
		if (piece > 1 || size < 2000 || at % 100 == 0)
			settle(&fixture);
	}
	settle_all(&fixture.loop);
	for (size_t i = 0; i < ANSWERS_MAX && row->answers[i].id; i++)
		answer_check(fd, row, &row->answers[i]);
	raw_expect_nothing(fd);
	if (talk.n_messages != row->then.messages || talk.n_half != row->then.half ||
	    talk.n_ended != row->then.ended || server_streams(&fixture) != row->then.left)
		test_fail(__FILE__, __LINE__, "%s: %zu messages, %zu half, %zu ended, %u left",
			  row->name, talk.n_messages, talk.n_half, talk.n_ended,
			  server_streams(&fixture));
	close(fd);
	settle_all(&fixture.loop);
	ASSERT_EQ(talk.n_ended, row->then.ended + row->then.left);
	ASSERT_EQ(ttrpc_server_connections(fixture.server), 0);
	fixture_deinit(&fixture);
}

TEST(frames_whole)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		row_run(&rows[i], 100000);
}

TEST(frames_byte_by_byte)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		row_run(&rows[i], 1);
}

TEST(frames_in_odd_pieces)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		row_run(&rows[i], 7);
}

TEST(frames_under_faults)
{
	static const size_t pieces[] = {1, 3, 11, 4096};

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)
		for (size_t at = 0; at < sizeof(rows) / sizeof(rows[0]); at++) {
			bool large = rows[at].sent[2].oversize;

			faults_begin(large ? pieces[i] + 500 : pieces[i], pieces[i] + 7,
				     (unsigned)(7 * i + at));
			row_run(&rows[at], pieces[i] == 3 ? 5 : 100000);
			faults_end();
		}
	ASSERT(faults.n > 0);
}

TEST(deadline_of_a_stream_ends_it)
{
	uint8_t bytes[256], *payload;
	struct envelope_call call = {
		.service = "test.Stream", .method = "Hold", .timeout = 20000000};
	struct fixture fixture;
	int fd;

	stream_fixture_init(&fixture);
	fd = raw_connect(&fixture);
	frame_build(bytes, 1, FRAME_REQUEST, 2, NULL, 0);
	bytes[3] = (uint8_t)envelope_request_size(&call);
	envelope_request_write(bytes + FRAME_HEADER_SIZE, &call, &payload);
	raw_send(fd, bytes, FRAME_HEADER_SIZE + bytes[3]);
	settle(&fixture);
	ASSERT_EQ(talk.n_held, 1);
	/* On a slow machine it is over by now. */
	if (talk.n_ended == 0)
		raw_expect_nothing(fd);
	while (talk.n_ended == 0)
		ASSERT_EQ(ttrpc_loop_dispatch(&fixture.loop, -1), 0);
	ASSERT_EQ(talk.last.code, TTRPC_DEADLINE_EXCEEDED);
	ASSERT_EQ(talk.last.error, -ETIMEDOUT);
	raw_expect(fd, 1, TTRPC_DEADLINE_EXCEEDED);
	ASSERT_EQ(server_streams(&fixture), 0);
	/* What was under way by then gets no second answer. */
	raw_send(fd, bytes, frame_build(bytes, 1, FRAME_DATA, 0, "", 0));
	settle(&fixture);
	raw_expect_nothing(fd);
	close(fd);
	fixture_deinit(&fixture);
}

TEST(end_of_the_connection_ends_streams)
{
	struct fixture fixture;
	uint8_t bytes[256];
	const struct sent open = OPEN(1, 2, "Talk");
	int fd;

	stream_fixture_init(&fixture);
	fd = raw_connect(&fixture);
	raw_send(fd, bytes, sent_build(bytes, &open));
	settle(&fixture);
	ASSERT_EQ(server_streams(&fixture), 1);
	close(fd);
	settle(&fixture);
	ASSERT_EQ(talk.n_ended, 1);
	ASSERT_EQ(talk.last.code, TTRPC_CANCELLED);
	ASSERT(talk.last.error == -EPIPE || talk.last.error == -ECONNRESET);
	fixture_deinit(&fixture);
}

TEST(end_of_the_server_ends_streams)
{
	struct fixture fixture;
	uint8_t bytes[256];
	const struct sent open = OPEN(1, 2, "Hold");
	int fd;

	stream_fixture_init(&fixture);
	fd = raw_connect(&fixture);
	raw_send(fd, bytes, sent_build(bytes, &open));
	settle(&fixture);
	fixture_deinit(&fixture);
	ASSERT_EQ(talk.n_ended, 1);
	ASSERT_EQ(talk.last.code, TTRPC_CANCELLED);
	close(fd);
}

TEST(more_streams_than_the_limit)
{
	struct fixture fixture;
	uint8_t bytes[256];
	int fd;

	stream_fixture_init(&fixture);
	fixture.server->limits.streams = 2;
	fd = raw_connect(&fixture);
	for (uint32_t id = 1; id < 7; id += 2) {
		const struct sent open = OPEN(id, 2, "Talk");

		raw_send(fd, bytes, sent_build(bytes, &open));
	}
	settle(&fixture);
	raw_expect(fd, 5, TTRPC_RESOURCE_EXHAUSTED);
	ASSERT_EQ(server_streams(&fixture), 2);
	close(fd);
	fixture_deinit(&fixture);
}
