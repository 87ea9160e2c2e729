/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One more process in a container, in a worker:
 *
 *   request    the payload, decoded; its ids are those of the verb
 *   streams    what the process gets as its standard input, output and error
 *   runtime    exec: the process runs
 *   FIFOs      containerd's ends of all three
 *   report     the pid, all ends that the server pumps
 *
 * If a step fails, the process is killed and nothing of it is left. It may have run for a moment. If one
 * hangs and is cancelled, the monitor kills the process once it was told of it, right after the runtime.
 */
#include "shim/worker_exec.h"

#include <unistd.h>

#include "shim/worker_io.h"
#include "shim/worker_payload.h"
#include "shim/worker_process.h"

/* Keeps the error that the client is to see. */
static int execution_undo(struct worker_io *io, int pidfd, int error)
{
	worker_process_end(pidfd);
	worker_io_undo(io);
	io->message->report.pid = 0;
	return error;
}

int worker_exec(const struct job *job, struct runtime_task *task, struct report_message *message)
{
	Containerd__Task__V2__ExecProcessRequest *request;
	struct worker_io io;
	pid_t pid = 0;

	if (!job->config->runtime->exec)
		return runtime_fail(task, RUNTIME_UNIMPLEMENTED, "not implemented");
	int result = worker_payload_exec(job, task, &request);
	if (result != 0)
		return result;
	const struct worker_io_request streams = {
		{request->stdin, request->stdout, request->stderr}, request->terminal};
	result = worker_io_open(&io, job, task, message, &streams);
	if (result == 0)
		result = job->config->runtime->exec(task, &pid);
	if (result == 0)
		result = worker_process_check(task, pid);
	if (result != 0)
		return execution_undo(&io, -1, result);
	int pidfd = worker_process_open(pid);
	task->pid = message->report.pid = pid;
	worker_process_tell(job, pid, 0);
	result = worker_io_connect(&io, true);
	if (result != 0)
		return execution_undo(&io, pidfd, result);
	return 0;
}
