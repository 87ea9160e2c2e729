/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop: order and removal within a turn, timers, signals, loops within loops.
 */
#include "ttrpc/loop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <unistd.h>

#include "test/test.h"

struct pipe_watch {
	struct ttrpc_watch watch;
	int fds[2];
	int calls;
	struct pipe_watch *victim; /* removed by the callback */
	uint32_t events;
};

static void pipe_event(struct ttrpc_watch *watch, uint32_t events)
{
	struct pipe_watch *self = (struct pipe_watch *)(void *)watch;

	self->calls++;
	self->events = events;
	if (self->victim)
		ttrpc_watch_remove(&self->victim->watch);
}

static void pipe_open(struct ttrpc_loop *loop, struct pipe_watch *self)
{
	*self = (struct pipe_watch){.watch = TTRPC_WATCH_NULL};
	ASSERT_EQ(pipe(self->fds), 0);
	ASSERT_EQ(ttrpc_watch_add(loop, &self->watch, self->fds[0], EPOLLIN, pipe_event), 0);
}

static void pipe_close(struct pipe_watch *self)
{
	ttrpc_watch_remove(&self->watch);
	close(self->fds[0]);
	close(self->fds[1]);
}

static void pipe_fill(const struct pipe_watch *self)
{
	ASSERT_EQ(write(self->fds[1], "x", 1), 1);
}

TEST(watch_is_called_while_readable)
{
	struct ttrpc_loop loop;
	struct pipe_watch one;
	char byte;

	ASSERT_EQ(ttrpc_loop_init(&loop), 0);
	pipe_open(&loop, &one);
	ASSERT_EQ(ttrpc_loop_dispatch(&loop, 0), 0);
	ASSERT_EQ(one.calls, 0);
	pipe_fill(&one);
	ASSERT_EQ(ttrpc_loop_dispatch(&loop, -1), 0);
	ASSERT_EQ(ttrpc_loop_dispatch(&loop, -1), 0);
	ASSERT_EQ(one.calls, 2);
	ASSERT_EQ(one.events, EPOLLIN);
	ASSERT_EQ(read(one.fds[0], &byte, 1), 1);
	ASSERT_EQ(ttrpc_loop_dispatch(&loop, 0), 0);
	ASSERT_EQ(one.calls, 2);
	pipe_close(&one);
	ttrpc_loop_deinit(&loop);
}

TEST(watch_set_changes_what_is_reported)
{
	struct ttrpc_loop loop;
	struct pipe_watch one;

	ASSERT_EQ(ttrpc_loop_init(&loop), 0);
	pipe_open(&loop, &one);
	pipe_fill(&one);
	ASSERT_EQ(ttrpc_watch_set(&one.watch, 0), 0);
	ASSERT_EQ(ttrpc_loop_dispatch(&loop, 0), 0);
	ASSERT_EQ(one.calls, 0);
	close(one.fds[1]);
	/* A hang-up is reported whatever was asked for. */
	ASSERT_EQ(ttrpc_loop_dispatch(&loop, 0), 0);
	ASSERT_EQ(one.calls, 1);
	ASSERT_EQ(one.events, EPOLLHUP);
	one.fds[1] = dup(one.fds[0]);
	pipe_close(&one);
	ttrpc_loop_deinit(&loop);
}

TEST(watch_removed_in_the_turn_is_not_called)
{
	struct ttrpc_loop loop;
	struct pipe_watch one, two;

	ASSERT_EQ(ttrpc_loop_init(&loop), 0);
	pipe_open(&loop, &one);
	pipe_open(&loop, &two);
	one.victim = &two;
	two.victim = &one;
	pipe_fill(&one);
	pipe_fill(&two);
	ASSERT_EQ(ttrpc_loop_dispatch(&loop, 0), 0);
	ASSERT_EQ(one.calls + two.calls, 1);
	pipe_close(&one);
	pipe_close(&two);
	ttrpc_loop_deinit(&loop);
}

TEST(watch_removes_itself_and_twice)
{
	struct ttrpc_loop loop;
	struct pipe_watch one;

	ASSERT_EQ(ttrpc_loop_init(&loop), 0);
	pipe_open(&loop, &one);
	one.victim = &one;
	pipe_fill(&one);
	ASSERT_EQ(ttrpc_loop_dispatch(&loop, 0), 0);
	ASSERT_EQ(ttrpc_loop_dispatch(&loop, 0), 0);
	ASSERT_EQ(one.calls, 1);
	ttrpc_watch_remove(&one.watch);
	pipe_close(&one);
	ttrpc_loop_deinit(&loop);
}

TEST(watch_add_fails_for_a_bad_descriptor)
{
	struct ttrpc_loop loop;
	struct ttrpc_watch watch = TTRPC_WATCH_NULL;

	ASSERT_EQ(ttrpc_loop_init(&loop), 0);
	ASSERT_EQ(ttrpc_watch_add(&loop, &watch, 999, EPOLLIN, pipe_event), -EBADF);
	ASSERT(!watch.loop);
	ttrpc_loop_deinit(&loop);
}

