/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deadlines and cancelling, on both ends.
 */
#include <sys/epoll.h>

#include "test/unit/stream_fixture.h"

struct ends {
	struct fixture fixture;
	struct ttrpc_client *client;
};

static void ends_init(struct ends *ends)
{
	stream_fixture_init(&ends->fixture);
	ends->client = connect_client(&ends->fixture);
}

static void ends_deinit(struct ends *ends)
{
	ttrpc_client_free(ends->client);
	fixture_deinit(&ends->fixture);
}

static size_t calls_left(const struct ttrpc_client *client)
{
	size_t n = 0;

	for (unsigned i = 0; i < CLIENT_BUCKETS; i++)
		for (const struct list *link = client->calls[i].next; link != &client->calls[i];
		     link = link->next)
			n++;
	return n;
}

TEST(cancel_frees_the_slot_at_once_and_drops_the_late_answer)
{
	struct ttrpc_cancel cancel = {.call = NULL};
	const struct ttrpc_options options = {.cancel = &cancel};
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	struct ttrpc_statistics statistics = {.late = 0};
	struct outcome outcome = {.n = 0};
	struct ends ends;

	ends_init(&ends);
	ttrpc_client_count(ends.client, &statistics);
	ASSERT_EQ(ttrpc_client_call(ends.client, &echo_service, echo_method("Park"), &options,
				    &any.base, on_done, &outcome),
		  0);
	settle(&ends.fixture);
	ASSERT_EQ(calls_left(ends.client), 1);
	ttrpc_client_cancel(&cancel);
	ASSERT_EQ(outcome.n, 1);
	ASSERT_EQ(outcome.status.code, TTRPC_CANCELLED);
	ASSERT_EQ(outcome.status.error, -ECANCELED);
	ASSERT_EQ(calls_left(ends.client), 0);
	ASSERT(!cancel.call);
	ttrpc_client_cancel(&cancel);
	ASSERT_EQ(outcome.n, 1);
	ttrpc_reply(ends.fixture.parked[0], &any.base);
	settle(&ends.fixture);
	ASSERT_EQ(outcome.n, 1);
	ASSERT_EQ(statistics.late, 1);
	ASSERT_EQ(statistics.calls[TTRPC_CANCELLED], 1);
	ends_deinit(&ends);
}

TEST(cancel_handle_is_emptied_when_the_call_ends)
{
	struct ttrpc_cancel cancel = {.call = NULL};
	const struct ttrpc_options options = {.cancel = &cancel};
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	struct outcome outcome = {.n = 0};
	struct ends ends;

	ends_init(&ends);
	ASSERT_EQ(ttrpc_client_call(ends.client, &echo_service, echo_method("Echo"), &options,
				    &any.base, on_done, &outcome),
		  0);
	ASSERT(cancel.call);
	settle(&ends.fixture);
	ASSERT_EQ(outcome.status.code, TTRPC_OK);
	ASSERT(!cancel.call);
	ends_deinit(&ends);
}

TEST(client_deadline_covers_a_blocked_write)
{
	static char large[100001];
	struct outcome outcomes[20];
	struct ttrpc_client *client;
	struct fixture fixture;
	int fds[2];

	memset(large, 'x', sizeof(large) - 1);
	memset(outcomes, 0, sizeof(outcomes));
	fixture_init(&fixture);
	ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	ASSERT_EQ(ttrpc_client_new(&fixture.loop, fds[0], &client), 0);
	for (int i = 0; i < 20; i++)
		ASSERT_EQ(start(client, "Echo", "", large, 20000000, &outcomes[i]), 0);
	ASSERT(conn_waiting(&client->conn) > 0);
	while (outcomes[19].n == 0)
		ASSERT_EQ(ttrpc_loop_dispatch(&fixture.loop, -1), 0);
	for (int i = 0; i < 20; i++)
		ASSERT_EQ(outcomes[i].status.code, TTRPC_DEADLINE_EXCEEDED);
	ASSERT_EQ(calls_left(client), 0);
	ttrpc_client_free(client);
	close(fds[1]);
	fixture_deinit(&fixture);
}

static int reason;

static void lenient_cancelled(struct ttrpc_call *call, void *userdata)
{
	size_t *n = userdata;

	++*n;
	reason = ttrpc_call_error(call);
}

static struct ttrpc_call *lenient_call;
static size_t n_lenient;

static int on_lenient(const void *handlers, struct ttrpc_call *call,
		      const ProtobufCMessage *request)
{
	(void)handlers;
	(void)request;
	lenient_call = call;
	ttrpc_call_take(call, lenient_cancelled, &n_lenient);
	return 0;
}

static const struct ttrpc_method lenient_method[] = {ANY_METHOD("Call", 0, on_lenient)};
static const struct ttrpc_service lenient_service = {
	.name = "test.Lenient", .n_methods = 1, .methods = lenient_method};

static void lenient_start(struct ends *ends, uint64_t timeout, struct outcome *outcome)
{
	struct ttrpc_options options = {.timeout = timeout};
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;

	ASSERT_EQ(ttrpc_server_register(ends->fixture.server, &lenient_service, NULL, NULL), 0);
	ASSERT_EQ(ttrpc_client_call(ends->client, &lenient_service, lenient_method, &options,
				    &any.base, on_done, outcome),
		  0);
	/* The client's own clock is to stay out of it. */
	for (unsigned i = 0; i < CLIENT_BUCKETS; i++)
		if (!list_empty(&ends->client->calls[i]))
			ttrpc_timer_clear(
				&container_of(ends->client->calls[i].next, struct client_call, link)
					 ->timer);
}

