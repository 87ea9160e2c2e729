/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process of a container as the server knows it.
 *
 *   init   creating -> created ------> running <-> (pausing) paused
 *                  \-> checkpoint ---/    |          |
 *                      (all) ----------> stopped <---+      then deleted: forgotten
 *   exec   created -> running -> stopped, then deleted: forgotten
 *
 * What a client may ask in which state is one table; its codes and texts are what clients know.
 *
 * An init ends last: its exit is shown (state, event, answers to Wait) when no exec of it runs or is
 * being started any more. If it had no PID namespace of its own the others are killed first.
 */
#include "shim/server.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/events.pb-c.h"
#include "proto/task.pb-c.h"
#include "shim/log.h"

#define SECOND UINT64_C(1000000000)
#define START_PATIENCE (5 * SECOND) /* for the start of an exec when its init has ended */
#define START_AGAIN SECOND          /* until the next try to end it */

#define container_of(pointer, type, member)                                                        \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* clang-format off */
#define OK      {TTRPC_OK, NULL}
#define NO(text) {TTRPC_UNKNOWN, text}
static const struct process_rule init_rules[PROCESS_REQUESTS][PROCESS_STATES] = {
	/* the states in their order: creating, created, checkpoint, running, pausing, paused, stopped */
	[REQUEST_START] = {OK, OK, OK, NO("cannot start a running process"),
		NO("cannot start a paused process"), NO("cannot start a paused process"),
		NO("cannot start a stopped process")},
	[REQUEST_DELETE] = {OK, OK, OK, NO("cannot delete a running process"),
		NO("cannot delete a paused process"), NO("cannot delete a paused process"), OK},
	[REQUEST_KILL] = {OK, OK, OK, OK, OK, OK,
		{TTRPC_NOT_FOUND, "process already finished: not found"}},
	[REQUEST_PAUSE] = {OK, NO("cannot pause task in created state"),
		NO("cannot pause task in created state"), OK,
		NO("cannot pause a paused container"), NO("cannot pause a paused container"),
		NO("cannot pause a stopped container")},
	[REQUEST_RESUME] = {OK, NO("cannot resume task in created state"),
		NO("cannot resume task in created state"), NO("cannot resume a running process"),
		OK, OK, NO("cannot resume a stopped container")},
	[REQUEST_UPDATE] = {OK, OK, OK, OK, OK, OK, NO("cannot update a stopped container")},
	[REQUEST_CHECKPOINT] = {OK, NO("cannot checkpoint a task in created state"),
		NO("cannot checkpoint a task in created state"), OK, OK, OK,
		NO("cannot checkpoint a stopped container")},
	[REQUEST_EXEC] = {OK, OK, NO("cannot exec in a created state"), OK,
		NO("cannot exec in a paused state"), NO("cannot exec in a paused state"),
		NO("cannot exec in a stopped state")},
	[REQUEST_RESIZE] = {OK, OK, OK, OK, OK, OK, OK},
};

/* Of an exec's states three are used. */
static const struct process_rule exec_rules[PROCESS_REQUESTS][PROCESS_STATES] = {
	[REQUEST_START] = {[PROCESS_RUNNING] = NO("cannot start a running process"),
		[PROCESS_STOPPED] = NO("cannot start a stopped process")},
	[REQUEST_DELETE] = {[PROCESS_RUNNING] = NO("cannot delete a running process")},
	[REQUEST_KILL] = {
		[PROCESS_CREATED] = {TTRPC_FAILED_PRECONDITION,
			"process not created: failed precondition"},
		[PROCESS_STOPPED] = {TTRPC_NOT_FOUND, "process already finished: not found"}},
	[REQUEST_RESIZE] = {[PROCESS_STOPPED] = NO("cannot resize a stopped container")},
};
#undef OK
#undef NO
/* clang-format on */

const struct process_rule *process_rule(const struct process *process, enum process_request request)
{
	return process->exec_id[0] ? &exec_rules[request][process->state]
				   : &init_rules[request][process->state];
}

