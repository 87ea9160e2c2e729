/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_BENCH_LEAVE_H
#define TEST_BENCH_LEAVE_H
#include <stddef.h>

#include "test/bench/options.h"
#include "test/bench/peer.h"

/*
 * The shim of these tasks, which are all that it has, has failed: says why, marks it, and removes its
 * processes, containers and bundles as far as can be. Returns 0 if the others go on without it (a line
 * on stdout says so), -1 if it is one without a role, without which there is nothing to measure.
 */
int leave_out(struct options *options, const char *reason, struct peer_task *tasks, size_t n);

/* Waits, after Shutdown, until the shim of a task has ended; 0, or -1 with the reason in task->error. */
int leave_wait(const struct options *options, struct peer_task *task);
#endif
