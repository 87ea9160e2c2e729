/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a stream that doesn't move costs the calls beside it, in time: the same calls are timed without
 * and with such a stream, in turns, and the best of each is compared, which no load of the machine
 * makes worse. A stream that stalls others does so by a second, or for ever, and not by a factor.
 */
#include "test/unit/stream_fixture.h"

enum { ROUNDS = 7, CALLS = 200, STUCK = 8 };

#define FACTOR 4       /* what "as without it" may mean */
#define GRAIN 20000u   /* ns; differences below are the clock's and the scheduler's */
#define MESSAGE 16000u /* bytes */
#define MESSAGES 200u  /* that wait in a stream: 3 of the 4 MiB which may */

struct run {
	struct fixture fixture;
	struct ttrpc_client *client;
	struct heard stuck[STUCK];
};

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* The median time of a call, in nanoseconds. */
static uint64_t time_calls(struct run *run)
{
	uint64_t times[CALLS];

	for (int i = 0; i < CALLS; i++) {
		struct outcome outcome = {.n = 0};

		times[i] = ttrpc_now();
		ASSERT_EQ(start(run->client, "Echo", "x", "", 0, &outcome), 0);
		settle_until(&run->fixture, &outcome, 1);
		ASSERT_EQ(outcome.status.code, TTRPC_OK);
		times[i] = ttrpc_now() - times[i];
	}
	qsort(times, CALLS, sizeof(times[0]), compare);
	return times[CALLS / 2];
}

static void run_init(struct run *run)
{
	memset(run, 0, sizeof(*run));
	stream_fixture_init(&run->fixture);
	run->client = connect_client(&run->fixture);
}

static void run_deinit(struct run *run)
{
	ttrpc_client_free(run->client);
	settle(&run->fixture);
	fixture_deinit(&run->fixture);
}

/* make and unmake bring about what is stuck, and end it. */
static void compare_times(struct run *run, void (*make)(struct run *run),
			  void (*unmake)(struct run *run))
{
	uint64_t without = UINT64_MAX, with = UINT64_MAX;

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t time = time_calls(run);

		without = time < without ? time : without;
		make(run);
		time = time_calls(run);
		with = time < with ? time : with;
		unmake(run);
	}
	if (with > FACTOR * without + GRAIN)
		test_fail(__FILE__, __LINE__, "a call takes %llu ns instead of %llu",
			  (unsigned long long)with, (unsigned long long)without);
}

static void cancel_all(struct run *run)
{
	for (int i = 0; i < STUCK; i++)
		if (run->stuck[i].stream)
			ttrpc_stream_cancel(run->stuck[i].stream);
	/* Its handler hears of that in its turn, after the messages. */
	for (size_t i = 0; i < talk.n_held; i++)
		ttrpc_stream_resume(talk.held[i]);
	while (server_streams(&run->fixture) > 0)
		ASSERT_EQ(ttrpc_loop_dispatch(&run->fixture.loop, -1), 0);
	talk.n_held = 0;
}

/* ---- the handler takes nothing ---- */

static void fill_handler(struct run *run)
{
	run->stuck[0] = (struct heard){.answer = 0};
	ASSERT_EQ(stream_start(run->client, "Hold", NULL, 0, &run->stuck[0]), 0);
	for (unsigned i = 0; i < MESSAGES; i++) {
		ASSERT_EQ(number_send(run->stuck[0].stream, (long)i, MESSAGE), 0);
		settle(&run->fixture);
	}
	ASSERT_EQ(ttrpc_stream_queued(talk.held[0], NULL), MESSAGES);
}

TEST(handler_that_takes_nothing)
{
	struct run run;

	run_init(&run);
	compare_times(&run, fill_handler, cancel_all);
	run_deinit(&run);
}

/* ---- the client's user takes nothing ---- */

static void fill_user(struct run *run)
{
	char value[16];

	snprintf(value, sizeof(value), "%u", MESSAGES);
	talk.size = MESSAGE;
	run->stuck[0] = (struct heard){.answer = 0};
	ASSERT_EQ(stream_start(run->client, "Count", value, 0, &run->stuck[0]), 0);
	ttrpc_stream_pause(run->stuck[0].stream);
	while (ttrpc_stream_queued(run->stuck[0].stream, NULL) < MESSAGES)
		ASSERT_EQ(ttrpc_loop_dispatch(&run->fixture.loop, -1), 0);
	ASSERT_EQ(run->stuck[0].n_messages, 0);
}

TEST(user_of_the_client_that_takes_nothing)
{
	struct run run;

	run_init(&run);
	compare_times(&run, fill_user, cancel_all);
	run_deinit(&run);
}

/* ---- many of them ---- */

static void fill_many(struct run *run)
{
	for (int i = 0; i < STUCK; i++) {
		run->stuck[i] = (struct heard){.answer = 0};
		ASSERT_EQ(stream_start(run->client, "Hold", NULL, 0, &run->stuck[i]), 0);
	}
	for (unsigned k = 0; k < 500; k++) {
		for (int i = 0; i < STUCK; i++)
			ASSERT_EQ(number_send(run->stuck[i].stream, (long)k, 100), 0);
		settle(&run->fixture);
	}
	for (int i = 0; i < STUCK; i++)
		ASSERT_EQ(ttrpc_stream_queued(talk.held[i], NULL), 500);
}

TEST(many_streams_that_nobody_takes)
{
	struct run run;

	run_init(&run);
	compare_times(&run, fill_many, cancel_all);
	run_deinit(&run);
}

/* ---- another connection whose peer reads nothing ---- */

static int deaf;

/* As much as the server is ready to keep for it. */
static void fill_deaf(struct run *run)
{
	static uint8_t bytes[64 * 100];
	size_t size = 0;

	deaf = raw_connect(&run->fixture);
	for (uint32_t id = 1; id < 200; id += 2)
		size += request_build(bytes + size, id, "test.Echo", "Size", "", "100000", 0);
	raw_send(deaf, bytes, size);
	settle(&run->fixture);
	ASSERT(!ttrpc_server_idle(run->fixture.server));
}

static void close_deaf(struct run *run)
{
	close(deaf);
	settle(&run->fixture);
	ASSERT_EQ(ttrpc_server_connections(run->fixture.server), 1);
}

TEST(peer_that_reads_nothing)
{
	struct run run;

	run_init(&run);
	compare_times(&run, fill_deaf, close_deaf);
	run_deinit(&run);
}