struct container *server_container(struct server *server, const char *id)
{
	struct container *container = server->containers;
	while (container && strcmp(container->id, id) != 0)
		container = container->next;
	return container;
}

struct process *container_process(struct container *container, const char *exec_id)
{
	struct process *process = exec_id[0] ? container->execs : &container->init;
	while (process && strcmp(process->exec_id, exec_id) != 0)
		process = process->next;
	return process;
}

static char *string_put(char **to, const char *text)
{
	char *start = *to;
	*to = stpcpy(start, text) + 1;
	return start;
}

static size_t paths_size(const char *const paths[static 3])
{
	return strlen(paths[0]) + strlen(paths[1]) + strlen(paths[2]) + 3;
}

static void process_init(struct process *process, struct container *container,
			 const char *const paths[static 3], char *strings)
{
	*process = (struct process){.container = container,
				    .exec_id = "",
				    .exited_at = EXITED_NEVER,
				    .payload = -1,
				    .input = -1,
				    .console = -1};
	for (int i = 0; i < 3; i++) {
		process->paths[i] = string_put(&strings, paths[i]);
		stream_init(&process->streams[i]);
	}
}

struct container *container_new(struct server *server, const char *id, const char *bundle,
				const char *const paths[static 3])
{
	size_t id_size = strlen(id) + 1, size = strlen(bundle) + 1 + paths_size(paths);
	struct container *container = calloc(1, sizeof(*container) + id_size + size);
	if (!container)
		return NULL;

	char *strings = container->id + id_size;
	memcpy(container->id, id, id_size);
	container->server = server;
	container->bundle = string_put(&strings, bundle);
	process_init(&container->init, container, paths, strings);
	container->oom = OOM_NULL;
	container->next = server->containers;
	server->containers = container;
	server->n_containers++;
	return container;
}

void container_tell_oom(struct container *container)
{
	Containerd__Events__TaskOOM event = CONTAINERD__EVENTS__TASK_OOM__INIT;
	if (!container->oom_owed)
		return;
	container->oom_owed = false;
	event.container_id = container->id;
	api_publisher_publish(&container->server->publisher, "/tasks/oom", &event.base);
}

/* The program may run, and be killed, before its start is answered: clients hear of that first. */
static void oom_killed(struct oom *oom, uint64_t n, void *userdata)
{
	struct container *container = userdata;
	(void)oom;
	(void)n;
	container->oom_owed = true;
	if (container->init.state != PROCESS_CREATED)
		container_tell_oom(container);
}

void container_take_oom(struct container *container, struct report_message *message)
{
	int *event = &message->fds[ROLE_OOM_EVENT], *file = &message->fds[ROLE_OOM_FILE];
	if (*file < 0)
		return;
	int result = oom_start(&container->oom, &container->server->loop, *event, *file, oom_killed,
			       container);
	*event = *file = -1;
	if (result < 0 && result != -ENODEV)
		log_write(SHIM_LOG_WARNING, container->id, "OOM kills will not be told: %s",
			  strerror(-result));
}

static void process_end(struct process *process)
{
	process_dismiss(process, TTRPC_NOT_FOUND, "process does not exist any more: not found");
	process_stop_streams(process);
	if (process->payload >= 0)
		close(process->payload);
}

void container_free(struct container *container)
{
	struct container **link = &container->server->containers;
	while (*link != container)
		link = &(*link)->next;
	*link = container->next;
	container->server->n_containers--;
	ttrpc_timer_clear(&container->patience);
	oom_stop(&container->oom);
	while (container->execs)
		process_free(container->execs);
	operation_forget(&container->init);
	process_end(&container->init);
	free(container);
}

struct process *process_new(struct container *container, const char *exec_id,
			    const char *const paths[static 3])
{
	size_t id_size = strlen(exec_id) + 1;
	struct process *process = calloc(1, sizeof(*process) + id_size + paths_size(paths));
	if (!process)
		return NULL;
	char *strings = (char *)(process + 1);
	process_init(process, container, paths, strings + id_size);
	process->exec_id = memcpy(strings, exec_id, id_size);
	process->state = PROCESS_CREATED;
	process->next = container->execs;
	container->execs = process;
	container->server->n_execs++;
	return process;
}

