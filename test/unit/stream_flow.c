/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams under pressure: slow handlers, peers that don't read, both at once, and the limits that
 * keep one stream from costing the others anything.
 */
#include <sys/epoll.h>

#include "test/unit/stream_fixture.h"

struct flow {
	struct fixture fixture;
	struct ttrpc_client *client;
	struct ttrpc_statistics statistics;
};

static void flow_init(struct flow *flow)
{
	stream_fixture_init(&flow->fixture);
	memset(&flow->statistics, 0, sizeof(flow->statistics));
	ttrpc_server_count(flow->fixture.server, &flow->statistics);
	flow->client = connect_client(&flow->fixture);
}

static void flow_deinit(struct flow *flow)
{
	ttrpc_client_free(flow->client);
	settle(&flow->fixture);
	ASSERT_EQ(server_streams(&flow->fixture), 0);
	fixture_deinit(&flow->fixture);
}

static void call_works(struct flow *flow)
{
	struct outcome outcome = {.n = 0};

	ASSERT_EQ(start(flow->client, "Echo", "x", "y", 0, &outcome), 0);
	settle(&flow->fixture);
	ASSERT_EQ(outcome.n, 1);
	ASSERT_EQ(outcome.status.code, TTRPC_OK);
}

TEST(stream_that_nobody_takes_delays_nobody)
{
	struct heard slow = {.answer = 0}, quick = {.answer = 0};
	struct flow flow;

	flow_init(&flow);
	ASSERT_EQ(stream_start(flow.client, "Hold", NULL, 0, &slow), 0);
	ASSERT_EQ(stream_start(flow.client, "Talk", NULL, 0, &quick), 0);
	for (int i = 0; i < 1000; i++) {
		ASSERT_EQ(number_send(slow.stream, i, 100), 0);
		if (i % 100 == 0) {
			ASSERT_EQ(number_send(quick.stream, i, 0), 0);
			settle(&flow.fixture);
			ASSERT_EQ(quick.n_messages, (size_t)i / 100 + 1);
			call_works(&flow);
		}
	}
	settle(&flow.fixture);
	ASSERT_EQ(ttrpc_stream_queued(talk.held[0], NULL), 1000);
	ttrpc_stream_resume(talk.held[0]);
	while (slow.n_messages < 1000)
		ASSERT_EQ(ttrpc_loop_dispatch(&flow.fixture.loop, -1), 0);
	flow_deinit(&flow);
}

TEST(queue_has_a_limit_of_messages)
{
	struct heard slow = {.answer = 0};
	struct flow flow;

	flow_init(&flow);
	flow.fixture.server->limits.stream_messages = 10;
	ASSERT_EQ(stream_start(flow.client, "Hold", NULL, 0, &slow), 0);
	for (int i = 0; i < 10; i++)
		ASSERT_EQ(number_send(slow.stream, i, 0), 0);
	settle(&flow.fixture);
	ASSERT_EQ(talk.n_ended, 0);
	ASSERT_EQ(number_send(slow.stream, 11, 0), 0);
	settle(&flow.fixture);
	ASSERT_EQ(talk.n_ended, 1);
	ASSERT_EQ(talk.last.code, TTRPC_RESOURCE_EXHAUSTED);
	ASSERT_EQ(slow.status.code, TTRPC_RESOURCE_EXHAUSTED);
	ASSERT_EQ(slow.n_ended, 1);
	call_works(&flow);
	flow_deinit(&flow);
}

TEST(queue_has_a_limit_of_bytes)
{
	struct heard slow = {.answer = 0};
	struct flow flow;

	flow_init(&flow);
	flow.fixture.server->limits.stream_bytes = 10000;
	ASSERT_EQ(stream_start(flow.client, "Hold", NULL, 0, &slow), 0);
	/* One message may be of any size. */
	ASSERT_EQ(number_send(slow.stream, 1, 50000), 0);
	settle(&flow.fixture);
	ASSERT_EQ(talk.n_ended, 0);
	ASSERT_EQ(number_send(slow.stream, 2, 0), 0);
	settle(&flow.fixture);
	ASSERT_EQ(slow.status.code, TTRPC_RESOURCE_EXHAUSTED);
	ASSERT_EQ(server_streams(&flow.fixture), 0);
	flow_deinit(&flow);
}

