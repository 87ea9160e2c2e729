/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_WORKER_OOM_H
#define SHIM_WORKER_OOM_H
#include "shim/metrics_paths.h"
#include "shim/pair.h"

/*
 * To be called by create and restore when the runtime has made the container's init. Writes the
 * container's cgroups into the bundle, for Stats, and opens what the server needs to notice OOM kills
 * (shim/oom.h): ROLE_OOM_FILE of the message and, on cgroup v1, ROLE_OOM_EVENT. On cgroup v2 it lets the
 * groups above the container's have all controllers, as the stock shim does.
 *
 * A container can do without all of this: what fails is logged.
 */
void worker_oom_open(const struct job *job, const struct runtime_task *task, pid_t init,
		     struct report_message *message);

/*
 * Its parts. Both return 0 or a negative errno; -ENOENT: the container has no memory cgroup, or the
 * kernel does not count in it. root: as in metrics_paths.h.
 */
int worker_oom_watch(int root, const struct metrics_paths *paths, int *ret_event_fd,
		     int *ret_file_fd);
int worker_oom_enable(int root, const struct metrics_paths *paths);

#endif