void process_free(struct process *process)
{
	struct process **link = &process->container->execs;
	while (*link != process)
		link = &(*link)->next;
	*link = process->next;
	process->container->server->n_execs--;
	operation_forget(process);
	process_end(process);
	free(process);
}

int process_answer_wait(const struct process *process, struct ttrpc_call *call)
{
	Google__Protobuf__Timestamp exited_at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Containerd__Task__V2__WaitResponse response = CONTAINERD__TASK__V2__WAIT_RESPONSE__INIT;
	bool ended = process->state == PROCESS_STOPPED; /* not so: the start of an exec failed */
	exited_at.seconds = ended ? process->exited_at : EXITED_NEVER;
	exited_at.nanos = ended ? (int32_t)process->exited_at_nanos : 0;
	response.exit_status = ended ? process->exit_status : 0;
	response.exited_at = &exited_at;
	return ttrpc_reply(call, &response.base);
}

static void waiter_remove(struct waiter *waiter)
{
	struct waiter **link = &waiter->process->waiters;
	while (*link != waiter)
		link = &(*link)->next;
	*link = waiter->next;
	free(waiter);
}

static void wait_cancelled(struct ttrpc_call *call, void *userdata)
{
	(void)call;
	waiter_remove(userdata);
}

int process_wait(struct process *process, struct ttrpc_call *call)
{
	if (process->state == PROCESS_STOPPED)
		return process_answer_wait(process, call);
	struct waiter *waiter = calloc(1, sizeof(*waiter));
	if (!waiter)
		return -ENOMEM;
	waiter->process = process;
	waiter->call = call;
	waiter->next = process->waiters;
	process->waiters = waiter;
	ttrpc_call_take(call, wait_cancelled, waiter);
	return 0;
}

void process_dismiss(struct process *process, enum ttrpc_code code, const char *text)
{
	while (process->waiters) {
		struct waiter *waiter = process->waiters;
		ttrpc_fail(waiter->call, code, "%s", text);
		waiter_remove(waiter);
	}
}

void process_answer_waiters(struct process *process)
{
	while (process->waiters) {
		struct waiter *waiter = process->waiters;
		process_answer_wait(process, waiter->call);
		waiter_remove(waiter);
	}
}

static void publish_exit(const struct process *process)
{
	struct container *container = process->container;
	Google__Protobuf__Timestamp exited_at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Containerd__Events__TaskExit event = CONTAINERD__EVENTS__TASK_EXIT__INIT;
	exited_at.seconds = process->exited_at;
	exited_at.nanos = (int32_t)process->exited_at_nanos;
	event.container_id = container->id;
	event.id = process->exec_id[0] ? (char *)(uintptr_t)process->exec_id : container->id;
	event.pid = (uint32_t)process->pid;
	event.exit_status = process->exit_status;
	event.exited_at = &exited_at;
	api_publisher_publish(&container->server->publisher, "/tasks/exit", &event.base);
}

static void process_show_exit(struct process *process)
{
	process->state = PROCESS_STOPPED;
	process->exiting = false;
	for (int i = 0; i < 3; i++)
		if (process->terminal)
			stream_finish(&process->streams[i]);
	publish_exit(process);
	process_answer_waiters(process);
}

static bool execs_run(const struct container *container)
{
	const struct process *exec = container->execs;
	while (exec && exec->state != PROCESS_RUNNING && !exec->starting)
		exec = exec->next;
	return exec != NULL;
}

void container_exec_over(struct container *container)
{
	if (!container->init.exiting || execs_run(container))
		return;
	ttrpc_timer_clear(&container->patience);
	oom_stop(&container->oom);
	process_show_exit(&container->init);
}

/* What the container's end killed, and the monitor did not come to see. */
void process_exits_over(struct process *init)
{
	struct process *exec = init->exiting ? init->container->execs : NULL;
	for (; exec; exec = exec->next) {
		if (exec->state != PROCESS_RUNNING)
			continue;
		exec->exit_status = 128 + SIGKILL;
		exec->exited_at = init->exited_at;
		exec->exited_at_nanos = init->exited_at_nanos;
		process_show_exit(exec);
	}
	if (init->exiting)
		process_show_exit(init);
}

