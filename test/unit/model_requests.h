/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_UNIT_MODEL_REQUESTS_H
#define TEST_UNIT_MODEL_REQUESTS_H
/*
 * What clients ask of the container of model_world.h, and how they must be answered: tables of the
 * test's own, as clients know the answers.
 */
#include <signal.h>

#include "test/unit/model_world.h"

enum request {
	ASK_CREATE,
	ASK_START,
	ASK_DELETE,
	ASK_KILL,
	ASK_PAUSE,
	ASK_RESUME,
	ASK_UPDATE,
	ASK_RESIZE,
	ASK_EXEC0, /* Exec, and so on: of e0 */
	ASK_EXEC1,
	ASK_START0,
	ASK_START1,
	ASK_KILL0,
	ASK_DELETE0,
	ASK_RESIZE0,
	REQUESTS,
};

struct expected {
	enum verb_type verb; /* 0: answered at once */
	enum ttrpc_code code;
	const char *text;
};

#define GONE "container not created: not found"
#define SENT(verb_type)                                                                            \
	{                                                                                          \
		.verb = verb_type                                                                  \
	}
#define DONE                                                                                       \
	{                                                                                          \
		.code = TTRPC_OK                                                                   \
	}
#define NO(why)                                                                                    \
	{                                                                                          \
		.code = TTRPC_UNKNOWN, .text = why                                                 \
	}
#define FINISHED                                                                                   \
	{                                                                                          \
		.code = TTRPC_NOT_FOUND, .text = "process already finished: not found"             \
	}

/* created, created for a restore, running, paused (pausing alike), stopped */
static const struct expected init_answers[][5] = {
	[ASK_START] = {SENT(VERB_START), SENT(VERB_RESTORE), NO("cannot start a running process"),
		       NO("cannot start a paused process"), NO("cannot start a stopped process")},
	[ASK_DELETE] = {SENT(VERB_DELETE), SENT(VERB_DELETE), NO("cannot delete a running process"),
			NO("cannot delete a paused process"), SENT(VERB_DELETE)},
	[ASK_KILL] = {SENT(VERB_KILL), SENT(VERB_KILL), SENT(VERB_KILL), SENT(VERB_KILL), FINISHED},
	[ASK_PAUSE] = {NO("cannot pause task in created state"),
		       NO("cannot pause task in created state"), SENT(VERB_PAUSE),
		       NO("cannot pause a paused container"),
		       NO("cannot pause a stopped container")},
	[ASK_RESUME] = {NO("cannot resume task in created state"),
			NO("cannot resume task in created state"),
			NO("cannot resume a running process"), SENT(VERB_RESUME),
			NO("cannot resume a stopped container")},
	[ASK_UPDATE] = {SENT(VERB_UPDATE), SENT(VERB_UPDATE), SENT(VERB_UPDATE), SENT(VERB_UPDATE),
			NO("cannot update a stopped container")},
	[ASK_RESIZE] = {DONE, DONE, DONE, DONE, DONE},
	[ASK_EXEC0] = {DONE, NO("cannot exec in a created state"), DONE,
		       NO("cannot exec in a paused state"), NO("cannot exec in a stopped state")},
};

/* created, running, stopped */
static const struct expected exec_answers[][3] = {
	[ASK_START0] = {SENT(VERB_EXEC), NO("cannot start a running process"),
			NO("cannot start a stopped process")},
	[ASK_KILL0] = {{.code = TTRPC_FAILED_PRECONDITION,
			.text = "process not created: failed precondition"},
		       SENT(VERB_KILL),
		       FINISHED},
	[ASK_DELETE0] = {DONE, NO("cannot delete a running process"), DONE},
	[ASK_RESIZE0] = {DONE, DONE, NO("cannot resize a stopped container")},
};

