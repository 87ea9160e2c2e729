/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The methods of the task service that answer from what the server knows, or pass the question on to
 * the monitor as it is. Create and Delete have files of their own. A method that has no entry here is
 * answered UNIMPLEMENTED by the library.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/task.h"
#include "proto/events.pb-c.h"
#include "shim/config.h"
#include "shim/log.h"
#include "shim/server.h"
#include "shim/task.h"
#include "shim/version.h"

struct server *task_server(const struct ttrpc_call *call)
{
	return ttrpc_call_userdata(call);
}

/* The process that a request names. NULL: the call has been answered. */
struct process *task_process(struct ttrpc_call *call, const char *id, const char *exec_id)
{
	struct container *container = server_container(task_server(call), id);
	if (!container || container->init.state == PROCESS_CREATING) {
		ttrpc_fail(call, TTRPC_NOT_FOUND, "container not created: not found");
		return NULL;
	}
	if (exec_id[0]) {
		ttrpc_fail(call, TTRPC_NOT_FOUND, "process does not exist %s: not found", exec_id);
		return NULL;
	}
	return &container->init;
}

/* Begins an operation that is of no other effect on the server than its answer. */
struct operation *task_operation(struct ttrpc_call *call, struct container *container,
				 const struct operation_kind *kind)
{
	struct operation *operation = operation_new(container->server, container, kind);
	if (operation)
		operation_take_call(operation, call);
	return operation;
}

bool task_report_failed(struct operation *operation, const struct report_message *message)
{
	const struct report *report = &message->report;
	if (report->code == TTRPC_OK)
		return false;
	if (operation->call)
		ttrpc_fail(operation->call, report->code, "%.*s", (int)report->text_size,
			   message->text);
	operation->call = NULL;
	return true;
}

static int reply_empty(struct ttrpc_call *call)
{
	Google__Protobuf__Empty empty = GOOGLE__PROTOBUF__EMPTY__INIT;
	return ttrpc_reply(call, &empty.base);
}

static Containerd__Task__V2__Status status_of(const struct process *process)
{
	static const Containerd__Task__V2__Status statuses[PROCESS_STATES] = {
		[PROCESS_CREATING] = CONTAINERD__TASK__V2__STATUS__UNKNOWN,
		[PROCESS_CREATED] = CONTAINERD__TASK__V2__STATUS__CREATED,
		[PROCESS_RUNNING] = CONTAINERD__TASK__V2__STATUS__RUNNING,
		[PROCESS_PAUSED] = CONTAINERD__TASK__V2__STATUS__PAUSED,
		[PROCESS_STOPPED] = CONTAINERD__TASK__V2__STATUS__STOPPED,
	};
	return statuses[process->state];
}

static char *text(const char *constant)
{
	return (char *)(uintptr_t)constant; /* protobuf-c's messages have no const */
}

static int handle_state(struct ttrpc_call *call, const Containerd__Task__V2__StateRequest *request)
{
	struct process *process = task_process(call, request->id, request->exec_id);
	if (!process)
		return 0;
	Google__Protobuf__Timestamp exited_at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Containerd__Task__V2__StateResponse response = CONTAINERD__TASK__V2__STATE_RESPONSE__INIT;
	exited_at.seconds = process->exited_at;
	exited_at.nanos = (int32_t)process->exited_at_nanos;
	response.id = process->container->id;
	response.bundle = text(process->container->bundle);
	response.pid = (uint32_t)process->pid;
	response.status = status_of(process);
	response.stdin = text(process->paths[0]);
	response.stdout = text(process->paths[1]);
	response.stderr = text(process->paths[2]);
	response.exit_status = process->exit_status;
	response.exited_at = &exited_at;
	return ttrpc_reply(call, &response.base);
}

static void publish_start(const struct process *process)
{
	Containerd__Events__TaskStart event = CONTAINERD__EVENTS__TASK_START__INIT;
	event.container_id = process->container->id;
	event.pid = (uint32_t)process->pid;
	api_publisher_publish(&process->container->server->publisher, "/tasks/start", &event.base);
}

