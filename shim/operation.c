/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the server asks the monitor for, on behalf of a call.
 *
 *   new -> (queued in its process) -> (prepared) -> (pending) -> flying -> done -> freed
 *
 * Exclusive operations of one process run one after another, in the order of their calls; so does
 * everything of a container that arrives while its delete runs, since the monitor forgets the
 * container then. All else flies at once, up to OPERATIONS_MAX; an exclusive one only while fewer than
 * EXCLUSIVE_MAX do. Whether the state allows it is asked when it begins, not when it arrives. A call
 * that ends before its operation (client gone, deadline) leaves the operation to go on: its outcome
 * stays visible. If its process is deleted meanwhile the operation is an orphan, and answered so.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "proto/task.pb-c.h"
#include "shim/server.h"

int payload_seal(const void *bytes, size_t size)
{
	int fd = memfd_create("payload", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	const char *next = bytes;
	while (size > 0) {
		ssize_t n = write(fd, next, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		next += n;
		size -= (size_t)n;
	}
	if (size > 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0) {
		int result = -errno;
		close(fd);
		return result;
	}
	return fd;
}

static void list_append(struct operation **list, struct operation *operation)
{
	while (*list)
		list = &(*list)->next;
	operation->next = NULL;
	*list = operation;
}

static struct operation *list_take(struct operation **list, uint32_t tag)
{
	while (*list && (*list)->verb.tag != tag)
		list = &(*list)->next;
	struct operation *operation = *list;
	if (operation)
		*list = operation->next;
	return operation;
}

struct operation *operation_new(struct server *server, struct process *process,
				const struct operation_kind *kind)
{
	struct operation *operation = calloc(1, sizeof(*operation));
	if (!operation)
		return NULL;
	operation->server = server;
	operation->process = process;
	operation->kind = kind;
	operation->payload_fd = -1;
	operation->verb.type = kind->verb;
	if (process) {
		memccpy(operation->verb.id, process->container->id, 0, ID_SIZE);
		memccpy(operation->verb.exec_id, process->exec_id, 0, ID_SIZE);
	}
	return operation;
}

static void payload_close(struct operation *operation)
{
	if (operation->payload_fd >= 0 && !operation->payload_lent)
		close(operation->payload_fd);
	operation->payload_fd = -1;
}

void operation_free(struct operation *operation)
{
	ttrpc_timer_clear(&operation->timer);
	payload_close(operation);
	free(operation->event);
	free(operation);
}

static void call_cancelled(struct ttrpc_call *call, void *userdata)
{
	struct operation *operation = userdata;
	operation->call_error = ttrpc_call_error(call);
	operation->call = NULL;
}

void operation_take_call(struct operation *operation, struct ttrpc_call *call)
{
	operation->call = call;
	ttrpc_call_take(call, call_cancelled, operation);
}

void operation_fail(struct operation *operation, enum ttrpc_code code, const char *text)
{
	if (operation->call)
		ttrpc_fail(operation->call, code, "%s", text);
	operation->call = NULL;
}

static void fly(struct operation *operation)
{
	struct server *server = operation->server;
	do
		operation->verb.tag = ++server->last_tag;
	while (operation->verb.tag == 0);
	list_append(&server->flying, operation);
	operation->flown = true;
	server->n_flying += !operation->kind->immediate;
	int result = verb_send(server->monitor_fd, &operation->verb, operation->payload_fd);
	payload_close(operation);
	if (result < 0)
		ttrpc_loop_stop(&server->loop, result);
}

/* The delete of its container that has begun, or NULL. */
static const struct operation *container_delete(const struct operation *operation)
{
	const struct process *process = operation->process;
	const struct operation *last = process ? process->container->init.exclusive : NULL;
	return last && last != operation && last->verb.type == VERB_DELETE ? last : NULL;
}

/* The monitor forgets the container when it has deleted it: nothing is to arrive after that. */
static bool container_goes(const struct operation *operation)
{
	const struct operation *last = container_delete(operation);
	return last && last->flown;
}

/*
 * Creates that hang are not to keep a kill from being sent, nor the shim from publishing and ending:
 * what the monitor does itself has no worker to be counted.
 */
static bool may_fly(const struct operation *operation)
{
	size_t max = operation->kind->exclusive ? EXCLUSIVE_MAX : OPERATIONS_MAX;
	return operation->kind->immediate ||
	       (operation->server->n_flying < max && !container_goes(operation));
}

void operation_fly(struct operation *operation)
{
	if (may_fly(operation))
		fly(operation);
	else
		list_append(&operation->server->pending, operation);
}

static void pending_fly(struct server *server)
{
	struct operation **link = &server->pending;
	while (*link) {
		struct operation *operation = *link;
		if (!may_fly(operation)) {
			link = &operation->next;
			continue;
		}
		*link = operation->next;
		fly(operation);
	}
}

/* If the state does not allow it, it is answered and freed: false. */
static bool begin(struct operation *operation)
{
	const struct operation_kind *kind = operation->kind;
	if (kind->request != REQUEST_NONE) {
		const struct process_rule *rule = process_rule(operation->process, kind->request);
		if (rule->code != TTRPC_OK) {
			operation_fail(operation, rule->code, rule->text);
			operation_free(operation);
			return false;
		}
	}
	ttrpc_timer_clear(&operation->timer);
	if (kind->exclusive)
		operation->process->exclusive = operation;
	switch (kind->prepare ? kind->prepare(operation) : OPERATION_FLY) {
	case OPERATION_FLY:
		operation_fly(operation);
		break;
	case OPERATION_WAIT:
		break;
	case OPERATION_REFUSE:
		if (kind->exclusive)
			operation->process->exclusive = NULL;
		operation_free(operation);
		return false;
	}
	return true;
}

/* What it has to wait for, or NULL. */
static struct process *busy_process(const struct operation *operation)
{
	struct process *process = operation->process;
	if (!process || operation->kind->immediate)
		return NULL;
	if (container_delete(operation))
		return &process->container->init;
	return operation->kind->exclusive && process->exclusive ? process : NULL;
}

/* Returns false if its state did not allow it: then it is gone. */
static bool submit(struct operation *operation)
{
	struct process *busy = busy_process(operation);
	if (!busy)
		return begin(operation);
	list_append(&busy->queue, operation);
	return true;
}

void operation_submit(struct operation *operation)
{
	submit(operation);
}

bool operation_withdraw(struct operation *operation)
{
	struct operation **link = &operation->server->pending;
	while (*link && *link != operation)
		link = &(*link)->next;
	if (!*link)
		return false;
	*link = operation->next;
	return true;
}

void operation_release(struct operation *operation)
{
	struct process *process = operation->process;
	process->exclusive = NULL;
	while (process->queue) {
		struct operation *next = process->queue;
		bool last = next->kind->exclusive && next->process == process;
		process->queue = next->next;
		/* one that has begun has the rest of the queue; the process may be gone with it */
		if (submit(next) && last)
			return;
	}
}

static void refuse(struct operation *operation)
{
	const char *exec_id = operation->verb.exec_id;
	if (operation->call && exec_id[0])
		ttrpc_fail(operation->call, TTRPC_NOT_FOUND, "process does not exist %s: not found",
			   exec_id);
	else if (operation->call)
		ttrpc_fail(operation->call, TTRPC_NOT_FOUND, "container not created: not found");
	operation->call = NULL;
	operation_free(operation);
}

static void list_refuse(struct operation **list, const struct process *process)
{
	while (*list) {
		struct operation *operation = *list;
		if (operation->process != process) {
			list = &operation->next;
			continue;
		}
		*list = operation->next;
		refuse(operation);
	}
}

void operation_refuse_queue(struct process *process)
{
	while (process->queue) {
		struct operation *operation = process->queue;
		process->queue = operation->next;
		refuse(operation);
	}
}

void operation_forget(struct process *process)
{
	struct server *server = process->container->server;
	for (struct operation *flying = server->flying; flying; flying = flying->next) {
		if (flying->process != process)
			continue;
		flying->process = NULL;
		flying->orphan = true;
	}
	list_refuse(&server->pending, process);
	/* those of an exec may wait for its container's delete */
	list_refuse(&process->container->init.queue, process);
	operation_refuse_queue(process);
}

/* A kill may end its process, and a client delete that, before its own report is here. */
static void orphan_done(struct operation *operation, const struct report_message *message)
{
	Google__Protobuf__Empty empty = GOOGLE__PROTOBUF__EMPTY__INIT;
	if (operation->call && operation->verb.type == VERB_KILL &&
	    message->report.code == TTRPC_OK) {
		ttrpc_reply(operation->call, &empty.base);
		operation->call = NULL;
	}
	refuse(operation);
}

static void ignore(struct operation *operation, struct report_message *message)
{
	(void)message;
	operation_free(operation);
}

void operation_cancel(struct process *process)
{
	static const struct operation_kind kind = {
		.verb = VERB_CANCEL, .request = REQUEST_NONE, .immediate = true, .done = ignore};
	struct operation *operation = operation_new(process->container->server, process, &kind);
	if (operation)
		operation_submit(operation);
}

static void report_exit(struct server *server, const struct report *report)
{
	struct container *container = server_container(server, report->id);
	struct process *process = container ? container_process(container, report->exec_id) : NULL;
	if (!process)
		return;
	if (!(report->flags & REPORT_LOGGER)) {
		process_exited(process, report);
		return;
	}
	process->logger = false;
	task_drained(process);
}

int operation_report(struct server *server, struct report_message *message)
{
	const struct report *report = &message->report;
	if (report->type == REPORT_EXIT) {
		report_exit(server, report);
		return 0;
	}
	struct operation *operation = list_take(&server->flying, report->tag);
	if (!operation)
		return -EBADMSG;
	server->n_flying -= !operation->kind->immediate;
	if (operation->orphan)
		orphan_done(operation, message);
	else
		operation->kind->done(operation, message);
	pending_fly(server);
	return 0;
}
