/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Delete. Of an init the runtime's remove and the draining of its output go on side by side:
 *
 *   asked -> (logger drained) -> removed (the monitor has forgotten the container)
 *         -> drained, or time is up -> answered
 *
 * Of an exec the server alone has to forget: asked -> drained, or time is up -> answered.
 *
 * A process that never ran its program has nothing to drain. The drain ends before the caller's
 * deadline, so that the answer still reaches it. The init's exit is known before the monitor's answer
 * is, see monitor.c. A logger that has not ended by then is ended; of a container it is waited for
 * first, since the monitor forgets it with its container.
 *
 * One that is being created is waited for, and its create is ended: see task_create.c. So is, after
 * HANG_TIME, any other operation that the delete has to wait for: nobody else would end it.
 *
 * The answer is kept: see tombstone.c.
 */
#include <errno.h>
#include <string.h>

#include "proto/events.pb-c.h"
#include "shim/log.h"
#include "shim/task.h"

#define SECOND UINT64_C(1000000000)
#define DRAIN_TIME (10 * SECOND) /* a process that left the container may hold the pipes for ever */
#define DRAIN_MARGIN (SECOND / 2) /* before the caller's deadline */
#define HANG_TIME (3 * SECOND)

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
	task_event(process, "/tasks/delete", &event.base);
}

static int answer(struct ttrpc_call *call, const struct tombstone *tombstone)
{
	Google__Protobuf__Timestamp exited_at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Containerd__Task__V2__DeleteResponse response = CONTAINERD__TASK__V2__DELETE_RESPONSE__INIT;
	exited_at.seconds = tombstone->exited_at;
	exited_at.nanos = (int32_t)tombstone->exited_at_nanos;
	response.pid = tombstone->pid;
	response.exit_status = tombstone->exit_status;
	response.exited_at = &exited_at;
	return ttrpc_reply(call, &response.base);
}

static void answer_process(struct ttrpc_call *call, const struct process *process)
{
	const struct tombstone now = {.pid = (uint32_t)process->pid,
				      .exit_status = process->exit_status,
				      .exited_at = process->exited_at,
				      .exited_at_nanos = process->exited_at_nanos};
	answer(call, &now);
}

static void ignore(struct operation *operation, struct report_message *message)
{
	(void)message;
	operation_free(operation);
}

static void logger_end(struct process *process)
{
	static const struct operation_kind kind = {
		.verb = VERB_END_LOGGER, .request = REQUEST_NONE, .done = ignore};
	if (!process->logger)
		return;
	process->logger = false;
	struct operation *operation = operation_new(process->container->server, process, &kind);
	if (operation)
		operation_fly(operation);
}

/* Deletes that came meanwhile hear the same. */
static void queue_answer(struct process *process)
{
	struct operation **link = &process->queue;
	while (*link) {
		struct operation *operation = *link;
		if (operation->kind->request != REQUEST_DELETE || operation->process != process) {
			link = &operation->next;
			continue;
		}
		*link = operation->next;
		if (operation->call)
			answer_process(operation->call, process);
		operation_free(operation);
	}
}

/* Both free the operation, and what it is about. */
static void forget_exec(struct operation *operation)
{
	struct process *process = operation->process;

	logger_end(process);
	tombstone_add(process);
	if (operation->call)
		answer_process(operation->call, process);
	queue_answer(process);
	process_free(process);
	operation_free(operation);
}

static void forget_init(struct operation *operation)
{
	struct process *init = operation->process;
	struct server *server = operation->server;

	process_exits_over(init);
	process_stop_streams(init);
	publish_delete(init);
	tombstone_add(init);
	if (operation->call)
		answer_process(operation->call, init);
	queue_answer(init);
	container_free(init->container);
	operation_free(operation);
	server_update_idle(server);
}

static uint64_t drain_deadline(const struct operation *operation)
{
	uint64_t deadline = operation->asked_at + DRAIN_TIME;
	uint64_t caller = operation->call ? ttrpc_call_deadline(operation->call) : 0;
	if (caller != 0 && caller < deadline + DRAIN_MARGIN)
		deadline = caller > DRAIN_MARGIN ? caller - DRAIN_MARGIN : 0;
	return deadline;
}