static void start_done(struct operation *operation, struct report_message *message)
{
	struct process *process = &operation->container->init;
	if (process->state == PROCESS_STOPPED && message->report.code == TTRPC_OK) {
		/* its exit came first, so it was before the start; the runtime did not mind */
		operation_fail(operation, TTRPC_UNKNOWN, process_refusal(process, REQUEST_START));
	} else if (!task_report_failed(operation, message)) {
		process->state = PROCESS_RUNNING;
		process->started = true;
		int result = process_take_input(process, message);
		if (result < 0)
			log_write(SHIM_LOG_ERROR, process->container->id,
				  "standard input is not served: %s", strerror(-result));
		publish_start(process);
		Containerd__Task__V2__StartResponse response =
			CONTAINERD__TASK__V2__START_RESPONSE__INIT;
		response.pid = (uint32_t)process->pid;
		if (operation->call)
			ttrpc_reply(operation->call, &response.base);
	}
	operation_release(operation);
	operation_free(operation);
}

static int handle_start(struct ttrpc_call *call, const Containerd__Task__V2__StartRequest *request)
{
	static const struct operation_kind kind = {
		.verb = VERB_START,
		.request = REQUEST_START,
		.refusal = TTRPC_UNKNOWN,
		.exclusive = true,
		.done = start_done,
	};
	struct process *process = task_process(call, request->id, request->exec_id);
	if (!process)
		return 0;
	int payload = -1;
	if (process->input >= 0)
		payload = payload_seal(process->paths[0], strlen(process->paths[0]));
	if (process->input >= 0 && payload < 0)
		return payload;
	struct operation *operation = task_operation(call, process->container, &kind);
	if (!operation) {
		if (payload >= 0)
			close(payload);
		return -ENOMEM;
	}
	operation->payload_fd = payload;
	operation_submit(operation);
	return 0;
}

static void kill_done(struct operation *operation, struct report_message *message)
{
	if (!task_report_failed(operation, message) && operation->call)
		reply_empty(operation->call);
	operation_free(operation);
}

static int handle_kill(struct ttrpc_call *call, const Containerd__Task__V2__KillRequest *request)
{
	static const struct operation_kind kind = {
		.verb = VERB_KILL,
		.request = REQUEST_KILL,
		.refusal = TTRPC_NOT_FOUND,
		.done = kill_done,
	};
	struct process *process = task_process(call, request->id, request->exec_id);
	if (!process)
		return 0;
	if (request->signal > SIGNAL_MAX)
		return ttrpc_fail(call, TTRPC_INVALID_ARGUMENT, "signal %u: invalid argument",
				  request->signal);
	struct operation *operation = task_operation(call, process->container, &kind);
	if (!operation)
		return -ENOMEM;
	operation->verb.signal = request->signal;
	operation->verb.all = request->all != 0;
	operation_submit(operation);
	return 0;
}

static int reply_pids(struct ttrpc_call *call, const pid_t *pids, size_t n)
{
	Containerd__Task__V2__PidsResponse response = CONTAINERD__TASK__V2__PIDS_RESPONSE__INIT;
	Containerd__Task__V2__ProcessInfo *infos = calloc(n + 1, sizeof(*infos));
	Containerd__Task__V2__ProcessInfo **list = calloc(n + 1, sizeof(*list));
	int result = -ENOMEM;

	if (infos && list) {
		for (size_t i = 0; i < n; i++) {
			containerd__task__v2__process_info__init(&infos[i]);
			infos[i].pid = (uint32_t)pids[i];
			list[i] = &infos[i];
		}
		response.n_processes = n;
		response.processes = list;
		result = ttrpc_reply(call, &response.base);
	}
	free(infos);
	free(list);
	return result;
}

