/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Create, in a worker, step by step; a step that fails undoes those before it:
 *
 *   request    the payload, decoded; its id and bundle are those of the verb
 *   mounts     rootfs, in the request's order
 *   streams    what the process gets as its standard input, output and error
 *   runtime    create; its state goes into the bundle
 *   FIFOs      containerd's ends of standard output and error, opened after the runtime's create as
 *              the stock shim does; that of standard input is opened by start, see worker.c
 *   report     the pid, whether the PID namespace is private, all ends that the server pumps
 *
 * From a checkpoint it is cut in two: create mounts and has the runtime remember; restore, in start's
 * place, does the rest, and opens standard input as well.
 */
#include "shim/worker_create.h"

#include <errno.h>
#include <stdlib.h>

#include "shim/config_json.h"
#include "shim/mount.h"
#include "shim/unmount.h"
#include "shim/worker_io.h"
#include "shim/worker_oom.h"
#include "shim/worker_payload.h"
#include "shim/worker_process.h"

struct creation {
	const struct job *job;
	struct runtime_task *task;
	struct report_message *message;
	Containerd__Task__V2__CreateTaskRequest *request;
	struct worker_io io;
};

static int rootfs_mount(struct creation *creation)
{
	const Containerd__Task__V2__CreateTaskRequest *request = creation->request;
	struct failure failure;
	struct mount_entry *entries = calloc(request->n_rootfs + 1, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	for (size_t i = 0; i < request->n_rootfs; i++) {
		const Containerd__Types__Mount *mount = request->rootfs[i];
		entries[i] = (struct mount_entry){.type = mount->type,
						  .source = mount->source,
						  .target = mount->target,
						  .options = mount->options,
						  .n_options = mount->n_options};
	}
	int result = mount_all("rootfs", entries, request->n_rootfs, &failure);
	free(entries);
	return worker_refuse(creation->task, result, &failure);
}

static int streams_open(struct creation *creation)
{
	const Containerd__Task__V2__CreateTaskRequest *request = creation->request;
	const struct worker_io_request io = {{request->stdin, request->stdout, request->stderr},
					     request->terminal};
	return worker_io_open(&creation->io, creation->job, creation->task, creation->message, &io);
}

/* For the monitor: what it may do by itself from now on. */
static void report_direct(const struct runtime_task *task, struct report *report)
{
	if (task->direct & RUNTIME_DIRECT_KILL)
		report->flags |= REPORT_DIRECT_KILL;
	if (task->direct & RUNTIME_DIRECT_PIDS)
		report->flags |= REPORT_DIRECT_PIDS;
}

/* Undoes what was done, keeping the error that the client is to see. */
static int creation_undo(struct creation *creation, bool runtime_ran, int error)
{
	struct runtime_task kept = *creation->task;
	struct failure failure;

	if (runtime_ran)
		creation->job->config->runtime->remove(creation->task, true);
	if (creation->io.task)
		worker_io_undo(&creation->io);
	if (creation->request->n_rootfs > 0)
		unmount_tree("rootfs", NULL, &failure);
	*creation->task = kept;
	return error;
}

static int process_create(struct creation *creation, bool *ret_ran)
{
	struct runtime_task *task = creation->task;
	pid_t pid = 0;
	int result = streams_open(creation);
	if (result != 0)
		return result;
	*ret_ran = true;
	result = creation->job->config->runtime->create(task, &pid);
	if (result == 0)
		result = worker_process_check(task, pid);
	if (result != 0)
		return result;
	task->pid = creation->message->report.pid = pid;
	result = state_write_runtime(creation->job->bundle, task->state, task->state_size);
	return result == 0 ? worker_io_connect(&creation->io, false) : result;
}

static int checkpoint_remember(struct creation *creation, bool *ret_ran)
{
	const struct runtime *runtime = creation->job->config->runtime;
	struct runtime_task *task = creation->task;
	pid_t pid = 0;
	if (!runtime->restore)
		return runtime_fail(task, RUNTIME_UNIMPLEMENTED, "not implemented");
	*ret_ran = true;
	int result = runtime->create(task, &pid);
	if (result == 0 && pid != 0)
		result = runtime_fail(
			task, RUNTIME_UNKNOWN,
			"the runtime made process %d before its checkpoint is restored", pid);
	if (result != 0)
		return result;
	return state_write_runtime(creation->job->bundle, task->state, task->state_size);
}

int worker_create(const struct job *job, struct runtime_task *task, struct report_message *message)
{
	struct creation creation = {.job = job, .task = task, .message = message};
	bool ran = false;

	int result = worker_payload_create(job, task, &creation.request);
	if (result == 0)
		result = rootfs_mount(&creation);
	if (result != 0)
		return result;
	if (*task->checkpoint)
		result = checkpoint_remember(&creation, &ran);
	else
		result = process_create(&creation, &ran);
	if (result != 0)
		return creation_undo(&creation, ran, result);
	if (task->pid > 0)
		worker_oom_open(job, task, task->pid, message);
	message->report.flags = config_json_private_pids() ? REPORT_PRIVATE_PIDS : 0;
	report_direct(task, &message->report);
	return 0;
}

/* The container stays, as create left it; of its process nothing does. */
static int restoration_undo(struct creation *creation, int pidfd, int error)
{
	struct runtime_task kept = *creation->task;
	worker_process_end(pidfd);
	worker_io_undo(&creation->io);
	creation->message->report.pid = 0;
	*creation->task = kept;
	return error;
}

int worker_restore(const struct job *job, struct runtime_task *task, struct report_message *message)
{
	struct creation creation = {.job = job, .task = task, .message = message};
	pid_t pid = 0;

	int result = worker_payload_create(job, task, &creation.request);
	if (result == 0 && !*task->checkpoint)
		result = -EBADMSG;
	if (result != 0)
		return result;
	if (!job->config->runtime->restore)
		return runtime_fail(task, RUNTIME_UNIMPLEMENTED, "not implemented");
	result = streams_open(&creation);
	if (result == 0)
		result = job->config->runtime->restore(task, &pid);
	if (result == 0)
		result = worker_process_check(task, pid);
	if (result != 0)
		return restoration_undo(&creation, -1, result);
	int pidfd = worker_process_open(pid);
	task->pid = message->report.pid = pid;
	worker_process_tell(job, pid, 0);
	result = worker_io_connect(&creation.io, true);
	if (result != 0)
		return restoration_undo(&creation, pidfd, result);
	worker_oom_open(job, task, pid, message);
	report_direct(task, &message->report);
	return 0;
}
