/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The graceful end of a server: nothing that is under way is cut off, new calls are refused with a
 * status, and every call is accounted for.
 */
#include "test/unit/stream_fixture.h"

struct ending {
	struct fixture fixture;
	struct ttrpc_client *client;
	int n_done, error;
};

static void ending_done(void *userdata, int error)
{
	struct ending *ending = userdata;

	ending->n_done++;
	ending->error = error;
}

static void ending_init(struct ending *ending)
{
	memset(ending, 0, sizeof(*ending));
	stream_fixture_init(&ending->fixture);
	ending->client = connect_client(&ending->fixture);
}

static void ending_deinit(struct ending *ending)
{
	ttrpc_client_free(ending->client);
	fixture_deinit(&ending->fixture);
}

static void ending_begin(struct ending *ending, uint64_t timeout)
{
	ASSERT_EQ(ttrpc_server_shutdown(ending->fixture.server, timeout, ending_done, ending), 0);
}

static void ending_wait(struct ending *ending)
{
	while (ending->n_done == 0)
		ASSERT_EQ(ttrpc_loop_dispatch(&ending->fixture.loop, -1), 0);
}

static void answer_parked(struct fixture *fixture)
{
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;

	while (fixture->n_parked > 0)
		ttrpc_reply(fixture->parked[--fixture->n_parked], &any.base);
}

TEST(idle_server_ends_at_once)
{
	int closed = 0;
	struct ending ending;

	ending_init(&ending);
	ttrpc_client_on_close(ending.client, on_close, &closed);
	ending_begin(&ending, 60000000000u);
	ASSERT_EQ(ttrpc_server_shutdown(ending.fixture.server, 1, NULL, NULL), -EALREADY);
	settle(&ending.fixture);
	ASSERT_EQ(ending.n_done, 1);
	ASSERT_EQ(ending.error, 0);
	ASSERT_EQ(closed, -EPIPE);
	ASSERT_EQ(ttrpc_server_connections(ending.fixture.server), 0);
	/* Nothing is left to be waited for. */
	ASSERT_EQ(ttrpc_loop_timeout(&ending.fixture.loop), -1);
	ending_deinit(&ending);
}

/* The first call of a quiet connection counts as under way. */
TEST(first_call_in_flight_is_waited_for)
{
	struct outcome outcome = {.n = 0};
	struct ending ending;

	ending_init(&ending);
	ASSERT_EQ(start(ending.client, "Park", "", "", 0, &outcome), 0);
	settle(&ending.fixture);
	ending_begin(&ending, 60000000000u);
	settle(&ending.fixture);
	ASSERT_EQ(ending.n_done, 0);
	ASSERT_EQ(outcome.n, 0);
	answer_parked(&ending.fixture);
	settle(&ending.fixture);
	ASSERT_EQ(outcome.n, 1);
	ASSERT_EQ(outcome.status.code, TTRPC_OK);
	ASSERT_EQ(ending.n_done, 1);
	ASSERT_EQ(ending.fixture.n_cancelled, 0);
	ending_deinit(&ending);
}

/* Answers that the library makes don't count as answers of calls under way. */
TEST(errors_do_not_make_a_busy_connection_idle)
{
	struct outcome parked = {.n = 0}, failed = {.n = 0};
	struct ending ending;

	ending_init(&ending);
	ASSERT_EQ(start(ending.client, "Park", "", "", 0, &parked), 0);
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(start(ending.client, "Unknown", "", "", 0, &failed), 0);
	settle(&ending.fixture);
	ASSERT_EQ(failed.n, 3);
	ending_begin(&ending, 60000000000u);
	settle(&ending.fixture);
	ASSERT_EQ(ending.n_done, 0);
	answer_parked(&ending.fixture);
	settle(&ending.fixture);
	ASSERT_EQ(parked.status.code, TTRPC_OK);
	ASSERT_EQ(ending.error, 0);
	ending_deinit(&ending);
}

TEST(new_calls_and_streams_are_refused)
{
	struct outcome parked = {.n = 0}, late = {.n = 0};
	struct heard stream = {.answer = 0};
	struct ending ending;

	ending_init(&ending);
	ASSERT_EQ(start(ending.client, "Park", "", "", 0, &parked), 0);
	settle(&ending.fixture);
	ending_begin(&ending, 60000000000u);
	ASSERT_EQ(start(ending.client, "Echo", "", "", 0, &late), 0);
	ASSERT_EQ(stream_start(ending.client, "Talk", NULL, 0, &stream), 0);
	settle(&ending.fixture);
	ASSERT_EQ(late.status.code, TTRPC_UNAVAILABLE);
	ASSERT_EQ(late.status.error, 0);
	ASSERT_EQ(stream.status.code, TTRPC_UNAVAILABLE);
	answer_parked(&ending.fixture);
	ending_wait(&ending);
	ASSERT_EQ(ending.error, 0);
	ending_deinit(&ending);
}

TEST(streams_are_waited_for)
{
	struct heard heard = {.answer = 0};
	struct ending ending;

	ending_init(&ending);
	ASSERT_EQ(stream_start(ending.client, "Talk", NULL, 0, &heard), 0);
	settle(&ending.fixture);
	ending_begin(&ending, 60000000000u);
	ASSERT_EQ(number_send(heard.stream, 1, 0), 0);
	settle(&ending.fixture);
	ASSERT_EQ(heard.n_messages, 1);
	ASSERT_EQ(ending.n_done, 0);
	ASSERT_EQ(ttrpc_stream_close_send(heard.stream), 0);
	settle(&ending.fixture);
	ASSERT_EQ(heard.status.code, TTRPC_OK);
	ASSERT_EQ(ending.n_done, 1);
	ending_deinit(&ending);
}

