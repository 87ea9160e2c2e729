/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Create request's mounts, one after the other. An entry passes three stages: its option words
 * become flags and a data string (mount_plan.c), its target becomes a descriptor that was resolved
 * inside the root file system, and mount(2) is called on that descriptor's name in /proc.
 *
 * Resolving: `rootfs` holds what an image's author made, so a link in it may point anywhere.
 * openat2 with RESOLVE_IN_ROOT walks as if rootfs were /. A kernel without it (before 5.6) mounts
 * on rootfs itself only.
 *
 * A target is opened anew for each entry: the path then leads through what the entries before it
 * mounted. An O_PATH descriptor of a mount keeps it busy, so undoing detaches.
 */
#include "shim/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/command.h"
#include "shim/mount_plan.h"

#define FUSE_OPTIONS_MAX 64u /* option words handed to mount.fuse; above: refused */
#define ERROR_DATA_MAX 512   /* bytes of the data string shown in an error, so that its end stays */

/* An O_PATH descriptor, or a negative errno. */
static int open_target(const char *rootfs, const char *target)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
	int root = open(rootfs, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), fd;

	if (root < 0)
		return -errno;
	if (target[strspn(target, "/")] == '\0')
		return root;
	fd = (int)syscall(SYS_openat2, root, target, &how, sizeof(how));
	if (fd < 0)
		fd = -errno;
	close(root);
	return fd;
}

static const char *fd_name(int fd, char name[static 32])
{
	snprintf(name, 32, "/proc/self/fd/%d", fd);
	return name;
}

/* The working directory of a process is its own: a child mounts from the lower layers' folder. */
static int mount_from_folder(const struct mount_entry *entry, const struct mount_plan *plan,
			     const char *target)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		if (chdir(plan->folder) < 0 ||
		    mount(entry->source, target, entry->type, plan->flags, plan->data) < 0)
			_exit(errno); /* errnos stay below 256 */
		_exit(0);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

/*
 * The first call of a bind mount ignores "ro". In a user namespace the flags that the source was
 * mounted with are locked: a remount that would drop one is refused, so they are added.
 */
static int remount_read_only(const struct mount_plan *plan, const char *target)
{
	static const struct {
		unsigned long from, to;
	} locked[] = {
		{ST_NOSUID, MS_NOSUID},     {ST_NODEV, MS_NODEV},
		{ST_NOEXEC, MS_NOEXEC},     {ST_NOATIME, MS_NOATIME},
		{ST_RELATIME, MS_RELATIME}, {ST_NODIRATIME, MS_NODIRATIME},
	};
	unsigned long flags = plan->flags | MS_REMOUNT;
	struct statvfs status;

	if (mount("", target, "", flags, "") == 0)
		return 0;
	if (errno != EPERM || statvfs(target, &status) < 0)
		return -errno;
	for (size_t i = 0; i < sizeof(locked) / sizeof(locked[0]); i++)
		if (status.f_flag & locked[i].from)
			flags |= locked[i].to;
	return mount("", target, "", flags, "") < 0 ? -errno : 0;
}

static int mount_failed(const struct mount_entry *entry, const struct mount_plan *plan,
			const char *rootfs, int error, struct failure *ret_failure)
{
	return failure_set(ret_failure,
			   "mount source: \"%s\", target: \"%s%s%s\", fstype: %s, flags: %lu, "
			   "data: \"%.*s\", err: %s",
			   entry->source, rootfs,
			   *entry->target && *entry->target != '/' ? "/" : "", entry->target,
			   entry->type, plan->flags, ERROR_DATA_MAX, plan->data,
			   failure_errno(error));
}

/* mount.fuse and mount.fuse3 are programs that start the file system's server. */
static int mount_fuse(const struct mount_entry *entry, const char *target,
		      struct failure *ret_failure)
{
	const char *subtype = strchr(entry->type, '.') + 1;
	bool three = strncmp(entry->type, "fuse3.", 6) == 0;
	const char *argv[6 + 2 * FUSE_OPTIONS_MAX];
	struct command command = COMMAND_NULL;
	struct command_result result = COMMAND_RESULT_NULL;
	size_t n = 0;
	int r;

