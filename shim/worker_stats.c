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
#include <unistd.h>

#include "shim/metrics.h"

/* buffer: as of metrics_paths_read(). */
static int paths_get(const struct job *job, int root, char *buffer, struct metrics_paths *ret_paths)
{
	int result = metrics_paths_read(".", buffer, ret_paths);
	if (result < 0 && job->init_pid > 0)
		result = metrics_paths_find(root, metrics_unified(root), job->init_pid, ret_paths);
	for (int i = 0; result == 0 && i < METRICS_CONTROLLERS; i++)
		if (ret_paths->folders[i])
			return 0;
	if (result == 0)
		metrics_paths_deinit(ret_paths);
	return result == -ENOMEM ? result : -ENOENT;
}

static int answer_put(void *userdata, const void *bytes, size_t size)
{
	return report_put_result(userdata, bytes, size);
}

static int cgroups_answer(const struct job *job, struct runtime_task *task,
			  struct report_message *message)
{
	struct metrics_paths paths;
	char buffer[METRICS_PATHS_SIZE];
	int root = openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	int result = paths_get(job, root, buffer, &paths);
	if (result == -ENOENT)
		return runtime_fail(task, RUNTIME_NOT_FOUND, "cgroup does not exist: not found");
	if (result == 0) {
		result = metrics_answer(root, &paths, job->verb->oom_kills, METRICS_LEAVE_OPEN,
					answer_put, message);
		metrics_paths_deinit(&paths);
	}
	return result;
}

static int runtime_answer(const struct job *job, struct runtime_task *task,
			  struct report_message *message)
{
	struct runtime_any any = {.type_url = ""};
	int result = job->config->runtime->stats(task, &any);
	return result == 0 ? metrics_wrap(any.type_url, any.value, any.size, answer_put, message)
			   : result;
}

int worker_stats(const struct job *job, struct runtime_task *task, struct report_message *message)
{
	return job->config->runtime->stats ? runtime_answer(job, task, message)
					   : cgroups_answer(job, task, message);
}
