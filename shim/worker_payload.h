/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_WORKER_PAYLOAD_H
#define SHIM_WORKER_PAYLOAD_H
/*
 * The payload of a verb: what a client asked for, packed as it came. The server passed it on and may
 * lie, so that it is of the verb's container (and exec) is checked here, and what a runtime was
 * promised of it. What the task points to lives as long as the worker; nothing is to be freed.
 *
 * All return what a function of struct runtime returns; -EBADMSG: an honest server does not send this.
 */
#include "proto/task.pb-c.h"
#include "shim/failure.h"
#include "shim/pair.h"

/* Create, restore: fills in the task's options and checkpoint. */
int worker_payload_create(const struct job *job, struct runtime_task *task,
			  Containerd__Task__V2__CreateTaskRequest **ret_request);
/* Exec: fills in the task's json. */
int worker_payload_exec(const struct job *job, struct runtime_task *task,
			Containerd__Task__V2__ExecProcessRequest **ret_request);
/* Update: fills in the task's json. */
int worker_payload_update(const struct job *job, struct runtime_task *task);
/* Checkpoint: fills in the task's options and checkpoint. */
int worker_payload_checkpoint(const struct job *job, struct runtime_task *task);

/* What a function that takes a struct failure returned, as the task's error if it is refused. */
int worker_refuse(struct runtime_task *task, int result, const struct failure *failure);

#endif