static void drain_over(struct ttrpc_timer *timer)
{
	struct operation *operation = container_of(timer, struct operation, timer);
	operation->drained(operation);
}

/* Calls then when there is nothing more to wait for, which may be now. */
static void drain(struct operation *operation, void (*then)(struct operation *operation))
{
	const struct process *process = operation->process;
	if (!process->started || process_drained(process)) {
		then(operation);
		return;
	}
	operation->drained = then;
	ttrpc_timer_set(&operation->server->loop, &operation->timer, drain_deadline(operation),
			drain_over);
}

void task_drained(struct process *process)
{
	struct operation *operation = process->exclusive;
	if (operation && operation->drained && process_drained(process))
		operation->drained(operation);
}

static void logger_over(struct operation *operation)
{
	operation->drained = NULL;
	ttrpc_timer_clear(&operation->timer);
	logger_end(operation->process);
	operation_fly(operation);
}

static enum operation_step init_prepare(struct operation *operation)
{
	if (!operation->process->logger)
		return OPERATION_FLY;
	drain(operation, logger_over);
	return OPERATION_WAIT;
}

static void init_deleted(struct operation *operation, struct report_message *message)
{
	if (!task_report_failed(operation, message)) {
		drain(operation, forget_init);
		return;
	}
	operation_release(operation);
	operation_free(operation);
}

static enum operation_step exec_prepare(struct operation *operation)
{
	drain(operation, forget_exec);
	return OPERATION_WAIT;
}

static const struct operation_kind delete_init = {.verb = VERB_DELETE,
						  .request = REQUEST_DELETE,
						  .exclusive = true,
						  .prepare = init_prepare,
						  .done = init_deleted};
static const struct operation_kind delete_exec = {
	.request = REQUEST_DELETE, .exclusive = true, .prepare = exec_prepare};

void task_delete_unasked(struct container *container)
{
	struct operation *operation =
		operation_new(container->server, &container->init, &delete_init);
	if (!operation)
		return;
	operation->asked_at = ttrpc_now();
	operation_submit(operation);
}

/*
 * What it waits for does not end by itself; another delete does, and is not to be cut short. Again and
 * again, since there may be several that hang, and since one cancel need not help: see process.c.
 */
static void hang_over(struct ttrpc_timer *timer)
{
	const struct operation *operation = container_of(timer, struct operation, timer);
	const struct operation *busy = operation->process->exclusive;
	if (busy && busy->kind->request != REQUEST_DELETE)
		operation_cancel(operation->process);
	ttrpc_timer_set(&operation->server->loop, timer, ttrpc_now() + HANG_TIME, hang_over);
}

static int submit(struct ttrpc_call *call, struct process *process)
{
	bool creating = process->state == PROCESS_CREATING;
	bool waits = process->exclusive && process->exclusive->verb.type != VERB_DELETE;
	struct operation *operation =
		task_operation(call, process, process->exec_id[0] ? &delete_exec : &delete_init);
	if (!operation)
		return -ENOMEM;
	operation->asked_at = ttrpc_now();
	if (waits && !creating)
		ttrpc_timer_set(&operation->server->loop, &operation->timer,
				operation->asked_at + HANG_TIME, hang_over);
	operation_submit(operation);
	if (creating)
		task_create_cancel(process->container);
	return 0;
}

int task_delete(struct ttrpc_call *call, const Containerd__Task__V2__DeleteRequest *request)
{
	struct server *server = task_server(call);
	struct container *container = server_container(server, request->id);
	struct process *process = container ? container_process(container, request->exec_id) : NULL;
	if (process && process->state == PROCESS_CREATING && !container->doomed)
		return submit(call, process);
	if (!process) {
		const struct tombstone *tombstone =
			tombstone_find(server, request->id, request->exec_id);
		if (tombstone)
			return answer(call, tombstone);
	}
	process = task_process(call, request->id, request->exec_id);
	return process ? submit(call, process) : 0;
}
