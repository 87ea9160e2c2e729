/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's end of streams: against the server of the fixture, and against frames that a test
 * writes itself, odd ones above all.
 */
#include "test/unit/faults.h"
#include "test/unit/stream_fixture.h"

struct pair {
	struct fixture fixture;
	struct ttrpc_client *client;
	int peer; /* of a client without a server; -1: none */
};

static void pair_init(struct pair *pair)
{
	stream_fixture_init(&pair->fixture);
	pair->client = connect_client(&pair->fixture);
	pair->peer = -1;
}

static void raw_init(struct pair *pair)
{
	int fds[2];

	stream_fixture_init(&pair->fixture);
	ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	ASSERT_EQ(ttrpc_client_new(&pair->fixture.loop, fds[0], &pair->client), 0);
	pair->peer = fds[1];
}

static void pair_deinit(struct pair *pair)
{
	ttrpc_client_free(pair->client);
	settle(&pair->fixture);
	ASSERT_EQ(server_streams(&pair->fixture), 0);
	if (pair->peer >= 0)
		close(pair->peer);
	fixture_deinit(&pair->fixture);
}

static unsigned client_streams_left(const struct pair *pair)
{
	return pair->client->pool ? pair->client->pool->n_streams : 0;
}

TEST(bidi_ping_pong)
{
	struct heard heard = {.answer = 0};
	struct pair pair;

	pair_init(&pair);
	ASSERT_EQ(stream_start(pair.client, "Talk", NULL, 0, &heard), 0);
	for (int i = 0; i < 50; i++) {
		ASSERT_EQ(number_send(heard.stream, i, 0), 0);
		settle(&pair.fixture);
		ASSERT_EQ(heard.n_messages, i + 1);
	}
	ASSERT_EQ(ttrpc_stream_close_send(heard.stream), 0);
	ASSERT_EQ(number_send(heard.stream, 1, 0), -EPIPE);
	settle(&pair.fixture);
	ASSERT_EQ(heard.n_ended, 1);
	ASSERT_EQ(heard.status.code, TTRPC_OK);
	ASSERT_EQ(client_streams_left(&pair), 0);
	ASSERT_EQ(server_streams(&pair.fixture), 0);
	pair_deinit(&pair);
}

TEST(client_stream_is_answered_once)
{
	struct heard heard = {.answer = 0};
	struct pair pair;

	pair_init(&pair);
	ASSERT_EQ(stream_start(pair.client, "Sum", NULL, 0, &heard), 0);
	for (int i = 0; i < 202; i++)
		ASSERT_EQ(number_send(heard.stream, i, 0), 0);
	ASSERT_EQ(ttrpc_stream_close_send(heard.stream), 0);
	settle(&pair.fixture);
	ASSERT_EQ(heard.n_ended, 1);
	ASSERT_EQ(heard.status.code, TTRPC_OK);
	ASSERT_STR(heard.text, " 202");
	pair_deinit(&pair);
}

TEST(server_stream_in_order)
{
	struct heard heard = {.in_order = true};
	struct pair pair;

	pair_init(&pair);
	ASSERT_EQ(stream_start(pair.client, "Count", "5000", 0, &heard), 0);
	ASSERT_EQ(number_send(heard.stream, 1, 0), -EINVAL);
	ASSERT_EQ(ttrpc_stream_close_send(heard.stream), -EINVAL);
	while (heard.n_ended == 0)
		ASSERT_EQ(ttrpc_loop_dispatch(&pair.fixture.loop, -1), 0);
	ASSERT_EQ(heard.n_messages, 5000);
	ASSERT_EQ(heard.status.code, TTRPC_OK);
	pair_deinit(&pair);
}

