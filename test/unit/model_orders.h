/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_UNIT_MODEL_ORDERS_H
#define TEST_UNIT_MODEL_ORDERS_H
/*
 * All orders of what can happen to the container of model_world.h, from beginnings. They are not stored
 * but made again from their beginning, as the server's state cannot be copied.
 */
#include "test/unit/model_requests.h"

/* With the checks of a sanitizer each order takes ten times as long. */
#if defined(__SANITIZE_ADDRESS__)
#define DEPTH 5
#else
#define DEPTH 6
#endif
#define ANY_DEPTH 4 /* of the beginnings that ask for everything */
#define CHOICES_MAX 32
#define SETTLE_MAX 64

enum step_kind {
	STEP_ASK,
	STEP_DONE,
	STEP_FAILED,
	STEP_EXIT,
	STEP_OOM,
	STEP_OOM_HIDDEN,
	STEP_GONE,
	STEP_LATE,
	STEP_TIMER
};

struct step {
	enum step_kind kind;
	unsigned which; /* request, verb, or exec (EXECS: the init) */
};

struct beginning {
	const char *name;
	bool checkpoint, shared_pids;
	struct step steps[12]; /* up to the first that asks for REQUESTS */
	unsigned asked;        /* requests that follow in any order: bits */
	bool oom, gone;        /* so do these */
};

#define ASK(request)                                                                               \
	{                                                                                          \
		STEP_ASK, request                                                                  \
	}
#define REPORTED                                                                                   \
	{                                                                                          \
		STEP_DONE, 0                                                                       \
	}
#define END                                                                                        \
	{                                                                                          \
		STEP_ASK, REQUESTS                                                                 \
	}
#define BIT(request) (1u << (request))
#define ANY (BIT(REQUESTS) - 1 - BIT(ASK_CREATE))
#define CREATED ASK(ASK_CREATE), REPORTED
#define RUNNING CREATED, ASK(ASK_START), REPORTED
#define WITH_EXEC ASK(ASK_EXEC0), ASK(ASK_START0), REPORTED

enum {
	CREATING,
	EXECS_OF_CREATED,
	STARTING,
	EXEC_STARTING,
	EXEC_RUNNING,
	SHARED_PIDS,
	PAUSED,
	RESTORE,
	TWO_EXECS,
	ANY_CREATED,
	ANY_CHECKPOINT,
	ANY_RUNNING,
	ANY_PAUSED,
	ANY_STOPPED,
	BEGINNINGS
};

static const struct beginning beginnings[BEGINNINGS] = {
	[CREATING] = {.name = "creating",
		      .steps = {ASK(ASK_CREATE), END},
		      .asked = BIT(ASK_DELETE) | BIT(ASK_START) | BIT(ASK_PAUSE) | BIT(ASK_RESIZE),
		      .gone = true,
		      .oom = true},
	[EXECS_OF_CREATED] = {.name = "execs of a created one",
			      .steps = {CREATED, ASK(ASK_EXEC0), END},
			      .asked = BIT(ASK_DELETE) | BIT(ASK_START0) | BIT(ASK_START) |
				       BIT(ASK_KILL)},
	[STARTING] = {.name = "starting",
		      .steps = {CREATED, ASK(ASK_START), END},
		      .asked = BIT(ASK_DELETE) | BIT(ASK_KILL) | BIT(ASK_PAUSE) | BIT(ASK_EXEC0),
		      .gone = true},
	[EXEC_STARTING] = {.name = "an exec starting",
			   .steps = {RUNNING, ASK(ASK_EXEC0), ASK(ASK_START0), END},
			   .asked = BIT(ASK_DELETE) | BIT(ASK_DELETE0) | BIT(ASK_KILL0) |
				    BIT(ASK_RESIZE0),
			   .gone = true},
	[EXEC_RUNNING] = {.name = "an exec running",
			  .steps = {RUNNING, WITH_EXEC, END},
			  .asked = BIT(ASK_PAUSE) | BIT(ASK_DELETE) | BIT(ASK_DELETE0) |
				   BIT(ASK_START0) | BIT(ASK_RESUME),
			  .oom = true},
	[SHARED_PIDS] = {.name = "an exec beside a shared PID namespace",
			 .shared_pids = true,
			 .steps = {RUNNING, ASK(ASK_EXEC0), ASK(ASK_START0), END},
			 .asked = BIT(ASK_DELETE) | BIT(ASK_KILL) | BIT(ASK_UPDATE)},
	[PAUSED] = {.name = "paused",
		    .steps = {RUNNING, WITH_EXEC, ASK(ASK_PAUSE), REPORTED, END},
		    .asked = BIT(ASK_RESUME) | BIT(ASK_KILL) | BIT(ASK_DELETE) | BIT(ASK_EXEC1) |
			     BIT(ASK_START)},
	[RESTORE] = {.name = "to be restored",
		     .checkpoint = true,
		     .steps = {CREATED, END},
		     .asked = BIT(ASK_START) | BIT(ASK_DELETE) | BIT(ASK_EXEC0) | BIT(ASK_RESUME) |
			      BIT(ASK_UPDATE),
		     .gone = true},
	[TWO_EXECS] = {.name = "two execs",
		       .steps = {RUNNING, WITH_EXEC, ASK(ASK_EXEC1), END},
		       .asked = BIT(ASK_START1) | BIT(ASK_DELETE0) | BIT(ASK_DELETE) |
				BIT(ASK_PAUSE) | BIT(ASK_KILL)},
	/* every request in every state */
	[ANY_CREATED] = {.name = "created", .steps = {CREATED, ASK(ASK_EXEC0), END}, .asked = ANY},
	[ANY_CHECKPOINT] = {.name = "made for a restore",
			    .checkpoint = true,
			    .steps = {CREATED, END},
			    .asked = ANY},
	[ANY_RUNNING] = {.name = "running", .steps = {RUNNING, WITH_EXEC, END}, .asked = ANY},
	[ANY_PAUSED] = {.name = "paused, too",
			.steps = {RUNNING, WITH_EXEC, ASK(ASK_PAUSE), REPORTED, END},
			.asked = ANY},
	[ANY_STOPPED] = {.name = "stopped",
			 .steps = {RUNNING, WITH_EXEC, {STEP_EXIT, 0}, {STEP_EXIT, EXECS}, END},
			 .asked = ANY},
};

