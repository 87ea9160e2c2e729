/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_UNIT_CGROUP_REAL_H
#define TEST_UNIT_CGROUP_REAL_H
/*
 * A cgroup of this machine with little memory, processes in it that use it up, and the server's side
 * of their end. A test makes the group, and says which files limit it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shim/metrics.h"
#include "shim/oom.h"
#include "shim/worker_oom.h"
#include "test/unit/cgroup_fixture.h"

#define LIMIT "16777216"
#define EATEN (64u << 20) /* bytes: more than the limit */

struct group {
	int root;
	struct metrics_paths paths;
	char folder[PATH_MAX]; /* which has the memory controller */
	struct ttrpc_loop loop;
	struct oom oom;
	int calls;
	uint64_t told;
};

static inline void group_killed(struct oom *oom, uint64_t n, void *userdata)
{
	struct group *group = userdata;
	ASSERT(oom == &group->oom);
	group->calls++;
	group->told += n;
}

/* Whether there is such a file, and it took the text. */
static inline bool group_write(const struct group *group, const char *name, const char *text)
{
	char path[PATH_MAX + 64];
	snprintf(path, sizeof(path), "%s/%s", group->folder, name);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	bool taken = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return taken;
}

/* As create does, and the server with what it brought. */
static inline void group_watch(struct group *group)
{
	int event_fd, file_fd;
	ASSERT_EQ(worker_oom_watch(group->root, &group->paths, &event_fd, &file_fd), 0);
	ASSERT_EQ(ttrpc_loop_init(&group->loop), 0);
	ASSERT_EQ(oom_start(&group->oom, &group->loop, event_fd, file_fd, group_killed, group), 0);
}

static inline void group_unwatch(struct group *group)
{
	oom_stop(&group->oom);
	ttrpc_loop_deinit(&group->loop);
	metrics_paths_deinit(&group->paths);
	close(group->root);
}

/* Processes that have just ended may be counted for moments. */
static inline void group_remove(const char *folder)
{
	while (rmdir(folder) < 0 && errno == EBUSY)
		nanosleep(&(const struct timespec){.tv_nsec = 1000000}, NULL);
	ASSERT_EQ(access(folder, F_OK), -1);
}

/* A process in the group that waits, or else uses up the memory. */
static inline pid_t group_fork(const struct group *group, bool eats)
{
	int ready[2];
	char byte;
	ASSERT_EQ(pipe2(ready, O_CLOEXEC), 0);
	pid_t pid = fork();
	ASSERT(pid >= 0);
	if (pid == 0) {
		ASSERT(group_write(group, "cgroup.procs", "0"));
		ASSERT_EQ(write(ready[1], "x", 1), 1);
		char *memory = mmap(NULL, EATEN, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		for (size_t i = 0; eats && i < EATEN; i += 4096)
			*(volatile char *)(memory + i) = 1;
		while (!eats)
			pause();
		_exit(9);
	}
	close(ready[1]);
	ASSERT_EQ(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static inline void group_reap(pid_t pid)
{
	int status;
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	ASSERT(WIFSIGNALED(status));
	ASSERT_EQ(WTERMSIG(status), SIGKILL);
}

static inline void group_turn_until(struct group *group, int calls)
{
	while (group->calls < calls)
		ASSERT_EQ(ttrpc_loop_dispatch(&group->loop, -1), 0);
}

/* So that what comes next is not of the same burst. */
static inline void group_burst_end(struct group *group)
{
	group->oom.burst_end = 0;
}

#endif
