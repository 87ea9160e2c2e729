/* SPDX-License-Identifier: Apache-2.0 */
/* The methods that look: State, Pids, Stats. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shim/task.h"

#define DETAILS_TYPE "containerd.runc.v1.ProcessDetails"
#define STATS_MAX (1u << 20) /* bytes of an answer; a hundred thousand processors fit */

static Containerd__Task__V2__Status status_of(const struct process *process)
{
	static const Containerd__Task__V2__Status statuses[PROCESS_STATES] = {
		[PROCESS_CREATING] = CONTAINERD__TASK__V2__STATUS__UNKNOWN,
		[PROCESS_CREATED] = CONTAINERD__TASK__V2__STATUS__CREATED,
		[PROCESS_CHECKPOINT] = CONTAINERD__TASK__V2__STATUS__CREATED,
		[PROCESS_RUNNING] = CONTAINERD__TASK__V2__STATUS__RUNNING,
		[PROCESS_PAUSING] = CONTAINERD__TASK__V2__STATUS__PAUSING,
		[PROCESS_PAUSED] = CONTAINERD__TASK__V2__STATUS__PAUSED,
		[PROCESS_STOPPED] = CONTAINERD__TASK__V2__STATUS__STOPPED,
	};
	enum process_state init = process->container->init.state;
	/* an exec is paused with its container */
	if (process->state == PROCESS_RUNNING &&
	    (init == PROCESS_PAUSING || init == PROCESS_PAUSED))
		return statuses[init];
	return statuses[process->state];
}

int task_state(struct ttrpc_call *call, const Containerd__Task__V2__StateRequest *request)
{
	struct process *process = task_process(call, request->id, request->exec_id);
	if (!process)
		return 0;
	Google__Protobuf__Timestamp exited_at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Containerd__Task__V2__StateResponse response = CONTAINERD__TASK__V2__STATE_RESPONSE__INIT;
	bool ended = process->state == PROCESS_STOPPED;
	exited_at.seconds = ended ? process->exited_at : EXITED_NEVER;
	exited_at.nanos = ended ? (int32_t)process->exited_at_nanos : 0;
	/* as the stock shim has it: the process's own name, and no exec id */
	response.id = process->exec_id[0] ? task_text(process->exec_id) : process->container->id;
	response.bundle = task_text(process->container->bundle);
	response.pid = (uint32_t)process->pid;
	response.status = status_of(process);
	response.stdin = task_text(process->paths[0]);
	response.stdout = task_text(process->paths[1]);
	response.stderr = task_text(process->paths[2]);
	response.terminal = process->terminal;
	response.exit_status = ended ? process->exit_status : 0;
	response.exited_at = &exited_at;
	return ttrpc_reply(call, &response.base);
}

static const struct process *exec_of_pid(const struct container *container, pid_t pid)
{
	const struct process *exec = container ? container->execs : NULL;
	while (exec && (exec->pid != pid || exec->state != PROCESS_RUNNING))
		exec = exec->next;
	return exec;
}

/* A ProcessDetails, encoded: field 1, which is shorter than 128 bytes. */
struct details {
	Google__Protobuf__Any any;
	uint8_t bytes[2 + ID_SIZE];
};

static void details_fill(struct details *details, const struct process *exec)
{
	size_t size = strlen(exec->exec_id);
	google__protobuf__any__init(&details->any);
	details->bytes[0] = 1 << 3 | 2;
	details->bytes[1] = (uint8_t)size;
	memcpy(details->bytes + 2, exec->exec_id, size);
	details->any.type_url = task_text(DETAILS_TYPE);
	details->any.value.data = details->bytes;
	details->any.value.len = 2 + size;
}

struct pid_row {
	Containerd__Task__V2__ProcessInfo info;
	struct details details;
};

static int reply_pids(struct ttrpc_call *call, const struct container *container, const pid_t *pids,
		      size_t n)
{
	Containerd__Task__V2__PidsResponse response = CONTAINERD__TASK__V2__PIDS_RESPONSE__INIT;
	struct pid_row *rows = calloc(n + 1, sizeof(*rows));
	Containerd__Task__V2__ProcessInfo **list = calloc(n + 1, sizeof(*list));
	int result = -ENOMEM;

	for (size_t i = 0; rows && list && i < n; i++) {
		const struct process *exec = exec_of_pid(container, pids[i]);
		list[i] = &rows[i].info;
		containerd__task__v2__process_info__init(list[i]);
		list[i]->pid = (uint32_t)pids[i];
		if (!exec)
			continue;
		details_fill(&rows[i].details, exec);
		list[i]->info = &rows[i].details.any;
	}
	if (rows && list) {
		response.n_processes = n;
		response.processes = list;
		result = ttrpc_reply(call, &response.base);
	}
	free(rows);
	free(list);
	return result;
}

