/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the server asks the monitor for, on behalf of a call.
 *
 *   new -> (queued in its container) -> (pending) -> flying -> done -> freed
 *
 * Exclusive operations of one container run one after another, in the order of their calls; so does
 * everything that arrives while its delete runs, since the monitor forgets the container then. All
 * else flies at once, up to OPERATIONS_MAX; an exclusive one only while fewer than EXCLUSIVE_MAX do.
 * Whether the state allows it is asked when it begins, not when it arrives. A call that ends before
 * its operation (client gone, deadline) leaves the operation to go on: its outcome stays visible.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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

struct operation *operation_new(struct server *server, struct container *container,
				const struct operation_kind *kind)
{
	struct operation *operation = calloc(1, sizeof(*operation));
	if (!operation)
		return NULL;
	operation->server = server;
	operation->container = container;
	operation->kind = kind;
	operation->payload_fd = -1;
	operation->verb.type = kind->verb;
	if (container)
		memccpy(operation->verb.id, container->id, 0, ID_SIZE);
	return operation;
}

static void payload_close(struct operation *operation)
{
	if (operation->payload_fd >= 0)
		close(operation->payload_fd);
	operation->payload_fd = -1;
}

void operation_free(struct operation *operation)
{
	ttrpc_timer_clear(&operation->drain);
	payload_close(operation);
	free(operation->event);
	free(operation);
}

static void call_cancelled(struct ttrpc_call *call, void *userdata)
{
	struct operation *operation = userdata;
	(void)call;
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
	server->n_flying += !operation->kind->immediate;
	int result = verb_send(server->monitor_fd, &operation->verb, operation->payload_fd);
	payload_close(operation);
	if (result < 0)
		ttrpc_loop_stop(&server->loop, result);
}

/*
 * Creates that hang are not to keep a kill from being sent, nor the shim from publishing and ending:
 * what the monitor does itself has no worker to be counted.
 */
static bool may_fly(const struct operation *operation)
{
	size_t max = operation->kind->exclusive ? EXCLUSIVE_MAX : OPERATIONS_MAX;
	return operation->kind->immediate || operation->server->n_flying < max;
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

/* Returns false if the state does not allow it: then it is answered and freed. */
static bool begin(struct operation *operation)
{
	const struct operation_kind *kind = operation->kind;
	const char *refusal = NULL;
	if (kind->request != REQUEST_NONE)
		refusal = process_refusal(&operation->container->init, kind->request);
	if (refusal) {
		operation_fail(operation, kind->refusal, refusal);
		operation_free(operation);
		return false;
	}
	if (kind->exclusive)
		operation->container->exclusive = operation;
	if (may_fly(operation))
		fly(operation);
	else
		list_append(&operation->server->pending, operation);
	return true;
}

void operation_submit(struct operation *operation)
{
	struct container *container = operation->container;
	const struct operation *busy = container ? container->exclusive : NULL;
	if (busy && (operation->kind->exclusive || busy->verb.type == VERB_DELETE))
		list_append(&container->queue, operation);
	else
		begin(operation);
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
	struct container *container = operation->container;
	container->exclusive = NULL;
	while (container->queue && !container->exclusive) {
		struct operation *next = container->queue;
		container->queue = next->next;
		begin(next);
	}
}

static void list_refuse(struct operation **list, const struct container *container)
{
	while (*list) {
		struct operation *operation = *list;
		if (operation->container != container) {
			list = &operation->next;
			continue;
		}
		*list = operation->next;
		operation_fail(operation, TTRPC_NOT_FOUND, "container not created: not found");
		operation_free(operation);
	}
}

void operation_refuse_queue(struct container *container)
{
	list_refuse(&container->queue, container);
}

void operation_forget(struct container *container)
{
	struct server *server = container->server;
	for (struct operation *flying = server->flying; flying; flying = flying->next)
		if (flying->container == container)
			flying->container = NULL;
	list_refuse(&server->pending, container);
	operation_refuse_queue(container);
}

int operation_report(struct server *server, struct report_message *message)
{
	const struct report *report = &message->report;
	if (report->type == REPORT_EXIT) {
		struct container *container = server_container(server, report->id);
		if (container)
			process_exited(&container->init, report);
		return 0;
	}
	struct operation *operation = list_take(&server->flying, report->tag);
	if (!operation)
		return -EBADMSG;
	server->n_flying -= !operation->kind->immediate;
	operation->kind->done(operation, message);
	pending_fly(server);
	return 0;
}