/* ---- one order ---- */

static unsigned asked; /* in this order, beyond its beginning */

static inline void world_begin(const struct beginning *beginning)
{
	static const struct shim_config config = {.id = "c"};
	long allocations = seams.allocations;
	memset(&server, 0, sizeof(server));
	memset(&world, 0, sizeof(world));
	memset(&seams, 0, offsetof(struct seams, history));
	seams.history_size = 0;
	seams.allocations = allocations;
	server.config = &config;
	server.can_exec = server.can_restore = true;
	server.loop = TTRPC_LOOP_NULL;
	world.private_pids = !beginning->shared_pids;
	world.checkpoint = beginning->checkpoint;
	asked = 0;
	n_queued = 0;
	task_register(&server);
}

static inline bool is_queued(const struct ttrpc_call *call)
{
	for (size_t i = 0; i < n_queued; i++)
		if (queued[i].call == call)
			return true;
	return false;
}

/* The oldest call that is not answered; or that a client can leave without hiding what it did. */
static inline struct ttrpc_call *call_oldest(bool leave)
{
	for (size_t i = 0; i < seams.n_calls; i++)
		if (seams.calls[i].open && !(leave && is_queued(&seams.calls[i])))
			return &seams.calls[i];
	return NULL;
}

static inline void timer_fire(void)
{
	struct ttrpc_timer *timer = server.loop.timers;
	ttrpc_timer_fn callback = timer->callback;
	remember(" time");
	ttrpc_timer_clear(timer);
	callback(timer);
}

static inline void step_do(const struct step *step)
{
	switch (step->kind) {
	case STEP_ASK:
		ask((enum request)step->which);
		break;
	case STEP_DONE:
	case STEP_FAILED:
		report_tell(step->which, step->kind == STEP_DONE);
		break;
	case STEP_EXIT:
		exit_tell(step->which < EXECS ? &world.execs[step->which] : &world.init);
		break;
	case STEP_OOM:
	case STEP_OOM_HIDDEN:
		remember(step->kind == STEP_OOM ? " oom" : " oom?");
		seams.oom_kills++;
		if (step->kind == STEP_OOM)
			oom_tell(&server.containers->oom);
		break;
	case STEP_GONE:
	case STEP_LATE:
		remember(step->kind == STEP_GONE ? " gone" : " late");
		call_abandon(call_oldest(true), step->kind == STEP_GONE ? -ECONNRESET : -ETIMEDOUT);
		break;
	case STEP_TIMER:
		timer_fire();
		break;
	}
	world_check();
}

static inline size_t choices_add(struct step *choices, size_t n, enum step_kind kind, size_t which)
{
	ASSERT(n < CHOICES_MAX);
	choices[n] = (struct step){kind, (unsigned)which};
	return n + 1;
}

/* Whether what a cancel is for is still under way at the monitor. */
static inline bool cancel_hits(const struct verb *cancel)
{
	if (cancel->exec_id[0])
		return verb_find(VERB_EXEC, cancel->exec_id);
	return exclusive_flies(NULL);
}

static inline size_t choices_reports(struct step *choices, size_t n)
{
	for (size_t i = 0; i < seams.n_verbs; i++) {
		const struct verb *verb = &seams.verbs[i].verb;
		bool cancel = verb->type == VERB_CANCEL;
		bool hits = cancel && cancel_hits(verb);
		if (cancel ? hits : verb->type != VERB_CREATE || !world.doomed)
			n = choices_add(choices, n, STEP_DONE, i);
		if (!hits)
			n = choices_add(choices, n, STEP_FAILED, i);
	}
	return n;
}

