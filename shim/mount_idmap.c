/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What maps is a user namespace, which a child makes and holds as long as its maps are written and it
 * is opened. A mount can be mapped only as long as it stands nowhere: so a mount is made aside, copied,
 * and the copy is mapped and handed over (mount_tree.c).
 *
 * An overlay can't be mapped, its layers can: copies of them are put into a file system of our own,
 * under short names, so that no number of layers is too many for mount(2). Nobody but the overlay ever
 * sees these, and they are read-only, as lower layers are.
 */
#include "shim/mount_idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/file.h"
#include "shim/mount_layers.h"
#include "shim/mount_tree.h"

#define LOWER "lowerdir="
#define LAYER_NAME_SIZE 16
#define OVERLAY_NAME "overlay" /* beside the layers, whose names are numbers */

struct mapping {
	const struct mount_place *place;
	const struct mount_entry *entry;
	const struct mount_plan *plan;
	int user_namespace;
};

/* ---- the namespace ---- */

/* Ends when the other end is closed. */
static _Noreturn void hold_namespace(int fd)
{
	int error = unshare(CLONE_NEWUSER) < 0 ? errno : 0;
	char byte;

	if (write(fd, &error, sizeof(error)) == sizeof(error) && read(fd, &byte, 1) != 0)
		_exit(1);
	_exit(0);
}

static int write_map(pid_t pid, const char *name, const char *map)
{
	char path[48];
	int fd, r;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* in one piece, or the kernel refuses it */
	r = write(fd, map, strlen(map)) < 0 ? -errno : 0;
	close(fd);
	return r;
}

static int map_and_open(int fd, pid_t pid, const struct mount_plan *plan)
{
	char path[48];
	int error = ECHILD, r;

	if (read(fd, &error, sizeof(error)) != sizeof(error) || error != 0)
		return -error;
	r = write_map(pid, "uid_map", plan->uid_map);
	if (r == 0)
		r = write_map(pid, "gid_map", plan->gid_map);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	r = open(path, O_RDONLY | O_CLOEXEC);
	return r < 0 ? -errno : r;
}

