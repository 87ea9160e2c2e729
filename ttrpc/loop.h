/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TTRPC_LOOP_H
#define TTRPC_LOOP_H
/*
 * An event loop on epoll(7): descriptors (watches) and points in time (timers).
 *
 * Watches and timers are embedded in what they serve; the loop allocates nothing for them and never
 * frees them. One loop is used by one thread. A callback may add, change and remove any watch or
 * timer, its own included, and may free what embeds them after removing them: an event of the same
 * turn that belongs to a removed watch is not delivered.
 *
 * No descriptor but the epoll one is used: timers are the timeout of epoll_pwait, or, if that is short,
 * of epoll_pwait2 (Linux 5.11; a seccomp filter that does not know it has to answer ENOSYS or EPERM). So
 * a loop whose watches are silent and whose timers are unset sleeps for ever.
 *
 * Times are nanoseconds of CLOCK_MONOTONIC. Functions that return int return 0 or a negative errno.
 */
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct epoll_event;
struct ttrpc_watch;
struct ttrpc_timer;

typedef void (*ttrpc_watch_fn)(struct ttrpc_watch *watch, uint32_t events);
typedef void (*ttrpc_timer_fn)(struct ttrpc_timer *timer);

struct ttrpc_loop {
	int epoll_fd;
	bool running;
	bool turning; /* a turn is under way */
	bool coarse;  /* the kernel waits by the millisecond only */
	int result;
	struct ttrpc_timer *timers; /* sorted, earliest first */
	struct epoll_event *batch;  /* the turn under way: removed watches are struck out of it */
	int batch_size;
};

struct ttrpc_watch {
	struct ttrpc_loop *loop; /* NULL: not added */
	int fd;
	uint32_t events; /* EPOLLIN, EPOLLOUT, ...: what was asked for; 0: only HUP and ERR */
	ttrpc_watch_fn callback;
};

struct ttrpc_timer {
	struct ttrpc_loop *loop; /* NULL: unset */
	uint64_t deadline;
	ttrpc_timer_fn callback;
	struct ttrpc_timer *next, *previous;
};

#define TTRPC_LOOP_NULL ((struct ttrpc_loop){.epoll_fd = -1})
#define TTRPC_WATCH_NULL ((struct ttrpc_watch){.fd = -1})
#define TTRPC_TIMER_NULL ((struct ttrpc_timer){0})

int ttrpc_loop_init(struct ttrpc_loop *loop);
void ttrpc_loop_deinit(struct ttrpc_loop *loop); /* every watch and timer must be gone */

/*
 * For another loop to drive this one: the descriptor that becomes readable when a turn would find
 * an event, and the milliseconds until a turn is due for the sake of a timer (-1: none is set).
 */
int ttrpc_loop_fd(const struct ttrpc_loop *loop);
int ttrpc_loop_timeout(const struct ttrpc_loop *loop);

/* One turn: waits up to timeout_ms (-1: until something happens), delivers what is due. -EBUSY when
 * called from a callback: turns don't nest. */
int ttrpc_loop_dispatch(struct ttrpc_loop *loop, int timeout_ms);

/* Turns until ttrpc_loop_stop(); returns the result given there, or a negative errno of epoll. */
int ttrpc_loop_run(struct ttrpc_loop *loop);
void ttrpc_loop_stop(struct ttrpc_loop *loop, int result);

/* The watch does not own fd. It must be removed before fd is closed. */
int ttrpc_watch_add(struct ttrpc_loop *loop, struct ttrpc_watch *watch, int fd, uint32_t events,
		    ttrpc_watch_fn callback);
int ttrpc_watch_set(struct ttrpc_watch *watch, uint32_t events); /* no system call if unchanged */
void ttrpc_watch_remove(struct ttrpc_watch *watch);              /* not added: does nothing */

/* Fires once at the deadline; setting a set timer moves it. Cannot fail. */
void ttrpc_timer_set(struct ttrpc_loop *loop, struct ttrpc_timer *timer, uint64_t deadline,
		     ttrpc_timer_fn callback);
void ttrpc_timer_clear(struct ttrpc_timer *timer); /* unset: does nothing */

uint64_t ttrpc_now(void);

#ifdef __cplusplus
}
#endif
#endif
