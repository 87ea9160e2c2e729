/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Create request's mounts, one after the other. An entry's option words become a plan
 * (mount_plan.c); its source may have to become a block device first (mount_loop.c); then it is
 * mounted by a helper program (fuse), with mapped ids (mount_idmap.c), or as it is (mount_kernel.c).
 *
 * A target is opened anew for each entry: the path then leads through what the entries before it
 * mounted. An O_PATH descriptor of a mount keeps it busy, so undoing detaches.
 */
#include "shim/mount.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/command.h"
#include "shim/mount_idmap.h"
#include "shim/mount_kernel.h"
#include "shim/mount_loop.h"
#include "shim/mount_plan.h"

#define FUSE_OPTIONS_MAX 64u /* option words handed to mount.fuse; above: refused */
#define ERROR_DATA_MAX 512   /* bytes of the data string shown in an error, so that its end stays */

static int mount_failed(const struct mount_entry *entry, const struct mount_plan *plan,
			const char *rootfs, int error, struct failure *ret_failure)
{
	if (error == E2BIG)
		return failure_set(ret_failure, "mount options is too long");
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

static int mount_by_helper(const struct mount_place *place, const struct mount_entry *entry,
			   const struct mount_plan *plan, bool *ret_mounted,
			   struct failure *ret_failure)
{
	char name[MOUNT_NAME_SIZE], path[4096];
	int fd = mount_place_open(place), r;
	ssize_t length;

	if (fd < 0)
		return mount_failed(entry, plan, place->rootfs, -fd, ret_failure);
	length = readlink(mount_name(fd, name), path, sizeof(path) - 1);
	close(fd);
	path[length < 0 ? 0 : length] = '\0';
	r = mount_fuse(entry, path, ret_failure);
	*ret_mounted = r == 0;
	return r;
}

/* The device lives as long as it is mounted. */
static int mount_by_kernel(const struct mount_place *place, const struct mount_entry *entry,
			   const struct mount_plan *plan, bool *ret_mounted,
			   struct failure *ret_failure)
{
	struct mount_entry real = *entry;
	char device[MOUNT_LOOP_NAME_SIZE];
	int fd = -1, r = 0;

	if (plan->loop) {
		r = mount_loop_attach(entry->source, plan->flags & MS_RDONLY, plan->direct_io,
				      device, &fd, ret_failure);
		real.source = device;
	}
	if (r == 0) {
		r = plan->uid_map ? mount_idmap(place, &real, plan, ret_mounted)
				  : mount_kernel(place, &real, plan, ret_mounted);
		if (r < 0)
			r = mount_failed(&real, plan, place->rootfs, -r, ret_failure);
	}
	if (fd >= 0)
		close(fd);
	return r;
}

static bool is_fuse(const char *type)
{
	return strncmp(type, "fuse.", 5) == 0 || strncmp(type, "fuse3.", 6) == 0;
}

static int mount_one(const char *rootfs, const struct mount_entry *entry, bool *ret_mounted,
		     struct failure *ret_failure)
{
	const struct mount_place place = {rootfs, entry->target};
	struct mount_plan plan;
	int r = mount_plan_init(&plan, entry, ret_failure);

	if (r != 0)
		return r;
	r = is_fuse(entry->type) ? mount_by_helper(&place, entry, &plan, ret_mounted, ret_failure)
				 : mount_by_kernel(&place, entry, &plan, ret_mounted, ret_failure);
	mount_plan_deinit(&plan);
	return r;
}

static void undo(const char *rootfs, const struct mount_entry *entry)
{
	const struct mount_place place = {rootfs, entry->target};
	char name[MOUNT_NAME_SIZE];
	int fd = mount_place_open(&place);

	if (fd < 0)
		return;
	umount2(mount_name(fd, name), MNT_DETACH);
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
