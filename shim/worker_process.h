/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_WORKER_PROCESS_H
#define SHIM_WORKER_PROCESS_H
/* The process that a worker's runtime has made, or is to end. */
#include <stdbool.h>
#include <sys/types.h>

#include "shim/pair.h"
#include "shim/shim.h"

/*
 * Lets the monitor know of what was made before anything is waited for; a pid 0: none. 0, or a negative
 * errno: there is no monitor any more.
 */
int worker_process_tell(const struct job *job, pid_t pid, pid_t logger_pid);

/*
 * 0, or what runtime_fail() returned: the runtime cannot have made this process, which the monitor
 * would send signals to.
 */
int worker_process_check(struct runtime_task *task, pid_t pid);

/* -1: it has been reaped, or pid is 0. While the monitor does not know its exit the pid is its own. */
int worker_process_open(pid_t pid);

/* Waits up to ms for its end. pidfd may be -1: it has ended. */
bool worker_process_wait(int pidfd, int ms);

/* Kills it if it lives, and waits for its end; closes pidfd. 0, or -EBUSY: it did not end. */
int worker_process_end(int pidfd);

/* A logger is to end: first it is asked to. */
int worker_process_end_gently(pid_t pid, int ms);

#endif