static inline size_t choices_list(const struct beginning *beginning, struct step *choices)
{
	bool dead = world.init.life == ENDED;
	size_t n = choices_reports(choices, 0);
	if (world.init.life == ALIVE)
		n = choices_add(choices, n, STEP_EXIT, EXECS);
	for (size_t i = 0; i < EXECS; i++)
		if (world.execs[i].life == ALIVE && world.live)
			n = choices_add(choices, n, STEP_EXIT, i);
	if (beginning->oom && seams.oom_killed && !dead && seams.oom_kills == 0) {
		n = choices_add(choices, n, STEP_OOM, 0);
		n = choices_add(choices, n, STEP_OOM_HIDDEN, 0);
	}
	if (beginning->gone && call_oldest(true) && !(asked & BIT(REQUESTS))) {
		n = choices_add(choices, n, STEP_GONE, 0);
		n = choices_add(choices, n, STEP_LATE, 0);
	}
	if (server.loop.timers)
		n = choices_add(choices, n, STEP_TIMER, 0);
	for (unsigned request = 0; request < REQUESTS; request++)
		if (beginning->asked & ~asked & BIT(request))
			n = choices_add(choices, n, STEP_ASK, request);
	return n;
}

static inline void choice_do(const struct step *step)
{
	if (step->kind == STEP_ASK)
		asked |= BIT(step->which);
	if (step->kind == STEP_GONE || step->kind == STEP_LATE)
		asked |= BIT(REQUESTS);
	step_do(step);
}

/* The next thing that happens by itself, or what has to be asked for to come to an end. */
static inline bool settle_step(struct step *ret_step)
{
	struct step choices[CHOICES_MAX];
	if (choices_reports(choices, 0) > 0)
		*ret_step = choices[0];
	else if (world.execs[0].life == ALIVE)
		*ret_step = (struct step){STEP_EXIT, 0};
	else if (world.execs[1].life == ALIVE)
		*ret_step = (struct step){STEP_EXIT, 1};
	else if (world.init.life == ALIVE)
		*ret_step = (struct step){STEP_EXIT, EXECS};
	else if (world.live)
		*ret_step = (struct step){STEP_ASK, ASK_DELETE};
	else
		return false;
	return true;
}

static inline void events_check(void)
{
	bool shown = world.init.life != UNBORN;
	if (world.deleted != world.created)
		fault("%s delete", world.created ? "no" : "a");
	if (world.created && world.init.exited != shown)
		fault("%s exit", shown ? "no" : "an");
	for (size_t i = 0; i < EXECS; i++)
		if (world.execs[i].started != world.execs[i].exited)
			fault("%s exit of an exec", world.execs[i].started ? "no" : "an");
	if (seams.oom_kills != world.ooms)
		fault("%u kills for want of memory, told %u", seams.oom_kills, world.ooms);
}

/* A delete whose answer was lost is asked for again, and is answered the same. */
static inline void repeat_check(void)
{
	Containerd__Task__V2__DeleteRequest request = {.id = task_text("c"),
						       .exec_id = task_text("")};
	struct ttrpc_call *call = call_open("Delete");
	call_handled(call, handlers->delete_(call, &request));
	if (call->open || call->code != (world.created ? TTRPC_OK : TTRPC_NOT_FOUND))
		fault("a second Delete was answered %d", call->code);
	if (world.created && call->exit_status != world.init.shown_status)
		fault("a second Delete was told status %u", call->exit_status);
}

static inline void order_end(void)
{
	struct step step;
	int steps = 0;
	remember(" |");
	while (settle_step(&step)) {
		if (steps++ == SETTLE_MAX)
			fault("it does not come to an end");
		step_do(&step);
	}
	events_check();
	repeat_check();
	if (server.containers || server.flying || server.pending || server.loop.timers)
		fault("something is left");
	if (call_oldest(false))
		fault("%s was not answered", call_oldest(false)->method);
	tombstone_remove(&server, "c");
	if (seams.allocations != 0)
		fault("%ld allocations are left", seams.allocations);
}

/* The lowest descriptor that is free: one that was left open would take its place. */
static inline int descriptor_next(void)
{
	int fd = dup(STDIN_FILENO);
	close(fd);
	return fd;
}

/* ---- all orders ---- */

static inline unsigned long orders_try(const struct beginning *beginning, int depth)
{
	size_t chosen[DEPTH] = {0}, counts[DEPTH];
	struct step choices[CHOICES_MAX];
	unsigned long orders = 0;
	int steps, free_fd = descriptor_next();

	for (bool more = true; more; orders++) {
		world_begin(beginning);
		for (const struct step *step = beginning->steps; step->which != REQUESTS; step++)
			step_do(step);
		remember(" :");
		for (steps = 0; steps < depth; steps++) {
			counts[steps] = choices_list(beginning, choices);
			if (counts[steps] == 0)
				break;
			choice_do(&choices[chosen[steps]]);
		}
		order_end();
		if (descriptor_next() != free_fd)
			fault("a descriptor is left");
		more = false;
		while (steps-- > 0 && !more) {
			more = ++chosen[steps] < counts[steps];
			if (!more)
				chosen[steps] = 0;
		}
	}
	return orders;
}

#endif