TEST(failure_comes_after_the_messages)
{
	struct heard heard = {.in_order = true};
	struct pair pair;

	pair_init(&pair);
	ASSERT_EQ(stream_start(pair.client, "Break", "3", 0, &heard), 0);
	ttrpc_stream_pause(heard.stream);
	settle(&pair.fixture);
	ASSERT_EQ(heard.n_messages, 0);
	ASSERT_EQ(heard.n_ended, 0);
	ASSERT_EQ(ttrpc_stream_queued(heard.stream, NULL), 3);
	ttrpc_stream_resume(heard.stream);
	settle(&pair.fixture);
	ASSERT_EQ(heard.n_messages, 3);
	ASSERT_EQ(heard.n_ended, 1);
	ASSERT_EQ(heard.status.code, TTRPC_ABORTED);
	ASSERT_STR(heard.status.text, "broken");
	ASSERT_EQ(client_streams_left(&pair), 0);
	pair_deinit(&pair);
}

TEST(failed_streams_leave_nothing)
{
	static const char *const methods[] = {"Refuse", "None", "Mute"};
	struct heard heard[3];
	struct pair pair;

	memset(heard, 0, sizeof(heard));
	pair_init(&pair);
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(stream_start(pair.client, methods[i], NULL, 0, &heard[i]), 0);
	settle(&pair.fixture);
	ASSERT_EQ(heard[0].status.code, TTRPC_NOT_FOUND);
	ASSERT_EQ(heard[1].status.code, TTRPC_UNIMPLEMENTED);
	ASSERT_EQ(heard[2].status.code, TTRPC_UNKNOWN);
	ASSERT_EQ(client_streams_left(&pair), 0);
	for (unsigned i = 0; i < CLIENT_BUCKETS; i++)
		ASSERT(list_empty(&pair.client->calls[i]));
	pair_deinit(&pair);
}

TEST(cancel_frees_the_slot_at_once_and_tells_the_server)
{
	struct heard heard = {.answer = 0};
	struct pair pair;

	pair_init(&pair);
	ASSERT_EQ(stream_start(pair.client, "Talk", NULL, 0, &heard), 0);
	settle(&pair.fixture);
	ttrpc_stream_cancel(heard.stream);
	ASSERT_EQ(heard.n_ended, 1);
	ASSERT_EQ(heard.status.code, TTRPC_CANCELLED);
	ASSERT_EQ(heard.status.error, -ECANCELED);
	ASSERT_EQ(client_streams_left(&pair), 0);
	settle(&pair.fixture);
	ASSERT_EQ(talk.n_half, 1);
	ASSERT_EQ(server_streams(&pair.fixture), 0);
	/* The server's end of it. */
	ASSERT_EQ(pair.client->n_late, 1);
	pair_deinit(&pair);
}

TEST(deadline_ends_a_stream)
{
	struct heard heard = {.answer = 0};
	struct pair pair;

	raw_init(&pair);
	ASSERT_EQ(stream_start(pair.client, "Talk", NULL, 10000000, &heard), 0);
	while (heard.n_ended == 0)
		ASSERT_EQ(ttrpc_loop_dispatch(&pair.fixture.loop, -1), 0);
	ASSERT_EQ(heard.status.code, TTRPC_DEADLINE_EXCEEDED);
	ASSERT_EQ(heard.status.error, -ETIMEDOUT);
	ASSERT_EQ(client_streams_left(&pair), 0);
	pair_deinit(&pair);
}

TEST(oversize_sends_leave_nothing)
{
	struct heard heard = {.answer = 0}, other = {.answer = 0};
	struct ttrpc_limits limits;
	struct pair pair;

	pair_init(&pair);
	ttrpc_limits_init(&limits);
	limits.message = 1000;
	ASSERT_EQ(ttrpc_client_set_limits(pair.client, &limits), 0);
	ASSERT_EQ(stream_start(pair.client, "Talk", NULL, 0, &heard), 0);
	ASSERT_EQ(number_send(heard.stream, 1, 1001), -EMSGSIZE);
	ASSERT_EQ(number_send(heard.stream, 2, 0), 0);
	settle(&pair.fixture);
	ASSERT_STR(heard.text, " 2");
	{
		char large[1002];

		memset(large, '1', sizeof(large));
		large[sizeof(large) - 1] = '\0';
		ASSERT_EQ(stream_start(pair.client, "Count", large, 0, &other), -EMSGSIZE);
	}
	ASSERT_EQ(other.n_ended, 0);
	ASSERT_EQ(client_streams_left(&pair), 1);
	pair_deinit(&pair);
}

