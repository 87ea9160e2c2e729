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
struct process *task_process(struct ttrpc_call *call, const char *id, const char *exec_id);
struct operation *task_operation(struct ttrpc_call *call, struct container *container,
				 const struct operation_kind *kind);
/* If the monitor's answer is an error, passes it on. */
bool task_report_failed(struct operation *operation, const struct report_message *message);

/* task_create.c, task_delete.c */
int task_create(struct ttrpc_call *call, const Containerd__Task__V2__CreateTaskRequest *request);
/* Ends the create of a container that is still being created. */
void task_create_cancel(struct container *container);
int task_delete(struct ttrpc_call *call, const Containerd__Task__V2__DeleteRequest *request);

#endif
