/* SPDX-License-Identifier: Apache-2.0 */
/* The methods that change what runs: Kill, Pause, Resume, Update, Checkpoint. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/events.pb-c.h"
#include "shim/task.h"

/* Answers, and lets what waits for it go on. */
static void end(struct operation *operation, const struct report_message *message)
{
	if (!task_report_failed(operation, message) && operation->call)
		task_reply_empty(operation->call);
	if (operation->kind->exclusive)
		operation_release(operation);
	operation_free(operation);
}

static void resume_done(struct operation *operation, struct report_message *message)
{
	struct process *process = operation->process;
	Containerd__Events__TaskResumed event = CONTAINERD__EVENTS__TASK_RESUMED__INIT;
	if (message->report.code == TTRPC_OK && process->state == PROCESS_PAUSED) {
		process->state = PROCESS_RUNNING;
		event.container_id = process->container->id;
		task_event(process, "/tasks/resumed", &event.base);
	}
	end(operation, message);
}

static const struct operation_kind resume = {
	.verb = VERB_RESUME, .request = REQUEST_RESUME, .exclusive = true, .done = resume_done};

static void kill_done(struct operation *operation, struct report_message *message)
{
	struct process *init = &operation->process->container->init;
	/* what a freezer of cgroup v1 holds dies when it is let go, not before */
	if (message->report.code == TTRPC_OK && operation->verb.signal == SIGKILL &&
	    init->state == PROCESS_PAUSED) {
		struct operation *thaw = operation_new(operation->server, init, &resume);
		if (thaw)
			operation_submit(thaw);
	}
	end(operation, message);
}

int task_kill(struct ttrpc_call *call, const Containerd__Task__V2__KillRequest *request)
{
	static const struct operation_kind kind = {
		.verb = VERB_KILL, .request = REQUEST_KILL, .done = kill_done};
	struct process *process = task_process(call, request->id, request->exec_id);
	if (!process)
		return 0;
	if (request->signal > SIGNAL_MAX)
		return ttrpc_fail(call, TTRPC_INVALID_ARGUMENT, "signal %u: invalid argument",
				  request->signal);
	struct operation *operation = task_operation(call, process, &kind);
	if (!operation)
		return -ENOMEM;
	operation->verb.signal = request->signal;
	operation->verb.all = request->all && !process->exec_id[0];
	operation_submit(operation);
	return 0;
}

/* State shows it while the runtime is about it. */
static enum operation_step pause_prepare(struct operation *operation)
{
	operation->process->state = PROCESS_PAUSING;
	return OPERATION_FLY;
}

static void pause_done(struct operation *operation, struct report_message *message)
{
	struct process *process = operation->process;
	Containerd__Events__TaskPaused event = CONTAINERD__EVENTS__TASK_PAUSED__INIT;
	if (process->state == PROCESS_PAUSING)
		process->state =
			message->report.code == TTRPC_OK ? PROCESS_PAUSED : PROCESS_RUNNING;
	if (process->state == PROCESS_PAUSED) {
		event.container_id = process->container->id;
		task_event(process, "/tasks/paused", &event.base);
	}
	end(operation, message);
}

int task_pause(struct ttrpc_call *call, const Containerd__Task__V2__PauseRequest *request)
{
	static const struct operation_kind kind = {.verb = VERB_PAUSE,
						   .request = REQUEST_PAUSE,
						   .exclusive = true,
						   .prepare = pause_prepare,
						   .done = pause_done};
	struct process *process = task_process(call, request->id, "");
	return process ? task_submit(call, process, &kind, NULL, 0) : 0;
}

int task_resume(struct ttrpc_call *call, const Containerd__Task__V2__ResumeRequest *request)
{
	struct process *process = task_process(call, request->id, "");
	return process ? task_submit(call, process, &resume, NULL, 0) : 0;
}

static void update_done(struct operation *operation, struct report_message *message)
{
	end(operation, message);
}

int task_update(struct ttrpc_call *call, const Containerd__Task__V2__UpdateTaskRequest *request)
{
	static const struct operation_kind kind = {.verb = VERB_UPDATE,
						   .request = REQUEST_UPDATE,
						   .exclusive = true,
						   .done = update_done};
	size_t size;
	const void *bytes = ttrpc_call_payload(call, &size);
	struct process *process = task_process(call, request->id, "");
	return process ? task_submit(call, process, &kind, bytes, size) : 0;
}

static void checkpoint_done(struct operation *operation, struct report_message *message)
{
	if (message->report.code == TTRPC_OK && operation->event)
		api_publisher_publish_packed(&operation->server->publisher, "/tasks/checkpointed",
					     containerd__events__task_checkpointed__descriptor.name,
					     operation->event, operation->event_size);
	end(operation, message);
}

int task_checkpoint(struct ttrpc_call *call,
		    const Containerd__Task__V2__CheckpointTaskRequest *request)
{
	static const struct operation_kind kind = {.verb = VERB_CHECKPOINT,
						   .request = REQUEST_CHECKPOINT,
						   .exclusive = true,
						   .done = checkpoint_done};
	Containerd__Events__TaskCheckpointed event = CONTAINERD__EVENTS__TASK_CHECKPOINTED__INIT;
	size_t size;
	const void *bytes = ttrpc_call_payload(call, &size);
	struct process *process = task_process(call, request->id, "");
	if (!process)
		return 0;
	if (!task_text_valid(request->path))
		return ttrpc_fail(call, TTRPC_INVALID_ARGUMENT,
				  "a string of the request is not UTF-8: invalid argument");
	int payload = payload_seal(bytes, size);
	if (payload < 0)
		return payload;
	struct operation *operation = task_operation(call, process, &kind);
	if (!operation) {
		close(payload);
		return -ENOMEM;
	}
	operation->payload_fd = payload;
	event.container_id = process->container->id;
	event.checkpoint = request->path;
	operation->event_size = protobuf_c_message_get_packed_size(&event.base);
	operation->event = malloc(operation->event_size);
	if (operation->event)
		protobuf_c_message_pack(&event.base, operation->event);
	operation_submit(operation);
	return 0;
}