TEST(ids_run_out)
{
	struct heard heard = {.answer = 0}, other = {.answer = 0};
	struct pair pair;

	pair_init(&pair);
	pair.client->next_id = UINT32_MAX;
	ASSERT_EQ(stream_start(pair.client, "Talk", NULL, 0, &heard), 0);
	ASSERT_EQ(stream_start(pair.client, "Talk", NULL, 0, &other), -EOVERFLOW);
	ASSERT_EQ(number_send(heard.stream, 7, 0), 0);
	settle(&pair.fixture);
	ASSERT_STR(heard.text, " 7");
	pair_deinit(&pair);
}

TEST(messages_before_the_connections_end_are_delivered)
{
	struct heard heard = {.answer = 0};
	struct pair pair;

	pair_init(&pair);
	ASSERT_EQ(stream_start(pair.client, "Talk", NULL, 0, &heard), 0);
	ttrpc_stream_pause(heard.stream);
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(number_send(heard.stream, i, 0), 0);
	settle(&pair.fixture);
	pair.fixture.server = ttrpc_server_free(pair.fixture.server);
	for (int i = 0; i < 4; i++)
		ttrpc_loop_dispatch(&pair.fixture.loop, 0);
	ASSERT_EQ(heard.n_ended, 0);
	ASSERT_EQ(number_send(heard.stream, 4, 0), -EPIPE);
	ttrpc_stream_resume(heard.stream);
	for (int i = 0; i < 4; i++)
		ttrpc_loop_dispatch(&pair.fixture.loop, 0);
	ASSERT_STR(heard.text, " 0 1 2");
	ASSERT_EQ(heard.n_ended, 1);
	ASSERT_EQ(heard.status.code, TTRPC_UNAVAILABLE);
	ASSERT_EQ(heard.status.error, -EPIPE);
	ttrpc_client_free(pair.client);
	ttrpc_loop_deinit(&pair.fixture.loop);
}

TEST(freeing_the_client_ends_its_streams_at_once)
{
	struct heard heard[2];
	struct pair pair;

	memset(heard, 0, sizeof(heard));
	pair_init(&pair);
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(stream_start(pair.client, "Talk", NULL, 0, &heard[i]), 0);
	ttrpc_stream_pause(heard[1].stream);
	ASSERT_EQ(number_send(heard[1].stream, 1, 0), 0);
	settle(&pair.fixture);
	pair.client = ttrpc_client_free(pair.client);
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(heard[i].n_ended, 1);
		ASSERT_EQ(heard[i].status.error, -ECANCELED);
	}
	pair_deinit(&pair);
}

static int freeing_message(struct ttrpc_stream *stream, const ProtobufCMessage *message)
{
	struct pair *pair = ttrpc_stream_userdata(stream);

	(void)message;
	pair->client = ttrpc_client_free(pair->client);
	return 0;
}

static size_t n_freed;

static void freeing_ended(struct ttrpc_stream *stream, const struct ttrpc_status *status)
{
	(void)stream;
	ASSERT_EQ(status->error, -ECANCELED);
	n_freed++;
}

TEST(client_freed_in_a_callback)
{
	static const struct ttrpc_stream_events events = {
		.message = freeing_message,
		.ended = freeing_ended,
	};
	struct ttrpc_stream *stream;
	struct pair pair;

	pair_init(&pair);
	ASSERT_EQ(ttrpc_stream_open(pair.client, &stream_service, stream_method("Talk"), NULL, NULL,
				    &events, NULL, &pair, &stream),
		  0);
	ASSERT_EQ(number_send(stream, 1, 0), 0);
	ASSERT_EQ(number_send(stream, 2, 0), 0);
	settle(&pair.fixture);
	ASSERT(!pair.client);
	ASSERT_EQ(n_freed, 1);
	pair_deinit(&pair);
}

/* ---- frames of the peer's ---- */

struct frame_row {
	const char *name;
	const char *method;
	struct {
		uint8_t type, flags;
		const char *data;
		int size;
	} frames[3];
	const char *text; /* values that come */
	int n, ended;
	enum ttrpc_code code;
	int error;
};