/* Returns what was read of the result with init among it, or a negative errno. */
static int pids_read(int fd, size_t size, pid_t init, pid_t **ret_pids, size_t *ret_n)
{
	size_t n = size / sizeof(pid_t);
	if (fd < 0)
		return -EBADMSG;
	if (n > RUNTIME_PIDS_MAX)
		return -E2BIG;
	pid_t *pids = calloc(n + 1, sizeof(*pids));
	if (!pids)
		return -ENOMEM;
	if (pread(fd, pids, n * sizeof(*pids), 0) != (ssize_t)(n * sizeof(*pids))) {
		free(pids);
		return -EIO;
	}
	bool found = init == 0;
	for (size_t i = 0; i < n && !found; i++)
		found = pids[i] == init;
	if (!found)
		pids[n++] = init; /* a client that sees no process takes the shim for leaked */
	*ret_pids = pids;
	*ret_n = n;
	return 0;
}

static void pids_done(struct operation *operation, struct report_message *message)
{
	struct container *container = operation->container;
	struct ttrpc_call *call = operation->call;
	pid_t *pids = NULL;
	size_t n = 0;

	if (!task_report_failed(operation, message) && call) {
		int result = pids_read(message->fds[ROLE_RESULT], message->report.result_size,
				       container ? container->init.pid : 0, &pids, &n);
		if (result == 0)
			result = reply_pids(call, pids, n);
		if (result < 0)
			ttrpc_fail(call, ttrpc_code_from_errno(result), "%s", strerror(-result));
	}
	free(pids);
	operation_free(operation);
}

static int handle_pids(struct ttrpc_call *call, const Containerd__Task__V2__PidsRequest *request)
{
	static const struct operation_kind kind = {
		.verb = VERB_PIDS, .request = REQUEST_NONE, .done = pids_done};
	struct process *process = task_process(call, request->id, "");
	if (!process)
		return 0;
	/* Until its delete: containerd 1.7 and later drop a task that has no process, exit and all. */
	if (process->state == PROCESS_STOPPED)
		return reply_pids(call, &process->pid, 1);
	struct operation *operation = task_operation(call, process->container, &kind);
	if (!operation)
		return -ENOMEM;
	operation_submit(operation);
	return 0;
}

static int handle_wait(struct ttrpc_call *call, const Containerd__Task__V2__WaitRequest *request)
{
	struct process *process = task_process(call, request->id, request->exec_id);
	return process ? process_wait(process, call) : 0;
}

static int handle_close_io(struct ttrpc_call *call,
			   const Containerd__Task__V2__CloseIORequest *request)
{
	struct process *process = task_process(call, request->id, request->exec_id);
	if (!process)
		return 0;
	process_close_input(process);
	return reply_empty(call);
}

static int handle_connect(struct ttrpc_call *call,
			  const Containerd__Task__V2__ConnectRequest *request)
{
	struct server *server = task_server(call);
	struct container *container = server_container(server, request->id);
	Containerd__Task__V2__ConnectResponse response =
		CONTAINERD__TASK__V2__CONNECT_RESPONSE__INIT;
	response.shim_pid = (uint32_t)server->pid;
	response.task_pid = container ? (uint32_t)container->init.pid : 0;
	response.version = text(SHIM_VERSION);
	return ttrpc_reply(call, &response.base);
}

static bool in_use(const struct server *server)
{
	const struct container *container = server->containers;
	while (container && container->doomed)
		container = container->next;
	return container != NULL;
}

static int handle_shutdown(struct ttrpc_call *call,
			   const Containerd__Task__V2__ShutdownRequest *request)
{
	struct server *server = task_server(call);
	(void)request;
	if (in_use(server) || server->phase != SERVER_OPEN)
		return reply_empty(call);
	return server_close(server, call);
}

static const struct containerd_task_v2_task_handlers handlers = {
	.state = handle_state,
	.create = task_create,
	.start = handle_start,
	.delete_ = task_delete,
	.pids = handle_pids,
	.kill = handle_kill,
	.close_io = handle_close_io,
	.wait = handle_wait,
	.connect = handle_connect,
	.shutdown = handle_shutdown,
};

int task_register(struct server *server)
{
	return api_task_register(server->ttrpc, &handlers, server);
}
