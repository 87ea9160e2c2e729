/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_CGROUP_PROCS_H
#define SHIM_CGROUP_PROCS_H
#include <stddef.h>
#include <sys/types.h>

/*
 * The pids in the cgroup of that folder and all below it, at most max; none if it is gone, or goes
 * meanwhile. Processes that can't be seen from our PID namespace are left out. Returns 0 or a negative
 * errno; -ELOOP: it has more levels than this looks at. The heap is not used.
 */
int cgroup_procs(const char *folder, pid_t *pids, size_t max, size_t *ret_n);

#endif
