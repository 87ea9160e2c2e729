/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The task service: its table, what the files of its methods share, and the methods that answer from
 * what the server knows. A method that has no entry here is answered UNIMPLEMENTED by the library.
 */
#include "shim/task.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/task.h"
#include "shim/log.h"
#include "shim/version.h"
#include "ttrpc/text.h"

struct server *task_server(const struct ttrpc_call *call)
{
	return ttrpc_call_userdata(call);
}

struct process *task_process(struct ttrpc_call *call, const char *id, const char *exec_id)
{
	struct container *container = server_container(task_server(call), id);
	if (!container || container->init.state == PROCESS_CREATING) {
		ttrpc_fail(call, TTRPC_NOT_FOUND, "container not created: not found");
		return NULL;
	}
	struct process *process = container_process(container, exec_id);
	if (!process)
		ttrpc_fail(call, TTRPC_NOT_FOUND, "process does not exist %s: not found", exec_id);
	return process;
}

struct operation *task_operation(struct ttrpc_call *call, struct process *process,
				 const struct operation_kind *kind)
{
	struct operation *operation = operation_new(process->container->server, process, kind);
	if (operation)
		operation_take_call(operation, call);
	return operation;
}

int task_submit(struct ttrpc_call *call, struct process *process, const struct operation_kind *kind,
		const void *payload, size_t payload_size)
{
	int fd = payload_size > 0 ? payload_seal(payload, payload_size) : -1;
	if (payload_size > 0 && fd < 0)
		return fd;
	struct operation *operation = task_operation(call, process, kind);
	if (!operation) {
		if (fd >= 0)
			close(fd);
		return -ENOMEM;
	}
	operation->payload_fd = fd;
	operation_submit(operation);
	return 0;
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

int task_reply_empty(struct ttrpc_call *call)
{
	Google__Protobuf__Empty empty = GOOGLE__PROTOBUF__EMPTY__INIT;
	return ttrpc_reply(call, &empty.base);
}

bool task_text_valid(const char *string)
{
	return text_is_utf8(string, strlen(string));
}

char *task_text(const char *constant)
{
	return (char *)(uintptr_t)constant;
}

void task_event(const struct process *process, const char *topic, const ProtobufCMessage *event)
{
	api_publisher_publish(&process->container->server->publisher, topic, event);
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
	return task_reply_empty(call);
}

static int handle_resize(struct ttrpc_call *call,
			 const Containerd__Task__V2__ResizePtyRequest *request)
{
	struct process *process = task_process(call, request->id, request->exec_id);
	if (!process)
		return 0;
	const struct process_rule *rule = process_rule(process, REQUEST_RESIZE);
	if (rule->code != TTRPC_OK)
		return ttrpc_fail(call, rule->code, "%s", rule->text);
	if (request->width > UINT16_MAX || request->height > UINT16_MAX)
		return ttrpc_fail(call, TTRPC_INVALID_ARGUMENT,
				  "a terminal of %u x %u: invalid argument", request->width,
				  request->height);
	process_resize(process, request->width, request->height);
	return task_reply_empty(call);
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
	response.version = task_text(SHIM_VERSION);
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
		return task_reply_empty(call);
	return server_close(server, call);
}

static const struct containerd_task_v2_task_handlers handlers = {
	.state = task_state,
	.create = task_create,
	.start = task_start,
	.delete_ = task_delete,
	.pids = task_pids,
	.pause = task_pause,
	.resume = task_resume,
	.checkpoint = task_checkpoint,
	.kill = task_kill,
	.exec = task_exec,
	.resize_pty = handle_resize,
	.close_io = handle_close_io,
	.update = task_update,
	.wait = handle_wait,
	.stats = task_stats,
	.connect = handle_connect,
	.shutdown = handle_shutdown,
};

int task_register(struct server *server)
{
	return api_task_register(server->ttrpc, &handlers, server);
}