	if (entry->n_options > FUSE_OPTIONS_MAX)
		return failure_set(ret_failure, "mount options is too long");
	argv[n++] = three ? "mount.fuse3" : "mount.fuse";
	argv[n++] = entry->source;
	argv[n++] = target;
	for (size_t i = 0; i < entry->n_options; i++) {
		argv[n++] = "-o";
		argv[n++] = entry->options[i];
	}
	argv[n++] = "-t";
	argv[n++] = subtype;
	argv[n] = NULL;
	command.argv = argv;
	command.capture = true;
	r = command_run(&command, &result, ret_failure);
	if (r == 0 && result.status != 0)
		r = failure_set(ret_failure, "%s: exit status %d: %s", argv[0],
				command_exit_code(&result), result.output);
	command_result_deinit(&result);
	return r;
}

/* ret_mounted: there is something to be undone, also on failure. */
static int mount_kernel(const struct mount_entry *entry, const struct mount_plan *plan,
			const char *name, bool *ret_mounted)
{
	int r = 0;

	/* The stock shim leaves a remount without data of its own to the second call. */
	if (!(plan->flags & MS_REMOUNT) || *plan->data) {
		if (plan->folder)
			r = mount_from_folder(entry, plan, name);
		else if (mount(entry->source, name, entry->type, plan->flags, plan->data) < 0)
			r = -errno;
		if (r < 0)
			return r;
		*ret_mounted = !(plan->flags & MS_REMOUNT);
	}
	return 0;
}

/* A descriptor of the folder below a mount does not see the mount: it is opened again for "ro". */
static int mount_read_only(const char *rootfs, const struct mount_entry *entry,
			   const struct mount_plan *plan)
{
	char name[32];
	int fd, r;

	if (!(plan->flags & MS_BIND) || !(plan->flags & MS_RDONLY))
		return 0;
	fd = open_target(rootfs, entry->target);
	if (fd < 0)
		return fd;
	r = remount_read_only(plan, fd_name(fd, name));
	close(fd);
	return r;
}

static bool is_fuse(const char *type)
{
	return strncmp(type, "fuse.", 5) == 0 || strncmp(type, "fuse3.", 6) == 0;
}

static int mount_planned(const char *rootfs, const struct mount_entry *entry,
			 const struct mount_plan *plan, bool *ret_mounted,
			 struct failure *ret_failure)
{
	char name[32], path[4096];
	int fd = open_target(rootfs, entry->target), r;
	ssize_t length;

	if (fd < 0)
		return mount_failed(entry, plan, rootfs, -fd, ret_failure);
	fd_name(fd, name);
	if (is_fuse(entry->type)) {
		length = readlink(name, path, sizeof(path) - 1);
		close(fd);
		path[length < 0 ? 0 : length] = '\0';
		r = mount_fuse(entry, path, ret_failure);
		*ret_mounted = r == 0;
		return r;
	}
	r = mount_kernel(entry, plan, name, ret_mounted);
	close(fd);
	if (r == 0)
		r = mount_read_only(rootfs, entry, plan);
	return r < 0 ? mount_failed(entry, plan, rootfs, -r, ret_failure) : 0;
}

static int mount_one(const char *rootfs, const struct mount_entry *entry, bool *ret_mounted,
		     struct failure *ret_failure)
{
	struct mount_plan plan;
	int r = mount_plan_init(&plan, entry, ret_failure);

	if (r != 0)
		return r;
	r = mount_planned(rootfs, entry, &plan, ret_mounted, ret_failure);
	mount_plan_deinit(&plan);
	return r;
}

static void undo(const char *rootfs, const struct mount_entry *entry)
{
	char name[32];
	int fd = open_target(rootfs, entry->target);

	if (fd < 0)
		return;
	umount2(fd_name(fd, name), MNT_DETACH);
	close(fd);
}

int mount_all(const char *rootfs, const struct mount_entry *entries, size_t n_entries,
	      struct failure *ret_failure)
{
	bool *mounted;
	size_t i = 0;
	int r = 0;

	if (n_entries == 0)
		return 0;
	if (mkdir(rootfs, 0711) < 0 && errno != EEXIST)
		return failure_set(ret_failure, "mkdir %s: %s", rootfs, failure_errno(errno));
	mounted = calloc(n_entries, sizeof(*mounted));
	if (!mounted)
		return -ENOMEM;
	for (; r == 0 && i < n_entries; i++)
		r = mount_one(rootfs, &entries[i], &mounted[i], ret_failure);
	while (r != 0 && i-- > 0)
		if (mounted[i])
			undo(rootfs, &entries[i]);
	free(mounted);
	if (r == FAILURE_REFUSED)
		failure_prefix(ret_failure, "failed to mount rootfs component: ");
	return r;
}
