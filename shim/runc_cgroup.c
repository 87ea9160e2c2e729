/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runc and crun remember the cgroup that they put a container's init into, and `ps` lists that and all
 * below it. The init's own /proc/PID/cgroup says the same only as long as nothing in the container
 * moves it: systemd as an init does, into a cgroup below. So it is read once, while the init still
 * waits for start, and kept.
 *
 * Which of the hierarchies: with cgroup v2 there is one; of the several of v1 runc reads "devices",
 * and the others hold the same processes.
 *
 * A container may have no cgroup of its own: a rootless one, or one whose runtime was told to leave
 * cgroups alone, stays where the shim is, and what is listed there is not the container. Or the cgroups
 * that /proc tells of may not be those that are mounted here, if we are in a container ourselves. Then
 * nothing is kept, and the runtime is asked, slower but right.
 */
#include "shim/runc_cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "shim/cgroup_procs.h"
#include "shim/file.h"
#include "shim/runc_options.h"

#define CGROUP_ROOT "/sys/fs/cgroup"
#define CGROUP2_MAGIC 0x63677270
#define CGROUP_FILE_MAX 65536 /* bytes of /proc/PID/cgroup; more: as if there were nothing in it */
#define REMOVE_TRIES 100      /* 5 ms apart, for all hierarchies; then it is somebody else's, too */

static bool is_unified(void)
{
	struct statfs root;

	return statfs(CGROUP_ROOT, &root) == 0 && root.f_type == CGROUP2_MAGIC;
}

/* A file of /proc has no size to go by. */
static char *read_proc(pid_t pid)
{
	char path[48], *text = calloc(1, CGROUP_FILE_MAX);
	size_t size = 0;
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (text && fd >= 0 && (n = read(fd, text + size, CGROUP_FILE_MAX - 1 - size)) > 0)
		size += (size_t)n;
	if (fd >= 0)
		close(fd);
	if (n == 0 && size < CGROUP_FILE_MAX - 1)
		return text;
	free(text);
	return NULL;
}

/* Whether a line "4:cpu,cpuacct:/path" is of the controller, or "0::/path" of none (""). */
static bool line_is_of(const char *line, const char *controller)
{
	const char *list = strchr(line, ':'), *end = list ? strchr(list + 1, ':') : NULL;
	size_t length = strlen(controller);

	if (!end)
		return false;
	if (length == 0)
		return end == list + 1 && strncmp(line, "0:", 2) == 0;
	for (list++; list < end; list += strcspn(list, ",:") + 1)
		if (strcspn(list, ",:") == length && strncmp(list, controller, length) == 0)
			return true;
	return false;
}

/* The cgroup of a process in one hierarchy, to be freed; NULL: it is not in it. */
static char *process_cgroup(pid_t pid, const char *controller)
{
	char *text = read_proc(pid), *rest = text, *line, *path = NULL;

	while (!path && rest && (line = strsep(&rest, "\n")))
		if (line_is_of(line, controller))
			path = strdup(strchr(strchr(line, ':') + 1, ':') + 1);
	free(text);
	return path;
}

/* One that is a container's own, and can be seen from here. */
static bool is_own(const char *path, const char *controller)
{
	char *ours = process_cgroup(getpid(), controller);
	bool own = ours && strcmp(path, ours) != 0 && path[0] == '/' && path[1] &&
		   !strstr(path, "/..");

	free(ours);
	return own;
}

static int find_folder(pid_t pid, const char *controller, char folder[static PATH_MAX])
{
	char *path = process_cgroup(pid, controller);
	int length = PATH_MAX;

	if (path && is_own(path, controller))
		length = snprintf(folder, PATH_MAX, CGROUP_ROOT "%s%s%s", *controller ? "/" : "",
				  controller, path);
	free(path);
	return length < PATH_MAX ? 0 : -ENOENT;
}

static bool has_pid(const char *folder, pid_t pid)
{
	pid_t *pids = calloc(RUNTIME_PIDS_MAX, sizeof(*pids));
	size_t n = 0;
	bool found = false;

	if (pids && cgroup_procs(folder, pids, RUNTIME_PIDS_MAX, &n) == 0)
		for (size_t i = 0; i < n && !found; i++)
			found = pids[i] == pid;
	free(pids);
	return found;
}

