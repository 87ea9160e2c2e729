/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_WORKER_IO_H
#define SHIM_WORKER_IO_H
/*
 * Standard input, output and error of a process that a worker has made: for create, exec and restore.
 *
 *   worker_io_open()      before the runtime is called: what the process gets
 *   (the runtime)
 *   worker_io_connect()   after it: containerd's ends, and all that the server pumps between
 *   worker_io_undo()      instead, or after a failure of either: nothing of it is left
 *
 * Descriptors for the server go into the report; the task's are closed by worker_io_connect().
 */
#include <stdbool.h>

#include "shim/console.h"
#include "shim/fifo.h"
#include "shim/logger.h"
#include "shim/pair.h"

/* As a request has it: paths or URIs, "" for none. */
struct worker_io_request {
	const char *path[3];
	bool terminal;
};

struct worker_io {
	const struct job *job;
	struct runtime_task *task;
	struct report_message *message;
	struct worker_io_request request;
	bool piped[3]; /* the server has a part in this stream */
	struct console console;
	struct logger logger; /* its outputs have been given away */
};

/* All three return what a function of struct runtime returns. */
int worker_io_open(struct worker_io *io, const struct job *job, struct runtime_task *task,
		   struct report_message *message, const struct worker_io_request *request);
/*
 * input: with containerd's end of standard input. That of an init is opened by start, see
 * worker_io_input().
 */
int worker_io_connect(struct worker_io *io, bool input);
void worker_io_undo(struct worker_io *io); /* keeps the task's error */

/* Containerd's end of standard input alone. */
int worker_io_input(struct runtime_task *task, struct report_message *message, const char *path);

#endif
