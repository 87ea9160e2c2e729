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
#include <stdbool.h>

#include "shim/failure.h"

/* How long a client may take to open its end of an output FIFO; above: refused. */
#define FIFO_WAIT_SECONDS 30

enum fifo_stream { FIFO_STDIN, FIFO_STDOUT, FIFO_STDERR };

/* Where the three streams go: paths that point into the strings given; "": /dev/null. */
struct fifo_paths {
	const char *path[3];
};

struct fifo_ends {
	int fd;     /* non-blocking; input: to be read; output: to be written */
	int keeper; /* input: a writer, closed by CloseIO; output: a reader. -1: fd is not a FIFO */
};

#define FIFO_ENDS_NULL ((struct fifo_ends){-1, -1})

/* Takes the strings of a Create or Exec request apart. The scheme is that of standard output. */
int fifo_paths(const char *input, const char *output, const char *error,
	       struct fifo_paths *ret_paths, struct failure *ret_failure);

/*
 * An output waits until somebody reads. Call it after the runtime's create, as the stock shim does:
 * clients may depend on it.
 */
int fifo_open(const char *path, enum fifo_stream stream, struct fifo_ends *ret_ends,
	      struct failure *ret_failure);
void fifo_close(struct fifo_ends *ends);

#endif
