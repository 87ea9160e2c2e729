/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of clients, read by a worker as hostile: see worker_payload.h. */
#include "shim/worker_payload.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "ttrpc/ttrpc.h"
#include "ttrpc/view.h"

/* The limit is the server's own, and it counts in the same way: what it took is not refused here. */
static int payload_unpack(const struct job *job, struct runtime_task *task,
			  const ProtobufCMessageDescriptor *descriptor,
			  ProtobufCMessage **ret_message)
{
	struct arena arena; /* its memory lives as long as the worker */
	struct stat file;
	void *bytes = NULL;

	if (job->payload_fd < 0)
		return -EBADMSG;
	if (fstat(job->payload_fd, &file) < 0)
		return -errno;
	if (file.st_size > 0)
		bytes = mmap(NULL, (size_t)file.st_size, PROT_READ, MAP_PRIVATE, job->payload_fd,
			     0);
	if (bytes == MAP_FAILED)
		return -errno;
	arena_init(&arena, NULL, 0, TTRPC_DECODED_MAX);
	ProtobufCMessage *message = view_unpack(&arena, descriptor, bytes, (size_t)file.st_size);
	if (!message && arena.exceeded)
		return runtime_fail(task, RUNTIME_RESOURCE_EXHAUSTED,
				    "decoded message is above the limit of %zu bytes, or too deep",
				    arena.limit);
	if (!message)
		return -EBADMSG;
	*ret_message = message;
	return 0;
}

static void take_options(struct runtime_task *task, const Google__Protobuf__Any *options)
{
	if (!options || options->value.len == 0)
		return;
	task->options.type_url = options->type_url;
	task->options.value = options->value.data;
	task->options.size = options->value.len;
}

static int refuse_json(struct runtime_task *task, const char *name, const char *why)
{
	return runtime_fail(task, RUNTIME_INVALID_ARGUMENT, "%s %s: invalid argument", name, why);
}

/* A copy, since a runtime is promised a NUL behind it. */
static int take_json(struct runtime_task *task, const char *name, const Google__Protobuf__Any *any)
{
	json_error_t error;

	if (!any || any->value.len == 0)
		return refuse_json(task, name, "is missing");
	char *text = malloc(any->value.len + 1);
	if (!text)
		return -ENOMEM;
	memcpy(text, any->value.data, any->value.len);
	text[any->value.len] = 0;
	json_t *root = json_loadb(text, any->value.len, 0, &error);
	if (!json_is_object(root))
		return refuse_json(task, name, root ? "is no JSON object" : error.text);
	json_decref(root);
	task->json = text;
	task->json_size = any->value.len;
	return 0;
}

static bool same_folder(const char *one, const char *other)
{
	struct stat a, b;
	return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

int worker_payload_create(const struct job *job, struct runtime_task *task,
			  Containerd__Task__V2__CreateTaskRequest **ret_request)
{
	ProtobufCMessage *message;
	int result = payload_unpack(
		job, task, &containerd__task__v2__create_task_request__descriptor, &message);
	if (result < 0)
		return result;
	Containerd__Task__V2__CreateTaskRequest *request = (void *)message;
	if (strcmp(request->id, job->verb->id) != 0)
		return -EBADMSG;
	if (!same_folder(request->bundle, job->bundle))
		return runtime_fail(task, RUNTIME_INVALID_ARGUMENT,
				    "bundle %s is not %s: invalid argument", request->bundle,
				    job->bundle);
	take_options(task, request->options);
	task->checkpoint = request->checkpoint;
	task->parent_checkpoint = request->parent_checkpoint;
	*ret_request = request;
	return 0;
}

int worker_payload_exec(const struct job *job, struct runtime_task *task,
			Containerd__Task__V2__ExecProcessRequest **ret_request)
{
	ProtobufCMessage *message;
	int result = payload_unpack(
		job, task, &containerd__task__v2__exec_process_request__descriptor, &message);
	if (result < 0)
		return result;
	Containerd__Task__V2__ExecProcessRequest *request = (void *)message;
	if (strcmp(request->id, job->verb->id) != 0 ||
	    strcmp(request->exec_id, job->verb->exec_id) != 0 || !request->exec_id[0])
		return -EBADMSG;
	result = take_json(task, "exec spec", request->spec);
	if (result == 0)
		*ret_request = request;
	return result;
}

int worker_payload_update(const struct job *job, struct runtime_task *task)
{
	ProtobufCMessage *message;
	int result = payload_unpack(
		job, task, &containerd__task__v2__update_task_request__descriptor, &message);
	if (result < 0)
		return result;
	const Containerd__Task__V2__UpdateTaskRequest *request = (void *)message;
	if (strcmp(request->id, job->verb->id) != 0)
		return -EBADMSG;
	return take_json(task, "update spec", request->resources);
}

int worker_payload_checkpoint(const struct job *job, struct runtime_task *task)
{
	ProtobufCMessage *message;
	int result = payload_unpack(
		job, task, &containerd__task__v2__checkpoint_task_request__descriptor, &message);
	if (result < 0)
		return result;
	const Containerd__Task__V2__CheckpointTaskRequest *request = (void *)message;
	if (strcmp(request->id, job->verb->id) != 0)
		return -EBADMSG;
	if (!request->path[0])
		return runtime_fail(task, RUNTIME_INVALID_ARGUMENT,
				    "the checkpoint's path is missing: invalid argument");
	take_options(task, request->options);
	task->checkpoint = request->path;
	return 0;
}

int worker_refuse(struct runtime_task *task, int result, const struct failure *failure)
{
	if (result == FAILURE_REFUSED)
		return runtime_fail(task, RUNTIME_UNKNOWN, "%s", failure->text);
	return result;
}