#define ANY_X "\x12\x01x"
static const struct frame_row frame_rows[] = {
	{"message and end in one", "Talk", {{3, 1, ANY_X, 3}}, " x", 1, 1, TTRPC_OK, 0},
	{"end without data", "Talk", {{3, 5, "", 0}}, "", 0, 1, TTRPC_OK, 0},
	{"empty message and end", "Talk", {{3, 1, "", 0}}, " ", 1, 1, TTRPC_OK, 0},
	{"empty message", "Talk", {{3, 0, "", 0}}, " ", 1, 0, TTRPC_OK, 0},
	{"no data is no message", "Talk", {{3, 4, "", 0}, {3, 0, ANY_X, 3}}, " x", 1, 0, 0, 0},
	{"undefined flags", "Talk", {{3, 0xf8, ANY_X, 3}}, " x", 1, 0, TTRPC_OK, 0},
	{"empty response: no message", "Talk", {{2, 0, "", 0}}, "", 0, 1, TTRPC_OK, 0},
	{"response with status 0", "Talk", {{2, 0, "\x0a\0", 2}}, "", 0, 1, TTRPC_OK, 0},
	{"response with a message", "Talk", {{2, 0, "\x12\x03" ANY_X, 5}}, " x", 1, 1, 0, 0},
	{"response with a status",
	 "Talk",
	 {{3, 0, ANY_X, 3}, {2, 0, "\x0a\x02\x08\x05", 4}, {3, 0, ANY_X, 3}},
	 " x",
	 1,
	 1,
	 TTRPC_NOT_FOUND,
	 0},
	{"malformed response", "Talk", {{2, 0, "\xff\xff", 2}}, "", 0, 1, TTRPC_INTERNAL, -EBADMSG},
	{"malformed message", "Talk", {{3, 0, "\xff\xff", 2}}, "", 0, 1, TTRPC_INTERNAL, -EBADMSG},
	{"a request", "Talk", {{1, 0, "", 0}}, "", 0, 1, TTRPC_INTERNAL, -EPROTO},
	{"unknown type", "Talk", {{99, 0, "", 0}}, "", 0, 1, TTRPC_INTERNAL, -EPROTO},
	{"data for a client stream", "Sum", {{3, 0, "", 0}}, "", 0, 1, TTRPC_INTERNAL, -EPROTO},
	{"empty response for a client stream", "Sum", {{2, 0, "", 0}}, " ", 1, 1, TTRPC_OK, 0},
	{"response with status 0 and a message",
	 "Talk",
	 {{2, 0, "\x0a\0\x12\x03" ANY_X, 7}},
	 " x",
	 1,
	 1,
	 0,
	 0},
	{"message after the end",
	 "Talk",
	 {{3, 1, ANY_X, 3}, {3, 0, ANY_X, 3}},
	 " x",
	 1,
	 1,
	 TTRPC_OK,
	 0},
	{"two ends", "Talk", {{3, 5, "", 0}, {3, 5, "", 0}, {2, 0, "", 0}}, "", 0, 1, 0, 0},
};

static void frame_row_run(const struct frame_row *row, size_t piece)
{
	struct heard heard = {.answer = 0};
	uint8_t bytes[256];
	struct pair pair;
	size_t size = 0;

	raw_init(&pair);
	ASSERT_EQ(stream_start(pair.client, row->method, NULL, 0, &heard), 0);
	for (int i = 0; i < 3 && row->frames[i].type; i++)
		size += frame_build(bytes + size, 1, row->frames[i].type, row->frames[i].flags,
				    row->frames[i].data, (size_t)row->frames[i].size);
	for (size_t at = 0; at < size; at += piece) {
		raw_send(pair.peer, bytes + at, size - at < piece ? size - at : piece);
		settle_all(&pair.fixture.loop);
	}
	if (strcmp(heard.text, row->text) != 0 || heard.n_messages != (size_t)row->n ||
	    heard.n_ended != (size_t)row->ended || heard.status.code != row->code ||
	    heard.status.error != row->error)
		test_fail(__FILE__, __LINE__, "%s: '%s', %zu ended, code %d, error %d: %s",
			  row->name, heard.text, heard.n_ended, heard.status.code,
			  heard.status.error, heard.status.text);
	ASSERT_EQ(pair.client->conn.error, 0);
	ASSERT_EQ(client_streams_left(&pair), 1 - heard.n_ended);
	pair_deinit(&pair);
}

