/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What other implementations of the protocol were found to do wrong, one test each. Frames are
 * written as they are on the wire.
 */
#include "test/unit/stream_fixture.h"

static void raw_data(struct fixture *fixture, int fd, uint32_t id, uint8_t flags, const char *value)
{
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	uint8_t data[256], bytes[300];
	size_t size = 0;

	if (value) {
		any.value.data = (uint8_t *)(uintptr_t)value;
		any.value.len = strlen(value);
		size = protobuf_c_message_pack(&any.base, data);
	}
	raw_send(fd, bytes, frame_build(bytes, id, FRAME_DATA, flags, data, size));
	settle(fixture);
}

static void raw_open(struct fixture *fixture, int fd, uint32_t id, uint8_t flags,
		     const char *method)
{
	struct envelope_call call = {.service = "test.Stream", .method = method};
	uint8_t data[256], bytes[300], *payload;
	size_t size = envelope_request_size(&call);

	envelope_request_write(data, &call, &payload);
	raw_send(fd, bytes, frame_build(bytes, id, FRAME_REQUEST, flags, data, size));
	settle(fixture);
}

/* Frames on id until none is there: how many, and how many of them end the stream. */
static void count_frames(int fd, uint32_t id, unsigned *ret_frames, unsigned *ret_terminal)
{
	static uint8_t data[65536];
	struct frame frame;

	*ret_frames = *ret_terminal = 0;
	while (raw_receive(fd, &frame, data, sizeof(data))) {
		ASSERT_EQ(frame.id, id);
		++*ret_frames;
		*ret_terminal += frame.type == FRAME_RESPONSE || frame.flags & FRAME_REMOTE_CLOSED;
	}
}

TEST(data_for_a_unary_call_ends_that_call_only)
{
	struct fixture fixture;
	int fd;

	stream_fixture_init(&fixture);
	fd = raw_connect(&fixture);
	raw_request(&fixture, fd, 1, "Park", "");
	raw_data(&fixture, fd, 1, 0, "x");
	raw_expect(fd, 1, TTRPC_INVALID_ARGUMENT);
	ASSERT_EQ(fixture.n_cancelled, 1);
	raw_request(&fixture, fd, 3, "Park", "");
	raw_data(&fixture, fd, 3, 5, NULL);
	raw_expect(fd, 3, TTRPC_INVALID_ARGUMENT);
	raw_request(&fixture, fd, 5, "Echo", "x");
	raw_expect(fd, 5, TTRPC_OK);
	close(fd);
	fixture_deinit(&fixture);
}

TEST(oversize_reply_fails_its_call_only)
{
	struct outcome large = {.n = 0}, parked = {.n = 0}, after = {.n = 0};
	struct ttrpc_client *client;
	struct fixture fixture;

	stream_fixture_init(&fixture);
	client = connect_client(&fixture);
	ASSERT_EQ(start(client, "Park", "", "", 0, &parked), 0);
	ASSERT_EQ(start(client, "Size", "", "4194304", 0, &large), 0);
	settle(&fixture);
	ASSERT_EQ(large.status.code, TTRPC_RESOURCE_EXHAUSTED);
	ASSERT(strstr(large.status.text, "4194304"));
	ASSERT_EQ(start(client, "Echo", "", "", 0, &after), 0);
	settle(&fixture);
	ASSERT_EQ(after.status.code, TTRPC_OK);
	ASSERT_EQ(parked.n, 0);
	ttrpc_client_free(client);
	fixture_deinit(&fixture);
}

