/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TTRPC_CONN_H
#define TTRPC_CONN_H
/*
 * One connected socket: steps that read frames from it, and what waits to be written to it. A
 * server has many, a client one; their owner's buffers are shared by all conns of the owner, so an
 * idle conn costs its struct and nothing else.
 *
 *   open     error is 0. Frames are given to the class; conn_reserve() has room for answers.
 *   broken   error is why. Nothing is read or written any more. Whatever finds the break only notes
 *            it; the owner, who looks at error after every step, takes the conn down. A break found
 *            outside a step wakes the loop for one.
 *
 * Written bytes are either in the shared output buffer, which one conn at a time has, or in the
 * conn's queue on the heap; never in both. In a step they are sent at its end, at once otherwise.
 * While more than write_max bytes wait the conn isn't read, nor are frames handled that were: who
 * doesn't take answers can't ask for more of them.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ttrpc/cache.h"
#include "ttrpc/frame.h"
#include "ttrpc/loop.h"
#include "ttrpc/queue.h"

/* Buffers start as their owner's few bytes and grow once, when traffic asks for it. */
#define CONN_INPUT_LARGE 32768u
#define CONN_OUTPUT_LARGE 16384u

#define CONN_ROUNDS_MAX 16 /* full receives of one step; then other connections have their turn */

struct conn;
struct iovec;
struct ttrpc_statistics;

struct conn_buffers {
	uint8_t *input, *output;
	size_t input_size, output_size;
	size_t output_used;
	struct conn *output_owner; /* whose bytes are in output; NULL: nobody's */
	void *input_large, *output_large;
	struct cache_owner cache;
	struct ttrpc_statistics *statistics; /* of the owner; NULL: nothing is counted */
};

/* A frame came; called in a step only. May break the conn, must not deinit it. */
typedef void (*conn_frame_fn)(struct conn *conn, const struct frame *frame);

/* Few enough bytes wait again. Called wherever that is found, so it only takes note. */
typedef void (*conn_drained_fn)(struct conn *conn);

struct conn {
	struct ttrpc_watch watch; /* not added: the owner waits for the descriptor by itself */
	struct conn_buffers *buffers;
	conn_frame_fn frame;
	conn_drained_fn drained; /* NULL: nobody waits for that */
	size_t drain_at;
	struct frame_reader reader;
	struct queue queue;
	size_t write_max;
	uint32_t n_sent; /* sends that the kernel took something of */
	int fd;
	int error;
	int write_error; /* nothing more can be written; what can still be read is */
	bool stepping;
	bool patient; /* sends wait, and the next receive does; if the descriptor is blocking */
	bool paused;  /* more than write_max waits, or held */
	bool held;    /* paused by conn_hold() */
	bool blocked; /* the kernel took less than it was given; EPOLLOUT will tell */
};

void conn_buffers_init(struct conn_buffers *buffers, void *input, size_t input_size, void *output,
		       size_t output_size);
void conn_buffers_deinit(struct conn_buffers *buffers);

/* Takes fd. */
void conn_init(struct conn *conn, struct conn_buffers *buffers, conn_frame_fn frame, int fd,
	       uint32_t message_max, size_t write_max);
int conn_watch(struct conn *conn, struct ttrpc_loop *loop, ttrpc_watch_fn callback);
void conn_deinit(struct conn *conn); /* not in a step */

/* Does what events (of epoll) ask for. */
void conn_step(struct conn *conn, uint32_t events);

/* What to poll for. */
uint32_t conn_events(const struct conn *conn);

/*
 * Room for size bytes, to be followed by conn_commit() of at most as many; NULL: the conn is
 * broken.
 */
uint8_t *conn_reserve(struct conn *conn, size_t size);
void conn_commit(struct conn *conn, size_t size);

/*
 * Sends a frame that lies in n pieces from where they are; what the kernel doesn't take at once is
 * copied. Instead of reserve and commit, where a copy of all of it would be worth avoiding.
 */
void conn_write(struct conn *conn, const struct iovec *pieces, int n);

/*
 * Between these what is written is collected as in a step, and sent at the end. cork: false, and no
 * uncork, in a step. Both ends must be where the conn exists.
 */
bool conn_cork(struct conn *conn);
void conn_uncork(struct conn *conn);

/* Calls drained, once, when at most so many bytes wait. */
void conn_on_drained(struct conn *conn, size_t waiting, conn_drained_fn drained);

/* Doesn't read until the conn is drained as above: who doesn't take what we have can wait. */
void conn_hold(struct conn *conn);

void conn_break(struct conn *conn, int error); /* the first error stays */

size_t conn_waiting(const struct conn *conn); /* bytes not yet given to the kernel */

#endif
