/* SPDX-License-Identifier: Apache-2.0 */
/* SIGUSR1: what the server knows goes into the log, a line for each process and operation. */
#include "shim/config.h"
#include "shim/log.h"
#include "shim/server.h"

static const char *state_name(const struct process *process)
{
	static const char *const names[PROCESS_STATES] = {
		[PROCESS_CREATING] = "creating",     [PROCESS_CREATED] = "created",
		[PROCESS_CHECKPOINT] = "checkpoint", [PROCESS_RUNNING] = "running",
		[PROCESS_PAUSING] = "pausing",       [PROCESS_PAUSED] = "paused",
		[PROCESS_STOPPED] = "stopped",
	};
	return process->exiting ? "exiting" : names[process->state];
}

static const char *open_name(const struct stream *stream)
{
	return stream_open(stream) ? "open" : "closed";
}

static void dump_process(const struct process *process)
{
	size_t n_waiters = 0, n_queued = 0;
	for (const struct waiter *waiter = process->waiters; waiter; waiter = waiter->next)
		n_waiters++;
	for (const struct operation *queued = process->queue; queued; queued = queued->next)
		n_queued++;
	log_write(
		SHIM_LOG_INFO, process->container->id,
		"state: process \"%s\" pid %d %s, exit status %u, stdin %s, stdout %s, stderr %s, "
		"logger %s, verb %u under way, %zu queued, %zu waiters",
		process->exec_id, process->pid, state_name(process), process->exit_status,
		open_name(&process->streams[0]), open_name(&process->streams[1]),
		open_name(&process->streams[2]), process->logger ? "runs" : "none",
		process->exclusive ? process->exclusive->verb.type : 0, n_queued, n_waiters);
}

void server_dump(const struct server *server)
{
	log_write(
		SHIM_LOG_INFO, server->config->id,
		"state: phase %d, %zu containers, %zu execs, %zu connections, %zu operations under "
		"way, %s events wait",
		server->phase, server->n_containers, server->n_execs,
		ttrpc_server_connections(server->ttrpc), server->n_flying,
		api_publisher_idle(&server->publisher) ? "no" : "some");
	for (const struct container *c = server->containers; c; c = c->next) {
		dump_process(&c->init);
		for (const struct process *exec = c->execs; exec; exec = exec->next)
			dump_process(exec);
	}
}
