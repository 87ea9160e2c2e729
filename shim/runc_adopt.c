/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cgroup of a restored container. runc makes it and runs criu in it, and tells criu that it is to
 * stand for the one in the image. On cgroup v2 criu 3.17 takes no notice: it puts the processes where
 * they were when the image was taken, and makes that cgroup anew if it is gone. runc knows nothing of
 * that one: its pause, update, kill --all and exec miss the processes, the limits are those of the
 * image, and delete leaves it behind; it may be another container's.
 *
 * So what is not in the cgroup that runc has noted is moved there: the processes of the container's PID
 * namespace, if config.json makes one for it. One that it shares, with another container or with us,
 * has processes of others: then just the init, which is all that is known of the container.
 */
#include "shim/runc_adopt.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/config_json.h"
#include "shim/runc_cgroup.h"

#define ROUNDS_MAX                                                                                 \
	64 /* looks at all processes: those that fork meanwhile are found by the next one */

static bool namespace_of(pid_t pid, struct stat *ret_namespace)
{
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/ns/pid", pid);
	return stat(path, ret_namespace) == 0;
}

static bool same_namespace(pid_t one, pid_t other)
{
	struct stat a, b;

	return namespace_of(one, &a) && namespace_of(other, &b) && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

/*
 * criu makes the namespaces that the image has, whatever config.json says: so ours is never taken for
 * the container's.
 */
static bool namespace_is_private(pid_t init)
{
	return config_json_private_pids() && !same_namespace(getpid(), init);
}

static bool is_in(const char *folder, const char *path)
{
	size_t length = strlen(folder);

	return strncmp(path, folder, length) == 0 && (!path[length] || path[length] == '/');
}

static bool move_one(const char *folder, pid_t pid)
{
	char old[PATH_MAX];

	return runc_cgroup_find(pid, old) && !is_in(folder, old) &&
	       runc_cgroup_move(folder, pid) == 0;
}

static bool move_namespace(const char *folder, pid_t init)
{
	DIR *processes = opendir("/proc");
	struct dirent *entry;
	bool moved = false;

	while (processes && (entry = readdir(processes))) {
		pid_t pid = isdigit((unsigned char)entry->d_name[0]) ? atoi(entry->d_name) : 0;

		if (pid > 0 && same_namespace(pid, init) && move_one(folder, pid))
			moved = true;
	}
	if (processes)
		closedir(processes);
	return moved;
}

/*
 * The kernel numbers cgroups in the order in which they are made, and runc makes its own before criu
 * restores anything: what is older is not criu's.
 */
static bool is_newer(const char *one, const char *other)
{
	struct stat a, b;

	return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_ino > b.st_ino;
}

/*
 * What criu has made, unless somebody else is in it already. Taken for that is also an empty one which
 * another made since runc's: during this restore, or before it if runc found its own there already.
 * What is about to end may be in it for a moment.
 */
static void remove_old(const char *folder, const char *old)
{
	if (!is_newer(old, folder))
		return;
	for (int i = 0; i < ROUNDS_MAX && rmdir(old) < 0 && errno == EBUSY; i++)
		usleep(1000);
}

static void move_container(const char *folder, pid_t init)
{
	char old[PATH_MAX];
	bool elsewhere = runc_cgroup_find(init, old) && !is_in(folder, old);

	if (namespace_is_private(init))
		for (int i = 0; i < ROUNDS_MAX && move_namespace(folder, init); i++)
			;
	else
		move_one(folder, init);
	if (elsewhere)
		remove_old(folder, old);
}

/* What runc has noted: a map of folders by controller. */
static bool read_noted(const struct runc_driver *driver, char folder[static PATH_MAX])
{
	char path[PATH_MAX];
	const char *noted = NULL;
	json_t *state = NULL;

	if (snprintf(path, sizeof(path), "%s/%s/state.json", driver->root, driver->task->id) <
	    PATH_MAX)
		state = json_load_file(path, JSON_DECODE_INT_AS_REAL, NULL);
	noted = json_string_value(
		json_object_get(json_object_get(state, "cgroup_paths"), runc_cgroup_controller()));
	bool found = noted && strlen(noted) < PATH_MAX;
	if (found)
		strcpy(folder, noted);
	json_decref(state);
	return found;
}

void runc_adopt(const struct runc_driver *driver, pid_t init)
{
	char folder[PATH_MAX];

	if (!runc_driver_is(driver, "runc") || !read_noted(driver, folder))
		return;
	if (!*runc_cgroup_controller())
		move_container(folder, init);
	if (!runc_cgroup_keep_folder(driver->task, folder, init))
		shim_log(driver->task, SHIM_LOG_WARNING,
			 "the restored container is not in its cgroup %s", folder);
}
