/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_STREAM_H
#define SHIM_STREAM_H
/*
 * One direction of a container's standard input or output: bytes go from source to sink by splice(2),
 * without a buffer of ours.
 *
 *   stdin   source containerd's FIFO     sink the container's pipe
 *   stdout  source the container's pipe  sink containerd's FIFO, or a file
 *   stderr  the same
 *
 * The keeper is a second descriptor of the FIFO, of the other direction, so that a client that goes
 * away is not noticed by the container: for stdin a writer (closed by CloseIO: then the end of input
 * comes when the last client closes), for stdout and stderr a reader (held until the stream is
 * stopped, so what the FIFO holds is not lost).
 *
 *   open   bytes go to and fro
 *   ended  the source has ended or the sink is broken: both are closed, the keeper is not
 *   stopped  nothing is left
 *
 * Both descriptors are watched edge-triggered and always: after each event bytes are moved until one
 * side has no more, so no call to epoll_ctl is made and a hung-up source cannot spin.
 */
#include <stdbool.h>

#include "ttrpc/loop.h"

struct stream {
	struct ttrpc_watch source, sink;
	struct ttrpc_timer again; /* there is more, but others have their turn first */
	int keeper;
	bool copy; /* the sink takes no splice: read and write */
	void (*ended)(struct stream *stream, void *userdata);
	void *userdata;
};

void stream_init(struct stream *stream);

/* Takes the descriptors on success; keeper may be -1. ended is called once, from the loop. */
int stream_start(struct stream *stream, struct ttrpc_loop *loop, int source, int sink, int keeper,
		 void (*ended)(struct stream *stream, void *userdata), void *userdata);
void stream_close_keeper(struct stream *stream);
void stream_finish(struct stream *stream); /* of a terminal whose process has ended */
void stream_stop(struct stream *stream);   /* does not call ended */
bool stream_open(const struct stream *stream);

#endif