TEST(fullest_stream_goes_at_the_connections_limit)
{
	struct heard large = {.answer = 0}, small = {.answer = 0};
	struct flow flow;

	flow_init(&flow);
	flow.fixture.server->limits.queued_bytes = 20000;
	ASSERT_EQ(stream_start(flow.client, "Hold", NULL, 0, &small), 0);
	ASSERT_EQ(stream_start(flow.client, "Hold", NULL, 0, &large), 0);
	for (int i = 0; i < 15; i++)
		ASSERT_EQ(number_send(large.stream, i, 1000), 0);
	for (int i = 0; i < 5; i++)
		ASSERT_EQ(number_send(small.stream, i, 1000), 0);
	settle(&flow.fixture);
	ASSERT_EQ(large.status.code, TTRPC_RESOURCE_EXHAUSTED);
	ASSERT_EQ(large.n_ended, 1);
	ASSERT_EQ(small.n_ended, 0);
	ASSERT_EQ(ttrpc_stream_queued(talk.held[0], NULL), 5);
	ASSERT(flow.statistics.queued_max > 15000);
	flow_deinit(&flow);
}

TEST(client_queue_has_limits_too)
{
	struct heard slow = {.answer = 0}, quick = {.answer = 0};
	struct ttrpc_limits limits;
	struct flow flow;

	flow_init(&flow);
	ttrpc_limits_init(&limits);
	limits.stream_messages = 70;
	ASSERT_EQ(ttrpc_client_set_limits(flow.client, &limits), 0);
	ASSERT_EQ(stream_start(flow.client, "Talk", NULL, 0, &slow), 0);
	ASSERT_EQ(stream_start(flow.client, "Talk", NULL, 0, &quick), 0);
	ttrpc_stream_pause(slow.stream);
	for (int i = 0; i < 71; i++)
		ASSERT_EQ(number_send(slow.stream, i, 0), 0);
	settle(&flow.fixture);
	ASSERT_EQ(slow.n_ended, 1);
	ASSERT_EQ(slow.status.code, TTRPC_RESOURCE_EXHAUSTED);
	ASSERT_EQ(slow.status.error, -ENOBUFS);
	ASSERT_EQ(number_send(quick.stream, 1, 0), 0);
	call_works(&flow);
	ASSERT_EQ(quick.n_messages, 1);
	flow_deinit(&flow);
}

TEST(peer_that_does_not_read_stops_the_source)
{
	struct heard heard = {.in_order = true};
	struct flow flow;
	size_t waiting;

	flow_init(&flow);
	talk.size = 1000;
	ASSERT_EQ(stream_start(flow.client, "Count", "20000", 0, &heard), 0);
	/* The client isn't read: only the server's watches have their turn. */
	ttrpc_watch_set(&flow.client->conn.watch, EPOLLOUT | EPOLLET);
	settle(&flow.fixture);
	ASSERT(talk.left > 0);
	waiting = flow.statistics.write_queue_max;
	ASSERT(waiting >= TTRPC_STREAM_SEND_MAX - 20000);
	ASSERT(waiting <= TTRPC_STREAM_SEND_MAX + 20000);
	ASSERT_EQ(ttrpc_watch_set(&flow.client->conn.watch, EPOLLIN), 0);
	while (heard.n_ended == 0)
		ASSERT_EQ(ttrpc_loop_dispatch(&flow.fixture.loop, -1), 0);
	ASSERT_EQ(heard.n_messages, 20000);
	ASSERT_EQ(heard.status.code, TTRPC_OK);
	ASSERT(flow.statistics.write_queue_max <= TTRPC_STREAM_SEND_MAX + 20000);
	flow_deinit(&flow);
}

