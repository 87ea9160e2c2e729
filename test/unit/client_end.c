/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How calls of the client and the client itself end: deadlines, a peer that goes or never reads,
 * ids that run out, freeing at any time.
 */
#include "test/unit/client_fixture.h"

TEST(deadline_of_a_call_that_is_not_answered)
{
	struct outcome late = {0}, other = {0};
	struct ttrpc_client *client;
	struct fixture fixture;

	fixture_init(&fixture);
	client = connect_client(&fixture);
	ASSERT_EQ(start(client, "Park", "", "", 10 * 1000000, &late), 0);
	settle_until(&fixture, &late, 1);
	ASSERT_EQ(late.status.code, TTRPC_DEADLINE_EXCEEDED);
	for (int i = 0; i < 2; i++)
		settle(&fixture);
	/* The server's own answer, if it came later, is dropped; the connection goes on. */
	ASSERT_EQ(start(client, "Echo", "x", "", 1000000000, &other), 0);
	settle_until(&fixture, &other, 1);
	ASSERT_EQ(other.status.code, TTRPC_OK);
	ASSERT_EQ(late.n, 1);
	ttrpc_client_free(client);
	fixture_deinit(&fixture);
}

TEST(server_gone_ends_calls_and_refuses_new_ones)
{
	struct outcome one = {0}, two = {0}, three = {0};
	struct ttrpc_client *client;
	struct fixture fixture;
	int closed = 0;

	fixture_init(&fixture);
	client = connect_client(&fixture);
	ttrpc_client_on_close(client, on_close, &closed);
	ASSERT_EQ(start(client, "Park", "", "", 0, &one), 0);
	settle(&fixture);
	fixture.server = ttrpc_server_free(fixture.server);
	/* The client doesn't know yet. */
	ASSERT_EQ(start(client, "Echo", "", "", 0, &two), 0);
	ASSERT_EQ(two.n, 0);
	settle(&fixture);
	ASSERT_EQ(two.n, 1);
	ASSERT_EQ(two.status.code, TTRPC_UNAVAILABLE);
	ASSERT_EQ(one.n, 1);
	ASSERT_EQ(one.status.code, TTRPC_UNAVAILABLE);
	ASSERT_EQ(one.status.error, -EPIPE);
	ASSERT_EQ(closed, -EPIPE);
	ASSERT_EQ(start(client, "Echo", "", "", 0, &three), -EPIPE);
	settle(&fixture);
	ASSERT_EQ(three.n, 0);
	ttrpc_client_free(client);
	fixture_deinit(&fixture);
}

TEST(answer_that_came_before_the_end_counts)
{
	struct outcome one = {0}, two = {0}, three = {0};
	struct ttrpc_client *client;
	uint8_t bytes[64];
	struct fixture fixture;
	int fds[2];

	fixture_init(&fixture);
	ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	ASSERT_EQ(ttrpc_client_new(&fixture.loop, fds[0], &client), 0);
	ASSERT_EQ(start(client, "Echo", "", "", 0, &one), 0);
	ASSERT_EQ(start(client, "Echo", "", "", 0, &two), 0);
	raw_send(fds[1], bytes, frame_build(bytes, 1, FRAME_RESPONSE, 0, "", 0));
	/* The peer read all that was sent: closing with unread bytes would be a reset. */
	ASSERT(recv(fds[1], bytes, sizeof(bytes), 0) > 0);
	while (recv(fds[1], bytes, sizeof(bytes), 0) > 0)
		;
	close(fds[1]);
	/* Writing fails at once, yet the answer is there to be read. */
	ASSERT_EQ(start(client, "Echo", "", "", 0, &three), 0);
	settle(&fixture);
	ASSERT_EQ(three.n, 1);
	ASSERT_EQ(one.n, 1);
	ASSERT_EQ(one.status.code, TTRPC_OK);
	ASSERT_EQ(two.n, 1);
	ASSERT_EQ(two.status.code, TTRPC_UNAVAILABLE);
	ttrpc_client_free(client);
	fixture_deinit(&fixture);
}

