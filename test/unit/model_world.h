/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_UNIT_MODEL_WORLD_H
#define TEST_UNIT_MODEL_WORLD_H
/*
 * One container `c` with its execs `e0` and `e1` in a world that keeps to what the monitor promises
 * (monitor.c) and to nothing else. It knows by itself what a client must see, and compares:
 *
 *   create < start < exit < delete; exec-added < exec-started < its exit < the init's exit
 *   one exit for each process that was shown, none for a create that failed, a kill for want of
 *   memory before the exit; State as the processes are; who waits is answered once, with the status
 *   that was reported; no verb that the monitor would take for hostile
 */
#include "test/unit/model_seams.h"

#define EXECS 2
#define INIT_PID 100
#define EXEC_PID 200
#define INIT_STATUS 7
#define EXEC_STATUS 10
#define KILLED_STATUS 137
#define EXIT_TIME 1600000000

enum life { UNBORN, ALIVE, ENDED }; /* ENDED: and reported */

struct world_process {
	enum life life;
	enum process_state state; /* that State must show; CREATING: that there is none */
	bool released;            /* who waits was told that the start failed */
	bool added, started, exited;
	uint32_t shown_status;
	struct ttrpc_call *wait; /* NULL: nobody does */
};

static struct world {
	bool private_pids, checkpoint;
	bool live;                      /* the monitor has the container */
	bool doomed;                    /* its create is being undone */
	bool created, deleted, ooms_in; /* events */
	struct world_process init, execs[EXECS];
	struct ttrpc_call *create;
	unsigned ooms; /* events */
} world;

static inline struct world_process *world_exec(const char *exec_id)
{
	return exec_id[0] ? &world.execs[exec_id[1] - '0'] : &world.init;
}

static inline struct flying_verb *verb_find(enum verb_type type, const char *exec_id)
{
	for (size_t i = 0; i < seams.n_verbs; i++)
		if (seams.verbs[i].verb.type == type &&
		    (!exec_id || strcmp(seams.verbs[i].verb.exec_id, exec_id) == 0))
			return &seams.verbs[i];
	return NULL;
}

static inline const char *exec_name(size_t i)
{
	static const char *const names[EXECS] = {"e0", "e1"};
	return names[i];
}

/* An init's exit waits for these. */
static inline bool execs_busy(void)
{
	bool busy = false;
	for (size_t i = 0; i < EXECS; i++)
		busy |= world.execs[i].life == ALIVE || verb_find(VERB_EXEC, exec_name(i));
	return busy;
}

/* ---- verbs: what the monitor would say ---- */

static inline bool verb_is_exclusive(enum verb_type type)
{
	return type == VERB_CREATE || type == VERB_START || type == VERB_DELETE ||
	       type == VERB_RESTORE || type == VERB_PAUSE || type == VERB_RESUME ||
	       type == VERB_UPDATE;
}

static inline bool exclusive_flies(const struct flying_verb *except)
{
	for (size_t i = 0; i < seams.n_verbs; i++)
		if (&seams.verbs[i] != except && verb_is_exclusive(seams.verbs[i].verb.type))
			return true;
	return false;
}

static void verb_check(const struct flying_verb *flying)
{
	const struct verb *verb = &flying->verb;
	enum process_state state = world.init.state;
	bool told = world.init.life == ENDED;
	if (verb->type != VERB_CREATE && verb->type != VERB_CANCEL && !world.live)
		fault("verb %u for no container", verb->type);
	if (verb_is_exclusive(verb->type) && exclusive_flies(flying))
		fault("verb %u beside an exclusive one", verb->type);
	if (verb->type != VERB_CANCEL && verb->type != VERB_DELETE && verb_find(VERB_DELETE, NULL))
		fault("verb %u behind a delete", verb->type);
	if ((verb->type == VERB_START || verb->type == VERB_RESTORE) && state != PROCESS_CREATED)
		fault("a start in state %d", state);
	if (verb->type == VERB_DELETE && state != PROCESS_CREATED && state != PROCESS_STOPPED)
		fault("a delete in state %d", state);
	if (verb->type == VERB_PAUSE && state != PROCESS_RUNNING)
		fault("a pause in state %d", state);
	if (verb->type == VERB_EXEC && told)
		fault("an exec of a dead container");
	if (verb->type == VERB_EXEC && world_exec(verb->exec_id)->life != UNBORN)
		fault("an exec twice");
	if (verb->type == VERB_PAUSE)
		world.init.state = PROCESS_PAUSING;
}

