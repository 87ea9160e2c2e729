/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_WORKER_STATS_H
#define SHIM_WORKER_STATS_H
#include "shim/pair.h"

/*
 * VERB_STATS. The message's result becomes the packed containerd.task.v2.StatsResponse, which the
 * server passes on as it is. Returns what a function of struct runtime returns. Not found: the
 * container never had a cgroup that we know of.
 */
int worker_stats(const struct job *job, struct runtime_task *task, struct report_message *message);

#endif
