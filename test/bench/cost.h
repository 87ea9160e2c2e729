/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_BENCH_COST_H
#define TEST_BENCH_COST_H
#include "test/bench/peer.h"

#define COST_PROCESSES_MAX 2

/* The processes of a running shim: the one that Connect names, and its parent if that is one, too. */
struct cost {
	unsigned long pids[COST_PROCESSES_MAX];
	size_t n;
};

/* Asks the shim of a connected task; 0, or -1 with the reason in task->error. */
int cost_find(struct peer_task *task, struct cost *ret_cost);

/* The canonical path of what a process runs, with " (deleted)" behind it if that file has gone. */
bool cost_program(unsigned long pid, char path[static PATH_MAX]);

double cost_cpu(const struct cost *cost);              /* seconds of all threads that are alive */
unsigned long cost_anonymous(const struct cost *cost); /* kB */
unsigned long cost_descriptors(const struct cost *cost);

/* The number behind the key in /proc/PID/FILE; 0 if there is none. */
unsigned long cost_field(unsigned long pid, const char *file, const char *key);
#endif
