/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mount(2), on the name that a descriptor of the target has in /proc.
 *
 * Resolving: the root file system holds what an image's author made, so a link in it may point
 * anywhere. openat2 with RESOLVE_IN_ROOT walks as if it were /. A kernel without it (before 5.6) mounts
 * on the root file system itself only.
 */
#include "shim/mount_kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/mount_layers.h"

int mount_place_open(const struct mount_place *place)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
	int root = open(place->rootfs, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), fd;

	if (root < 0)
		return -errno;
	if (place->target[strspn(place->target, "/")] == '\0')
		return root;
	fd = (int)syscall(SYS_openat2, root, place->target, &how, sizeof(how));
	if (fd < 0)
		fd = -errno;
	close(root);
	return fd;
}

const char *mount_name(int fd, char name[static MOUNT_NAME_SIZE])
{
	snprintf(name, MOUNT_NAME_SIZE, "/proc/self/fd/%d", fd);
	return name;
}

static int mount_call(const struct mount_entry *entry, const struct mount_plan *plan, int target)
{
	char name[MOUNT_NAME_SIZE];

	if (plan->layered)
		return mount_layers(entry, plan, target);
	return mount(entry->source, mount_name(target, name), entry->type, plan->flags,
		     plan->data) < 0
		       ? -errno
		       : 0;
}

/* The working directory of a process is its own: a child mounts from the lower layers' folder. */
static int mount_from_folder(const struct mount_entry *entry, const struct mount_plan *plan,
			     int target)
{
	pid_t parent = getpid(), pid = fork();
	int status;

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(ESRCH);
		if (chdir(plan->folder) < 0)
			_exit(errno); /* errnos stay below 256 */
		_exit(-mount_call(entry, plan, target));
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

/* A descriptor of the folder below a mount does not see the mount: it is opened again for "ro". */
static int mount_read_only(const struct mount_place *place, const struct mount_plan *plan)
{
	char name[MOUNT_NAME_SIZE];
	int fd, r;

	if (!(plan->flags & MS_BIND) || !(plan->flags & MS_RDONLY))
		return 0;
	fd = mount_place_open(place);
	if (fd < 0)
		return fd;
	r = remount_read_only(plan, mount_name(fd, name));
	close(fd);
	return r;
}

int mount_kernel(const struct mount_place *place, const struct mount_entry *entry,
		 const struct mount_plan *plan, bool *ret_mounted)
{
	int fd = mount_place_open(place), r = 0;

	if (fd < 0)
		return fd;
	/* The stock shim leaves a remount without data of its own to the second call. */
	if (!(plan->flags & MS_REMOUNT) || *plan->data) {
		r = plan->folder ? mount_from_folder(entry, plan, fd) : mount_call(entry, plan, fd);
		*ret_mounted = r == 0 && !(plan->flags & MS_REMOUNT);
	}
	close(fd);
	return r < 0 ? r : mount_read_only(place, plan);
}