TEST(server_answers_at_the_deadline)
{
	struct outcome outcome = {.n = 0};
	struct ends ends;

	ends_init(&ends);
	lenient_start(&ends, 10000000, &outcome);
	while (outcome.n == 0)
		ASSERT_EQ(ttrpc_loop_dispatch(&ends.fixture.loop, -1), 0);
	ASSERT_EQ(outcome.status.code, TTRPC_DEADLINE_EXCEEDED);
	ASSERT_EQ(outcome.status.error, 0);
	ASSERT_EQ(n_lenient, 1);
	ASSERT_EQ(reason, -ETIMEDOUT);
	ends_deinit(&ends);
	ASSERT_EQ(n_lenient, 1);
}

TEST(handler_answers_after_the_deadline_where_that_is_switched_off)
{
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	struct outcome outcome = {.n = 0};
	struct ends ends;

	ends_init(&ends);
	ttrpc_server_enforce_deadlines(ends.fixture.server, false);
	lenient_start(&ends, 10000000, &outcome);
	while (n_lenient == 0)
		ASSERT_EQ(ttrpc_loop_dispatch(&ends.fixture.loop, -1), 0);
	settle(&ends.fixture);
	ASSERT_EQ(outcome.n, 0);
	ASSERT_EQ(reason, -ETIMEDOUT);
	ttrpc_reply(lenient_call, &any.base);
	settle(&ends.fixture);
	ASSERT_EQ(outcome.status.code, TTRPC_OK);
	ends_deinit(&ends);
	ASSERT_EQ(n_lenient, 1);
}

/* Whose deadline passed, and whose client then goes: an answer would have no call any more. */
TEST(handler_learns_that_the_client_went_after_the_deadline)
{
	struct outcome outcome = {.n = 0};
	struct ends ends;

	ends_init(&ends);
	ttrpc_server_enforce_deadlines(ends.fixture.server, false);
	lenient_start(&ends, 10000000, &outcome);
	while (n_lenient == 0)
		ASSERT_EQ(ttrpc_loop_dispatch(&ends.fixture.loop, -1), 0);
	ASSERT_EQ(reason, -ETIMEDOUT);
	ends.client = ttrpc_client_free(ends.client);
	settle(&ends.fixture);
	ASSERT_EQ(n_lenient, 2);
	ASSERT(reason == -EPIPE || reason == -ECONNRESET);
	ends_deinit(&ends);
}

static void answer_at_once(struct ttrpc_call *call, void *userdata)
{
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;

	++*(size_t *)userdata;
	ttrpc_reply(call, &any.base);
}

static int on_answer_at_once(const void *handlers, struct ttrpc_call *call,
			     const ProtobufCMessage *request)
{
	(void)handlers;
	(void)request;
	ttrpc_call_take(call, answer_at_once, &n_lenient);
	return 0;
}

/* More of them than the server keeps for reuse: what is answered there is gone when that returns. */
TEST(handler_answers_in_its_cancel_callback)
{
	enum { CALLS = 2 * SERVER_SPARE_CALLS_MAX };
	static const struct ttrpc_method method[] = {ANY_METHOD("Call", 0, on_answer_at_once)};
	static const struct ttrpc_service service = {"test.AtOnce", 1, method};
	static uint8_t bytes[CALLS * 64], answer[64];
	struct fixture fixture;
	struct frame frame;
	size_t size = 0;
	int fd, n = 0;

	fixture_init(&fixture);
	ASSERT_EQ(ttrpc_server_register(fixture.server, &service, NULL, NULL), 0);
	ttrpc_server_enforce_deadlines(fixture.server, false);
	fd = raw_connect(&fixture);
	for (uint32_t i = 0; i < CALLS; i++)
		size += request_build(bytes + size, 2 * i + 1, "test.AtOnce", "Call", "", "", 1);
	raw_send(fd, bytes, size);
	while (n_lenient < CALLS)
		ASSERT_EQ(ttrpc_loop_dispatch(&fixture.loop, -1), 0);
	settle(&fixture);
	for (; raw_receive(fd, &frame, answer, sizeof(answer)); n++)
		ASSERT_EQ(frame.length, 0);
	ASSERT_EQ(n, CALLS);
	ASSERT(ttrpc_server_idle(fixture.server));
	close(fd);
	fixture_deinit(&fixture);
}

TEST(handler_learns_why_it_was_cancelled)
{
	struct outcome outcome = {.n = 0};
	struct ends ends;

	ends_init(&ends);
	lenient_start(&ends, 0, &outcome);
	settle(&ends.fixture);
	ends.client = ttrpc_client_free(ends.client);
	ASSERT_EQ(outcome.status.error, -ECANCELED);
	settle(&ends.fixture);
	ASSERT_EQ(n_lenient, 1);
	ASSERT(reason == -EPIPE || reason == -ECONNRESET);
	ends_deinit(&ends);
}
