/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Create. The container is made here at once, unseen by all other methods; the request goes to a worker
 * as it came, in a sealed memfd. When the worker's report is there the container is shown, its streams
 * begin to move, and TaskCreate is published before the call is answered. If anything fails the
 * container is forgotten and nothing is published.
 *
 * A runtime may hang in its create. The client's deadline ends the call, not the operation, whose
 * outcome stays visible; a Delete of the container ends both:
 *
 *   creating -> cancelling (VERB_CANCEL is on its way) -> doomed (it will fail) -> forgotten
 *
 * A create that is answered while VERB_CANCEL is on its way is deleted as any other. Of a doomed one
 * the worker is killed, and another worker undoes its work. All calls answer that it does not exist,
 * and a Shutdown does not wait for it: the delete verb undoes it as well.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "proto/events.pb-c.h"
#include "shim/config.h"
#include "shim/log.h"
#include "shim/task.h"

/* TaskCreate.pid, field 6: a varint of at most five bytes behind its tag. */
#define PID_TAG (6 << 3)
#define PID_SIZE 6

/* The request is gone when the pid is known, so the event is packed now, without it. */
static int event_pack(struct operation *operation,
		      const Containerd__Task__V2__CreateTaskRequest *request)
{
	Containerd__Events__TaskCreate event = CONTAINERD__EVENTS__TASK_CREATE__INIT;
	Containerd__Events__TaskIO io = CONTAINERD__EVENTS__TASK_IO__INIT;
	event.container_id = request->id;
	event.bundle = request->bundle;
	event.n_rootfs = request->n_rootfs;
	event.rootfs = request->rootfs;
	event.io = &io;
	event.checkpoint = request->checkpoint;
	io.stdin = request->stdin;
	io.stdout = request->stdout;
	io.stderr = request->stderr;
	io.terminal = request->terminal;

	size_t size = protobuf_c_message_get_packed_size(&event.base);
	operation->event = malloc(size + PID_SIZE);
	if (!operation->event)
		return -ENOMEM;
	operation->event_size = protobuf_c_message_pack(&event.base, operation->event);
	return 0;
}

static void event_publish(struct operation *operation, uint32_t pid)
{
	unsigned char *end = operation->event + operation->event_size;
	*end++ = PID_TAG;
	for (; pid >= 0x80; pid >>= 7)
		*end++ = (unsigned char)(pid | 0x80);
	*end++ = (unsigned char)pid;
	api_publisher_publish_packed(&operation->server->publisher, "/tasks/create",
				     containerd__events__task_create__descriptor.name,
				     operation->event, (size_t)(end - operation->event));
}

static void container_forget(struct container *container)
{
	struct server *server = container->server;
	container_free(container);
	server_update_idle(server);
}

static void created(struct operation *operation, struct report_message *message)
{
	struct process *process = operation->process;
	process->pid = message->report.pid;
	process->state = process->payload >= 0 ? PROCESS_CHECKPOINT : PROCESS_CREATED;
	process->private_pids = message->report.flags & REPORT_PRIVATE_PIDS;
	int result = process_take_output(process, message);
	if (result < 0)
		log_write(SHIM_LOG_ERROR, process->container->id,
			  "standard output is not served: %s", strerror(-result));
	container_take_oom(process->container, message);
	event_publish(operation, (uint32_t)process->pid);

	Containerd__Task__V2__CreateTaskResponse response =
		CONTAINERD__TASK__V2__CREATE_TASK_RESPONSE__INIT;
	response.pid = (uint32_t)process->pid;
	if (operation->call)
		ttrpc_reply(operation->call, &response.base);
	operation_release(operation);
	/* whoever asked for it is gone, and never learns of it */
	if (operation->call_error != 0 && operation->call_error != -ETIMEDOUT)
		task_delete_unasked(process->container);
}

static void create_done(struct operation *operation, struct report_message *message)
{
	struct process *process = operation->process;
	/* an init without a process is there for a restore only */
	if (message->report.code == TTRPC_OK && message->report.pid == 0 && process->payload < 0) {
		message->report.code = TTRPC_INTERNAL;
		message->report.text_size = 0;
	}
	if (task_report_failed(operation, message))
		container_forget(process->container);
	else
		created(operation, message);
	operation_free(operation);
}

