/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Version 3's table is registered with version 2's handlers. Its dispatch reads them as version 3's
 * struct, which has the same members in the same order: the size and both ends are checked here,
 * the order between them by a test that compares the two tables.
 */
#include "api/task.h"

#include <stddef.h>

#include "proto/task_v3.ttrpc.h"

_Static_assert(sizeof(struct containerd_task_v2_task_handlers) ==
		       sizeof(struct containerd_task_v3_task_handlers),
	       "both versions have the same methods");
_Static_assert(offsetof(struct containerd_task_v2_task_handlers, state) ==
			       offsetof(struct containerd_task_v3_task_handlers, state) &&
		       offsetof(struct containerd_task_v2_task_handlers, shutdown) ==
			       offsetof(struct containerd_task_v3_task_handlers, shutdown),
	       "both versions have their methods in the same order");

int api_task_register(struct ttrpc_server *server,
		      const struct containerd_task_v2_task_handlers *handlers, void *userdata)
{
	int result = containerd_task_v2_task_register(server, handlers, userdata);

	if (result < 0)
		return result;
	return ttrpc_server_register(server, &containerd_task_v3_task_service, handlers, userdata);
}