/* Both ends send as much as they can; neither waits for the other. */
TEST(two_way_saturation)
{
	struct heard heard = {.in_order = true};
	struct flow flow;
	long sent = 0;

	flow_init(&flow);
	ASSERT_EQ(stream_start(flow.client, "Talk", NULL, 0, &heard), 0);
	while (sent < 20000) {
		int error = number_send(heard.stream, sent, 2000);

		if (error == 0)
			sent++;
		else
			ASSERT_EQ(error, -EAGAIN);
		if (error < 0 || sent % 200 == 0)
			ASSERT_EQ(ttrpc_loop_dispatch(&flow.fixture.loop, 0), 0);
	}
	ASSERT_EQ(ttrpc_stream_close_send(heard.stream), 0);
	while (heard.n_ended == 0)
		ASSERT_EQ(ttrpc_loop_dispatch(&flow.fixture.loop, -1), 0);
	ASSERT_EQ(heard.status.code, TTRPC_OK);
	ASSERT_EQ(heard.n_messages, 20000);
	flow_deinit(&flow);
}

/* A peer that sends and sends and reads nothing: it is what waits, and memory stays bounded. */
TEST(saturation_by_a_client_that_stops_reading)
{
	static uint8_t bytes[4096];
	struct heard quick = {.answer = 0};
	struct flow flow;
	size_t size, sent = 0, received = 0;
	int fd;

	flow_init(&flow);
	fd = raw_connect(&flow.fixture);
	size = frame_build(bytes, 1, FRAME_REQUEST, 2, "\x0a\x0btest.Stream\x12\x04Talk", 19);
	raw_send(fd, bytes, size);
	memset(bytes, 0, sizeof(bytes));
	size = frame_build(bytes, 1, FRAME_DATA, 0, "\x12\xe8\x07", 3) + 1000;
	bytes[2] = 1003 >> 8;
	bytes[3] = 1003 & 0xff;
	for (int idle = 0; idle < 4;) {
		ssize_t n = send(fd, bytes + sent % size, size - sent % size, MSG_NOSIGNAL);

		if (n > 0)
			sent += (size_t)n;
		idle = n > 0 ? 0 : idle + 1;
		settle(&flow.fixture);
		ASSERT(sent < 64u << 20);
	}
	ASSERT(flow.statistics.queued_max < 4u << 20);
	ASSERT(flow.statistics.write_queue_max < 2u << 20);
	ASSERT_EQ(talk.n_ended, 0);
	/* Others don't notice. */
	ASSERT_EQ(stream_start(flow.client, "Talk", NULL, 0, &quick), 0);
	ASSERT_EQ(number_send(quick.stream, 1, 0), 0);
	settle(&flow.fixture);
	ASSERT_EQ(quick.n_messages, 1);
	/* It reads at last, and gets every whole message that it sent. */
	for (;;) {
		static uint8_t echo[65536];
		ssize_t n = recv(fd, echo, sizeof(echo), 0);

		if (n <= 0) {
			settle(&flow.fixture);
			n = recv(fd, echo, sizeof(echo), 0);
		}
		if (n <= 0)
			break;
		received += (size_t)n;
		settle(&flow.fixture);
	}
	ASSERT_EQ(received / size, sent / size);
	close(fd);
	flow_deinit(&flow);
}

static void keep_sending(struct ttrpc_stream *stream)
{
	size_t *sent = ttrpc_stream_userdata(stream);

	while (number_send(stream, 1, 2000) == 0)
		++*sent;
}

