/* SPDX-License-Identifier: Apache-2.0 */
/* Pause, resume, update and checkpoint, in a worker: what the runtime does, with what the client sent. */
#include "shim/worker_change.h"

#include "shim/worker_payload.h"

static int unimplemented(struct runtime_task *task)
{
	return runtime_fail(task, RUNTIME_UNIMPLEMENTED, "not implemented");
}

int worker_pause(const struct job *job, struct runtime_task *task, struct report_message *message)
{
	const struct runtime *runtime = job->config->runtime;
	(void)message;
	return runtime->pause ? runtime->pause(task) : unimplemented(task);
}

int worker_resume(const struct job *job, struct runtime_task *task, struct report_message *message)
{
	const struct runtime *runtime = job->config->runtime;
	(void)message;
	return runtime->resume ? runtime->resume(task) : unimplemented(task);
}

int worker_update(const struct job *job, struct runtime_task *task, struct report_message *message)
{
	const struct runtime *runtime = job->config->runtime;
	(void)message;
	if (!runtime->update)
		return unimplemented(task);
	int result = worker_payload_update(job, task);
	return result == 0 ? runtime->update(task) : result;
}

int worker_checkpoint(const struct job *job, struct runtime_task *task,
		      struct report_message *message)
{
	const struct runtime *runtime = job->config->runtime;
	(void)message;
	if (!runtime->checkpoint)
		return unimplemented(task);
	int result = worker_payload_checkpoint(job, task);
	return result == 0 ? runtime->checkpoint(task) : result;
}
