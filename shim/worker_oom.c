/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What has to be done with the cgroups of a new container: see worker_oom.h. The server can open
 * nothing, so it is given the files.
 *
 * v1: the kernel signals an eventfd that was registered by writing its number, and that of an open
 * memory.oom_control, into cgroup.event_control. Both have to be open in the process that writes; the
 * registration lives as long as the eventfd.
 */
#include "shim/worker_oom.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "shim/failure.h"
#include "shim/file.h"
#include "shim/worker_process.h"

#define CONTROLLERS_SIZE 1024 /* bytes of cgroup.controllers; 15 names have some 100 */

static int folder_open(int root, const char *path)
{
	path += strspn(path, "/");
	int fd = openat(root, *path ? path : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int event_register(int folder, int event_fd, int file_fd)
{
	char text[32];
	int size = snprintf(text, sizeof(text), "%d %d", event_fd, file_fd);
	int fd = openat(folder, "cgroup.event_control", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int result = file_write_all(fd, text, (size_t)size);
	close(fd);
	return result;
}

static int event_open(int folder, int file_fd, int *ret_fd)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	int result = event_register(folder, fd, file_fd);
	if (result < 0)
		close(fd);
	else
		*ret_fd = fd;
	return result;
}

int worker_oom_watch(int root, const struct metrics_paths *paths, int *ret_event_fd,
		     int *ret_file_fd)
{
	bool unified = paths->folders[METRICS_UNIFIED];
	const char *path = paths->folders[unified ? METRICS_UNIFIED : METRICS_MEMORY];
	int event_fd = -1, result = 0;
	if (!path)
		return -ENOENT;
	int folder = folder_open(root, path);
	if (folder < 0)
		return folder;
	int file_fd = openat(folder, unified ? "memory.events" : "memory.oom_control",
			     O_RDONLY | O_CLOEXEC);
	if (file_fd < 0)
		result = -errno;
	else if (!unified)
		result = event_open(folder, file_fd, &event_fd);
	close(folder);
	if (result < 0) {
		if (file_fd >= 0)
			close(file_fd);
		return result;
	}
	*ret_event_fd = event_fd;
	*ret_file_fd = file_fd;
	return 0;
}

static int text_read(int folder, const char *name, char text[static CONTROLLERS_SIZE])
{
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ssize_t n = read(fd, text, CONTROLLERS_SIZE - 1);
	int result = n < 0 ? -errno : 0;
	close(fd);
	text[n < 0 ? 0 : n] = 0;
	return result;
}

static bool word_in(const char *word, const char *text)
{
	size_t length = strlen(word);
	for (const char *at = text; (at = strstr(at, word)); at += length)
		if ((at == text || at[-1] == ' ') &&
		    (at[length] == ' ' || at[length] == '\n' || at[length] == 0))
			return true;
	return false;
}

static int control_write(int folder, const char *text)
{
	int fd = openat(folder, "cgroup.subtree_control", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int result = file_write_all(fd, text, strlen(text));
	close(fd);
	return result;
}

/*
 * The kernel takes all of one write or nothing, so each controller has its own: one that is not to be
 * had here does not keep the others out. Mostly there is nothing to be written.
 */
static int controllers_enable(int folder, const char *wanted)
{
	char rest[CONTROLLERS_SIZE], enabled[CONTROLLERS_SIZE], text[CONTROLLERS_SIZE + 1], *word;
	char *next = strcpy(rest, wanted);
	int result = text_read(folder, "cgroup.subtree_control", enabled);
	if (result < 0)
		return result;
	while ((word = strsep(&next, " \n"))) {
		if (!*word || word_in(word, enabled))
			continue;
		stpcpy(stpcpy(text, "+"), word);
		int one = control_write(folder, text);
		result = one < 0 ? one : result;
	}
	return result;
}

static int enable_at(int root, const char *path, const char *wanted)
{
	int folder = folder_open(root, path);
	if (folder < 0)
		return folder;
	int result = controllers_enable(folder, wanted);
	close(folder);
	return result;
}

int worker_oom_enable(int root, const struct metrics_paths *paths)
{
	char wanted[CONTROLLERS_SIZE], path[PATH_MAX];
	const char *full = paths->folders[METRICS_UNIFIED];
	const size_t top = strlen(METRICS_CGROUP_ROOT);
	if (!full || strncmp(full, METRICS_CGROUP_ROOT, top) != 0 || strlen(full) >= sizeof(path))
		return -ENOENT;

	int folder = folder_open(root, METRICS_CGROUP_ROOT);
	int result = folder < 0 ? folder : text_read(folder, "cgroup.controllers", wanted);
	if (folder >= 0)
		close(folder);
	if (result < 0)
		return result;
	/* from the top down, the container's own group excepted; as far as it goes */
	for (size_t end = top; full[end]; end += 1 + strcspn(full + end + 1, "/")) {
		memcpy(path, full, end);
		path[end] = 0;
		int one = enable_at(root, path, wanted);
		result = one < 0 ? one : result;
	}
	return result;
}

/* Before the files are opened: without its controller a group has no memory.events. */
static void above_prepare(const struct runtime_task *task, int root,
			  const struct metrics_paths *paths)
{
	int result = paths->folders[METRICS_UNIFIED] ? worker_oom_enable(root, paths) : 0;
	if (result < 0)
		shim_log(task, SHIM_LOG_DEBUG, "not all controllers are enabled: %s",
			 failure_errno(-result));
}

/* A container that was left in the shim's own group: what is killed there need not be its. */
static bool group_shared(int root, bool unified, const struct metrics_paths *paths)
{
	enum metrics_controller memory = unified ? METRICS_UNIFIED : METRICS_MEMORY;
	struct metrics_paths own;
	if (metrics_paths_find(root, unified, getpid(), &own) < 0)
		return false;
	bool shared = own.folders[memory] && paths->folders[memory] &&
		      strcmp(own.folders[memory], paths->folders[memory]) == 0;
	metrics_paths_deinit(&own);
	return shared;
}

static bool ended(pid_t pid)
{
	int pidfd = worker_process_open(pid);
	bool yes = worker_process_wait(pidfd, 0);
	if (pidfd >= 0)
		close(pidfd);
	return yes;
}

static void watch(const struct runtime_task *task, int root, const struct metrics_paths *paths,
		  struct report_message *message)
{
	above_prepare(task, root, paths);
	int result = worker_oom_watch(root, paths, &message->fds[ROLE_OOM_EVENT],
				      &message->fds[ROLE_OOM_FILE]);
	if (result < 0)
		shim_log(task, result == -ENOENT ? SHIM_LOG_DEBUG : SHIM_LOG_WARNING,
			 "OOM kills are not watched: %s", failure_errno(-result));
}

void worker_oom_open(const struct job *job, const struct runtime_task *task, pid_t init,
		     struct report_message *message)
{
	struct metrics_paths paths;
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	bool unified = metrics_unified(root);
	int result = metrics_paths_find(root, unified, init, &paths);
	/* of one that has ended the kernel says that it is in the root group */
	if (result == 0 && ended(init)) {
		metrics_paths_deinit(&paths);
		result = -ENOENT;
	}
	if (result == -ENOENT) {
		close(root);
		return;
	}
	if (result < 0) {
		shim_log(task, SHIM_LOG_WARNING, "the cgroups of process %d are not known: %s",
			 init, failure_errno(-result));
		close(root);
		return;
	}
	result = metrics_paths_write(job->bundle, &paths);
	if (result < 0)
		shim_log(task, SHIM_LOG_WARNING, "the cgroups are not kept: %s",
			 failure_errno(-result));
	if (!group_shared(root, unified, &paths))
		watch(task, root, &paths, message);
	metrics_paths_deinit(&paths);
	close(root);
}