/* ---- events ---- */

static inline void exit_published(const Containerd__Events__TaskExit *event)
{
	bool init = strcmp(event->id, "c") == 0;
	struct world_process *process = init ? &world.init : world_exec(event->id);
	size_t i = (size_t)(process - world.execs);
	uint32_t status = init ? INIT_STATUS : EXEC_STATUS + (uint32_t)i;
	uint32_t pid = init ? INIT_PID : EXEC_PID + (uint32_t)i;

	if (process->exited)
		fault("a second exit of %s", event->id);
	if (init ? !world.created : !process->started)
		fault("an exit of %s, which nobody knows", event->id);
	if (!init && world.init.exited)
		fault("the exit of %s after its init's", event->id);
	if (init && execs_busy() && world.live)
		fault("the exit of an init before its execs'");
	if (seams.oom_told != seams.oom_kills && seams.oom_killed)
		fault("an exit before the kill that is its reason");
	if (event->pid != pid || !event->exited_at)
		fault("the exit of %s has pid %u", event->id, event->pid);
	/* one that nobody saw end was killed with its container */
	if (event->exit_status != status && (process->life == ENDED || event->exit_status != 137))
		fault("the exit of %s has status %u", event->id, event->exit_status);
	process->exited = true;
	process->shown_status = event->exit_status;
	process->state = PROCESS_STOPPED;
}

static inline void started_published(const char *exec_id, uint32_t pid)
{
	struct world_process *process = world_exec(exec_id);
	if (process->started || (exec_id[0] ? !process->added : !world.created))
		fault("a start of '%s' out of order", exec_id);
	if (process->exited || world.init.exited)
		fault("a start of '%s' after an exit", exec_id);
	if (pid != (exec_id[0] ? EXEC_PID + (uint32_t)(process - world.execs) : INIT_PID))
		fault("a start of '%s' with pid %u", exec_id, pid);
	process->started = true;
}

static inline void deleted_published(const Containerd__Events__TaskDelete *event)
{
	if (world.init.life != UNBORN && !world.init.exited)
		fault("a delete before the exit");
	for (size_t i = 0; i < EXECS; i++)
		if (world.execs[i].started && !world.execs[i].exited)
			fault("a delete before the exit of an exec");
	if (event->exit_status != world.init.shown_status)
		fault("a delete with status %u", event->exit_status);
	world.deleted = true;
}

static void event_published(const char *topic, const ProtobufCMessage *event)
{
	const char *name = strrchr(topic, '/') + 1;
	remember(" <%s>", name);
	if (strcmp(name, "create") == 0) {
		if (world.created || world.doomed)
			fault("a create out of order");
		world.created = true;
		return;
	}
	if (!world.created || world.deleted)
		fault("event %s outside of the container's life", name);
	if (strcmp(name, "start") == 0)
		started_published("", ((const Containerd__Events__TaskStart *)event)->pid);
	else if (strcmp(name, "exec-added") == 0)
		world_exec(((const Containerd__Events__TaskExecAdded *)event)->exec_id)->added =
			true;
	else if (strcmp(name, "exec-started") == 0)
		started_published(((const Containerd__Events__TaskExecStarted *)event)->exec_id,
				  ((const Containerd__Events__TaskExecStarted *)event)->pid);
	else if (strcmp(name, "exit") == 0)
		exit_published((const Containerd__Events__TaskExit *)event);
	else if (strcmp(name, "delete") == 0)
		deleted_published((const Containerd__Events__TaskDelete *)event);
	else if (strcmp(name, "oom") == 0)
		world.ooms++;
	if (strcmp(name, "oom") == 0 && world.init.exited)
		fault("a kill for want of memory after the exit");
}

/* ---- State, and who waits ---- */