/* Streams that all want to send without end share the connection. */
TEST(writers_take_turns)
{
	static const struct ttrpc_stream_events events = {.writable = keep_sending};
	static char sink[16384];
	size_t sent[8] = {0}, least = SIZE_MAX, most = 0;
	struct ttrpc_stream *streams[8];
	struct ttrpc_client *client;
	struct ttrpc_limits limits;
	struct fixture fixture;
	int fds[2];

	stream_fixture_init(&fixture);
	ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	ASSERT_EQ(ttrpc_client_new(&fixture.loop, fds[0], &client), 0);
	ttrpc_limits_init(&limits);
	limits.send_queue = 20000;
	ASSERT_EQ(ttrpc_client_set_limits(client, &limits), 0);
	for (int i = 0; i < 8; i++) {
		ASSERT_EQ(ttrpc_stream_open(client, &stream_service, stream_method("Talk"), NULL,
					    NULL, &events, NULL, &sent[i], &streams[i]),
			  0);
		keep_sending(streams[i]);
	}
	/* The first had the socket's whole buffer to itself; what counts is what comes then. */
	memset(sent, 0, sizeof(sent));
	for (size_t received = 0; received < 4u << 20;) {
		ssize_t n = recv(fds[1], sink, sizeof(sink), 0);

		received += n > 0 ? (size_t)n : 0;
		ASSERT_EQ(ttrpc_loop_dispatch(&fixture.loop, 0), 0);
	}
	for (int i = 0; i < 8; i++) {
		least = sent[i] < least ? sent[i] : least;
		most = sent[i] > most ? sent[i] : most;
	}
	ASSERT(most > 100);
	ASSERT(least >= most / 2);
	ttrpc_client_free(client);
	close(fds[1]);
	fixture_deinit(&fixture);
}

TEST(a_hundred_streams_at_once)
{
	struct heard heard[100];
	struct flow flow;

	memset(heard, 0, sizeof(heard));
	flow_init(&flow);
	for (int i = 0; i < 100; i++)
		ASSERT_EQ(stream_start(flow.client, "Talk", NULL, 0, &heard[i]), 0);
	for (int k = 0; k < 20; k++) {
		for (int i = 0; i < 100; i++)
			ASSERT_EQ(number_send(heard[i].stream, k, 0), 0);
		settle(&flow.fixture);
	}
	for (int i = 0; i < 100; i++)
		ASSERT_EQ(ttrpc_stream_close_send(heard[i].stream), 0);
	settle(&flow.fixture);
	for (int i = 0; i < 100; i++) {
		ASSERT_EQ(heard[i].n_messages, 20);
		ASSERT_EQ(heard[i].status.code, TTRPC_OK);
		ASSERT_EQ(heard[i].n_ended, 1);
	}
	ASSERT_EQ(flow.statistics.streams, 100);
	ASSERT_EQ(flow.statistics.calls[TTRPC_OK], 100);
	ASSERT_EQ(flow.statistics.messages_received, 2000);
	flow_deinit(&flow);
}

TEST(message_put_off_comes_again)
{
	struct heard heard = {.answer = -EAGAIN, .in_order = true};
	struct flow flow;

	flow_init(&flow);
	ASSERT_EQ(stream_start(flow.client, "Count", "5", 0, &heard), 0);
	settle(&flow.fixture);
	ASSERT_EQ(heard.n_messages, 0);
	ASSERT_EQ(heard.n_ended, 0);
	heard.answer = 0;
	ttrpc_stream_resume(heard.stream);
	settle(&flow.fixture);
	ASSERT_EQ(heard.n_messages, 5);
	ASSERT_EQ(heard.status.code, TTRPC_OK);
	flow_deinit(&flow);
}

TEST(error_of_a_callback_ends_the_stream)
{
	struct heard heard = {.answer = -EPERM};
	struct flow flow;

	flow_init(&flow);
	ASSERT_EQ(stream_start(flow.client, "Count", "5", 0, &heard), 0);
	settle(&flow.fixture);
	ASSERT_EQ(heard.n_ended, 1);
	ASSERT_EQ(heard.status.code, TTRPC_PERMISSION_DENIED);
	ASSERT_EQ(heard.status.error, -EPERM);
	flow_deinit(&flow);
}
