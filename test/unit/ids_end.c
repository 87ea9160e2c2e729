/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last ids of a connection: what is under way when they run out ends as it would have, new calls
 * and streams are refused, nothing wraps around, and a new connection begins anew.
 */
#include "test/unit/stream_fixture.h"

#define LEFT 5 /* ids */
#define FIRST (UINT32_MAX - 2 * (LEFT - 1))

struct ends {
	struct fixture fixture;
	struct ttrpc_client *client;
	int closed;
};

static void ends_init(struct ends *ends)
{
	memset(ends, 0, sizeof(*ends));
	stream_fixture_init(&ends->fixture);
	ends->client = connect_client(&ends->fixture);
	ttrpc_client_on_close(ends->client, on_close, &ends->closed);
	ends->client->next_id = FIRST;
}

static void ends_deinit(struct ends *ends)
{
	ttrpc_client_free(ends->client);
	settle(&ends->fixture);
	fixture_deinit(&ends->fixture);
}

static void answer_parked(struct fixture *fixture)
{
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;

	while (fixture->n_parked > 0)
		ttrpc_reply(fixture->parked[--fixture->n_parked], &any.base);
}

TEST(calls_under_way_are_answered)
{
	struct outcome outcomes[2 * LEFT];
	struct ends ends;

	memset(outcomes, 0, sizeof(outcomes));
	ends_init(&ends);
	for (int i = 0; i < 2 * LEFT; i++)
		ASSERT_EQ(start(ends.client, "Park", "", "", 0, &outcomes[i]), 0);
	settle(&ends.fixture);
	ASSERT_EQ(ends.fixture.n_parked, LEFT);
	for (int i = LEFT; i < 2 * LEFT; i++) {
		ASSERT_EQ(outcomes[i].n, 1);
		ASSERT_EQ(outcomes[i].status.code, TTRPC_UNAVAILABLE);
		ASSERT_EQ(outcomes[i].status.error, -EOVERFLOW);
	}
	answer_parked(&ends.fixture);
	settle(&ends.fixture);
	for (int i = 0; i < LEFT; i++) {
		ASSERT_EQ(outcomes[i].n, 1);
		ASSERT_EQ(outcomes[i].status.code, TTRPC_OK);
	}
	ASSERT_EQ(ends.closed, 0);
	ends_deinit(&ends);
}

TEST(streams_under_way_go_on)
{
	struct heard heard[LEFT], none = {.answer = 0};
	struct ends ends;

	memset(heard, 0, sizeof(heard));
	ends_init(&ends);
	for (int i = 0; i < LEFT; i++)
		ASSERT_EQ(stream_start(ends.client, "Talk", NULL, 0, &heard[i]), 0);
	ASSERT_EQ(stream_start(ends.client, "Talk", NULL, 0, &none), -EOVERFLOW);
	for (int i = 0; i < LEFT; i++)
		ASSERT_EQ(number_send(heard[i].stream, i, 0), 0);
	settle(&ends.fixture);
	for (int i = 0; i < LEFT; i++) {
		ASSERT_EQ(heard[i].n_messages, 1);
		ASSERT_EQ(ttrpc_stream_close_send(heard[i].stream), 0);
	}
	settle(&ends.fixture);
	for (int i = 0; i < LEFT; i++)
		ASSERT_EQ(heard[i].status.code, TTRPC_OK);
	ASSERT_EQ(none.n_ended, 0);
	ASSERT_EQ(server_streams(&ends.fixture), 0);
	ends_deinit(&ends);
}

/* Those that aren't sent, for their size, use none up. */
TEST(what_is_not_sent_uses_no_id)
{
	static char large[TTRPC_MESSAGE_MAX + 1];
	struct outcome refused = {.n = 0}, last = {.n = 0};
	struct ends ends;

	memset(large, 'x', sizeof(large) - 1);
	ends_init(&ends);
	ends.client->next_id = UINT32_MAX;
	for (int i = 0; i < LEFT; i++)
		ASSERT_EQ(start(ends.client, "Echo", "", large, 0, &refused), 0);
	ASSERT_EQ(start(ends.client, "Echo", "x", "", 0, &last), 0);
	settle(&ends.fixture);
	ASSERT_EQ(refused.n, LEFT);
	ASSERT_EQ(refused.status.code, TTRPC_RESOURCE_EXHAUSTED);
	ASSERT_EQ(last.status.code, TTRPC_OK);
	ends_deinit(&ends);
}

TEST(new_connection_begins_anew)
{
	struct outcome none = {.n = 0}, again = {.n = 0};
	struct ends ends;

	ends_init(&ends);
	ends.client->next_id = (uint64_t)UINT32_MAX + 2;
	ASSERT_EQ(start(ends.client, "Echo", "x", "", 0, &none), 0);
	settle(&ends.fixture);
	ASSERT_EQ(none.status.error, -EOVERFLOW);
	ttrpc_client_free(ends.client);
	ends.client = connect_client(&ends.fixture);
	ASSERT_EQ(start(ends.client, "Echo", "x", "", 0, &again), 0);
	settle(&ends.fixture);
	ASSERT_EQ(again.status.code, TTRPC_OK);
	ends_deinit(&ends);
}

/* A peer that does wrap around, or goes on with the last one, is told so and keeps its connection. */
TEST(server_at_the_last_id)
{
	struct fixture fixture;
	int fd;

	fixture_init(&fixture);
	fd = raw_connect(&fixture);
	raw_request(&fixture, fd, UINT32_MAX - 2, "Echo", "x");
	raw_expect(fd, UINT32_MAX - 2, TTRPC_OK);
	raw_request(&fixture, fd, UINT32_MAX, "Echo", "x");
	raw_expect(fd, UINT32_MAX, TTRPC_OK);
	raw_request(&fixture, fd, UINT32_MAX, "Echo", "x");
	raw_expect(fd, UINT32_MAX, TTRPC_INVALID_ARGUMENT);
	raw_request(&fixture, fd, 1, "Echo", "x");
	raw_expect(fd, 1, TTRPC_INVALID_ARGUMENT);
	ASSERT_EQ(ttrpc_server_connections(fixture.server), 1);
	close(fd);
	fixture_deinit(&fixture);
}
