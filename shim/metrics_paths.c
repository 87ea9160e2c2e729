/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding and keeping the cgroups of a container: see metrics_paths.h.
 *
 *   cgroup v2   the line "0::PATH" of /proc/PID/cgroup, below /sys/fs/cgroup
 *   cgroup v1   the line "N:CONTROLLER,...:PATH" of each, below the mount of that controller. A mount
 *               may show a part of the hierarchy only, as in a container: its root, the fourth field
 *               of mountinfo, is then taken off the path
 *
 * What leads upwards is outside what this process may see, and taken for none.
 */
#include "shim/metrics_paths.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "shim/file.h"

#define CGROUP2_MAGIC 0x63677270
#define HEADER "mote-cgroup 1\n"
#define NAME "mote.cgroup"

static const char *const names[METRICS_CONTROLLERS] = {
	[METRICS_UNIFIED] = "unified", [METRICS_BLKIO] = "blkio",     [METRICS_CPU] = "cpu",
	[METRICS_CPUACCT] = "cpuacct", [METRICS_HUGETLB] = "hugetlb", [METRICS_MEMORY] = "memory",
	[METRICS_PIDS] = "pids",       [METRICS_RDMA] = "rdma",
};

void metrics_paths_deinit(struct metrics_paths *paths)
{
	free(paths->text);
	*paths = METRICS_PATHS_NULL;
}

/* METRICS_CONTROLLERS: none that anybody reads. */
static enum metrics_controller controller_find(const char *name, size_t length)
{
	int found = METRICS_UNIFIED;
	while (found < METRICS_CONTROLLERS &&
	       (strlen(names[found]) != length || memcmp(names[found], name, length) != 0))
		found++;
	return (enum metrics_controller)found;
}

static bool leads_upwards(const char *path)
{
	for (const char *at = path; (at = strstr(at, "..")); at++)
		if ((at == path || at[-1] == '/') && (at[2] == '/' || at[2] == 0))
			return true;
	return false;
}