static int user_namespace_open(const struct mount_plan *plan)
{
	int ends[2], r;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		hold_namespace(ends[1]);
	}
	r = pid < 0 ? -errno : 0;
	close(ends[1]);
	if (r == 0)
		r = map_and_open(ends[0], pid, plan);
	close(ends[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}

/* ---- an overlay ---- */

/* A mapped copy of the layer at path becomes base/name. */
static int put_layer(const struct mapping *mapping, int base, const char *path, const char *name)
{
	int tree = mount_tree_clone(AT_FDCWD, path, false), target, r;

	if (tree < 0)
		return tree;
	r = mount_tree_map(tree, mapping->user_namespace, true, false);
	if (r == 0 && mkdirat(base, name, 0700) < 0)
		r = -errno;
	target = r < 0 ? -1 : openat(base, name, O_PATH | O_CLOEXEC);
	if (r == 0)
		r = target < 0 ? -errno : mount_tree_attach(tree, target);
	if (target >= 0)
		close(target);
	close(tree);
	return r;
}

/* The list of layers, cut up; the list of their new names goes to *to, which moves on. */
static int put_layers(const struct mapping *mapping, int base, char *list, char **to)
{
	char name[LAYER_NAME_SIZE];
	unsigned n = 0;
	int r = 0;

	while (r == 0 && list) {
		const char *layer = mount_layers_next(&list, ':');

		if (*layer) {
			snprintf(name, sizeof(name), "%u", n++);
			r = put_layer(mapping, base, layer, name);
			*to = stpcpy(*to, name);
		}
		if (list)
			*to = stpcpy(*to, ":");
	}
	return r;
}

/* Where the list of lower layers begins in an overlay's options; NULL: nowhere. */
static char *find_layers(char *data)
{
	char *at = strstr(data, LOWER);

	while (at && at != data && at[-1] != ',')
		at = strstr(at + 1, LOWER);
	return at ? at + strlen(LOWER) : NULL;
}

/* The overlay's options with the new names, to be freed. */
static int rewrite_data(const struct mapping *mapping, int base, char **ret_data)
{
	char *data = strdup(mapping->plan->data), *list = data ? find_layers(data) : NULL, *rest;
	size_t size = strlen(mapping->plan->data) * LAYER_NAME_SIZE + 1;
	char *text = malloc(size), *to = text;
	int r = !data || !text ? -ENOMEM : list ? 0 : -EINVAL;

	if (r == 0) {
		to = mempcpy(to, data, (size_t)(list - data));
		for (rest = list; *rest && (*rest != ',' || rest[-1] == '\\');)
			rest++;
		char *behind = strdup(rest);
		*rest = '\0';
		r = behind ? put_layers(mapping, base, list, &to) : -ENOMEM;
		stpcpy(to, behind ? behind : "");
		free(behind);
	}
	if (r == 0 && strlen(text) >= (size_t)sysconf(_SC_PAGESIZE))
		r = -E2BIG;
	free(data);
	if (r == 0)
		*ret_data = text;
	else
		free(text);
	return r;
}

/* A folder for the layers, in the target's place: nobody but this process sees it. */
static int make_base(const struct mapping *mapping)
{
	char name[MOUNT_NAME_SIZE];
	int target = mount_place_open(mapping->place), r;

	if (target < 0)
		return target;
	r = mount("tmpfs", mount_name(target, name), "tmpfs", 0, "mode=700") < 0 ? -errno : 0;
	close(target);
	return r < 0 ? r : mount_place_open(mapping->place);
}

static int make_overlay(const struct mapping *mapping)
{
	const struct mount_entry *entry = mapping->entry;
	int base = make_base(mapping), r;
	char *data = NULL;

	if (base < 0)
		return base;
	r = rewrite_data(mapping, base, &data);
	if (r < 0)
		return r;
	if (fchdir(base) < 0 || mkdir(OVERLAY_NAME, 0700) < 0 ||
	    mount(entry->source, OVERLAY_NAME, entry->type, mapping->plan->flags, data) < 0)
		return -errno;
	return mount_tree_clone(AT_FDCWD, OVERLAY_NAME, false);
}

/* ---- any other ---- */

static int make_other(const struct mapping *mapping)
{
	bool recursive = mapping->plan->flags & MS_REC, mounted;
	int r = mount_kernel(mapping->place, mapping->entry, mapping->plan, &mounted), fd, tree;

	if (r < 0)
		return r;
	fd = mount_place_open(mapping->place);
	tree = fd < 0 ? fd : mount_tree_clone(fd, "", recursive);
	if (tree < 0)
		return tree;
	r = mount_tree_map(tree, mapping->user_namespace, false, recursive);
	return r < 0 ? r : tree;
}

static int make(void *argument)
{
	const struct mapping *mapping = argument;

	return strcmp(mapping->entry->type, "overlay") == 0 ? make_overlay(mapping)
							    : make_other(mapping);
}

int mount_idmap(const struct mount_place *place, const struct mount_entry *entry,
		const struct mount_plan *plan, bool *ret_mounted)
{
	struct mapping mapping = {place, entry, plan, -1};
	int tree, target, r;

	if (plan->flags & MS_REMOUNT)
		return -EINVAL; /* what stands already can't be mapped */
	mapping.user_namespace = user_namespace_open(plan);
	if (mapping.user_namespace < 0)
		return mapping.user_namespace;
	tree = mount_tree_aside(make, &mapping);
	close(mapping.user_namespace);
	if (tree < 0)
		return tree;
	target = mount_place_open(place);
	r = target < 0 ? target : mount_tree_attach(tree, target);
	if (target >= 0)
		close(target);
	close(tree);
	*ret_mounted = r == 0;
	return r;
}