/* The two causes: the first call on a quiet connection, and errors that were counted as answers. */
TEST(shutdown_does_not_cut_calls_in_flight)
{
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	struct outcome quiet = {.n = 0}, after_error = {.n = 0}, error = {.n = 0};
	struct ttrpc_client *clients[2];
	struct fixture fixture;

	stream_fixture_init(&fixture);
	clients[0] = connect_client(&fixture);
	clients[1] = connect_client(&fixture);
	ASSERT_EQ(start(clients[0], "Park", "", "", 0, &quiet), 0);
	ASSERT_EQ(start(clients[1], "Park", "", "", 0, &after_error), 0);
	ASSERT_EQ(start(clients[1], "Unknown", "", "", 0, &error), 0);
	settle(&fixture);
	ASSERT_EQ(error.status.code, TTRPC_UNIMPLEMENTED);
	ASSERT_EQ(ttrpc_server_shutdown(fixture.server, 60000000000u, NULL, NULL), 0);
	settle(&fixture);
	ASSERT_EQ(fixture.n_cancelled, 0);
	for (size_t i = 0; i < fixture.n_parked; i++)
		ttrpc_reply(fixture.parked[i], &any.base);
	settle(&fixture);
	ASSERT_EQ(quiet.status.code, TTRPC_OK);
	ASSERT_EQ(after_error.status.code, TTRPC_OK);
	ASSERT_EQ(ttrpc_server_connections(fixture.server), 0);
	ttrpc_client_free(clients[0]);
	ttrpc_client_free(clients[1]);
	fixture_deinit(&fixture);
}

/* Handlers that are faster than anything: what they leave in the tables is counted. */
TEST(stream_table_does_not_leak)
{
	struct ttrpc_client *client;
	const struct connection *connection;
	struct fixture fixture;

	stream_fixture_init(&fixture);
	client = connect_client(&fixture);
	for (int i = 0; i < 2000; i++) {
		struct heard heard = {.answer = 0};
		struct outcome outcome = {.n = 0};

		ASSERT_EQ(stream_start(client, i % 2 ? "Count" : "Refuse", i % 2 ? "1" : NULL, 0,
				       &heard),
			  0);
		ASSERT_EQ(start(client, "Echo", "", "", 0, &outcome), 0);
		settle(&fixture);
		ASSERT_EQ(heard.n_ended, 1);
		ASSERT_EQ(outcome.n, 1);
	}
	connection = container_of(fixture.server->connections.next, struct connection, link);
	ASSERT_EQ(connection->n_calls, 0);
	ASSERT(list_empty(&connection->calls));
	ASSERT_EQ(server_streams(&fixture), 0);
	ttrpc_client_free(client);
	fixture_deinit(&fixture);
}

TEST(one_terminal_frame_for_an_id)
{
	unsigned frames, terminal;
	struct fixture fixture;
	int fd;

	stream_fixture_init(&fixture);
	fd = raw_connect(&fixture);
	/* A message and the end in one frame. */
	raw_open(&fixture, fd, 1, 2, "Talk");
	raw_data(&fixture, fd, 1, 1, "x");
	count_frames(fd, 1, &frames, &terminal);
	ASSERT_EQ(frames, 2);
	ASSERT_EQ(terminal, 1);
	/* Messages after the client's end; what the handler would say later is not sent. */
	raw_open(&fixture, fd, 3, 2, "Hold");
	raw_data(&fixture, fd, 3, 5, NULL);
	raw_data(&fixture, fd, 3, 0, "x");
	raw_data(&fixture, fd, 3, 0, "x");
	count_frames(fd, 3, &frames, &terminal);
	ASSERT_EQ(frames, 1);
	ASSERT_EQ(terminal, 1);
	/* An id that is used again while its call is under way. */
	raw_request(&fixture, fd, 5, "Park", "");
	raw_request(&fixture, fd, 5, "Echo", "");
	count_frames(fd, 5, &frames, &terminal);
	ASSERT_EQ(frames, 1);
	close(fd);
	fixture_deinit(&fixture);
}