bool metrics_unified(int root)
{
	struct statfs system = {0};
	int fd = openat(root, &METRICS_CGROUP_ROOT[1], O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false;
	fstatfs(fd, &system);
	close(fd);
	return system.f_type == CGROUP2_MAGIC;
}

static FILE *proc_open(int root, const char *path)
{
	int fd = openat(root, path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? NULL : fdopen(fd, "r");
}

/* What is known while the file's text is made. */
struct search {
	char *paths[METRICS_CONTROLLERS]; /* below the hierarchy's root; NULL: none, or written */
	FILE *text;
};

/* CONTROLLER,...:PATH */
static void path_take(struct search *search, bool unified, char *controllers)
{
	char *path = strchr(controllers, ':'), *name;
	if (!path)
		return;
	*path++ = 0;
	path[strcspn(path, "\n")] = 0;
	if (path[0] != '/' || leads_upwards(path))
		return;
	if (unified && !*controllers && !search->paths[METRICS_UNIFIED])
		search->paths[METRICS_UNIFIED] = strdup(path);
	while (!unified && (name = strsep(&controllers, ","))) {
		enum metrics_controller found = controller_find(name, strlen(name));
		if (found != METRICS_UNIFIED && found < METRICS_CONTROLLERS &&
		    !search->paths[found])
			search->paths[found] = strdup(path);
	}
}

static int paths_take(struct search *search, int root, bool unified, pid_t pid)
{
	char name[32], *line = NULL, *controllers;
	size_t size = 0;

	snprintf(name, sizeof(name), "proc/%d/cgroup", pid);
	FILE *file = proc_open(root, name);
	if (!file)
		return -errno;
	while (getline(&line, &size, file) >= 0)
		if ((controllers = strchr(line, ':')))
			path_take(search, unified, controllers + 1);
	free(line);
	fclose(file);
	return 0;
}

/* What is left of path below a mount's root; NULL: the mount does not show it. */
static const char *path_below(const char *path, const char *root)
{
	size_t length = strcmp(root, "/") == 0 ? 0 : strlen(root);
	if (strncmp(path, root, length) != 0)
		return NULL;
	if (path[length] == 0 || strcmp(path + length, "/") == 0)
		return "";
	return path[length] == '/' ? path + length : NULL;
}

static void path_write(struct search *search, enum metrics_controller controller, const char *mount,
		       const char *below)
{
	fprintf(search->text, "%s %s%s\n", names[controller], mount, below);
	free(search->paths[controller]);
	search->paths[controller] = NULL;
}

/*
 * A line of mountinfo: ID PARENT DEVICE ROOT MOUNT OPTIONS [...] - TYPE SOURCE CONTROLLER,...
 * A mount whose path has characters that are written as \NNN there is passed over.
 */
static void mount_take(struct search *search, char *line)
{
	char *options = strstr(line, " - "), *root = NULL, *mount = NULL, *name;
	if (!options || strncmp(options + 3, "cgroup ", strlen("cgroup ")) != 0)
		return;
	options = strchr(options + 3 + strlen("cgroup "), ' ');
	for (int i = 0; i < 5; i++) {
		root = mount;
		mount = strsep(&line, " ");
	}
	if (!options || !root || !mount || strchr(mount, '\\'))
		return;
	options++;
	options[strcspn(options, "\n")] = 0;
	while ((name = strsep(&options, ","))) {
		enum metrics_controller found = controller_find(name, strlen(name));
		if (found == METRICS_UNIFIED || found == METRICS_CONTROLLERS ||
		    !search->paths[found])
			continue;
		const char *below = path_below(search->paths[found], root);
		if (below)
			path_write(search, found, mount, below);
	}
}

/* The mounts of cgroups come early, those of containers, of which there may be thousands, late. */
static int mounts_take(struct search *search, int root)
{
	char *line = NULL;
	size_t size = 0;
	int left = 1;
	FILE *file = proc_open(root, "proc/self/mountinfo");
	if (!file)
		return -errno;
	while (left > 0 && getline(&line, &size, file) >= 0) {
		mount_take(search, line);
		left = 0;
		for (int i = 0; i < METRICS_CONTROLLERS; i++)
			left += search->paths[i] != NULL;
	}
	free(line);
	fclose(file);
	return 0;
}

static int search_run(struct search *search, int root, bool unified, pid_t pid)
{
	fputs(HEADER, search->text);
	int result = paths_take(search, root, unified, pid);
	if (result < 0)
		return result;
	if (!unified)
		return mounts_take(search, root);
	const char *path = search->paths[METRICS_UNIFIED];
	if (path)
		path_write(search, METRICS_UNIFIED, METRICS_CGROUP_ROOT, path_below(path, "/"));
	return 0;
}

/* Changes text, which must live as long as *ret_paths, but is not owned by it. */
static int paths_parse(char *text, struct metrics_paths *ret_paths)
{
	struct metrics_paths paths = METRICS_PATHS_NULL;
	if (strncmp(text, HEADER, strlen(HEADER)) != 0)
		return -EBADMSG;
	char *rest = text + strlen(HEADER), *line;
	while ((line = strsep(&rest, "\n"))) {
		char *folder = strchr(line, ' ');
		if (!folder || folder[1] != '/')
			continue;
		enum metrics_controller found = controller_find(line, (size_t)(folder - line));
		if (found != METRICS_CONTROLLERS)
			paths.folders[found] = folder + 1;
	}
	*ret_paths = paths;
	return 0;
}

int metrics_paths_find(int root, bool unified, pid_t pid, struct metrics_paths *ret_paths)
{
	struct search search = {0};
	char *text = NULL;
	size_t size = 0;

	search.text = open_memstream(&text, &size);
	if (!search.text)
		return -errno;
	int result = search_run(&search, root, unified, pid);
	if (fclose(search.text) != 0 && result == 0)
		result = -ENOMEM;
	for (int i = 0; i < METRICS_CONTROLLERS; i++)
		free(search.paths[i]);
	if (result == 0)
		result = paths_parse(text, ret_paths);
	if (result == 0)
		ret_paths->text = text;
	else
		free(text);
	return result;
}

int metrics_paths_write(const char *bundle, const struct metrics_paths *paths)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);
	if (!file)
		return -errno;
	fputs(HEADER, file);
	for (int i = 0; i < METRICS_CONTROLLERS; i++)
		if (paths->folders[i])
			fprintf(file, "%s %s\n", names[i], paths->folders[i]);
	int result = fclose(file) == 0 ? file_replace(bundle, NAME, text, size, 0600) : -ENOMEM;
	free(text);
	return result;
}

int metrics_paths_read(const char *bundle, char *buffer, struct metrics_paths *ret_paths)
{
	if (strlen(bundle) + sizeof("/" NAME) > METRICS_PATHS_SIZE)
		return -ENAMETOOLONG;
	stpcpy(stpcpy(buffer, bundle), "/" NAME);
	/* not open(): musl's makes a second system call for O_CLOEXEC */
	int fd = openat(AT_FDCWD, buffer, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ssize_t n = read(fd, buffer, METRICS_PATHS_SIZE - 1);
	int result = n < 0 ? -errno : 0;
	close(fd);
	buffer[n < 0 ? 0 : n] = 0;
	return result < 0 ? result : paths_parse(buffer, ret_paths);
}