TEST(freeing_the_client_ends_its_calls)
{
	struct outcome outcome = {0};
	struct ttrpc_client *client;
	struct fixture fixture;

	fixture_init(&fixture);
	client = connect_client(&fixture);
	ASSERT_EQ(start(client, "Park", "", "", 60 * UINT64_C(1000000000), &outcome), 0);
	settle(&fixture);
	ASSERT(!ttrpc_client_free(client));
	ASSERT_EQ(outcome.n, 1);
	ASSERT_EQ(outcome.status.code, TTRPC_UNAVAILABLE);
	ASSERT_EQ(outcome.status.error, -ECANCELED);
	settle(&fixture);
	ASSERT_EQ(fixture.n_cancelled, 1);
	ASSERT(!ttrpc_client_free(NULL));
	fixture_deinit(&fixture);
}

static struct ttrpc_client *doomed_client;

static void done_frees(void *userdata, const struct ttrpc_status *status,
		       const ProtobufCMessage *response)
{
	on_done(userdata, status, response);
	doomed_client = ttrpc_client_free(doomed_client);
	/* The response is there until the callback returns. */
	ASSERT(!response || strlen(any_of(response)->type_url) == 1);
}

TEST(client_freed_by_an_answer)
{
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	struct outcome one = {0}, two = {0};
	struct fixture fixture;

	fixture_init(&fixture);
	doomed_client = connect_client(&fixture);
	any.type_url = (char *)(uintptr_t) "x";
	ASSERT_EQ(ttrpc_client_call(doomed_client, &echo_service, echo_method("Echo"), NULL,
				    &any.base, done_frees, &one),
		  0);
	ASSERT_EQ(start(doomed_client, "Echo", "x", "", 0, &two), 0);
	settle(&fixture);
	ASSERT_EQ(one.status.code, TTRPC_OK);
	ASSERT_EQ(two.status.error, -ECANCELED);
	ASSERT(!doomed_client);
	fixture_deinit(&fixture);
}

TEST(ids_run_out)
{
	struct outcome last = {0}, none = {0};
	struct ttrpc_client *client;
	struct fixture fixture;

	fixture_init(&fixture);
	client = connect_client(&fixture);
	client->next_id = UINT32_MAX;
	ASSERT_EQ(start(client, "Echo", "x", "", 0, &last), 0);
	ASSERT_EQ(start(client, "Echo", "x", "", 0, &none), 0);
	ASSERT_EQ(none.n, 0);
	settle(&fixture);
	ASSERT_EQ(last.status.code, TTRPC_OK);
	ASSERT_EQ(none.n, 1);
	ASSERT_EQ(none.status.code, TTRPC_UNAVAILABLE);
	ASSERT_EQ(none.status.error, -EOVERFLOW);
	ttrpc_client_free(client);
	fixture_deinit(&fixture);
}

TEST(peer_that_reads_nothing)
{
	static char value[500001];
	struct outcome outcome = {0}, timed = {0};
	struct ttrpc_client *client;
	struct ttrpc_loop loop;
	int fds[2], n = 0, error;

	ASSERT_EQ(ttrpc_loop_init(&loop), 0);
	ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	ASSERT_EQ(ttrpc_client_new(&loop, fds[0], &client), 0);
	memset(value, 'x', sizeof(value) - 1);
	/* The deadline covers what waits in the queue. */
	ASSERT_EQ(start(client, "Echo", "", value, 0, &outcome), 0);
	ASSERT_EQ(start(client, "Echo", "", value, 5 * 1000000, &timed), 0);
	while (timed.n == 0)
		ASSERT_EQ(ttrpc_loop_dispatch(&loop, -1), 0);
	ASSERT_EQ(timed.status.code, TTRPC_DEADLINE_EXCEEDED);
	ASSERT_EQ(timed.status.error, -ETIMEDOUT);
	do
		error = start(client, "Echo", "", value, 0, &outcome);
	while (error == 0 && ++n < 100);
	ASSERT_EQ(error, -ENOBUFS);
	ASSERT(conn_waiting(&client->conn) < TTRPC_CLIENT_QUEUE_MAX + 600000);
	ttrpc_client_free(client);
	close(fds[1]);
	ttrpc_loop_deinit(&loop);
	ASSERT_EQ(outcome.n, n + 1);
}
