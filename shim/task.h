/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_TASK_H
#define SHIM_TASK_H
/* What the files of the task service's methods share; handlers return what ttrpc.h says of them. */
#include "proto/task.pb-c.h"
#include "shim/server.h"

/* protobuf-c's members are called stdin, stdout and stderr, which musl defines in a way that breaks
 * access to them. */
#undef stdin
#undef stdout
#undef stderr

struct server *task_server(const struct ttrpc_call *call);
/* The process that a request names. NULL: the call has been answered. */
struct process *task_process(struct ttrpc_call *call, const char *id, const char *exec_id);
/* An operation that answers the call. NULL without memory. */
struct operation *task_operation(struct ttrpc_call *call, struct process *process,
				 const struct operation_kind *kind);
/* The same, submitted; payload_size 0: none. Returns what a handler returns. */
int task_submit(struct ttrpc_call *call, struct process *process, const struct operation_kind *kind,
		const void *payload, size_t payload_size);
/* If the monitor's answer is an error, passes it on. */
bool task_report_failed(struct operation *operation, const struct report_message *message);
int task_reply_empty(struct ttrpc_call *call);
bool task_text_valid(const char *string); /* a Go client refuses what is not UTF-8 */
char *task_text(const char *constant);    /* protobuf-c's messages have no const */
void task_event(const struct process *process, const char *topic, const ProtobufCMessage *event);

/* task_create.c, task_delete.c */
int task_create(struct ttrpc_call *call, const Containerd__Task__V2__CreateTaskRequest *request);
/* Ends the create of a container that is still being created. */
void task_create_cancel(struct container *container);
int task_delete(struct ttrpc_call *call, const Containerd__Task__V2__DeleteRequest *request);
/* A create that nobody asks for any more. */
void task_delete_unasked(struct container *container);

/* task_start.c */
int task_start(struct ttrpc_call *call, const Containerd__Task__V2__StartRequest *request);
int task_exec(struct ttrpc_call *call, const Containerd__Task__V2__ExecProcessRequest *request);

/* task_control.c */
int task_kill(struct ttrpc_call *call, const Containerd__Task__V2__KillRequest *request);
int task_pause(struct ttrpc_call *call, const Containerd__Task__V2__PauseRequest *request);
int task_resume(struct ttrpc_call *call, const Containerd__Task__V2__ResumeRequest *request);
int task_update(struct ttrpc_call *call, const Containerd__Task__V2__UpdateTaskRequest *request);
int task_checkpoint(struct ttrpc_call *call,
		    const Containerd__Task__V2__CheckpointTaskRequest *request);

/* task_look.c */
int task_state(struct ttrpc_call *call, const Containerd__Task__V2__StateRequest *request);
int task_pids(struct ttrpc_call *call, const Containerd__Task__V2__PidsRequest *request);
int task_stats(struct ttrpc_call *call, const Containerd__Task__V2__StatsRequest *request);

#endif