static inline struct expected init_expected(enum request request)
{
	static const int columns[PROCESS_STATES] = {
		[PROCESS_CREATED] = 0, [PROCESS_RUNNING] = 2, [PROCESS_PAUSING] = 3,
		[PROCESS_PAUSED] = 3,  [PROCESS_STOPPED] = 4,
	};
	enum process_state state = world.init.state;
	if (state == PROCESS_CREATING)
		return (struct expected){.code = TTRPC_NOT_FOUND, .text = GONE};
	if (request == ASK_EXEC1)
		request = ASK_EXEC0;
	bool restore = world.checkpoint && state == PROCESS_CREATED;
	return init_answers[request][restore ? 1 : columns[state]];
}

static inline struct expected exec_expected(enum request request)
{
	size_t i = request == ASK_START1;
	const struct world_process *exec = &world.execs[i];
	struct expected unknown = {.code = TTRPC_NOT_FOUND, .text = GONE};
	if (world.init.state == PROCESS_CREATING)
		return unknown;
	unknown.text =
		i ? "process does not exist e1: not found" : "process does not exist e0: not found";
	if (exec->state == PROCESS_CREATING)
		return unknown;
	if (request == ASK_START1)
		request = ASK_START0;
	if (request == ASK_START0 && exec->state == PROCESS_CREATED && world.init.life == ENDED)
		return (struct expected){
			.code = TTRPC_FAILED_PRECONDITION,
			.text = "container c init process is not running: failed precondition"};
	return exec_answers[request][exec->state == PROCESS_CREATED   ? 0
				     : exec->state == PROCESS_RUNNING ? 1
								      : 2];
}

/* The handler of a request with what else is in it. */
#define HANDLE(handler, Request, ...)                                                              \
	do {                                                                                       \
		Containerd__Task__V2__##Request message = {__VA_ARGS__};                           \
		message.id = task_text("c");                                                       \
		return handlers->handler(call, &message);                                          \
	} while (0)

static inline int create_handle(struct ttrpc_call *call)
{
	Containerd__Task__V2__CreateTaskRequest request =
		CONTAINERD__TASK__V2__CREATE_TASK_REQUEST__INIT;
	request.id = task_text("c");
	request.bundle = task_text("/bundle");
	request.checkpoint = task_text(world.checkpoint ? "image" : "");
	return handlers->create(call, &request);
}

static inline int exec_handle(struct ttrpc_call *call, const char *exec_id)
{
	Containerd__Task__V2__ExecProcessRequest request =
		CONTAINERD__TASK__V2__EXEC_PROCESS_REQUEST__INIT;
	Google__Protobuf__Any spec = GOOGLE__PROTOBUF__ANY__INIT;
	spec.value.data = (uint8_t *)task_text("{}");
	spec.value.len = 2;
	request.id = task_text("c");
	request.exec_id = task_text(exec_id);
	request.spec = &spec;
	return handlers->exec(call, &request);
}

static inline int request_handle(struct ttrpc_call *call, enum request request)
{
	char *none = task_text(""), *first = task_text("e0"), *second = task_text("e1");
	switch (request) {
	case ASK_CREATE:
		return create_handle(call);
	case ASK_START:
		HANDLE(start, StartRequest, .exec_id = none);
	case ASK_DELETE:
		HANDLE(delete_, DeleteRequest, .exec_id = none);
	case ASK_KILL:
		HANDLE(kill, KillRequest, .exec_id = none, .signal = SIGKILL);
	case ASK_PAUSE:
		HANDLE(pause, PauseRequest, .id = none);
	case ASK_RESUME:
		HANDLE(resume, ResumeRequest, .id = none);
	case ASK_UPDATE:
		HANDLE(update, UpdateTaskRequest, .id = none);
	case ASK_RESIZE:
		HANDLE(resize_pty, ResizePtyRequest, .exec_id = none);
	case ASK_EXEC0:
		return exec_handle(call, first);
	case ASK_EXEC1:
		return exec_handle(call, second);
	case ASK_START0:
		HANDLE(start, StartRequest, .exec_id = first);
	case ASK_START1:
		HANDLE(start, StartRequest, .exec_id = second);
	case ASK_KILL0:
		HANDLE(kill, KillRequest, .exec_id = first, .signal = SIGTERM);
	case ASK_DELETE0:
		HANDLE(delete_, DeleteRequest, .exec_id = first);
	case ASK_RESIZE0:
		HANDLE(resize_pty, ResizePtyRequest, .exec_id = first);
	default:
		return -EINVAL;
	}
}