/* ---- timers ---- */

struct record {
	struct ttrpc_timer timer;
	int number;
	struct record *clears;
};

static int fired[32];
static size_t n_fired;

static void record_fired(struct ttrpc_timer *timer)
{
	struct record *self = (struct record *)(void *)timer;

	fired[n_fired++] = self->number;
	if (self->clears)
		ttrpc_timer_clear(&self->clears->timer);
}

TEST(timers_fire_in_order)
{
	static const int deadlines[] = {5, 1, 3, 3, 2, 9, 1, 4};
	static const int order[] = {1, 6, 4, 2, 3, 7, 0, 5};
	struct record records[8] = {0};
	struct ttrpc_loop loop;

	ASSERT_EQ(ttrpc_loop_init(&loop), 0);
	ASSERT_EQ(ttrpc_loop_timeout(&loop), -1);
	for (int i = 0; i < 8; i++) {
		records[i].number = i;
		ttrpc_timer_set(&loop, &records[i].timer, (uint64_t)deadlines[i], record_fired);
	}
	ASSERT_EQ(ttrpc_loop_timeout(&loop), 0);
	ASSERT_EQ(ttrpc_loop_dispatch(&loop, -1), 0);
	ASSERT_EQ(n_fired, 8);
	for (int i = 0; i < 8; i++)
		ASSERT_EQ(fired[i], order[i]);
	ASSERT(!loop.timers);
	ttrpc_loop_deinit(&loop);
}

TEST(timers_cleared_in_any_order_leave_the_list_whole)
{
	struct record records[6] = {0};
	struct ttrpc_loop loop;

	ASSERT_EQ(ttrpc_loop_init(&loop), 0);
	for (int first = 0; first < 6; first++) {
		for (int i = 0; i < 6; i++) {
			records[i].number = i;
			ttrpc_timer_set(&loop, &records[i].timer, (uint64_t)i, record_fired);
		}
		ttrpc_timer_clear(&records[first].timer);
		ttrpc_timer_clear(&records[(first + 3) % 6].timer);
		ttrpc_timer_clear(&records[(first + 3) % 6].timer);
		n_fired = 0;
		ASSERT_EQ(ttrpc_loop_dispatch(&loop, 0), 0);
		ASSERT_EQ(n_fired, 4);
		for (size_t i = 1; i < 4; i++)
			ASSERT(fired[i - 1] < fired[i]);
	}
	ttrpc_loop_deinit(&loop);
}

TEST(timer_moves_when_set_again)
{
	struct record early = {.number = 1}, late = {.number = 2};
	struct ttrpc_loop loop;

	ASSERT_EQ(ttrpc_loop_init(&loop), 0);
	ttrpc_timer_set(&loop, &early.timer, 10, record_fired);
	ttrpc_timer_set(&loop, &late.timer, 20, record_fired);
	ttrpc_timer_set(&loop, &early.timer, 30, record_fired);
	ASSERT_EQ(ttrpc_loop_dispatch(&loop, 0), 0);
	ASSERT_EQ(n_fired, 2);
	ASSERT_EQ(fired[0], 2);
	ASSERT_EQ(fired[1], 1);
	ttrpc_loop_deinit(&loop);
}

TEST(timer_cleared_by_an_earlier_one_does_not_fire)
{
	struct record one = {.number = 1}, two = {.number = 2};
	struct ttrpc_loop loop;

	ASSERT_EQ(ttrpc_loop_init(&loop), 0);
	one.clears = &two;
	ttrpc_timer_set(&loop, &one.timer, 1, record_fired);
	ttrpc_timer_set(&loop, &two.timer, 2, record_fired);
	ASSERT_EQ(ttrpc_loop_dispatch(&loop, 0), 0);
	ASSERT_EQ(n_fired, 1);
	ttrpc_loop_deinit(&loop);
}

TEST(timer_waits_for_its_deadline)
{
	struct record one = {.number = 1};
	struct ttrpc_loop loop;
	uint64_t deadline = ttrpc_now() + 5 * 1000000;

	ASSERT_EQ(ttrpc_loop_init(&loop), 0);
	ttrpc_timer_set(&loop, &one.timer, deadline + 3600000000000u, record_fired);
	ASSERT(ttrpc_loop_timeout(&loop) > 0);
	ttrpc_timer_set(&loop, &one.timer, deadline, record_fired);
	while (n_fired == 0)
		ASSERT_EQ(ttrpc_loop_dispatch(&loop, -1), 0);
	ASSERT(ttrpc_now() >= deadline);
	ttrpc_loop_deinit(&loop);
}

static struct ttrpc_loop *respawn_loop;