static inline struct ttrpc_call state_ask(const char *exec_id)
{
	Containerd__Task__V2__StateRequest request = CONTAINERD__TASK__V2__STATE_REQUEST__INIT;
	size_t n = seams.n_calls;
	struct ttrpc_call *call = call_open("State");
	request.id = task_text("c");
	request.exec_id = task_text(exec_id);
	call_handled(call, handlers->state(call, &request));
	if (call->open)
		fault("State waits");
	seams.n_calls = n;
	return *call;
}

static inline Containerd__Task__V2__Status status_expected(const struct world_process *process)
{
	enum process_state state = process->state, init = world.init.state;
	if (state == PROCESS_RUNNING && (init == PROCESS_PAUSING || init == PROCESS_PAUSED))
		state = init;
	switch (state) {
	case PROCESS_CREATED:
	case PROCESS_CHECKPOINT:
		return CONTAINERD__TASK__V2__STATUS__CREATED;
	case PROCESS_RUNNING:
		return CONTAINERD__TASK__V2__STATUS__RUNNING;
	case PROCESS_PAUSING:
		return CONTAINERD__TASK__V2__STATUS__PAUSING;
	case PROCESS_PAUSED:
		return CONTAINERD__TASK__V2__STATUS__PAUSED;
	case PROCESS_STOPPED:
		return CONTAINERD__TASK__V2__STATUS__STOPPED;
	default:
		return CONTAINERD__TASK__V2__STATUS__UNKNOWN;
	}
}

static inline void state_check(const struct world_process *process, const char *exec_id)
{
	bool stopped = process->state == PROCESS_STOPPED;
	bool there = world.init.state != PROCESS_CREATING && process->state != PROCESS_CREATING;
	struct ttrpc_call call = state_ask(exec_id);
	if (there ? call.code != TTRPC_OK : call.code != TTRPC_NOT_FOUND)
		fault("State of '%s' answers code %d, %s", exec_id, call.code, call.text);
	if (!there)
		return;
	if (call.status != status_expected(process))
		fault("State of '%s' answers %u for %u", exec_id, call.status,
		      status_expected(process));
	if (call.exit_status != (stopped ? process->shown_status : 0) ||
	    (call.exited_at == EXITED_NEVER) == stopped)
		fault("State of '%s' answers exit status %u", exec_id, call.exit_status);
}

static inline void wait_check(const struct world_process *process, const char *exec_id)
{
	const struct ttrpc_call *wait = process->wait;
	bool there = world.init.state != PROCESS_CREATING && process->state != PROCESS_CREATING;
	bool stopped = process->state == PROCESS_STOPPED;
	if (!wait || wait->gone)
		return;
	if (wait->open != (there && !stopped && !process->released))
		fault("who waits for '%s' was %s", exec_id, wait->open ? "forgotten" : "told");
	if (wait->open)
		return;
	if (wait->code == TTRPC_NOT_FOUND
		    ? there
		    : wait->code != TTRPC_OK || wait->exit_status != process->shown_status)
		if (!process->released || wait->exit_status != 0)
			fault("who waits for '%s' was told %d, status %u", exec_id, wait->code,
			      wait->exit_status);
}

static void requests_settle(void);

static inline void world_check(void)
{
	requests_settle();
	state_check(&world.init, "");
	wait_check(&world.init, "");
	for (size_t i = 0; i < EXECS; i++) {
		state_check(&world.execs[i], exec_name(i));
		wait_check(&world.execs[i], exec_name(i));
	}
	if (world.live && world.init.life == ENDED && !execs_busy() && !world.init.exited)
		fault("an exit is kept back");
	if (server.containers && server.containers->init.queue && !exclusive_flies(NULL))
		fault("an operation waits for nothing");
	if (world.doomed && world.created)
		fault("a create that was undone was shown");
}

static inline struct ttrpc_call *wait_ask(const char *exec_id)
{
	Containerd__Task__V2__WaitRequest request = CONTAINERD__TASK__V2__WAIT_REQUEST__INIT;
	struct ttrpc_call *call = call_open("Wait");
	request.id = task_text("c");
	request.exec_id = task_text(exec_id);
	call_handled(call, handlers->wait(call, &request));
	return call;
}

/* ---- what the world does ---- */

