/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which processes are in a cgroup: see cgroup_procs.h. A cgroup without cgroups below it is told by its
 * number of links, which saves reading the names of its sixty files.
 */
#include "shim/cgroup_procs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/folder.h"

#define DEPTH_MAX 32 /* each level takes a kilobyte of the stack, and a descriptor */
#define TEXT_ROOM 2048

struct listing {
	pid_t *pids;
	size_t n, max;
	unsigned groups;
	bool full;
	char text[TEXT_ROOM];
};

/* ENODEV: it was removed while it was open. EOPNOTSUPP: one of threads, listed where their process is. */
static bool is_gone(int error)
{
	return error == ENOENT || error == ENODEV || error == EOPNOTSUPP;
}

/* 0 stands for a process that can't be seen from our PID namespace. */
static void text_take(struct listing *listing)
{
	char *rest = listing->text, *line;

	while ((line = strsep(&rest, "\n"))) {
		long pid = strtol(line, NULL, 10);

		if (pid > 0 && listing->n == listing->max)
			listing->full = true;
		else if (pid > 0)
			listing->pids[listing->n++] = (pid_t)pid;
	}
}

/* What comes behind the last end of a line is put before the next piece. */
static int procs_take(int folder, struct listing *listing)
{
	char *text = listing->text;
	size_t kept = 0;
	ssize_t n = 0;
	int fd = openat(folder, "cgroup.procs", O_RDONLY | O_CLOEXEC), result = 0;

	if (fd < 0)
		return is_gone(errno) ? 0 : -errno;
	while (!listing->full && (n = read(fd, text + kept, TEXT_ROOM - 1 - kept)) > 0) {
		size_t size = kept + (size_t)n;
		char *end = memrchr(text, '\n', size);

		text[size] = '\0';
		if (!end)
			break;
		*end++ = '\0';
		kept = (size_t)(text + size - end);
		text_take(listing);
		memmove(text, end, kept);
	}
	if (listing->full)
		result = -E2BIG;
	else if (n != 0)
		result = n < 0 && is_gone(errno) ? 0 : n < 0 ? -errno : -EBADMSG;
	close(fd);
	return result;
}

static int group_take(int fd, unsigned depth, struct listing *listing);

static int below_take(int fd, unsigned depth, struct listing *listing)
{
	struct folder folder;
	const char *name;
	unsigned char type;
	int result;

	folder_init(&folder, fd);
	while ((result = folder_next(&folder, &name, &type)) > 0) {
		if (type != DT_DIR || name[0] == '.')
			continue;
		int below = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (below >= 0)
			result = group_take(below, depth + 1, listing);
		else
			result = is_gone(errno) ? 0 : -errno;
		if (result < 0)
			return result;
	}
	return is_gone(-result) ? 0 : result;
}

/* Takes fd. */
static int group_take(int fd, unsigned depth, struct listing *listing)
{
	struct stat status;
	bool many = depth > DEPTH_MAX || ++listing->groups > CGROUP_PROCS_GROUPS_MAX;
	int result = many ? -E2BIG : procs_take(fd, listing);

	if (result == 0 && (fstat(fd, &status) < 0 || status.st_nlink != 2))
		result = below_take(fd, depth, listing);
	close(fd);
	return result;
}

int cgroup_procs(const char *folder, pid_t *pids, size_t max, size_t *ret_n)
{
	struct listing listing;
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), result = 0;

	listing.pids = pids;
	listing.n = 0;
	listing.max = max;
	listing.groups = 0;
	listing.full = false;
	if (fd >= 0)
		result = group_take(fd, 0, &listing);
	else if (!is_gone(errno))
		result = -errno;
	if (result == 0)
		*ret_n = listing.n;
	return result;
}
