/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_CGROUP_H
#define SHIM_CGROUP_H
/*
 * Where the resident processes are put before they run: the shim's own cgroup, its OOM score, its core
 * scheduling cookie. `start` does it to the monitor from outside; the server inherits all three.
 */
#include <sys/types.h>

#include "shim/failure.h"

/*
 * Moves pid to the cgroup at path: on cgroup v2 below /sys/fs/cgroup; on v1 in every mounted hierarchy
 * that has it. Refused: there is none, path leads upwards, or the kernel says no.
 */
int cgroup_move(pid_t pid, const char *path, struct failure *ret_failure);

/*
 * Makes pid the likelier victim of an OOM kill than our parent, which is containerd: its score and 1,
 * at most 1000. Not being allowed to, as an ordinary user is not, is no failure.
 */
int oom_score_raise(pid_t pid, struct failure *ret_failure);

/* Gives pid a core scheduling cookie of its own. */
int core_scheduling_set(pid_t pid, struct failure *ret_failure);

#endif