/* They go into answers and events, which a Go client refuses whole if one is not. */
static bool strings_valid(const Containerd__Task__V2__CreateTaskRequest *request)
{
	bool valid = task_text_valid(request->bundle) && task_text_valid(request->stdin) &&
		     task_text_valid(request->stdout) && task_text_valid(request->stderr) &&
		     task_text_valid(request->checkpoint);
	for (size_t i = 0; i < request->n_rootfs && valid; i++) {
		const Containerd__Types__Mount *mount = request->rootfs[i];
		valid = task_text_valid(mount->type) && task_text_valid(mount->source) &&
			task_text_valid(mount->target);
		for (size_t k = 0; k < mount->n_options && valid; k++)
			valid = task_text_valid(mount->options[k]);
	}
	return valid;
}

static void doom(struct container *container)
{
	container->doomed = true;
	operation_fail(container->init.exclusive, TTRPC_CANCELLED,
		       "the container was deleted while it was created: canceled");
	operation_refuse_queue(&container->init);
}

static void cancel_done(struct operation *operation, struct report_message *message)
{
	/* a create that has been answered is no error: the delete behind it goes on */
	if (message->report.code == TTRPC_OK)
		doom(operation->process->container);
	operation_free(operation);
}

void task_create_cancel(struct container *container)
{
	static const struct operation_kind kind = {
		.verb = VERB_CANCEL,
		.request = REQUEST_NONE,
		.immediate = true,
		.done = cancel_done,
	};
	struct operation *create = container->init.exclusive;

	if (container->cancelling)
		return;
	if (operation_withdraw(create)) {
		doom(container);
		operation_free(create);
		container->init.exclusive = NULL;
		container_forget(container);
		return;
	}
	/* without memory the delete waits for the create */
	struct operation *operation = operation_new(container->server, &container->init, &kind);
	container->cancelling = operation != NULL;
	if (operation)
		operation_submit(operation);
}

/* Returns whether the call has been answered: the request is not one that we carry out. */
static bool refused(struct ttrpc_call *call, const Containerd__Task__V2__CreateTaskRequest *request)
{
	const struct server *server = task_server(call);
	enum ttrpc_code code = TTRPC_OK;

	if (!id_valid(request->id))
		ttrpc_fail(call, code = TTRPC_INVALID_ARGUMENT,
			   "identifier \"%.128s\" is not valid: invalid argument", request->id);
	else if (!strings_valid(request))
		ttrpc_fail(call, code = TTRPC_INVALID_ARGUMENT,
			   "a string of the request is not UTF-8: invalid argument");
	else if (server->phase != SERVER_OPEN)
		ttrpc_fail(call, code = TTRPC_UNAVAILABLE,
			   "the shim is shutting down: unavailable");
	else if (server_container(task_server(call), request->id))
		ttrpc_fail(call, code = TTRPC_ALREADY_EXISTS, "task %s: already exists",
			   request->id);
	else if (server->n_containers == CONTAINERS_MAX)
		ttrpc_fail(call, code = TTRPC_RESOURCE_EXHAUSTED,
			   "a shim has at most %d containers", CONTAINERS_MAX);
	else if (request->checkpoint[0] && !server->can_restore)
		ttrpc_fail(call, code = TTRPC_UNIMPLEMENTED, "checkpoint: not implemented");
	return code != TTRPC_OK;
}

int task_create(struct ttrpc_call *call, const Containerd__Task__V2__CreateTaskRequest *request)
{
	static const struct operation_kind kind = {
		.verb = VERB_CREATE,
		.request = REQUEST_NONE,
		.exclusive = true,
		.done = create_done,
	};
	const char *const paths[] = {request->stdin, request->stdout, request->stderr};
	size_t size;
	if (refused(call, request))
		return 0;

	const void *bytes = ttrpc_call_payload(call, &size);
	int payload = payload_seal(bytes, size);
	if (payload < 0)
		return payload;
	struct container *container =
		container_new(task_server(call), request->id, request->bundle, paths);
	struct operation *operation =
		container ? operation_new(container->server, &container->init, &kind) : NULL;
	if (!operation || event_pack(operation, request) < 0) {
		close(payload);
		if (operation)
			operation_free(operation);
		if (container)
			container_free(container);
		return -ENOMEM;
	}
	operation->payload_fd = payload;
	operation->payload_lent = request->checkpoint[0] != 0;
	container->init.payload = operation->payload_lent ? payload : -1;
	container->init.terminal = request->terminal;
	tombstone_remove(container->server, container->id);
	operation_take_call(operation, call);
	server_update_idle(container->server);
	operation_submit(operation);
	return 0;
}