static void ordered_done(struct operation *operation, struct report_message *message)
{
	(void)message;
	if (operation->kind->exclusive)
		operation_release(operation);
	operation_free(operation);
}

/*
 * Until it helps: there may be no memory for a cancel, and a worker that does not end when it is asked
 * to is killed the second time.
 */
static void patience_over(struct ttrpc_timer *timer)
{
	struct container *container = container_of(timer, struct container, patience);
	bool starting = false;
	for (struct process *exec = container->execs; exec; exec = exec->next) {
		if (exec->starting)
			operation_cancel(exec);
		starting |= exec->starting;
	}
	if (starting)
		ttrpc_timer_set(&container->server->loop, timer, ttrpc_now() + START_AGAIN,
				patience_over);
}

/* The monitor has not had them yet: they would begin in nobody's container, and hang unseen. */
static void pending_starts_refuse(struct container *container)
{
	char text[ID_SIZE + 64], *end = stpcpy(text, "container ");
	struct report_message message = {.text = text};
	end = stpcpy(stpcpy(end, container->id),
		     " init process is not running: failed precondition");
	report_init(&message);
	message.report.code = TTRPC_FAILED_PRECONDITION;
	message.report.text_size = (uint32_t)(end - text);
	for (struct process *exec = container->execs, *next; exec; exec = next) {
		struct operation *start = exec->starting ? exec->exclusive : NULL;
		next = exec->next; /* this one may be deleted in what follows */
		if (start && operation_withdraw(start))
			start->kind->done(start, &message);
	}
}

/* Where the runtime will not, each of them is killed. */
static void rest_killed(struct operation *operation, struct report_message *message)
{
	static const struct operation_kind kill = {
		.verb = VERB_KILL, .request = REQUEST_NONE, .done = ordered_done};
	struct container *container = operation->process->container;
	struct process *exec = message->report.code != TTRPC_OK ? container->execs : NULL;
	for (; exec; exec = exec->next) {
		struct operation *one = exec->state == PROCESS_RUNNING
						? operation_new(container->server, exec, &kill)
						: NULL;
		if (!one)
			continue;
		one->verb.signal = SIGKILL;
		operation_submit(one);
	}
	operation_free(operation);
}

/* The rest of the container, if nobody else will end it; what a freezer holds would not die. */
static void rest_kill(struct container *container, bool frozen)
{
	static const struct operation_kind resume = {.verb = VERB_RESUME,
						     .request = REQUEST_NONE,
						     .exclusive = true,
						     .done = ordered_done};
	static const struct operation_kind kill = {
		.verb = VERB_KILL, .request = REQUEST_NONE, .done = rest_killed};
	struct operation *operation;

	if (frozen && (operation = operation_new(container->server, &container->init, &resume)))
		operation_submit(operation);
	if (container->init.private_pids ||
	    !(operation = operation_new(container->server, &container->init, &kill)))
		return;
	operation->verb.signal = SIGKILL;
	operation->verb.all = true;
	operation_submit(operation);
}

static void init_exited(struct process *init)
{
	struct container *container = init->container;
	bool frozen = init->state == PROCESS_PAUSED || init->state == PROCESS_PAUSING;
	init->exiting = true;
	pending_starts_refuse(container);
	rest_kill(container, frozen);
	if (execs_run(container))
		ttrpc_timer_set(&container->server->loop, &container->patience,
				ttrpc_now() + START_PATIENCE, patience_over);
	container_exec_over(container);
}

void process_exited(struct process *process, const struct report *report)
{
	/* the reason comes before the exit */
	oom_check(&process->container->oom);
	container_tell_oom(process->container);
	process->exit_status = report->exit_status;
	process->exited_at = report->exited_at;
	process->exited_at_nanos = report->exited_at_nanos;
	if (!process->exec_id[0]) {
		init_exited(process);
		return;
	}
	process_show_exit(process);
	container_exec_over(process->container);
}
