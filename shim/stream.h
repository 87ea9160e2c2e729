/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_STREAM_H
#define SHIM_STREAM_H
/*
 * One direction of a container's standard input or output: bytes go from source to sink by splice(2),
 * without a buffer of ours.
 *
 *   stdin   source containerd's FIFO     sink the container's pipe, or its terminal
 *   stdout  source the container's pipe  sink containerd's FIFO, or a file
 *                  or its terminal            or a logger's pipe
 *   stderr  the same, without a terminal
 *
 * The keeper is a second descriptor of the FIFO, of the other direction, so that a client that goes
 * away is not noticed by the container: for stdin a writer (closed by CloseIO: then the end of input
 * comes when the last client closes), for stdout and stderr a reader (held until the stream is
 * stopped, so what the FIFO holds is not lost).
 *
 *   open   bytes go to and fro
 *   read   the source has ended or the sink is broken: both are closed, the keeper is not. What
 *          containerd's FIFO holds has not been read yet; a moment is left for that
 *   ended  it has been, or there was nothing, or the moment is over
 *   stopped  nothing is left
 *
 * That moment is for clients which have asked for the end of a process that was quick, and give up
 * their FIFOs with it: one that has not come to open its own by then would lose all of the output.
 *
 * A terminal is known by its master. It tells its end only by EIO, which it also says while the
 * container has none of it open just now: so it ends by stream_finish(), when the process has exited.
 * Until then it is read, wanted or not: a sink that breaks is replaced by nothing.
 *
 * Both descriptors are watched edge-triggered and always: after each event bytes are moved until one
 * side has no more, so a hung-up source cannot spin, and epoll_ctl is called only when small
 * pieces gather (pieces.h).
 *
 * What takes no splice (files opened with O_APPEND, terminals) is read and written. There is a buffer
 * while bytes move, and while what was read waits for a sink that is full; an idle stream has none.
 */
#include <stdbool.h>
#include <stdint.h>

#include "shim/pieces.h"
#include "ttrpc/loop.h"

struct stream_buffer;

struct stream {
	struct ttrpc_watch source, sink;
	struct ttrpc_timer again; /* there is more, but others have their turn first */
	int keeper;
	bool copy : 1;          /* one of them takes no splice: read and write */
	bool from_terminal : 1; /* the source is the master of one */
	bool to_terminal : 1;   /* the sink */
	bool hung_up : 1;       /* the source's end may have been reached */
	bool finishing : 1;     /* what is left in the terminal is the last */
	bool closed : 1;        /* source and sink are: somebody may still read what went through */
	struct pieces pieces;   /* of what comes from the source */
	uint32_t closed_ms;     /* when they were closed, by ttrpc_now() */
	struct ttrpc_loop *loop;
	struct stream_buffer *buffer; /* NULL: nothing waits */
	void (*ended)(struct stream *stream, void *userdata);
	void *userdata;
};

void stream_init(struct stream *stream);

/* Takes the descriptors on success; keeper may be -1. ended is called once, from the loop. */
int stream_start(struct stream *stream, struct ttrpc_loop *loop, int source, int sink, int keeper,
		 void (*ended)(struct stream *stream, void *userdata), void *userdata);

/*
 * The process has exited. A terminal's output ends behind what can be read from it now, its input at
 * once; ended is called from the loop, not from here. Of pipes others may still hold the other end:
 * nothing changes.
 */
void stream_finish(struct stream *stream);
void stream_close_keeper(struct stream *stream);
void stream_stop(struct stream *stream);       /* does not call ended */
bool stream_open(const struct stream *stream); /* it has been started, and has not ended */

#endif
