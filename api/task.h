/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_TASK_H
#define API_TASK_H
/*
 * containerd's task service. Daemons up to 1.7 call it containerd.task.v2.Task, later ones also
 * containerd.task.v3.Task; methods and messages are the same, so one struct of handlers serves both
 * names on one socket, and a shim outlives an upgrade or downgrade of its daemon.
 */
#include "proto/task.ttrpc.h"
#include "ttrpc/ttrpc.h"

#ifdef __cplusplus
extern "C" {
#endif

/* handlers must outlive the server. A negative errno leaves a server that is to be freed. */
int api_task_register(struct ttrpc_server *server,
		      const struct containerd_task_v2_task_handlers *handlers, void *userdata);

#ifdef __cplusplus
}
#endif
#endif