TEST(frames_whole)
{
	for (size_t i = 0; i < sizeof(frame_rows) / sizeof(frame_rows[0]); i++)
		frame_row_run(&frame_rows[i], 256);
}

TEST(frames_byte_by_byte)
{
	for (size_t i = 0; i < sizeof(frame_rows) / sizeof(frame_rows[0]); i++)
		frame_row_run(&frame_rows[i], 1);
}

TEST(frames_under_faults)
{
	static const size_t pieces[] = {1, 3, 11, 4096};

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)
		for (size_t at = 0; at < sizeof(frame_rows) / sizeof(frame_rows[0]); at++) {
			faults_begin(pieces[i], pieces[i] + 7, (unsigned)(7 * i + at));
			frame_row_run(&frame_rows[at], pieces[i] == 3 ? 5 : 256);
			faults_end();
		}
	ASSERT(faults.n > 0);
}

TEST(oversize_message_ends_its_stream_only)
{
	static uint8_t bytes[2000];
	struct heard heard = {.answer = 0}, other = {.answer = 0};
	struct pair pair;

	raw_init(&pair);
	pair.client->conn.reader.limit = 1000;
	ASSERT_EQ(stream_start(pair.client, "Talk", NULL, 0, &heard), 0);
	ASSERT_EQ(stream_start(pair.client, "Talk", NULL, 0, &other), 0);
	raw_send(pair.peer, bytes,
		 frame_build(bytes, 1, FRAME_DATA, 0, bytes + FRAME_HEADER_SIZE, 1001));
	raw_send(pair.peer, bytes, frame_build(bytes, 3, FRAME_DATA, 0, ANY_X, 3));
	raw_send(pair.peer, bytes, frame_build(bytes, 1, FRAME_DATA, 0, ANY_X, 3));
	settle_all(&pair.fixture.loop);
	ASSERT_EQ(heard.n_ended, 1);
	ASSERT_EQ(heard.n_messages, 0);
	ASSERT_EQ(heard.status.code, TTRPC_RESOURCE_EXHAUSTED);
	ASSERT_EQ(heard.status.error, -EMSGSIZE);
	ASSERT_STR(other.text, " x");
	ASSERT_EQ(pair.client->n_late, 1);
	pair_deinit(&pair);
}

TEST(what_the_client_writes)
{
	static const struct frame expected[] = {
		{.id = 1, .type = FRAME_REQUEST, .flags = 6},
		{.id = 1, .type = FRAME_DATA, .flags = 0},
		{.id = 1, .type = FRAME_DATA, .flags = 5},
		{.id = 3, .type = FRAME_REQUEST, .flags = 1},
	};
	struct heard heard = {.answer = 0}, other = {.answer = 0};
	uint8_t data[256];
	struct frame frame;
	struct pair pair;

	raw_init(&pair);
	ASSERT_EQ(stream_start(pair.client, "Talk", NULL, 0, &heard), 0);
	ASSERT_EQ(number_send(heard.stream, 1, 0), 0);
	ASSERT_EQ(ttrpc_stream_close_send(heard.stream), 0);
	ASSERT_EQ(ttrpc_stream_close_send(heard.stream), 0);
	ASSERT_EQ(stream_start(pair.client, "Count", "1", 0, &other), 0);
	/* Closed already: leaving says nothing more. */
	ttrpc_stream_cancel(heard.stream);
	settle(&pair.fixture);
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		ASSERT(raw_receive(pair.peer, &frame, data, sizeof(data)));
		ASSERT_EQ(frame.id, expected[i].id);
		ASSERT_EQ(frame.type, expected[i].type);
		ASSERT_EQ(frame.flags, expected[i].flags);
		if (frame.flags == 5)
			ASSERT_EQ(frame.length, 0);
	}
	raw_expect_nothing(pair.peer);
	pair_deinit(&pair);
}
