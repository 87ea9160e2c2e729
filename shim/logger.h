/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_LOGGER_H
#define SHIM_LOGGER_H
/*
 * A logging program, binary:///path?key=value: takes a process's output instead of containerd. It is
 * given each key and value as arguments; CONTAINER_ID and CONTAINER_NAMESPACE, and nothing else, in its
 * environment; and the descriptors
 *
 *   3  the process's standard output, to be read     5  to be closed, or written to, when it is ready
 *   4  the same of standard error
 *
 * For binary-v2 only a byte on 5 says that it is ready; the end alone says that it crashed.
 *
 * It outlives the worker. When nobody has the process's output open any more it reads the end, and is
 * expected to exit after what it has yet to do.
 */
#include <sys/types.h>

#include "shim/failure.h"
#include "shim/pair.h"

#define LOGGER_WAIT_SECONDS 10 /* for one that does not say that it is ready; then: refused */

struct logger {
	pid_t pid;     /* 0: none */
	int output[2]; /* to be written: standard output and error; -1: given away */
};

#define LOGGER_NULL ((struct logger){.output = {-1, -1}})

/*
 * It is ready when this returns 0. Until the monitor has been told of it, it dies with the worker; from
 * then on, while the worker has not reported, the monitor ends it if the worker ends.
 */
int logger_start(const struct job *job, const char *uri, int seconds, struct logger *ret_logger,
		 struct failure *ret_failure);
void logger_kill(struct logger *logger); /* waits for its end; leaves LOGGER_NULL */

#endif