TEST(client_forgets_oversize_abandoned_and_failed)
{
	static char large[TTRPC_MESSAGE_MAX + 1];
	struct ttrpc_client *client;
	struct fixture fixture;

	memset(large, 'x', sizeof(large) - 1);
	stream_fixture_init(&fixture);
	client = connect_client(&fixture);
	for (int i = 0; i < 3; i++) {
		struct outcome oversize = {.n = 0};
		struct heard failed = {.answer = 0}, abandoned = {.answer = 0};

		ASSERT_EQ(start(client, "Echo", "", large, 0, &oversize), 0);
		ASSERT_EQ(stream_start(client, "Refuse", NULL, 0, &failed), 0);
		ASSERT_EQ(stream_start(client, "Hold", NULL, 0, &abandoned), 0);
		ttrpc_stream_cancel(abandoned.stream);
		settle(&fixture);
		ASSERT_EQ(oversize.status.code, TTRPC_RESOURCE_EXHAUSTED);
		ASSERT_EQ(failed.status.code, TTRPC_NOT_FOUND);
		ASSERT_EQ(abandoned.n_ended, 1);
	}
	for (unsigned i = 0; i < CLIENT_BUCKETS; i++)
		ASSERT(list_empty(&client->calls[i]));
	ASSERT_EQ(client->pool->n_streams, 0);
	ASSERT_EQ(client->conn.error, 0);
	ttrpc_client_free(client);
	fixture_deinit(&fixture);
}

TEST(messages_of_a_stream_keep_their_order)
{
	struct heard heard[4];
	struct ttrpc_client *client;
	struct fixture fixture;

	memset(heard, 0, sizeof(heard));
	stream_fixture_init(&fixture);
	client = connect_client(&fixture);
	for (int i = 0; i < 4; i++) {
		heard[i].in_order = true;
		ASSERT_EQ(stream_start(client, "Talk", NULL, 0, &heard[i]), 0);
	}
	/* One is put off now and then, so that some messages wait and others don't. */
	for (int k = 0; k < 1000; k++) {
		for (int i = 0; i < 4; i++)
			ASSERT_EQ(number_send(heard[i].stream, k, 0), 0);
		if (k % 7 == 0)
			ttrpc_stream_pause(heard[k % 4].stream);
		if (k % 7 == 3)
			for (int i = 0; i < 4; i++)
				ttrpc_stream_resume(heard[i].stream);
		ASSERT_EQ(ttrpc_loop_dispatch(&fixture.loop, 0), 0);
	}
	for (int i = 0; i < 4; i++) {
		ttrpc_stream_resume(heard[i].stream);
		ttrpc_stream_close_send(heard[i].stream);
		while (heard[i].n_ended == 0)
			ASSERT_EQ(ttrpc_loop_dispatch(&fixture.loop, -1), 0);
		/* The last one isn't lost. */
		ASSERT_EQ(heard[i].n_messages, 1000);
	}
	ttrpc_client_free(client);
	fixture_deinit(&fixture);
}

TEST(undecodable_payload_is_answered)
{
	uint8_t bytes[64];
	struct fixture fixture;
	int fd;

	stream_fixture_init(&fixture);
	fd = raw_connect(&fixture);
	raw_send(fd, bytes,
		 frame_build(bytes, 1, FRAME_REQUEST, 0,
			     "\n\x09test.Echo\x12\x04"
			     "Echo\x1a\x02\n\x7f",
			     21));
	settle(&fixture);
	raw_expect(fd, 1, TTRPC_INTERNAL);
	raw_request(&fixture, fd, 3, "Echo", "x");
	raw_expect(fd, 3, TTRPC_OK);
	close(fd);
	fixture_deinit(&fixture);
}

/* Whether the opening frame says so (0x06) or not (0x02): there is no message in it. */
TEST(no_spurious_first_message)
{
	static const uint8_t flags[] = {0x02, 0x06, 0x00, 0x04};
	unsigned frames, terminal;
	struct fixture fixture;
	int fd;

	stream_fixture_init(&fixture);
	fd = raw_connect(&fixture);
	for (uint32_t i = 0; i < 4; i++) {
		raw_open(&fixture, fd, 2 * i + 1, flags[i], "Talk");
		raw_expect_nothing(fd);
		raw_data(&fixture, fd, 2 * i + 1, 5, NULL);
		count_frames(fd, 2 * i + 1, &frames, &terminal);
		ASSERT_EQ(frames, 1);
	}
	ASSERT_EQ(talk.n_messages, 0);
	close(fd);
	fixture_deinit(&fixture);
}