/* A copy of the report's result, with more bytes of room behind it; *ret_bytes is the caller's. */
static int result_read(const struct report_message *message, size_t max, size_t more,
		       void *ret_bytes)
{
	size_t size = message->report.result_size;
	if (size > max)
		return -E2BIG;
	void *bytes = malloc(size + more);
	if (!bytes)
		return -ENOMEM;
	int result = report_get_result(message, bytes);
	if (result < 0)
		free(bytes);
	else
		*(void **)ret_bytes = bytes;
	return result;
}

static int answer_pids(struct operation *operation, const struct report_message *message)
{
	const struct process *init = operation->process;
	size_t n = message->report.result_size / sizeof(pid_t);
	pid_t *pids;
	int result = result_read(message, RUNTIME_PIDS_MAX * sizeof(*pids), sizeof(*pids), &pids);
	if (result < 0)
		return result;
	bool found = init->pid == 0;
	for (size_t i = 0; i < n && !found; i++)
		found = pids[i] == init->pid;
	if (!found)
		pids[n++] = init->pid; /* a client that sees no process takes the shim for leaked */
	result = reply_pids(operation->call, init->container, pids, n);
	free(pids);
	return result;
}

static void look_done(struct operation *operation, struct report_message *message,
		      int (*answer)(struct operation *operation,
				    const struct report_message *message))
{
	if (!task_report_failed(operation, message) && operation->call) {
		int result = answer(operation, message);
		if (result < 0)
			ttrpc_fail(operation->call, ttrpc_code_from_errno(result), "%s",
				   strerror(-result));
	}
	operation_free(operation);
}

static void pids_done(struct operation *operation, struct report_message *message)
{
	look_done(operation, message, answer_pids);
}

int task_pids(struct ttrpc_call *call, const Containerd__Task__V2__PidsRequest *request)
{
	static const struct operation_kind kind = {
		.verb = VERB_PIDS, .request = REQUEST_NONE, .done = pids_done};
	struct process *process = task_process(call, request->id, "");
	if (!process)
		return 0;
	/* Until its delete: containerd 1.7 and later drop a task that has no process, exit and all. */
	if (process->state == PROCESS_STOPPED)
		return reply_pids(call, process->container, &process->pid, 1);
	if (process->state == PROCESS_CHECKPOINT)
		return reply_pids(call, process->container, NULL, 0);
	return task_submit(call, process, &kind, NULL, 0);
}

/* The worker's bytes are a StatsResponse, whose one field is sent as it is. */
static int answer_stats(struct operation *operation, const struct report_message *message)
{
	uint8_t *bytes;
	int result = result_read(message, STATS_MAX, 1, &bytes);
	if (result < 0)
		return result;
	Google__Protobuf__Empty response = GOOGLE__PROTOBUF__EMPTY__INIT;
	ProtobufCMessageUnknownField field = {.tag = 1,
					      .wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED};
	if (message->report.result_size > 1 && bytes[0] == (1 << 3 | 2)) {
		field.data = bytes + 1;
		field.len = message->report.result_size - 1;
		response.base.n_unknown_fields = 1;
		response.base.unknown_fields = &field;
	}
	result = ttrpc_reply(operation->call, &response.base);
	free(bytes);
	return result;
}

static void stats_done(struct operation *operation, struct report_message *message)
{
	look_done(operation, message, answer_stats);
}

int task_stats(struct ttrpc_call *call, const Containerd__Task__V2__StatsRequest *request)
{
	static const struct operation_kind kind = {
		.verb = VERB_STATS, .request = REQUEST_NONE, .done = stats_done};
	struct process *process = task_process(call, request->id, "");
	if (!process)
		return 0;
	struct operation *operation = task_operation(call, process, &kind);
	if (!operation)
		return -ENOMEM;
	uint64_t kills = oom_kills(&process->container->oom);
	operation->verb.oom_kills = kills < UINT32_MAX ? (uint32_t)kills : UINT32_MAX;
	operation_submit(operation);
	return 0;
}
