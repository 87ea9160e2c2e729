/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Delete. The runtime's remove and the draining of the container's output go on side by side:
 *
 *   asked -> removed (the monitor has forgotten the container) -> drained, or time is up -> answered
 *
 * One that is being created is waited for, and its create is ended: see task_create.c. A container that
 * never ran its program has nothing to drain. The drain ends before the caller's
 * deadline, so that the answer still reaches it. The init's exit is known before the monitor's answer
 * is, see monitor.c.
 */
#include <errno.h>
#include <string.h>

#include "proto/events.pb-c.h"
#include "shim/log.h"
#include "shim/task.h"

#define SECOND UINT64_C(1000000000)
#define DRAIN_TIME (10 * SECOND) /* a process that left the container may hold the pipes for ever */
#define DRAIN_MARGIN (SECOND / 2) /* before the caller's deadline */

#define container_of(pointer, type, member)                                                        \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

static void publish_delete(const struct process *process)
{
	Google__Protobuf__Timestamp exited_at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Containerd__Events__TaskDelete event = CONTAINERD__EVENTS__TASK_DELETE__INIT;
	exited_at.seconds = process->exited_at;
	exited_at.nanos = (int32_t)process->exited_at_nanos;
	event.container_id = process->container->id;
	event.pid = (uint32_t)process->pid;
	event.exit_status = process->exit_status;
	event.exited_at = &exited_at;
	api_publisher_publish(&process->container->server->publisher, "/tasks/delete", &event.base);
}

static void answer(struct ttrpc_call *call, const struct process *process)
{
	Google__Protobuf__Timestamp exited_at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Containerd__Task__V2__DeleteResponse response = CONTAINERD__TASK__V2__DELETE_RESPONSE__INIT;
	exited_at.seconds = process->exited_at;
	exited_at.nanos = (int32_t)process->exited_at_nanos;
	response.pid = (uint32_t)process->pid;
	response.exit_status = process->exit_status;
	response.exited_at = &exited_at;
	ttrpc_reply(call, &response.base);
}

static void finish(struct operation *operation)
{
	struct container *container = operation->container;
	struct server *server = container->server;

	process_stop_streams(&container->init);
	publish_delete(&container->init);
	if (operation->call)
		answer(operation->call, &container->init);
	operation_forget(container);
	container_free(container);
	operation_free(operation);
	server_update_idle(server);
}

static void drain_over(struct ttrpc_timer *timer)
{
	finish(container_of(timer, struct operation, drain));
}

void task_drained(struct process *process)
{
	struct operation *operation = process->container->exclusive;
	if (operation && operation->deleted && process_drained(process))
		finish(operation);
}

static uint64_t drain_deadline(const struct operation *operation)
{
	uint64_t deadline = operation->asked_at + DRAIN_TIME;
	uint64_t caller = operation->call ? ttrpc_call_deadline(operation->call) : 0;
	if (caller != 0 && caller < deadline + DRAIN_MARGIN)
		deadline = caller > DRAIN_MARGIN ? caller - DRAIN_MARGIN : 0;
	return deadline;
}

static void delete_done(struct operation *operation, struct report_message *message)
{
	struct process *process = &operation->container->init;
	if (task_report_failed(operation, message)) {
		operation_release(operation);
		operation_free(operation);
		return;
	}
	operation->deleted = true;
	if (process->started && !process_drained(process))
		ttrpc_timer_set(&operation->server->loop, &operation->drain,
				drain_deadline(operation), drain_over);
	else
		finish(operation);
}

int task_delete(struct ttrpc_call *call, const Containerd__Task__V2__DeleteRequest *request)
{
	static const struct operation_kind kind = {
		.verb = VERB_DELETE,
		.request = REQUEST_DELETE,
		.refusal = TTRPC_UNKNOWN,
		.exclusive = true,
		.done = delete_done,
	};
	struct container *container = server_container(task_server(call), request->id);
	bool creating = container && container->init.state == PROCESS_CREATING &&
			!container->doomed && !request->exec_id[0];
	struct process *process =
		creating ? &container->init : task_process(call, request->id, request->exec_id);
	if (!process)
		return 0;
	struct operation *operation = task_operation(call, process->container, &kind);
	if (!operation)
		return -ENOMEM;
	operation->asked_at = ttrpc_now();
	operation_submit(operation);
	if (creating)
		task_create_cancel(container);
	return 0;
}
