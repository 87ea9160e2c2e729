/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_METRICS_PATHS_H
#define SHIM_METRICS_PATHS_H
/*
 * In workers: which cgroups a container has. They are looked up once, when its init has been made, and
 * kept in the bundle's file mote.cgroup: the process, the cgroups and the shim itself may be gone when
 * somebody asks what the container used.
 *
 * mote.cgroup, version 1: the line "mote-cgroup 1", then one line a cgroup: CONTROLLER FOLDER, the
 * second as an absolute path up to the end of the line. The controller "unified" is cgroup v2, and
 * then the only one. A reader passes over controllers that it does not know.
 *
 * root is a folder that stands for "/", for tests that bring their own files; else one of "/".
 */
#include <stdbool.h>
#include <sys/types.h>

#define METRICS_CGROUP_ROOT "/sys/fs/cgroup" /* where the hierarchy of v2 is mounted */

enum metrics_controller {
	METRICS_UNIFIED, /* cgroup v2: has all of them */
	METRICS_BLKIO,
	METRICS_CPU,
	METRICS_CPUACCT,
	METRICS_HUGETLB,
	METRICS_MEMORY,
	METRICS_PIDS,
	METRICS_RDMA,
	METRICS_CONTROLLERS,
};

struct metrics_paths {
	char *text;                               /* owned; NULL: not */
	const char *folders[METRICS_CONTROLLERS]; /* parts of a text; NULL: none */
};

#define METRICS_PATHS_NULL ((struct metrics_paths){0})

void metrics_paths_deinit(struct metrics_paths *paths);

/* Whether the host is one of cgroup v2; a hybrid one counts as v1. */
bool metrics_unified(int root);

#define METRICS_PATHS_SIZE 32768 /* bytes of mote.cgroup, which are more than it can have */

/*
 * All three return 0 or a negative errno. -ENOENT: the process, or the file, is not there. buffer has
 * METRICS_PATHS_SIZE bytes and is part of *ret_paths.
 */
int metrics_paths_find(int root, bool unified, pid_t pid, struct metrics_paths *ret_paths);
int metrics_paths_write(const char *bundle, const struct metrics_paths *paths);
int metrics_paths_read(const char *bundle, char *buffer, struct metrics_paths *ret_paths);

#endif
