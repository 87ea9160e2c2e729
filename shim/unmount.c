/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unmounting a tree by what the kernel lists of it in /proc/self/mountinfo, deepest first, the
 * newest of several on one place first. The list is read again after each round, so that a mount
 * below another, or one that came meanwhile, is found too.
 *
 * A mount is busy for moments when a process that used it has just died. So EBUSY is retried, for a
 * time that all mounts of the tree share; after that a busy mount is taken out of sight with
 * MNT_DETACH and goes when its last user goes.
 */
#include "shim/unmount.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>

#include "ttrpc/loop.h"

#define BUSY_NANOSECONDS UINT64_C(2500000000) /* of the 5 s that containerd gives to `delete` */
#define BUSY_PAUSE_NANOSECONDS (50 * 1000 * 1000)
#define ROUNDS_MAX                                                                                 \
	16 /* of reading the list; above: refused, somebody mounts as fast as we unmount */

struct unmounting {
	const char *folder; /* without a link in its path */
	uint64_t deadline;  /* until then what is busy is tried again */
	bool busy;          /* something had to be detached */
	bool left;          /* the last round found something */
};

struct mount_list {
	char **paths;
	size_t n;
};

/* mountinfo writes blank, tab, newline and backslash as \ and three octal digits. */
static void unescape(char *path)
{
	char *to = path;

	for (const char *from = path; *from; to++) {
		if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' &&
		    from[2] <= '7' && from[3] >= '0' && from[3] <= '7') {
			*to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

/* The fifth field is the mount point. NULL: not such a line. Writes into line. */
static char *line_path(char *line)
{
	char *rest = line, *field = NULL;

	for (int i = 0; i < 5; i++)
		field = strsep(&rest, " ");
	if (!field || !rest)
		return NULL;
	unescape(field);
	return field;
}

static bool below(const char *path, const char *folder)
{
	size_t length = strlen(folder);

	return strncmp(path, folder, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

static int list_add(struct mount_list *list, const char *path)
{
	char **grown = reallocarray(list->paths, list->n + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	list->paths = grown;
	grown[list->n] = strdup(path);
	if (!grown[list->n])
		return -ENOMEM;
	list->n++;
	return 0;
}

static void list_free(struct mount_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->paths[i]);
	free(list->paths);
	*list = (struct mount_list){0};
}

static int list_read(const char *folder, struct mount_list *list)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t size = 0;
	int r = 0;

	if (!file)
		return -errno;
	while (r == 0 && getline(&line, &size, file) > 0) {
		const char *path = line_path(line);

		if (path && below(path, folder))
			r = list_add(list, path);
	}
	if (r == 0 && ferror(file))
		r = -EIO;
	free(line);
	fclose(file);
	return r;
}

static size_t depth(const char *path)
{
	size_t n = 0;

	for (; *path; path++)
		n += *path == '/';
	return n;
}

/* The deepest first; of equals the order stays, so the list is to be walked from its end. */
static void list_sort(struct mount_list *list)
{
	for (size_t i = 1; i < list->n; i++) {
		char *path = list->paths[i];
		size_t at = i;

		for (; at > 0 && depth(list->paths[at - 1]) > depth(path); at--)
			list->paths[at] = list->paths[at - 1];
		list->paths[at] = path;
	}
}

/* EINVAL: no mount point (any more). ENOENT: another mount hides it; the next round sees. */
static int unmount_one(struct unmounting *unmounting, const char *path)
{
	static const struct timespec pause = {.tv_nsec = BUSY_PAUSE_NANOSECONDS};
	int r = umount2(path, UMOUNT_NOFOLLOW) < 0 ? -errno : 0;

	while (r == -EBUSY && ttrpc_now() < unmounting->deadline) {
		nanosleep(&pause, NULL);
		r = umount2(path, UMOUNT_NOFOLLOW) < 0 ? -errno : 0;
	}
	if (r == -EBUSY) {
		unmounting->busy = true;
		r = umount2(path, UMOUNT_NOFOLLOW | MNT_DETACH) < 0 ? -errno : 0;
	}
	return r == -EINVAL || r == -ENOENT ? 0 : r;
}

static int unmount_round(struct unmounting *unmounting, struct failure *ret_failure)
{
	struct mount_list list = {0};
	int r = list_read(unmounting->folder, &list);

	list_sort(&list);
	for (size_t i = list.n; r == 0 && i-- > 0;) {
		r = unmount_one(unmounting, list.paths[i]);
		if (r < 0)
			r = failure_set(ret_failure, "failed to unmount %s: %s", list.paths[i],
					failure_errno(-r));
	}
	unmounting->left = list.n > 0;
	list_free(&list);
	return r;
}

/* mountinfo has no symbolic links in it. A link in the folder's place is no mount point. */
static int real_folder(const char *folder, char *path)
{
	struct stat status;

	if (lstat(folder, &status) < 0)
		return -errno;
	if (!S_ISDIR(status.st_mode))
		return -ENOENT;
	return realpath(folder, path) ? 0 : -errno;
}

int unmount_tree(const char *folder, bool *ret_busy, struct failure *ret_failure)
{
	char path[PATH_MAX];
	struct unmounting unmounting = {
		.folder = path, .deadline = ttrpc_now() + BUSY_NANOSECONDS, .left = true};
	int r = real_folder(folder, path);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return failure_set(ret_failure, "failed to unmount %s: %s", folder,
				   failure_errno(-r));
	for (int i = 0; r == 0 && unmounting.left && i < ROUNDS_MAX; i++)
		r = unmount_round(&unmounting, ret_failure);
	if (r == 0 && unmounting.left)
		r = failure_set(ret_failure, "failed to unmount %s: %s", folder,
				failure_errno(EBUSY));
	if (r == 0 && ret_busy)
		*ret_busy = unmounting.busy;
	return r;
}
