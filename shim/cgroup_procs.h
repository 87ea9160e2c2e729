/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_CGROUP_PROCS_H
#define SHIM_CGROUP_PROCS_H
#include <stddef.h>
#include <sys/types.h>

#define CGROUP_PROCS_GROUPS_MAX                                                                    \
	256 /* that are looked at: a container may make as many as it likes */

/*
 * The pids in the cgroup of that folder and all below it; none if it is gone, or goes meanwhile.
 * Processes that can't be seen from our PID namespace are left out. Returns 0 or a negative errno;
 * -E2BIG: there are more than max, or more cgroups than are looked at. The heap is not used.
 */
int cgroup_procs(const char *folder, pid_t *pids, size_t max, size_t *ret_n);

#endif
