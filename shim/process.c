/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process of a container as the server knows it.
 *
 *   creating -> created -> running <-> paused
 *                  |          |          |
 *                  +----> stopped <------+      then deleted: forgotten
 *
 * What a client may ask in which state is one table; its texts are what clients know.
 */
#include "shim/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/events.pb-c.h"
#include "proto/task.pb-c.h"
#include "shim/log.h"

static const char *const refusals[PROCESS_REQUESTS][PROCESS_STATES] = {
	[REQUEST_START] =
		{
			[PROCESS_RUNNING] = "cannot start a running process",
			[PROCESS_PAUSED] = "cannot start a paused process",
			[PROCESS_STOPPED] = "cannot start a stopped process",
		},
	[REQUEST_DELETE] =
		{
			[PROCESS_RUNNING] = "cannot delete a running process",
			[PROCESS_PAUSED] = "cannot delete a paused process",
		},
	[REQUEST_KILL] =
		{
			[PROCESS_STOPPED] = "process already finished: not found",
		},
};

const char *process_refusal(const struct process *process, enum process_request request)
{
	return refusals[request][process->state];
}

struct container *server_container(struct server *server, const char *id)
{
	struct container *container = server->containers;
	while (container && strcmp(container->id, id) != 0)
		container = container->next;
	return container;
}

static char *string_put(char **to, const char *text)
{
	char *start = *to;
	*to = stpcpy(start, text) + 1;
	return start;
}

static void process_init(struct process *process, struct container *container)
{
	*process = (struct process){.container = container, .exited_at = EXITED_NEVER, .input = -1};
	for (int i = 0; i < 3; i++)
		stream_init(&process->streams[i]);
}

struct container *container_new(struct server *server, const char *id, const char *bundle,
				const char *const paths[static 3])
{
	size_t id_size = strlen(id) + 1, size = strlen(bundle) + 1;
	for (int i = 0; i < 3; i++)
		size += strlen(paths[i]) + 1;
	struct container *container = calloc(1, sizeof(*container) + id_size + size);
	if (!container)
		return NULL;

	char *strings = container->id + id_size;
	memcpy(container->id, id, id_size);
	container->server = server;
	container->bundle = string_put(&strings, bundle);
	process_init(&container->init, container);
	for (int i = 0; i < 3; i++)
		container->init.paths[i] = string_put(&strings, paths[i]);
	container->next = server->containers;
	server->containers = container;
	server->n_containers++;
	return container;
}

void container_free(struct container *container)
{
	struct container **link = &container->server->containers;
	while (*link != container)
		link = &(*link)->next;
	*link = container->next;
	container->server->n_containers--;
	process_stop_streams(&container->init);
	free(container);
}

static void stream_ended(struct stream *stream, void *userdata)
{
	(void)stream;
	task_drained(userdata);
}

static int stream_take(struct process *process, int i, int *source, int *sink, int *keeper)
{
	struct stream *stream = &process->streams[i];
	if (*source < 0 || *sink < 0)
		return 0;
	int result = stream_start(stream, &process->container->server->loop, *source, *sink,
				  *keeper, stream_ended, process);
	if (result < 0)
		return result;
	*source = *sink = *keeper = -1;
	return 0;
}

int process_take_output(struct process *process, struct report_message *message)
{
	int *fds = message->fds;
	process->input = fds[ROLE_STDIN_SINK];
	fds[ROLE_STDIN_SINK] = -1;
	int result = stream_take(process, 1, &fds[ROLE_STDOUT_SOURCE], &fds[ROLE_STDOUT_SINK],
				 &fds[ROLE_STDOUT_KEEPER]);
	if (result == 0)
		result = stream_take(process, 2, &fds[ROLE_STDERR_SOURCE], &fds[ROLE_STDERR_SINK],
				     &fds[ROLE_STDERR_KEEPER]);
	return result;
}

int process_take_input(struct process *process, struct report_message *message)
{
	int *fds = message->fds;
	int result = stream_take(process, 0, &fds[ROLE_STDIN_SOURCE], &process->input,
				 &fds[ROLE_STDIN_KEEPER]);
	if (process->input_closed)
		stream_close_keeper(&process->streams[0]);
	return result;
}

void process_close_input(struct process *process)
{
	process->input_closed = true;
	stream_close_keeper(&process->streams[0]);
}

void process_stop_streams(struct process *process)
{
	for (int i = 0; i < 3; i++)
		stream_stop(&process->streams[i]);
	if (process->input >= 0)
		close(process->input);
	process->input = -1;
}

/* What the process wrote has reached containerd's FIFOs, all of it. */
bool process_drained(const struct process *process)
{
	return !stream_open(&process->streams[1]) && !stream_open(&process->streams[2]);
}

int process_answer_wait(const struct process *process, struct ttrpc_call *call)
{
	Google__Protobuf__Timestamp exited_at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Containerd__Task__V2__WaitResponse response = CONTAINERD__TASK__V2__WAIT_RESPONSE__INIT;
	exited_at.seconds = process->exited_at;
	exited_at.nanos = (int32_t)process->exited_at_nanos;
	response.exit_status = process->exit_status;
	response.exited_at = &exited_at;
	return ttrpc_reply(call, &response.base);
}

static void waiter_remove(struct waiter *waiter)
{
	struct waiter **link = &waiter->process->waiters;
	while (*link != waiter)
		link = &(*link)->next;
	*link = waiter->next;
	free(waiter);
}

static void wait_cancelled(struct ttrpc_call *call, void *userdata)
{
	(void)call;
	waiter_remove(userdata);
}

int process_wait(struct process *process, struct ttrpc_call *call)
{
	if (process->state == PROCESS_STOPPED)
		return process_answer_wait(process, call);
	struct waiter *waiter = calloc(1, sizeof(*waiter));
	if (!waiter)
		return -ENOMEM;
	waiter->process = process;
	waiter->call = call;
	waiter->next = process->waiters;
	process->waiters = waiter;
	ttrpc_call_take(call, wait_cancelled, waiter);
	return 0;
}

void process_dismiss(struct process *process)
{
	while (process->waiters) {
		struct waiter *waiter = process->waiters;
		ttrpc_fail(waiter->call, TTRPC_UNAVAILABLE,
			   "the shim is shutting down: unavailable");
		waiter_remove(waiter);
	}
}

static void publish_exit(const struct process *process)
{
	struct container *container = process->container;
	Google__Protobuf__Timestamp exited_at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Containerd__Events__TaskExit event = CONTAINERD__EVENTS__TASK_EXIT__INIT;
	exited_at.seconds = process->exited_at;
	exited_at.nanos = (int32_t)process->exited_at_nanos;
	event.container_id = container->id;
	event.id = container->id;
	event.pid = (uint32_t)process->pid;
	event.exit_status = process->exit_status;
	event.exited_at = &exited_at;
	api_publisher_publish(&container->server->publisher, "/tasks/exit", &event.base);
}

void process_exited(struct process *process, const struct report *report)
{
	process->state = PROCESS_STOPPED;
	process->exit_status = report->exit_status;
	process->exited_at = report->exited_at;
	process->exited_at_nanos = report->exited_at_nanos;
	publish_exit(process);
	while (process->waiters) {
		struct waiter *waiter = process->waiters;
		process_answer_wait(process, waiter->call);
		waiter_remove(waiter);
	}
}