const char *runc_cgroup_controller(void)
{
	return is_unified() ? "" : "devices";
}

bool runc_cgroup_find(pid_t pid, char folder[static PATH_MAX])
{
	return find_folder(pid, runc_cgroup_controller(), folder) == 0;
}

bool runc_cgroup_keep_folder(struct runtime_task *task, const char *folder, pid_t init)
{
	if (!has_pid(folder, init))
		return false;
	runc_options_keep_more(task, folder);
	return true;
}

void runc_cgroup_keep(struct runtime_task *task, pid_t init)
{
	char folder[PATH_MAX];

	if (runc_cgroup_find(init, folder))
		runc_cgroup_keep_folder(task, folder, init);
}

const char *runc_cgroup_folder(const struct runtime_task *task)
{
	const char *folder = runc_options_more(task);

	return folder && strncmp(folder, CGROUP_ROOT "/", strlen(CGROUP_ROOT "/")) == 0 ? folder
											: NULL;
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), r;

	if (fd < 0)
		return -errno;
	r = file_write_all(fd, text, strlen(text));
	close(fd);
	return r;
}

int runc_cgroup_move(const char *folder, pid_t pid)
{
	char path[PATH_MAX], number[16];

	if (snprintf(path, sizeof(path), "%s/cgroup.procs", folder) >= PATH_MAX)
		return -ENAMETOOLONG;
	snprintf(number, sizeof(number), "%d", pid);
	return write_file(path, number);
}

int runc_cgroup_kill(const char *folder)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/cgroup.kill", folder) >= PATH_MAX)
		return -ENAMETOOLONG;
	return write_file(path, "1");
}

bool runc_cgroup_freezer(const struct runtime_task *task, char path[static PATH_MAX])
{
	const char *kept = runc_cgroup_folder(task);
	char found[PATH_MAX];
	bool unified = is_unified();

	if (unified && kept)
		return snprintf(path, PATH_MAX, "%s/cgroup.freeze", kept) < PATH_MAX;
	if (find_folder(task->pid, unified ? "" : "freezer", found) < 0)
		return false;
	return snprintf(path, PATH_MAX, "%s/%s", found,
			unified ? "cgroup.freeze" : "freezer.state") < PATH_MAX;
}

void runc_cgroup_thaw(const char *path)
{
	write_file(path, strcmp(strrchr(path, '/'), "/cgroup.freeze") == 0 ? "0" : "THAWED");
}

/*
 * Those who were killed with the runtime may take a moment to leave; all hierarchies at once.
 * containerd gives its clean-up of a container 5 s.
 */
static void remove_folder(const char *folder, int *tries)
{
	static const struct timespec step = {.tv_nsec = 5000000};

	for (; rmdir(folder) < 0 && errno == EBUSY && *tries > 0; (*tries)--)
		nanosleep(&step, NULL);
}

/* From the root of the hierarchies, and nowhere else. */
static bool is_absolute(const char *path)
{
	size_t length = strlen(path);

	return path[0] == '/' && length > 1 && !strstr(path, "/../") &&
	       (length < 3 || strcmp(path + length - 3, "/..") != 0);
}

void runc_cgroup_remove(const char *cgroups_path)
{
	char folder[PATH_MAX];
	DIR *root = is_absolute(cgroups_path) ? opendir(CGROUP_ROOT) : NULL;
	struct dirent *entry;
	int tries = REMOVE_TRIES;

	if (!root)
		return;
	if (is_unified() &&
	    snprintf(folder, sizeof(folder), CGROUP_ROOT "%s", cgroups_path) < PATH_MAX)
		remove_folder(folder, &tries);
	/* a link is a second name */
	while (!is_unified() && (entry = readdir(root)))
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.' &&
		    snprintf(folder, sizeof(folder), CGROUP_ROOT "/%s%s", entry->d_name,
			     cgroups_path) < PATH_MAX)
			remove_folder(folder, &tries);
	closedir(root);
}
