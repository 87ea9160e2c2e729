/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits that a program sets, each with what happens there, and the counters.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "test/unit/stream_fixture.h"

#define SOON 500000000u /* ns; what is to happen before takes less, on any machine */

static void set(struct fixture *fixture, struct ttrpc_limits *limits)
{
	ASSERT_EQ(ttrpc_server_set_limits(fixture->server, limits), 0);
}

static void wait_for_connections(struct fixture *fixture, size_t n)
{
	while (ttrpc_server_connections(fixture->server) != n)
		ASSERT_EQ(ttrpc_loop_dispatch(&fixture->loop, -1), 0);
}

TEST(message_limit_has_a_ceiling)
{
	struct ttrpc_limits limits;
	struct fixture fixture;

	fixture_init(&fixture);
	ttrpc_limits_init(&limits);
	limits.message = TTRPC_MESSAGE_CEILING;
	ASSERT_EQ(ttrpc_server_set_limits(fixture.server, &limits), 0);
	limits.message++;
	ASSERT_EQ(ttrpc_server_set_limits(fixture.server, &limits), -EINVAL);
	ASSERT_EQ(fixture.server->limits.message, TTRPC_MESSAGE_CEILING);
	fixture_deinit(&fixture);
}

TEST(large_messages_where_both_ends_take_them)
{
	static char large[6000001];
	struct outcome outcome = {.n = 0};
	struct ttrpc_client *client;
	struct ttrpc_limits limits;
	struct fixture fixture;

	memset(large, 'x', sizeof(large) - 1);
	ttrpc_limits_init(&limits);
	limits.message = TTRPC_MESSAGE_CEILING;
	limits.decoded = 2 * TTRPC_MESSAGE_CEILING;
	fixture_init(&fixture);
	set(&fixture, &limits);
	client = connect_client(&fixture);
	limits.write_queue = TTRPC_CLIENT_QUEUE_MAX;
	ASSERT_EQ(ttrpc_client_set_limits(client, &limits), 0);
	ASSERT_EQ(start(client, "Echo", "", large, 0, &outcome), 0);
	settle_until(&fixture, &outcome, 1);
	ASSERT_EQ(outcome.status.code, TTRPC_OK);
	ASSERT_EQ(outcome.value_size, 6000000);
	ttrpc_client_free(client);
	fixture_deinit(&fixture);
}

TEST(connections_of_a_uid)
{
	struct ttrpc_statistics statistics = {.late = 0};
	struct ttrpc_limits limits;
	struct fixture fixture;
	int one, two, three;

	ttrpc_limits_init(&limits);
	limits.connections_per_uid = 2;
	fixture_init(&fixture);
	ttrpc_server_count(fixture.server, &statistics);
	set(&fixture, &limits);
	one = raw_connect(&fixture);
	two = raw_connect(&fixture);
	three = raw_connect(&fixture);
	ASSERT_EQ(ttrpc_server_connections(fixture.server), 2);
	raw_expect_closed(three);
	ASSERT_EQ(statistics.connections_refused, 1);
	close(three);
	close(one);
	settle(&fixture);
	three = raw_connect(&fixture);
	raw_request(&fixture, three, 1, "Echo", "x");
	raw_expect(three, 1, TTRPC_OK);
	ASSERT_EQ(statistics.connections, 3);
	ASSERT_EQ(statistics.connections_now, 2);
	close(two);
	close(three);
	fixture_deinit(&fixture);
}

TEST(first_byte_has_to_come_in_time)
{
	struct ttrpc_limits limits;
	struct fixture fixture;
	int silent, speaks;

	ttrpc_limits_init(&limits);
	limits.first_byte = SOON;
	fixture_init(&fixture);
	set(&fixture, &limits);
	silent = raw_connect(&fixture);
	speaks = raw_connect(&fixture);
	raw_request(&fixture, speaks, 1, "Echo", "x");
	raw_expect(speaks, 1, TTRPC_OK);
	wait_for_connections(&fixture, 1);
	raw_expect_closed(silent);
	/* The other may be silent from now on. */
	ASSERT_EQ(ttrpc_loop_timeout(&fixture.loop), -1);
	close(silent);
	close(speaks);
	fixture_deinit(&fixture);
}

