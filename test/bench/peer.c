/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What containerd does with a shim, step by step, without containerd.
 *
 *     start verb, delete verb    peer_verb.c
 *     connect      the socket that the start verb's answer names, then Connect
 *     create, start, wait, kill, delete, shutdown    one request each
 */
#include "test/bench/peer.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "test/bench/sink.h"

int peer_fail(struct peer_task *task, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(task->error, sizeof(task->error), format, arguments);
	va_end(arguments);
	return -1;
}

int peer_fail_call(struct peer_task *task, const char *call, int error)
{
	if (error == -ETIMEDOUT)
		return peer_fail(task, "%s did not answer within %u s", call,
				 task->host->seconds_max);
	return peer_fail(task, "%s: %s", call, strerror(-error));
}

int peer_begin(struct peer_task *task, const struct peer_host *host, const struct peer *peer,
	       const char *id, const struct bundle_spec *spec)
{
	int error;

	task->host = host;
	task->peer = peer;
	task->wire = WIRE_NULL;
	task->error[0] = '\0';
	snprintf(task->id, sizeof(task->id), "%s", id);
	error = bundle_init(&task->bundle, host->base, id, spec);
	if (error < 0)
		return peer_fail(task, "bundle: %s", strerror(-error));
	error = sink_swallow(task->bundle.fifos[BUNDLE_LOG]);
	if (error < 0) {
		bundle_deinit(&task->bundle);
		return peer_fail(task, "%s: %s", task->bundle.fifos[BUNDLE_LOG], strerror(-error));
	}
	return 0;
}

void peer_end(struct peer_task *task)
{
	wire_deinit(&task->wire);
	bundle_deinit(&task->bundle);
}

void peer_put_options(const struct peer_task *task, struct wire_message *message,
		      unsigned int field)
{
	struct wire_message options = {.size = 0};

	wire_put_string(&options, 6, task->host->runtime);
	wire_put_string(&options, 7, task->host->runtime_root);
	wire_put_any(message, field, "containerd.runc.v1.Options", &options);
}

int peer_call(struct peer_task *task, const char *method, const struct wire_message *request,
	      struct wire_reply *ret_reply)
{
	const char *service =
		task->peer->bootstrap ? "containerd.task.v3.Task" : "containerd.task.v2.Task";
	int error = wire_call(&task->wire, service, method, request, ret_reply);

	if (error < 0)
		return peer_fail_call(task, method, error);
	if (ret_reply->code != 0)
		return peer_fail(task, "%s: code %u: %s", method, (unsigned int)ret_reply->code,
				 ret_reply->text);
	return 0;
}

int peer_call_id(struct peer_task *task, const char *method, struct wire_reply *ret_reply)
{
	struct wire_message request = {.size = 0};

	wire_put_string(&request, 1, task->id);
	return peer_call(task, method, &request, ret_reply);
}

int peer_connect(struct peer_task *task)
{
	struct wire_reply reply;
	int error = wire_connect(&task->wire, task->address, task->host->seconds_max);

	if (error < 0)
		return peer_fail_call(task, task->address, error);
	return peer_call_id(task, "Connect", &reply);
}

int peer_create(struct peer_task *task)
{
	struct wire_message request = {.size = 0};
	struct wire_reply reply;

	wire_put_string(&request, 1, task->id);
	wire_put_string(&request, 2, task->bundle.path);
	wire_put_string(&request, 5, task->bundle.fifos[BUNDLE_STDIN]);
	wire_put_string(&request, 6, task->bundle.fifos[BUNDLE_STDOUT]);
	wire_put_string(&request, 7, task->bundle.fifos[BUNDLE_STDERR]);
	peer_put_options(task, &request, 10);
	return peer_call(task, "Create", &request, &reply);
}

int peer_start(struct peer_task *task)
{
	struct wire_reply reply;

	return peer_call_id(task, "Start", &reply);
}

int peer_wait(struct peer_task *task, unsigned int expected_status)
{
	struct wire_reply reply;
	uint64_t status = 0;

	if (peer_call_id(task, "Wait", &reply) < 0)
		return -1;
	wire_get_number(reply.payload, reply.size, 1, &status);
	if (status != expected_status)
		return peer_fail(task, "exit status %u, not %u", (unsigned int)status,
				 expected_status);
	return 0;
}

int peer_signal(struct peer_task *task, unsigned int number)
{
	struct wire_message request = {.size = 0};
	struct wire_reply reply;

	wire_put_string(&request, 1, task->id);
	wire_put_number(&request, 3, number);
	return peer_call(task, "Kill", &request, &reply);
}

int peer_kill(struct peer_task *task)
{
	return peer_signal(task, SIGKILL);
}

int peer_delete(struct peer_task *task)
{
	struct wire_reply reply;

	return peer_call_id(task, "Delete", &reply);
}

int peer_shutdown(struct peer_task *task)
{
	struct wire_message request = {.size = 0};
	struct wire_reply reply;
	int error;

	wire_put_string(&request, 1, task->id);
	error = wire_call(&task->wire,
			  task->peer->bootstrap ? "containerd.task.v3.Task"
						: "containerd.task.v2.Task",
			  "Shutdown", &request, &reply);
	wire_deinit(&task->wire);
	/* A shim may be gone before its answer is out; to the daemon that is success too. */
	if (error < 0 && error != -EPIPE && error != -ECONNRESET)
		return peer_fail_call(task, "Shutdown", error);
	return 0;
}

int peer_raise(struct peer_task *task)
{
	return peer_start_verb(task) < 0 || peer_connect(task) < 0 || peer_create(task) < 0 ||
			       peer_start(task) < 0
		       ? -1
		       : 0;
}

int peer_lower(struct peer_task *task)
{
	return peer_kill(task) < 0 || peer_wait(task, 128 + 9) < 0 || peer_delete(task) < 0 ||
			       peer_shutdown(task) < 0 || peer_delete_verb(task) < 0
		       ? -1
		       : 0;
}
