/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What became of the processes that were deleted last. A client whose answer was lost (its deadline
 * passed, its connection broke) deletes again, and is to hear the same, not that there never was such
 * a process: it would take that for a failure and leave the shim running.
 */
#include <stdlib.h>
#include <string.h>

#include "shim/server.h"

#define TOMBSTONES_MAX 16 /* of all containers; the oldest goes */

static void remove_from(struct tombstone **link)
{
	struct tombstone *gone = *link;
	*link = gone->next;
	free(gone);
}

/* Without memory there is none: a second delete finds nothing then. */
void tombstone_add(const struct process *process)
{
	struct server *server = process->container->server;
	size_t id_size = strlen(process->container->id) + 1;
	size_t exec_size = strlen(process->exec_id) + 1;
	struct tombstone *tombstone = malloc(sizeof(*tombstone) + id_size + exec_size);
	if (!tombstone)
		return;
	*tombstone = (struct tombstone){
		.next = server->tombstones,
		.pid = (uint32_t)process->pid,
		.exit_status = process->exit_status,
		.exited_at = process->exited_at,
		.exited_at_nanos = process->exited_at_nanos,
		.exec_id = tombstone->id + id_size,
	};
	memcpy(tombstone->id, process->container->id, id_size);
	memcpy(tombstone->id + id_size, process->exec_id, exec_size);
	server->tombstones = tombstone;

	struct tombstone **link = &tombstone->next;
	for (int i = 1; *link && i < TOMBSTONES_MAX; i++)
		link = &(*link)->next;
	if (*link)
		remove_from(link);
}

const struct tombstone *tombstone_find(struct server *server, const char *id, const char *exec_id)
{
	const struct tombstone *tombstone = server->tombstones;
	while (tombstone &&
	       (strcmp(tombstone->id, id) != 0 || strcmp(tombstone->exec_id, exec_id) != 0))
		tombstone = tombstone->next;
	return tombstone;
}

void tombstone_remove(struct server *server, const char *id)
{
	struct tombstone **link = &server->tombstones;
	while (*link) {
		if (strcmp((*link)->id, id) == 0)
			remove_from(link);
		else
			link = &(*link)->next;
	}
}
