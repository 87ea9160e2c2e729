/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop.
 *
 * The kernel's epoll set holds the watches: an event carries the address of its watch. A turn asks
 * for a batch of events and walks it. A callback may remove, and then free, any watch, so a removal
 * strikes the watch out of the batch under way (loop->batch); an address that was reused for a new
 * watch in the same turn was struck with the old one.
 *
 * Timers are a list sorted by deadline, equal ones in the order they were set; the first one's
 * previous is the last one, so that the common case (deadlines that only grow) is set in one step.
 * A turn fires the timers that were due when it began to fire, each once: a callback that sets its
 * timer again for a time past waits for the next turn and can't hold the loop.
 */
#include "ttrpc/loop.h"

#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LOOP_BATCH 32 /* events of one turn: lives on the stack */

#define NANOSECONDS_PER_MILLISECOND 1000000u
#define FINE 5000000u /* nanoseconds: a wait of less is not rounded up to milliseconds */

uint64_t ttrpc_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int ttrpc_loop_init(struct ttrpc_loop *loop)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0)
		return -errno;
	*loop = TTRPC_LOOP_NULL;
	loop->epoll_fd = fd;
	return 0;
}

void ttrpc_loop_deinit(struct ttrpc_loop *loop)
{
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
	*loop = TTRPC_LOOP_NULL;
}

int ttrpc_loop_fd(const struct ttrpc_loop *loop)
{
	return loop->epoll_fd;
}

/* Nanoseconds until the first timer is due; UINT64_MAX: none is set. */
static uint64_t loop_left(const struct ttrpc_loop *loop)
{
	uint64_t now;

	if (!loop->timers)
		return UINT64_MAX;
	now = ttrpc_now();
	return loop->timers->deadline <= now ? 0 : loop->timers->deadline - now;
}

/* Rounded up: a turn that comes too early would find nothing due, and come again. */
static int loop_milliseconds(uint64_t left)
{
	uint64_t wait = left == 0 ? 0 : (left - 1) / NANOSECONDS_PER_MILLISECOND + 1;

	return wait > INT_MAX ? INT_MAX : (int)wait;
}

int ttrpc_loop_timeout(const struct ttrpc_loop *loop)
{
	return loop->timers ? loop_milliseconds(loop_left(loop)) : -1;
}

/* Waits to the nanosecond. False: the kernel (before 5.11), its headers or a filter do not let us. */
static bool loop_wait_fine(const struct ttrpc_loop *loop, struct epoll_event *batch, uint64_t left,
			   int *ret_n)
{
#ifdef SYS_epoll_pwait2
	struct {
		int64_t seconds, nanoseconds;
	} timeout = {.nanoseconds = (int64_t)left};

	*ret_n = (int)syscall(SYS_epoll_pwait2, loop->epoll_fd, batch, LOOP_BATCH, &timeout, NULL,
			      0);
	return *ret_n >= 0 || (errno != ENOSYS && errno != EPERM);
#else
	(void)loop, (void)batch, (void)left, (void)ret_n;
	return false;
#endif
}

static int loop_wait(struct ttrpc_loop *loop, struct epoll_event *batch, int timeout_ms)
{
	uint64_t left = loop_left(loop);
	int timer_ms = loop_milliseconds(left), n;

	if (left == UINT64_MAX || (timeout_ms >= 0 && timeout_ms < timer_ms))
		return epoll_pwait(loop->epoll_fd, batch, LOOP_BATCH, timeout_ms, NULL);
	if (left > 0 && left < FINE && !loop->coarse) {
		if (loop_wait_fine(loop, batch, left, &n))
			return n;
		loop->coarse = true;
	}
	return epoll_pwait(loop->epoll_fd, batch, LOOP_BATCH, timer_ms, NULL);
}

static void loop_deliver(struct ttrpc_loop *loop, struct epoll_event *batch, int n)
{
	loop->batch = batch;
	loop->batch_size = n;
	for (int i = 0; i < n; i++) {
		struct ttrpc_watch *watch = batch[i].data.ptr;

		/* Struck before the call: the callback may remove the watch and add it again. */
		batch[i].data.ptr = NULL;
		if (watch)
			watch->callback(watch, batch[i].events);
	}
	loop->batch = NULL;
	loop->batch_size = 0;
}

