/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_STATE_H
#define SHIM_STATE_H
/*
 * What a container's bundle remembers of it when both residents are gone: two small files, each
 * written anew under another name and renamed, so that a reader sees all of it or none.
 *
 *   mote.task     the processes and their exits, as text; written by the monitor
 *   mote.runtime  the runtime's own state, bytes; written by the worker
 *
 * A third one, mote.cgroup, is metrics_paths.h's.
 *
 * mote.task, version 1: the line "mote-task 1", then one line a process:
 *   PID START_TIME EXITED STATUS SECONDS NANOSECONDS EXEC_ID
 * START_TIME is field 22 of /proc/PID/stat, in clock ticks since boot: with the pid it names one
 * process for ever. EXITED is 0 or 1. EXEC_ID is "-" for the container's init, and begins with "@" for
 * a logger: "@" takes the init's output, "@ID" that of an exec. A later version may append lines that
 * begin with a letter; a reader passes over them.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "shim/message.h"

#define STATE_PROCESSES_MAX (2 * EXECS_MAX + 2)

struct state_process {
	pid_t pid;
	uint64_t start_time; /* 0: it had ended before it could be read */
	bool exited;
	uint32_t exit_status;
	int64_t exited_at;
	uint32_t exited_at_nanos;
	bool logger;
	char exec_id[ID_SIZE];
};

struct state {
	size_t n_processes; /* the first is the container's init */
	struct state_process *processes;
};

#define STATE_NULL ((struct state){0})

/* bundle is a path. next() gives one process after another, then NULL. */
int state_write_each(const char *bundle, const struct state_process *(*next)(void *position),
		     void *position);

/* -ENOENT: never written. -EBADMSG: not in a form that we know. */
int state_read(const char *bundle, struct state *ret_state); /* state_deinit() when it returned 0 */
void state_deinit(struct state *state);

/* The runtime's own bytes; at most RUNTIME_STATE_MAX. Reading a missing file gives 0 bytes. */
int state_write_runtime(const char *bundle, const void *bytes, size_t size);
int state_read_runtime(const char *bundle, void *bytes, size_t *ret_size);

/* Fields 22 and 4 of /proc/PID/stat. They work on a zombie. */
int process_start_time(pid_t pid, uint64_t *ret_start_time);
int process_parent(pid_t pid, pid_t *ret_parent);

#endif