TEST(frame_has_to_come_to_its_end_in_time)
{
	uint8_t bytes[256];
	size_t size = request_build(bytes, 1, "test.Echo", "Echo", "", "x", 0);
	struct ttrpc_limits limits;
	struct fixture fixture;
	int slow;

	ttrpc_limits_init(&limits);
	limits.frame_time = SOON;
	fixture_init(&fixture);
	set(&fixture, &limits);
	slow = raw_connect(&fixture);
	ASSERT_EQ(ttrpc_loop_timeout(&fixture.loop), -1);
	raw_send(slow, bytes, size);
	raw_send(slow, bytes, 5);
	settle(&fixture);
	raw_expect(slow, 1, TTRPC_OK);
	/* A byte now and then doesn't help. */
	raw_send(slow, bytes + 5, 1);
	settle(&fixture);
	wait_for_connections(&fixture, 0);
	raw_expect_closed(slow);
	close(slow);
	fixture_deinit(&fixture);
}

TEST(blocked_write_has_to_go_on_in_time)
{
	struct ttrpc_limits limits;
	struct fixture fixture;
	int deaf;

	ttrpc_limits_init(&limits);
	limits.blocked_write = 20000000;
	fixture_init(&fixture);
	set(&fixture, &limits);
	deaf = raw_connect(&fixture);
	raw_request(&fixture, deaf, 1, "Size", "3000000");
	wait_for_connections(&fixture, 0);
	close(deaf);
	fixture_deinit(&fixture);
}

TEST(hundred_unread_answers_of_a_mebibyte_cost_little)
{
	struct ttrpc_statistics statistics = {.late = 0};
	struct fixture fixture;
	uint8_t bytes[64 * 100];
	size_t size = 0;
	int deaf;

	fixture_init(&fixture);
	ttrpc_server_count(fixture.server, &statistics);
	deaf = raw_connect(&fixture);
	for (uint32_t id = 1; id < 200; id += 2)
		size += request_build(bytes + size, id, "test.Echo", "Size", "", "1048576", 0);
	raw_send(deaf, bytes, size);
	settle(&fixture);
	ASSERT(statistics.write_queue_max > 1u << 20);
	ASSERT(statistics.write_queue_max < 3u << 20);
	ASSERT(statistics.calls[TTRPC_OK] < 5);
	close(deaf);
	fixture_deinit(&fixture);
}

TEST(statistics_count)
{
	struct ttrpc_statistics statistics = {.late = 0}, mine = {.late = 0};
	struct outcome outcome = {.n = 0};
	struct ttrpc_client *client;
	struct fixture fixture;

	fixture_init(&fixture);
	ttrpc_server_count(fixture.server, &statistics);
	client = connect_client(&fixture);
	ttrpc_client_count(client, &mine);
	ASSERT_EQ(start(client, "Echo", "", "x", 0, &outcome), 0);
	ASSERT_EQ(start(client, "Fail", "", "5", 0, &outcome), 0);
	ASSERT_EQ(start(client, "Unknown", "", "", 0, &outcome), 0);
	settle(&fixture);
	ASSERT_EQ(statistics.calls[TTRPC_OK], 1);
	ASSERT_EQ(statistics.calls[TTRPC_NOT_FOUND], 1);
	ASSERT_EQ(statistics.calls[TTRPC_UNIMPLEMENTED], 1);
	ASSERT_EQ(mine.calls[TTRPC_OK], 1);
	ASSERT_EQ(mine.calls[TTRPC_NOT_FOUND], 1);
	ASSERT(statistics.bytes_received > 0);
	ASSERT_EQ(statistics.bytes_received, mine.bytes_sent);
	ASSERT_EQ(statistics.bytes_sent, mine.bytes_received);
	ttrpc_client_free(client);
	settle(&fixture);
	ASSERT_EQ(statistics.connections, 1);
	ASSERT_EQ(statistics.connections_now, 0);
	fixture_deinit(&fixture);
}