static void loop_fire(struct ttrpc_loop *loop)
{
	const struct ttrpc_timer *timer = loop->timers;
	unsigned due = 0;
	uint64_t now;

	if (!timer)
		return;
	now = ttrpc_now();
	for (; timer && timer->deadline <= now; timer = timer->next)
		due++;
	while (due-- && loop->timers && loop->timers->deadline <= now) {
		struct ttrpc_timer *first = loop->timers;

		ttrpc_timer_clear(first);
		first->callback(first);
	}
}

int ttrpc_loop_dispatch(struct ttrpc_loop *loop, int timeout_ms)
{
	struct epoll_event batch[LOOP_BATCH];
	int n;

	if (loop->turning)
		return -EBUSY;
	n = loop_wait(loop, batch, timeout_ms);
	if (n < 0 && errno != EINTR)
		return -errno;
	loop->turning = true;
	if (n > 0)
		loop_deliver(loop, batch, n);
	loop_fire(loop);
	loop->turning = false;
	return 0;
}

int ttrpc_loop_run(struct ttrpc_loop *loop)
{
	loop->running = true;
	while (loop->running) {
		int error = ttrpc_loop_dispatch(loop, -1);

		if (error < 0)
			return error;
	}
	return loop->result;
}

void ttrpc_loop_stop(struct ttrpc_loop *loop, int result)
{
	loop->running = false;
	loop->result = result;
}

int ttrpc_watch_add(struct ttrpc_loop *loop, struct ttrpc_watch *watch, int fd, uint32_t events,
		    ttrpc_watch_fn callback)
{
	struct epoll_event event = {.events = events, .data.ptr = watch};

	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		return -errno;
	*watch = (struct ttrpc_watch){
		.loop = loop,
		.fd = fd,
		.events = events,
		.callback = callback,
	};
	return 0;
}

int ttrpc_watch_set(struct ttrpc_watch *watch, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = watch};

	if (watch->events == events)
		return 0;
	if (epoll_ctl(watch->loop->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event) < 0)
		return -errno;
	watch->events = events;
	return 0;
}

void ttrpc_watch_remove(struct ttrpc_watch *watch)
{
	struct ttrpc_loop *loop = watch->loop;

	if (!loop)
		return;
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
	for (int i = 0; i < loop->batch_size; i++)
		if (loop->batch[i].data.ptr == watch)
			loop->batch[i].data.ptr = NULL;
	watch->loop = NULL;
	watch->fd = -1;
}

/* The last timer whose deadline is not after the new one's; NULL: the new one comes first. */
static struct ttrpc_timer *timer_place(const struct ttrpc_loop *loop, uint64_t deadline)
{
	struct ttrpc_timer *place = loop->timers ? loop->timers->previous : NULL;

	while (place && place->deadline > deadline)
		place = place == loop->timers ? NULL : place->previous;
	return place;
}

void ttrpc_timer_set(struct ttrpc_loop *loop, struct ttrpc_timer *timer, uint64_t deadline,
		     ttrpc_timer_fn callback)
{
	struct ttrpc_timer *place, *first;

	ttrpc_timer_clear(timer);
	timer->loop = loop;
	timer->deadline = deadline;
	timer->callback = callback;

	place = timer_place(loop, deadline);
	first = loop->timers;
	timer->next = place ? place->next : first;
	timer->previous = place ? place : first ? first->previous : timer;
	if (timer->next)
		timer->next->previous = timer;
	else if (first)
		first->previous = timer;
	if (place)
		place->next = timer;
	else
		loop->timers = timer;
}

void ttrpc_timer_clear(struct ttrpc_timer *timer)
{
	struct ttrpc_loop *loop = timer->loop;

	if (!loop)
		return;
	if (timer->next)
		timer->next->previous = timer->previous;
	else
		loop->timers->previous = timer->previous;
	if (loop->timers == timer)
		loop->timers = timer->next;
	else
		timer->previous->next = timer->next;
	timer->loop = NULL;
	timer->next = timer->previous = NULL;
}