TEST(what_is_queued_is_flushed)
{
	struct outcome outcomes[4];
	struct ending ending;

	memset(outcomes, 0, sizeof(outcomes));
	ending_init(&ending);
	/* More than the socket takes: most of it waits when the shutdown begins. */
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(start(ending.client, "Size", "", "1000000", 0, &outcomes[i]), 0);
	ASSERT_EQ(ttrpc_loop_dispatch(&ending.fixture.loop, 0), 0);
	ASSERT(!ttrpc_server_idle(ending.fixture.server));
	ending_begin(&ending, 60000000000u);
	ending_wait(&ending);
	while (outcomes[3].n == 0)
		ASSERT_EQ(ttrpc_loop_dispatch(&ending.fixture.loop, -1), 0);
	ASSERT_EQ(outcomes[0].status.code, TTRPC_OK);
	for (int i = 0; i < 4; i++) {
		/* What had not been read when it began is refused; nothing is cut. */
		ASSERT(outcomes[i].status.code == TTRPC_OK ||
		       outcomes[i].status.code == TTRPC_UNAVAILABLE);
		ASSERT_EQ(outcomes[i].status.error, 0);
		ASSERT_EQ(outcomes[i].n, 1);
	}
	ASSERT_EQ(ending.error, 0);
	ending_deinit(&ending);
}

TEST(time_is_limited)
{
	struct outcome outcome = {.n = 0};
	struct ending ending;

	ending_init(&ending);
	ASSERT_EQ(start(ending.client, "Park", "", "", 0, &outcome), 0);
	settle(&ending.fixture);
	ending_begin(&ending, 10000000);
	ending_wait(&ending);
	ASSERT_EQ(ending.error, -ETIMEDOUT);
	ASSERT_EQ(outcome.n, 0);
	ASSERT_EQ(ending.fixture.n_cancelled, 0);
	ending.fixture.server = ttrpc_server_free(ending.fixture.server);
	ASSERT_EQ(ending.fixture.n_cancelled, 1);
	ASSERT_EQ(ending.n_done, 1);
	ending_deinit(&ending);
}

static void ending_frees(void *userdata, int error)
{
	struct ending *ending = userdata;

	ending->n_done++;
	ending->error = error;
	ending->fixture.server = ttrpc_server_free(ending->fixture.server);
}

TEST(done_may_free_the_server)
{
	struct ending ending;

	ending_init(&ending);
	ASSERT_EQ(ttrpc_server_shutdown(ending.fixture.server, 1000000000u, ending_frees, &ending),
		  0);
	ending_wait(&ending);
	ASSERT(!ending.fixture.server);
	ending_deinit(&ending);
}

/* A request of which half has come is refused when it is whole, not cut off. */
TEST(half_a_request_is_answered)
{
	uint8_t bytes[256];
	size_t size = request_build(bytes, 1, "test.Echo", "Echo", "", "x", 0);
	struct ending ending;
	int fd;

	ending_init(&ending);
	fd = raw_connect(&ending.fixture);
	raw_send(fd, bytes, 15);
	settle(&ending.fixture);
	ending_begin(&ending, 60000000000u);
	settle(&ending.fixture);
	ASSERT_EQ(ending.n_done, 0);
	raw_send(fd, bytes + 15, size - 15);
	settle(&ending.fixture);
	raw_expect(fd, 1, TTRPC_UNAVAILABLE);
	raw_expect_closed(fd);
	ASSERT_EQ(ending.n_done, 1);
	close(fd);
	ending_deinit(&ending);
}

/* Under load: each call of each client is answered, or refused with a status. */
TEST(under_load_nothing_is_lost)
{
	enum { CLIENTS = 4, CALLS = 500 };
	static struct outcome outcomes[CLIENTS][CALLS];
	struct ttrpc_client *clients[CLIENTS];
	size_t answered = 0, refused = 0, unsent = 0;
	struct ending ending;

	memset(outcomes, 0, sizeof(outcomes));
	ending_init(&ending);
	for (int i = 0; i < CLIENTS; i++)
		clients[i] = connect_client(&ending.fixture);
	for (int k = 0; k < CALLS; k++) {
		for (int i = 0; i < CLIENTS; i++)
			if (start(clients[i], k % 7 ? "Echo" : "Park", "", "", 0, &outcomes[i][k]) <
			    0)
				unsent++;
		if (k % 10 == 0)
			ASSERT_EQ(ttrpc_loop_dispatch(&ending.fixture.loop, 0), 0);
		if (k == CALLS / 2)
			ending_begin(&ending, 60000000000u);
	}
	settle(&ending.fixture);
	ASSERT_EQ(ending.n_done, 0);
	answer_parked(&ending.fixture);
	ending_wait(&ending);
	settle(&ending.fixture);
	for (int i = 0; i < CLIENTS; i++) {
		for (int k = 0; k < CALLS; k++) {
			ASSERT_EQ(outcomes[i][k].n, 1);
			ASSERT_EQ(outcomes[i][k].status.error, 0);
			answered += outcomes[i][k].status.code == TTRPC_OK;
			refused += outcomes[i][k].status.code == TTRPC_UNAVAILABLE;
		}
		ttrpc_client_free(clients[i]);
	}
	ASSERT_EQ(unsent, 0);
	ASSERT_EQ(answered + refused, CLIENTS * CALLS);
	ASSERT(answered >= CLIENTS * CALLS / 2 && refused > 0);
	ASSERT_EQ(ending.error, 0);
	ending_deinit(&ending);
}
