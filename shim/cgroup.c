/* SPDX-License-Identifier: Apache-2.0 */
/* Placing the resident processes: see cgroup.h. Each function is a few writes to /proc and /sys. */
#include "shim/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#define CGROUP_ROOT "/sys/fs/cgroup"
#define CGROUP2_MAGIC 0x63677270
#define CGROUP_TRIES 5                 /* EINVAL: a cgroup whose parent is just being configured */
#define CGROUP_RETRY_NS (30 * 1000000) /* between them */
#define OOM_SCORE_MAX 1000
/* Of linux/prctl.h since 5.14, for libcs whose headers are older. */
#ifndef PR_SCHED_CORE
#define PR_SCHED_CORE 62
#endif
#define SCHED_CORE_CREATE 1
#define SCHED_CORE_THREAD_GROUP 1

static int number_write(const char *path, long number)
{
	char text[32];
	int size = snprintf(text, sizeof(text), "%ld", number), result = 0;
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, (size_t)size) < 0)
		result = -errno;
	close(fd);
	return result;
}

/* folder: of a cgroup. */
static int pid_write(const char *folder, pid_t pid)
{
	const struct timespec delay = {.tv_nsec = CGROUP_RETRY_NS};
	char path[PATH_MAX];
	int result = -EINVAL;

	if (snprintf(path, sizeof(path), "%s/cgroup.procs", folder) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	for (int i = 0; i < CGROUP_TRIES && result == -EINVAL; i++) {
		if (i > 0)
			nanosleep(&delay, NULL);
		result = number_write(path, pid);
	}
	return result;
}

/* The mount point of a line of /proc/self/mountinfo if a v1 hierarchy is mounted there, else NULL. */
static const char *hierarchy_find(char *line)
{
	char *rest = strstr(line, " - ");
	if (!rest || strncmp(rest + 3, "cgroup ", strlen("cgroup ")) != 0)
		return NULL;
	*rest = 0;
	strtok_r(line, " ", &rest);
	for (int i = 0; i < 3; i++)
		strtok_r(NULL, " ", &rest);
	return strtok_r(NULL, " ", &rest);
}

/* In every hierarchy that has the folder; -ENOENT: none does. */
static int move_all(FILE *mounts, const char *path, pid_t pid)
{
	char *line = NULL, folder[PATH_MAX];
	size_t size = 0;
	int result = -ENOENT;

	while (getline(&line, &size, mounts) >= 0) {
		const char *point = hierarchy_find(line);
		if (!point)
			continue;
		int length = snprintf(folder, sizeof(folder), "%s/%s", point, path);
		int one = length < (int)sizeof(folder) ? pid_write(folder, pid) : -ENAMETOOLONG;
		if (one == -ENOENT)
			continue;
		result = one;
		if (result < 0)
			break;
	}
	free(line);
	return result;
}

static int move_v1(const char *path, pid_t pid)
{
	FILE *mounts = fopen("/proc/self/mountinfo", "re");
	if (!mounts)
		return -errno;
	int result = move_all(mounts, path, pid);
	fclose(mounts);
	return result;
}

static int move_v2(const char *path, pid_t pid)
{
	char folder[PATH_MAX];
	if (snprintf(folder, sizeof(folder), CGROUP_ROOT "/%s", path) >= (int)sizeof(folder))
		return -ENAMETOOLONG;
	return pid_write(folder, pid);
}

static bool leads_upwards(const char *path)
{
	for (const char *next = path; *next;) {
		size_t length = strcspn(next, "/");
		if (length == 2 && next[0] == '.' && next[1] == '.')
			return true;
		next += length;
		next += strspn(next, "/");
	}
	return false;
}

int cgroup_move(pid_t pid, const char *path, struct failure *ret_failure)
{
	struct statfs root;
	int result = -EINVAL;

	if (!leads_upwards(path)) {
		bool unified = statfs(CGROUP_ROOT, &root) == 0 && root.f_type == CGROUP2_MAGIC;
		result = unified ? move_v2(path, pid) : move_v1(path, pid);
	}
	return result < 0 ? failure_set(ret_failure, "cannot join shim cgroup \"%s\": %s", path,
					failure_errno(-result))
			  : 0;
}

static int score_read(pid_t pid, long *ret_score)
{
	char path[48], text[32];
	if (pid > 0)
		snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", pid);
	int fd = open(pid > 0 ? path : "/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ssize_t n = read(fd, text, sizeof(text) - 1);
	int result = n < 0 ? -errno : 0;
	close(fd);
	if (result < 0)
		return result;
	text[n] = 0;
	*ret_score = strtol(text, NULL, 10);
	return 0;
}

int oom_score_raise(pid_t pid, struct failure *ret_failure)
{
	char path[48];
	long score = 0;
	/* our own is the parent's unless that changed; it does for a parent in another PID namespace */
	int result = score_read(getppid(), &score);
	if (result < 0)
		result = score_read(0, &score);
	if (result == 0) {
		snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", pid);
		result = number_write(path, score < OOM_SCORE_MAX ? score + 1 : OOM_SCORE_MAX);
	}
	if (result == 0 || result == -EACCES || result == -EPERM)
		return 0;
	return failure_set(ret_failure, "cannot set the OOM score: %s", failure_errno(-result));
}

int core_scheduling_set(pid_t pid, struct failure *ret_failure)
{
	if (prctl(PR_SCHED_CORE, SCHED_CORE_CREATE, pid, SCHED_CORE_THREAD_GROUP, 0) == 0)
		return 0;
	return failure_set(ret_failure, "cannot enable core scheduling: %s", failure_errno(errno));
}
