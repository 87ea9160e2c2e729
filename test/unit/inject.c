/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls that are interrupted, would block, or move a few bytes only: every call and stream
 * still gets what it would have got. (The tables of odd frames run under the same faults: see
 * server_frames.c, client_frames.c, stream_server.c and stream_client.c.)
 */
#include "test/unit/faults.h"
#include "test/unit/stream_fixture.h"

static void calls_under_faults(size_t bytes, unsigned first_seed)
{
	struct outcome outcomes[50];
	struct heard heard = {.in_order = true}, sum = {.answer = 0};
	struct ttrpc_client *client;
	struct fixture fixture;

	memset(outcomes, 0, sizeof(outcomes));
	stream_fixture_init(&fixture);
	client = connect_client(&fixture);
	faults_begin(bytes, bytes, first_seed);
	ASSERT_EQ(stream_start(client, "Talk", NULL, 0, &heard), 0);
	ASSERT_EQ(stream_start(client, "Sum", NULL, 0, &sum), 0);
	for (int i = 0; i < 50; i++) {
		ASSERT_EQ(start(client, i % 5 ? "Echo" : "Fail", "x", i % 5 ? "yyyyyyyy" : "5", 0,
				&outcomes[i]),
			  0);
		ASSERT_EQ(number_send(heard.stream, i, 40), 0);
		ASSERT_EQ(number_send(sum.stream, i, 0), 0);
	}
	ttrpc_stream_close_send(heard.stream);
	ttrpc_stream_close_send(sum.stream);
	while (heard.n_ended == 0 || sum.n_ended == 0 || outcomes[49].n == 0)
		ASSERT_EQ(ttrpc_loop_dispatch(&fixture.loop, -1), 0);
	for (int i = 0; i < 50; i++) {
		ASSERT_EQ(outcomes[i].n, 1);
		ASSERT_EQ(outcomes[i].status.code, i % 5 ? TTRPC_OK : TTRPC_NOT_FOUND);
	}
	ASSERT_EQ(heard.n_messages, 50);
	ASSERT_EQ(heard.status.code, TTRPC_OK);
	ASSERT_EQ(sum.status.code, TTRPC_OK);
	ASSERT(faults.n > 0);
	faults_end();
	ttrpc_client_free(client);
	fixture_deinit(&fixture);
}

TEST(one_byte_at_a_time)
{
	calls_under_faults(1, 1);
}

TEST(odd_pieces)
{
	for (size_t bytes = 2; bytes < 40; bytes += 3)
		calls_under_faults(bytes, (unsigned)bytes);
}

TEST(large_pieces)
{
	for (unsigned i = 0; i < 20; i++)
		calls_under_faults(5000, 77 + i);
}

TEST(connects_are_accepted)
{
	struct ttrpc_client *clients[20];
	struct outcome outcomes[20];
	struct fixture fixture;

	memset(outcomes, 0, sizeof(outcomes));
	fixture_init(&fixture);
	faults_begin(100, 100, 1);
	for (int i = 0; i < 20; i++) {
		clients[i] = connect_client(&fixture);
		ASSERT_EQ(start(clients[i], "Echo", "x", "y", 0, &outcomes[i]), 0);
	}
	for (int i = 0; i < 20; i++)
		settle_until(&fixture, &outcomes[i], 1);
	faults_end();
	for (int i = 0; i < 20; i++)
		ttrpc_client_free(clients[i]);
	fixture_deinit(&fixture);
}
