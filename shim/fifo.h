/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_FIFO_H
#define SHIM_FIFO_H
/*
 * containerd's ends of a process's standard input, output and error. For workers: it blocks.
 *
 * A client may go away and come back (containerd restarts), so for each FIFO the shim also holds an
 * end of the other kind, the keeper: with one, a reader that left is no EPIPE, and a writer that
 * left is no end of file.
 */
#include <stdint.h>

#include "shim/failure.h"

/* How long a client may take to open its ends of a process's output FIFOs; above: refused. */
#define FIFO_WAIT_SECONDS 30

enum fifo_stream { FIFO_STDIN, FIFO_STDOUT, FIFO_STDERR };

struct fifo_ends {
	int fd;     /* non-blocking; input: to be read; output: to be written */
	int keeper; /* input: a writer, closed by CloseIO; output: a reader. -1: fd is not a FIFO */
};

#define FIFO_ENDS_NULL ((struct fifo_ends){-1, -1})

/* The point in time, in milliseconds, that is FIFO_WAIT_SECONDS from now. */
uint64_t fifo_deadline(void);

/*
 * An output waits until somebody reads, or the deadline. Call it after the runtime's create, as the
 * stock shim does: clients may depend on it.
 */
int fifo_open(const char *path, enum fifo_stream stream, uint64_t deadline,
	      struct fifo_ends *ret_ends, struct failure *ret_failure);
void fifo_close(struct fifo_ends *ends);

#endif
