/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exec and Start. Exec only puts down what is to be run; Start runs it, or the init. An exec whose
 * start failed is as before: it may be started again.
 *
 * Who waits for a process is told when its start fails, as the stock shim does.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/events.pb-c.h"
#include "shim/config.h"
#include "shim/log.h"
#include "shim/task.h"

static void publish_start(const struct process *process)
{
	Containerd__Events__TaskStart event = CONTAINERD__EVENTS__TASK_START__INIT;
	Containerd__Events__TaskExecStarted exec = CONTAINERD__EVENTS__TASK_EXEC_STARTED__INIT;
	event.container_id = exec.container_id = process->container->id;
	event.pid = exec.pid = (uint32_t)process->pid;
	exec.exec_id = task_text(process->exec_id);
	if (process->exec_id[0])
		task_event(process, "/tasks/exec-started", &exec.base);
	else
		task_event(process, "/tasks/start", &event.base);
}

static void streams_take(struct process *process, struct report_message *message, bool output)
{
	int result = output ? process_take_output(process, message) : 0;
	if (result == 0)
		result = process_take_input(process, message);
	if (result < 0)
		log_write(SHIM_LOG_ERROR, process->container->id,
			  "standard streams are not served: %s", strerror(-result));
}

static void started(struct operation *operation, struct report_message *message)
{
	struct process *process = operation->process;
	bool made = operation->verb.type != VERB_START;
	if (made)
		process->pid = message->report.pid;
	process->state = PROCESS_RUNNING;
	process->started = true;
	streams_take(process, message, made);
	container_take_oom(process->container, message);
	publish_start(process);
	container_tell_oom(process->container);
	if (process->payload >= 0)
		close(process->payload);
	process->payload = -1;
	Containerd__Task__V2__StartResponse response = CONTAINERD__TASK__V2__START_RESPONSE__INIT;
	response.pid = (uint32_t)process->pid;
	if (operation->call)
		ttrpc_reply(operation->call, &response.base);
}

static void start_done(struct operation *operation, struct report_message *message)
{
	struct process *process = operation->process;
	struct container *container = process->container;
	bool exec = process->exec_id[0];
	process->starting = false;
	if ((process->state == PROCESS_STOPPED || process->exiting) &&
	    message->report.code == TTRPC_OK)
		/* its exit came first, so it was before the start; the runtime did not mind */
		operation_fail(operation, TTRPC_UNKNOWN, "cannot start a stopped process");
	else if (!task_report_failed(operation, message))
		started(operation, message);
	else if (exec)
		process_answer_waiters(process);
	operation_release(operation); /* an exec may be deleted in it */
	operation_free(operation);
	if (exec)
		container_exec_over(container);
}

/* An exec that begins when its init has ended would be in nobody's container. */
static enum operation_step exec_prepare(struct operation *operation)
{
	struct process *process = operation->process;
	const struct process *init = &process->container->init;
	if (init->state != PROCESS_STOPPED && !init->exiting) {
		process->starting = true;
		return OPERATION_FLY;
	}
	if (operation->call)
		ttrpc_fail(operation->call, TTRPC_FAILED_PRECONDITION,
			   "container %s init process is not running: failed precondition",
			   process->container->id);
	operation->call = NULL;
	process_answer_waiters(process);
	return OPERATION_REFUSE;
}

static int start_payload(struct ttrpc_call *call, struct process *process,
			 const struct operation_kind *kind)
{
	struct operation *operation = task_operation(call, process, kind);
	if (!operation)
		return -ENOMEM;
	operation->payload_fd = process->payload;
	operation->payload_lent = true;
	operation_submit(operation);
	return 0;
}

int task_start(struct ttrpc_call *call, const Containerd__Task__V2__StartRequest *request)
{
	static const struct operation_kind start = {.verb = VERB_START,
						    .request = REQUEST_START,
						    .exclusive = true,
						    .done = start_done};
	static const struct operation_kind restore = {.verb = VERB_RESTORE,
						      .request = REQUEST_START,
						      .exclusive = true,
						      .done = start_done};
	static const struct operation_kind exec = {.verb = VERB_EXEC,
						   .request = REQUEST_START,
						   .exclusive = true,
						   .prepare = exec_prepare,
						   .done = start_done};
	struct process *process = task_process(call, request->id, request->exec_id);
	if (!process)
		return 0;
	if (process->exec_id[0])
		return start_payload(call, process, &exec);
	if (process->state == PROCESS_CHECKPOINT)
		return start_payload(call, process, &restore);
	size_t size = process->input >= 0 ? strlen(process->paths[0]) : 0;
	return task_submit(call, process, &start, process->paths[0], size);
}

static bool strings_valid(const Containerd__Task__V2__ExecProcessRequest *request)
{
	return task_text_valid(request->stdin) && task_text_valid(request->stdout) &&
	       task_text_valid(request->stderr);
}

/* Returns whether the call has been answered: the request is not one that we carry out. */
static bool exec_refused(struct ttrpc_call *call, const struct process *init,
			 const Containerd__Task__V2__ExecProcessRequest *request)
{
	const struct server *server = task_server(call);
	const struct process_rule *rule = process_rule(init, REQUEST_EXEC);
	enum ttrpc_code code = TTRPC_OK;

	if (!server->can_exec)
		ttrpc_fail(call, code = TTRPC_UNIMPLEMENTED, "not implemented");
	else if (!id_valid(request->exec_id))
		ttrpc_fail(call, code = TTRPC_INVALID_ARGUMENT,
			   "identifier \"%.128s\" is not valid: invalid argument",
			   request->exec_id);
	else if (!strings_valid(request))
		ttrpc_fail(call, code = TTRPC_INVALID_ARGUMENT,
			   "a string of the request is not UTF-8: invalid argument");
	else if (container_process(init->container, request->exec_id))
		ttrpc_fail(call, code = TTRPC_ALREADY_EXISTS, "id %s: already exists",
			   request->exec_id);
	else if (rule->code != TTRPC_OK)
		ttrpc_fail(call, code = rule->code, "%s", rule->text);
	else if (!request->spec || request->spec->value.len == 0)
		ttrpc_fail(call, code = TTRPC_INVALID_ARGUMENT,
			   "exec spec is missing: invalid argument");
	else if (server->n_execs == EXECS_MAX)
		ttrpc_fail(call, code = TTRPC_RESOURCE_EXHAUSTED, "a shim has at most %d execs",
			   EXECS_MAX);
	return code != TTRPC_OK;
}

int task_exec(struct ttrpc_call *call, const Containerd__Task__V2__ExecProcessRequest *request)
{
	const char *const paths[] = {request->stdin, request->stdout, request->stderr};
	Containerd__Events__TaskExecAdded event = CONTAINERD__EVENTS__TASK_EXEC_ADDED__INIT;
	size_t size;
	const void *bytes = ttrpc_call_payload(call, &size);
	struct process *init = task_process(call, request->id, "");
	if (!init || exec_refused(call, init, request))
		return 0;
	int payload = payload_seal(bytes, size);
	if (payload < 0)
		return payload;
	struct process *process = process_new(init->container, request->exec_id, paths);
	if (!process) {
		close(payload);
		return -ENOMEM;
	}
	process->payload = payload;
	process->terminal = request->terminal;
	event.container_id = init->container->id;
	event.exec_id = request->exec_id;
	task_event(process, "/tasks/exec-added", &event.base);
	return task_reply_empty(call);
}
