/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_BENCH_PEER_H
#define TEST_BENCH_PEER_H
#include <limits.h>
#include <stdbool.h>

#include "test/bench/bundle.h"
#include "test/bench/wire.h"

/* The daemon's side of everything: what is the same for all shims of a run. */
struct peer_host {
	char base[PATH_MAX];  /* a folder of the run's own: bundles, sockets, runtime state */
	char grpc[PATH_MAX];  /* given to the shims; nobody listens there */
	char ttrpc[PATH_MAX]; /* the sink */
	char runtime_root[PATH_MAX];
	const char *namespace_;
	const char *runtime;      /* absolute path of runc or crun */
	unsigned int seconds_max; /* for each answer of a shim and each of its verbs */
};

/* What a shim is to the one that is judged: goals are against one of these. */
enum peer_role {
	PEER_ANY,     /* no goal: our own, or one that must not fail either */
	PEER_NEWEST,  /* the newest stock shim that can be had */
	PEER_RELEASE, /* the release's own stock shim, where there is a newer one */
	PEER_RUST,
	PEER_ROLES,
};

/* A shim program that is measured. */
struct peer {
	const char *label;
	const char *path;
	char program[PATH_MAX]; /* canonical, as a process that runs it shows it */
	enum peer_role role;
	bool bootstrap; /* speaks the newer form: BootstrapParams on stdin, task API v3 */
	bool out;       /* it failed, and has nothing any more that runs or is to be shown */
};

/* A container on its way through a shim. */
struct peer_task {
	const struct peer_host *host;
	const struct peer *peer;
	char id[64];
	struct bundle bundle;
	struct wire wire;
	char address[PATH_MAX];
	char error[1024]; /* what went wrong, for people, after a function returned -1 */
};

/*
 * In this order; each returns 0, or -1 with the reason in task->error. begin() makes the bundle,
 * end() removes it; what lies between is what gets measured.
 */
int peer_begin(struct peer_task *task, const struct peer_host *host, const struct peer *peer,
	       const char *id, const struct bundle_spec *spec);
int peer_start_verb(struct peer_task *task);
int peer_connect(struct peer_task *task); /* connects, and waits for the answer to Connect */
int peer_create(struct peer_task *task);
int peer_start(struct peer_task *task);
int peer_wait(struct peer_task *task, unsigned int expected_status);
int peer_kill(struct peer_task *task);
int peer_delete(struct peer_task *task);
int peer_shutdown(struct peer_task *task); /* and closes the connection, as the daemon does */
int peer_delete_verb(struct peer_task *task);
void peer_end(struct peer_task *task);

/* From the start verb to Start; from Kill to the delete verb. */
int peer_raise(struct peer_task *task);
int peer_lower(struct peer_task *task);

/*
 * One more process in the container, which runs args (a JSON list): Exec, Start, Wait, Delete. Its
 * output goes where the container's goes, or, with a terminal, what it reads too comes from there.
 */
int peer_exec(struct peer_task *task, const char *exec_id, const char *args, bool terminal);

/* A request that has nothing but the container's id; and any, with the answer's payload. */
int peer_call_id(struct peer_task *task, const char *method, struct wire_reply *ret_reply);
int peer_call(struct peer_task *task, const char *method, const struct wire_message *request,
	      struct wire_reply *ret_reply);
int peer_signal(struct peer_task *task, unsigned int number);

/* The Any with runc's options, which the start verb and Create both get. */
void peer_put_options(const struct peer_task *task, struct wire_message *message,
		      unsigned int field);

/* Write the reason into task->error and return -1; error is a negative errno. */
int peer_fail_call(struct peer_task *task, const char *call, int error);
int peer_fail(struct peer_task *task, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
#endif
