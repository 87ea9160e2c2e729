/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_SERVER_H
#define SHIM_SERVER_H
/*
 * The server's objects, for the files that make it up:
 *
 *   server.c     the process: its start, the monitor's socket, events, its end
 *   task.c       the methods of the task service
 *   operation.c  what the monitor is asked for, in order
 *   process.c    a process of a container: its states, exit, waiters, standard streams
 *
 * A container exists from the moment its Create is accepted; clients see it when the Create has
 * succeeded. It owns its init; an operation that needs it keeps it alive by being listed in it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "api/publisher.h"
#include "shim/message.h"
#include "shim/stream.h"
#include "ttrpc/loop.h"
#include "ttrpc/ttrpc.h"

enum process_state {
	PROCESS_CREATING, /* nobody but its Create knows of it */
	PROCESS_CREATED,
	PROCESS_RUNNING,
	PROCESS_PAUSED,
	PROCESS_STOPPED,
	PROCESS_STATES,
};

enum process_request {
	REQUEST_NONE = -1, /* allowed in every state */
	REQUEST_START,
	REQUEST_DELETE,
	REQUEST_KILL,
	PROCESS_REQUESTS,
};

struct container;
struct operation;
struct server;
struct shim_config;

struct waiter {
	struct waiter *next;
	struct process *process;
	struct ttrpc_call *call;
};

struct process {
	struct container *container;
	enum process_state state;
	bool started;      /* it ran the user's program */
	bool private_pids; /* its PID namespace goes with it */
	pid_t pid;
	uint32_t exit_status;
	int64_t exited_at; /* EXITED_NEVER until the exit */
	uint32_t exited_at_nanos;
	const char *paths[3]; /* standard input, output, error, as the client named them */
	int input;            /* the pipe that standard input will go to; -1: none, or it flows */
	bool input_closed;    /* CloseIO came before it flowed */
	struct stream streams[3];
	struct waiter *waiters;
};

#define EXITED_NEVER (-62135596800) /* Go's zero time, which clients take for "not yet" */

struct container {
	struct container *next;
	struct server *server;
	struct process init;
	struct operation *exclusive; /* under way */
	struct operation *queue;     /* exclusive ones that wait for it */
	bool cancelling;             /* the monitor was asked to end its create */
	bool doomed;                 /* its create will fail: nobody counts on it any more */
	const char *bundle;
	char id[]; /* then the bundle and the paths */
};

/* What all operations of one verb have in common. */
struct operation_kind {
	enum verb_type verb;
	enum process_request request; /* asked of the init's state when it begins */
	enum ttrpc_code refusal;      /* the code if that says no */
	bool exclusive;
	bool immediate; /* the monitor does it by itself: it takes no worker's place */
	/* The monitor answered. Answers the call and frees the operation, now or later. */
	void (*done)(struct operation *operation, struct report_message *message);
};

struct operation {
	struct operation *next;
	struct server *server;
	struct container *container; /* NULL: of the shim as a whole, or deleted meanwhile */
	struct ttrpc_call *call;     /* NULL: nobody waits for the answer */
	const struct operation_kind *kind;
	struct verb verb;
	int payload_fd;

	unsigned char *event; /* create: the packed event but for its pid */
	size_t event_size;
	uint64_t asked_at;        /* delete: when */
	bool deleted;             /* delete: the container is gone, its output may not be */
	struct ttrpc_timer drain; /* delete: how long that may take */
};

struct server {
	const struct shim_config *config;
	pid_t pid;
	int monitor_fd, signal_fd;
	struct ttrpc_loop loop;
	struct ttrpc_server *ttrpc;
	struct ttrpc_watch monitor_watch, signal_watch;
	struct ttrpc_timer idle; /* no container and no connection */
	struct ttrpc_timer end;  /* closing must not last */
	struct api_publisher publisher;
	struct container *containers;
	size_t n_containers;
	struct operation *flying;  /* the monitor has them */
	struct operation *pending; /* OPERATIONS_MAX are flying */
	size_t n_flying;
	uint32_t last_tag;
	enum server_phase {
		SERVER_OPEN,
		SERVER_CLOSING, /* the socket is being unlinked */
		SERVER_ENDING,  /* what is owed is being sent */
	} phase;
	struct report_message message; /* the one that is being read */
	char text[RUNTIME_ERROR_MAX];  /* of it */
};

/* server.c */
int server_close(struct server *server, struct ttrpc_call *call); /* call: a Shutdown, or NULL */
void server_update_idle(struct server *server); /* a container or connection came or went */

/* task.c */
int task_register(struct server *server);

/* The last bytes of the process's output have gone: a delete may wait for that. */
void task_drained(struct process *process);

/* A memfd with these bytes that nobody can change any more; or a negative errno. */
int payload_seal(const void *bytes, size_t size);

/* operation.c. operation_new(): NULL without memory. */
struct operation *operation_new(struct server *server, struct container *container,
				const struct operation_kind *kind);
void operation_free(struct operation *operation);
void operation_take_call(struct operation *operation, struct ttrpc_call *call);
void operation_fail(struct operation *operation, enum ttrpc_code code, const char *text);
void operation_submit(struct operation *operation);
/* Whether it was still pending: then it is the caller's again. */
bool operation_withdraw(struct operation *operation);
/* An exclusive one has had its effect: the next of its container begins. */
void operation_release(struct operation *operation);
/* What waits for it is answered that there is no such container. */
void operation_refuse_queue(struct container *container);
/* The container is about to be freed. */
void operation_forget(struct container *container);
/* -EBADMSG: it answers nothing that was asked. */
int operation_report(struct server *server, struct report_message *message);

/* process.c */
struct container *server_container(struct server *server, const char *id);
struct container *container_new(struct server *server, const char *id, const char *bundle,
				const char *const paths[static 3]);
void container_free(struct container *container);
const char *process_refusal(const struct process *process, enum process_request request);
void process_exited(struct process *process, const struct report *report);
int process_wait(struct process *process, struct ttrpc_call *call);
void process_dismiss(struct process *process); /* those who wait are told that it is in vain */
/* Take the descriptors that a create or start brought, and let bytes flow. */
int process_take_output(struct process *process, struct report_message *message);
int process_take_input(struct process *process, struct report_message *message);
void process_close_input(struct process *process);
void process_stop_streams(struct process *process);
bool process_drained(const struct process *process);
int process_answer_wait(const struct process *process, struct ttrpc_call *call);

#endif
