/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stats, in a worker: what the runtime says, or else what the files of the container's cgroups say.
 * Where these are was written down when the container was made (worker_oom.h); so there is an answer
 * after the exit too, when clients ask whether memory had run out. A container of which nothing was
 * written down is asked itself as long as it runs.
 */
#include "shim/worker_stats.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shim/file.h"
#include "shim/metrics.h"

static int paths_get(const struct job *job, int root, struct metrics_paths *ret_paths)
{
	int result = metrics_paths_read(job->bundle, ret_paths);
	if (result < 0 && job->init_pid > 0)
		result = metrics_paths_find(root, metrics_unified(root), job->init_pid, ret_paths);
	for (int i = 0; result == 0 && i < METRICS_CONTROLLERS; i++)
		if (ret_paths->folders[i])
			return 0;
	if (result == 0)
		metrics_paths_deinit(ret_paths);
	return result == -ENOMEM ? result : -ENOENT;
}

static int cgroups_answer(const struct job *job, struct runtime_task *task, uint8_t **ret_bytes,
			  size_t *ret_size)
{
	struct metrics_paths paths;
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	int result = paths_get(job, root, &paths);
	if (result == 0) {
		result = metrics_answer(root, &paths, job->verb->oom_kills, true, ret_bytes,
					ret_size);
		metrics_paths_deinit(&paths);
	}
	close(root);
	return result == -ENOENT
		       ? runtime_fail(task, RUNTIME_NOT_FOUND, "cgroup does not exist: not found")
		       : result;
}

static int runtime_answer(const struct job *job, struct runtime_task *task, uint8_t **ret_bytes,
			  size_t *ret_size)
{
	struct runtime_any any = {.type_url = ""};
	int result = job->config->runtime->stats(task, &any);
	return result == 0 ? metrics_wrap(any.type_url, any.value, any.size, ret_bytes, ret_size)
			   : result;
}

int worker_stats(const struct job *job, struct runtime_task *task, struct report_message *message)
{
	uint8_t *bytes;
	size_t size;
	int result = job->config->runtime->stats ? runtime_answer(job, task, &bytes, &size)
						 : cgroups_answer(job, task, &bytes, &size);
	if (result != 0)
		return result;
	int fd = memfd_create("stats", MFD_CLOEXEC);
	result = fd < 0 ? -errno : file_write_all(fd, bytes, size);
	free(bytes);
	if (result < 0) {
		if (fd >= 0)
			close(fd);
		return result;
	}
	message->fds[ROLE_RESULT] = fd;
	message->report.result_size = (uint32_t)size;
	return 0;
}
