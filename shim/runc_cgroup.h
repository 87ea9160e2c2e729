/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_RUNC_CGROUP_H
#define SHIM_RUNC_CGROUP_H
/*
 * The cgroup of a container that runc or crun made: what their `ps`, and `kill --all`, do by it. For
 * workers; the paths are those of the cgroup file systems below /sys/fs/cgroup.
 */
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "shim/shim.h"

/*
 * Keeps, in task->state, in which cgroup a container's init waits, as long as it has not run anything
 * of the user's that might move it. Nothing is kept of a container without a cgroup of its own.
 */
void runc_cgroup_keep(struct runtime_task *task, pid_t init);

/* The same of a folder that is known; false: the init is not in it nor below. */
bool runc_cgroup_keep_folder(struct runtime_task *task, const char *folder, pid_t init);

/* The hierarchy that all this is about, as /proc/PID/cgroup and runc's state have it. */
const char *runc_cgroup_controller(void);

/* The folder of the cgroup that a process is in; false: it is in the shim's own, or can't be seen. */
bool runc_cgroup_find(pid_t pid, char folder[PATH_MAX]);

/* Puts a process, with all its threads, into the cgroup of that folder. */
int runc_cgroup_move(const char *folder, pid_t pid);

/* The folder of what was kept; NULL: only the runtime knows. */
const char *runc_cgroup_folder(const struct runtime_task *task);

/* Kills all of them at once. A negative errno: it did not, as without cgroup v2 or before 5.14. */
int runc_cgroup_kill(const char *folder);

/*
 * Removes, from every hierarchy, the empty cgroup that a config.json names. One that is in use stays;
 * one below systemd's control, or below that of whoever calls, is not looked for.
 */
void runc_cgroup_remove(const char *cgroups_path);

/*
 * The file that thaws what holds a container's init, in path; false: there is none. On cgroup v1 what
 * is frozen does not die before it is thawed; on v2 it does, but runc takes the container for paused
 * as long as its cgroup says so, and does not delete it.
 */
bool runc_cgroup_freezer(const struct runtime_task *task, char path[PATH_MAX]);
void runc_cgroup_thaw(const char *path);

#endif