static void respawn(struct ttrpc_timer *timer)
{
	n_fired++;
	ttrpc_timer_set(respawn_loop, timer, 0, respawn);
}

/* The best of some tries: a busy machine may be late as often as it likes. */
static uint64_t shortest_wait(struct ttrpc_loop *loop)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < 50; i++) {
		struct record one = {.timer = TTRPC_TIMER_NULL};
		uint64_t before = ttrpc_now(), took;

		n_fired = 0;
		ttrpc_timer_set(loop, &one.timer, before + 100000, record_fired);
		while (n_fired == 0)
			ASSERT_EQ(ttrpc_loop_dispatch(loop, -1), 0);
		took = ttrpc_now() - before;
		ASSERT(took >= 100000);
		best = took < best ? took : best;
	}
	return best;
}

TEST(timer_of_a_part_of_a_millisecond)
{
	struct ttrpc_loop loop;

	ASSERT_EQ(ttrpc_loop_init(&loop), 0);
	uint64_t fine = shortest_wait(&loop);
	if (!loop.coarse) /* the kernel can */
		ASSERT(fine < 1000000);
	loop.coarse = true;
	shortest_wait(&loop); /* it comes, be it later */
	ttrpc_loop_deinit(&loop);
}

TEST(timer_that_sets_itself_does_not_hold_the_loop)
{
	struct ttrpc_timer timer = TTRPC_TIMER_NULL;
	struct ttrpc_loop loop;

	ASSERT_EQ(ttrpc_loop_init(&loop), 0);
	respawn_loop = &loop;
	ttrpc_timer_set(&loop, &timer, 0, respawn);
	ASSERT_EQ(ttrpc_loop_dispatch(&loop, 0), 0);
	ASSERT_EQ(n_fired, 1);
	ASSERT_EQ(ttrpc_loop_dispatch(&loop, 0), 0);
	ASSERT_EQ(n_fired, 2);
	ttrpc_timer_clear(&timer);
	ttrpc_loop_deinit(&loop);
}

/* ---- the turn ---- */

static void ignore(int number)
{
	(void)number;
}

TEST(signal_does_not_end_the_loop)
{
	const struct sigaction action = {.sa_handler = ignore};
	/* Again and again: the first one may come before the loop sleeps. */
	const struct itimerval soon = {
		.it_value = {.tv_usec = 2000},
		.it_interval = {.tv_usec = 2000},
	};
	struct ttrpc_loop loop;

	ASSERT_EQ(ttrpc_loop_init(&loop), 0);
	ASSERT_EQ(sigaction(SIGALRM, &action, NULL), 0);
	ASSERT_EQ(setitimer(ITIMER_REAL, &soon, NULL), 0);
	ASSERT_EQ(ttrpc_loop_dispatch(&loop, -1), 0);
	ttrpc_loop_deinit(&loop);
}

static int nested_result;

static void nest(struct ttrpc_watch *watch, uint32_t events)
{
	(void)events;
	nested_result = ttrpc_loop_dispatch(watch->loop, 0);
	ttrpc_loop_stop(watch->loop, 7);
}

TEST(turns_do_not_nest_and_stop_gives_the_result)
{
	struct ttrpc_loop loop;
	struct pipe_watch one;

	ASSERT_EQ(ttrpc_loop_init(&loop), 0);
	pipe_open(&loop, &one);
	one.watch.callback = nest;
	pipe_fill(&one);
	ASSERT_EQ(ttrpc_loop_run(&loop), 7);
	ASSERT_EQ(nested_result, -EBUSY);
	pipe_close(&one);
	ttrpc_loop_deinit(&loop);
}

TEST(loop_can_be_polled_by_another)
{
	struct ttrpc_loop loop;
	struct pipe_watch one;
	struct pollfd item;

	ASSERT_EQ(ttrpc_loop_init(&loop), 0);
	pipe_open(&loop, &one);
	item = (struct pollfd){.fd = ttrpc_loop_fd(&loop), .events = POLLIN};
	ASSERT_EQ(poll(&item, 1, 0), 0);
	pipe_fill(&one);
	ASSERT_EQ(poll(&item, 1, 0), 1);
	pipe_close(&one);
	ttrpc_loop_deinit(&loop);
}

TEST(more_watches_than_a_batch)
{
	struct ttrpc_loop loop;
	struct pipe_watch many[100];
	int called = 0;

	ASSERT_EQ(ttrpc_loop_init(&loop), 0);
	for (int i = 0; i < 100; i++) {
		pipe_open(&loop, &many[i]);
		pipe_fill(&many[i]);
	}
	for (int i = 0; i < 8; i++)
		ASSERT_EQ(ttrpc_loop_dispatch(&loop, 0), 0);
	for (int i = 0; i < 100; i++) {
		called += many[i].calls > 0;
		pipe_close(&many[i]);
	}
	ASSERT_EQ(called, 100);
	ttrpc_loop_deinit(&loop);
}