/* It may have to wait for another operation: then how it is answered is another order's matter. */
static inline bool request_waits(enum request request)
{
	if (request == ASK_CREATE || request == ASK_EXEC0 || request == ASK_EXEC1 ||
	    request == ASK_RESIZE || request == ASK_RESIZE0)
		return false;
	if (verb_find(VERB_DELETE, NULL))
		return true;
	if (request == ASK_START0 || request == ASK_DELETE0)
		return verb_find(VERB_EXEC, "e0");
	if (request == ASK_START1)
		return verb_find(VERB_EXEC, "e1");
	return request != ASK_KILL && request != ASK_KILL0 && exclusive_flies(NULL);
}

static inline void answer_check(const struct ttrpc_call *call, struct expected expected,
				size_t verbs)
{
	const struct verb *last = seams.n_verbs > 0 ? &seams.verbs[seams.n_verbs - 1].verb : NULL;
	if (expected.verb != 0) {
		if (!call->open || seams.n_verbs != verbs + 1 || last->type != expected.verb)
			fault("%s was answered %d %s", call->method, call->code, call->text);
		return;
	}
	if (call->open || seams.n_verbs != verbs)
		fault("%s was not answered", call->method);
	if (call->code != expected.code || (expected.text && strcmp(call->text, expected.text)))
		fault("%s was answered %d %s", call->method, call->code, call->text);
}

/* What an answered request changes at once. */
static inline void request_after(enum request request, const struct ttrpc_call *call)
{
	bool refused = !call->open && call->code == TTRPC_FAILED_PRECONDITION;
	size_t i = request == ASK_EXEC1 || request == ASK_START1;
	struct world_process *exec = &world.execs[i];
	bool good = !call->open && call->code == TTRPC_OK;
	if ((request == ASK_EXEC0 || request == ASK_EXEC1) && good) {
		*exec = (struct world_process){.state = PROCESS_CREATED, .added = true};
		exec->wait = wait_ask(exec_name(i));
	}
	if ((request == ASK_START0 || request == ASK_START1) && refused)
		exec->released = true;
	if (request == ASK_DELETE0 && good)
		exec->state = PROCESS_CREATING;
}

/* Those that wait for another operation, and change something when they are answered. */
static struct {
	enum request request;
	struct ttrpc_call *call;
} queued[EXECS * 2];
static size_t n_queued;

static void requests_settle(void)
{
	for (size_t i = n_queued; i-- > 0;) {
		if (queued[i].call->open)
			continue;
		request_after(queued[i].request, queued[i].call);
		queued[i] = queued[--n_queued];
	}
}

static inline void ask(enum request request)
{
	static const char *const names[REQUESTS] = {
		"Create", "Start",  "Delete",  "Kill",    "Pause",  "Resume",   "Update",  "Resize",
		"Exec:0", "Exec:1", "Start:0", "Start:1", "Kill:0", "Delete:0", "Resize:0"};
	struct ttrpc_call *call = call_open(names[request]);
	bool waits = request_waits(request), of_exec = request >= ASK_START0;
	bool exec_there = (request == ASK_EXEC0 || request == ASK_EXEC1) &&
			  world.execs[request == ASK_EXEC1].state != PROCESS_CREATING;
	bool creating = world.init.state == PROCESS_CREATING;
	size_t verbs = seams.n_verbs;
	struct expected expected = {.verb = VERB_CREATE};

	remember(" %s", names[request]);
	if (request != ASK_CREATE)
		expected = of_exec ? exec_expected(request) : init_expected(request);
	if (request == ASK_CREATE)
		world.create = call;
	call_handled(call, request_handle(call, request));
	if (!waits && !exec_there && !(request == ASK_DELETE && creating))
		answer_check(call, expected, verbs);
	if (call->open && request >= ASK_START0) {
		ASSERT(n_queued < EXECS * 2);
		queued[n_queued].request = request;
		queued[n_queued++].call = call;
	} else {
		request_after(request, call);
	}
}

#endif