static inline void exit_tell(struct world_process *process)
{
	bool init = process == &world.init;
	size_t i = (size_t)(process - world.execs);
	struct report report = {.type = REPORT_EXIT,
				.id = "c",
				.exited_at = EXIT_TIME,
				.pid = init ? INIT_PID : EXEC_PID + (int)i,
				.exit_status = init ? INIT_STATUS : EXEC_STATUS + (uint32_t)i};
	strcpy(report.exec_id, init ? "" : exec_name(i));
	remember(" exit:%s", report.exec_id);
	process->life = ENDED;
	process->shown_status = report.exit_status;
	report_deliver(&report, -1);
}

/* One that the server asked for by itself, to let what is frozen die. */
static inline bool verb_is_own(const struct verb *verb)
{
	const struct operation *operation = server.flying;
	while (operation && operation->verb.tag != verb->tag)
		operation = operation->next;
	return operation && operation->kind->request == REQUEST_NONE;
}

/* What the server must show from then on. */
static inline void report_expect(const struct verb *verb, bool ok)
{
	struct world_process *process = world_exec(verb->exec_id);
	bool told = world.init.life == ENDED;
	if (verb->type == VERB_CREATE && ok) {
		world.live = true;
		process->state = PROCESS_CREATED;
		process->life = world.checkpoint ? UNBORN : ALIVE;
	} else if (verb->type == VERB_RESTORE && ok) {
		process->life = ALIVE;
		process->state = PROCESS_RUNNING;
	} else if (verb->type == VERB_START && ok && !told) {
		process->state = PROCESS_RUNNING;
	} else if (verb->type == VERB_EXEC && ok) {
		process->life = ALIVE;
		process->state = PROCESS_RUNNING;
	} else if (verb->type == VERB_EXEC) {
		process->released = true;
	} else if (verb->type == VERB_PAUSE && process->state == PROCESS_PAUSING) {
		process->state = ok ? PROCESS_PAUSED : PROCESS_RUNNING;
	} else if (verb->type == VERB_RESUME && ok && process->state == PROCESS_PAUSED &&
		   !verb_is_own(verb)) {
		process->state = PROCESS_RUNNING;
	} else if (verb->type == VERB_DELETE && ok) {
		world.live = false;
	} else if (verb->type == VERB_CANCEL && ok && verb_find(VERB_CREATE, NULL)) {
		world.doomed = true;
	}
}

/* What must have happened by then. */
static inline void report_after(const struct verb *verb, bool ok)
{
	bool unasked = world.create->gone && world.create->error != -ETIMEDOUT;
	if (verb->type == VERB_CREATE && ok && unasked && !verb_find(VERB_DELETE, NULL))
		fault("what nobody asks for any more stays");
	if (verb->type == VERB_CREATE && ok && !world.create->gone && world.create->open)
		fault("Create was not answered");
	if (verb->type == VERB_CREATE && ok)
		world.init.wait = wait_ask("");
	if (verb->type != VERB_DELETE || !ok)
		return;
	if (!world.deleted)
		fault("there was no delete");
	world.init.state = PROCESS_CREATING;
	for (size_t i = 0; i < EXECS; i++) {
		world.execs[i].state = PROCESS_CREATING;
		world.execs[i].life = ENDED;
	}
}

static inline void report_tell(size_t i, bool ok)
{
	struct verb verb = seams.verbs[i].verb;
	struct report report = {.type = REPORT_DONE, .tag = verb.tag};
	bool kills = verb.type == VERB_DELETE && ok && world.init.life == ALIVE;
	bool oom = ok && verb.type == (world.checkpoint ? VERB_RESTORE : VERB_CREATE);

	remember(" %s:%u%s", ok ? "done" : "failed", verb.type, verb.exec_id);
	if (kills)
		exit_tell(&world.init);
	report.code = ok ? TTRPC_OK : TTRPC_UNKNOWN;
	if (ok && verb_names_process(verb.type))
		report.pid = verb.exec_id[0] ? EXEC_PID + verb.exec_id[1] - '0' : INIT_PID;
	if (verb.type == VERB_CREATE && world.checkpoint)
		report.pid = 0;
	report.flags = world.private_pids ? REPORT_PRIVATE_PIDS : 0;
	seams.verbs[i] = seams.verbs[--seams.n_verbs];
	report_expect(&verb, ok);
	report_deliver(&report, oom ? dup(STDIN_FILENO) : -1);
	report_after(&verb, ok);
}

#endif
