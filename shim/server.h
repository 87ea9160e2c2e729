/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_SERVER_H
#define SHIM_SERVER_H
/*
 * The server's objects, for the files that make it up:
 *
 *   server.c      the process: its start, the monitor's socket, events, its end
 *   task*.c       the methods of the task service
 *   operation.c   what the monitor is asked for, in order
 *   process.c     a process of a container: its states, exit, waiters
 *   process_io.c  its standard streams and its terminal
 *   tombstone.c   the answers of deletes that a client may ask for again
 *   dump.c        all of this as lines in the log
 *
 * A container exists from the moment its Create is accepted; clients see it when the Create has
 * succeeded. It owns its processes: the init, which is a part of it, and the execs. An operation
 * that needs a process keeps it alive by being listed in it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "api/publisher.h"
#include "shim/message.h"
#include "shim/oom.h"
#include "shim/stream.h"
#include "ttrpc/loop.h"
#include "ttrpc/ttrpc.h"

enum process_state {
	PROCESS_CREATING,   /* an init: nobody but its Create knows of it */
	PROCESS_CREATED,    /* of an exec: it was asked for, and nothing of it runs */
	PROCESS_CHECKPOINT, /* an init: created, to be restored from an image */
	PROCESS_RUNNING,
	PROCESS_PAUSING,
	PROCESS_PAUSED,
	PROCESS_STOPPED,
	PROCESS_STATES,
};

enum process_request {
	REQUEST_NONE = -1, /* allowed in every state */
	REQUEST_START,
	REQUEST_DELETE,
	REQUEST_KILL,
	REQUEST_PAUSE,
	REQUEST_RESUME,
	REQUEST_UPDATE,
	REQUEST_CHECKPOINT,
	REQUEST_EXEC,
	REQUEST_RESIZE,
	PROCESS_REQUESTS,
};

/* Whether a request is allowed: code TTRPC_OK, or how it is refused. */
struct process_rule {
	enum ttrpc_code code;
	const char *text;
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
	struct process *next; /* of the container's execs */
	struct container *container;
	const char *exec_id; /* "": the init */
	enum process_state state;
	bool started;      /* it ran the user's program */
	bool starting;     /* an exec: a worker is about it */
	bool exiting;      /* an init: it has ended, and its execs have not all */
	bool private_pids; /* an init: its PID namespace goes with it */
	bool terminal;
	bool logger; /* a program takes its output, and has not ended */
	pid_t pid;
	uint32_t exit_status;
	int64_t exited_at;
	uint32_t exited_at_nanos;
	const char *paths[3];   /* standard input, output, error, as the client named them */
	int payload;            /* the request that its start will need; -1: none */
	int input;              /* the pipe that standard input will go to; -1: none, or it flows */
	bool input_closed;      /* CloseIO came before it flowed */
	int console;            /* the terminal's master; -1: none, or not yet */
	uint32_t columns, rows; /* ResizePty came before the terminal; 0: it did not */
	struct stream streams[3];
	struct waiter *waiters;
	struct operation *exclusive; /* under way */
	struct operation *queue;     /* what waits for it */
};

#define EXITED_NEVER (-62135596800) /* Go's zero time, which clients take for "not yet" */

struct container {
	struct container *next;
	struct server *server;
	struct process init;
	struct process *execs;
	struct oom oom;
	bool oom_owed;               /* there were kills that clients have not heard of */
	struct ttrpc_timer patience; /* its init has ended, and the start of an exec may hang */
	bool cancelling;             /* the monitor was asked to end its create */
	bool doomed;                 /* its create will fail: nobody counts on it any more */
	const char *bundle;
	char id[]; /* then the bundle and the paths */
};

/* What becomes of an operation that begins. */
enum operation_step {
	OPERATION_FLY,  /* it goes to the monitor */
	OPERATION_WAIT, /* not now: operation_fly() may follow, or the operation is gone already */
	OPERATION_REFUSE, /* it has been answered, and is to be freed */
};

/* What all operations of one verb have in common. */
struct operation_kind {
	enum verb_type verb;          /* 0: the server does it by itself */
	enum process_request request; /* asked of the process's state when it begins */
	bool exclusive;               /* of its process: in the order of the calls */
	bool immediate; /* the monitor does it by itself: it takes no worker's place */
	enum operation_step (*prepare)(struct operation *operation); /* NULL: fly */
	/*
	 * The monitor answered, and the process is still there. Answers the call and frees the
	 * operation, now or later.
	 */
	void (*done)(struct operation *operation, struct report_message *message);
};

struct operation {
	struct operation *next;
	struct server *server;
	struct process *process; /* NULL: of the shim as a whole, or deleted meanwhile */
	struct ttrpc_call *call; /* NULL: nobody waits for the answer */
	const struct operation_kind *kind;
	struct verb verb;
	int payload_fd;
	bool payload_lent; /* it is the process's */
	bool flown;        /* the monitor has had it */
	bool orphan;       /* its process was deleted */
	int call_error;    /* why nobody waits any more: see ttrpc_call_error() */

	unsigned char
		*event; /* create, checkpoint: the packed event, of a create but for its pid */
	size_t event_size;
	uint64_t asked_at;                            /* delete: when */
	void (*drained)(struct operation *operation); /* delete: output is drained, or time is up */
	struct ttrpc_timer timer; /* delete: how long that may take; before: how long it waits */
};

struct tombstone;

struct server {
	const struct shim_config *config;
	bool can_exec, can_restore; /* of the runtime, whose table is no memory of a resident's */
	pid_t pid;
	int monitor_fd, signal_fd;
	struct ttrpc_loop loop;
	struct ttrpc_server *ttrpc;
	struct ttrpc_watch monitor_watch, signal_watch;
	struct ttrpc_timer idle; /* no container and no connection */
	struct ttrpc_timer end;  /* closing must not last */
	struct api_publisher publisher;
	struct container *containers;
	size_t n_containers, n_execs;
	struct tombstone *tombstones; /* the newest first */
	struct operation *flying;     /* the monitor has them */
	struct operation *pending;    /* OPERATIONS_MAX are flying */
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

/* dump.c */
void server_dump(const struct server *server);

/* task.c */
int task_register(struct server *server);

/* The last bytes of the process's output have gone: a delete may wait for that. */
void task_drained(struct process *process);

/* A memfd with these bytes that nobody can change any more; or a negative errno. */
int payload_seal(const void *bytes, size_t size);

/* operation.c. operation_new(): NULL without memory. */
struct operation *operation_new(struct server *server, struct process *process,
				const struct operation_kind *kind);
void operation_free(struct operation *operation);
void operation_take_call(struct operation *operation, struct ttrpc_call *call);
void operation_fail(struct operation *operation, enum ttrpc_code code, const char *text);
void operation_submit(struct operation *operation);
void operation_fly(struct operation *operation); /* as soon as there is room */
/* Whether it was still pending: then it is the caller's again. */
bool operation_withdraw(struct operation *operation);
/* An exclusive one has had its effect: the next of its process begins. */
void operation_release(struct operation *operation);
/* What waits for it is answered that there is no such process. */
void operation_refuse_queue(struct process *process);
/* The process is about to be freed. */
void operation_forget(struct process *process);
/* Has the monitor end the exclusive operation of the process that is under way. */
void operation_cancel(struct process *process);
/* -EBADMSG: it answers nothing that was asked. */
int operation_report(struct server *server, struct report_message *message);

/* process.c */
void container_take_oom(struct container *container, struct report_message *message);
void container_tell_oom(struct container *container); /* what is owed */
struct container *server_container(struct server *server, const char *id);
struct container *container_new(struct server *server, const char *id, const char *bundle,
				const char *const paths[static 3]);
void container_free(struct container *container);
struct process *container_process(struct container *container, const char *exec_id);
struct process *process_new(struct container *container, const char *exec_id,
			    const char *const paths[static 3]); /* an exec; NULL without memory */
void process_free(struct process *process);                     /* an exec */
const struct process_rule *process_rule(const struct process *process,
					enum process_request request);
void process_exited(struct process *process, const struct report *report);
/* The monitor has forgotten the container: no exit is to be waited for any more. */
void process_exits_over(struct process *init);
/* An exec's start failed, or it has ended: its init's exit may wait for that. */
void container_exec_over(struct container *container);
int process_wait(struct process *process, struct ttrpc_call *call);
void process_answer_waiters(struct process *process);
/* Those who wait are told that it is in vain. */
void process_dismiss(struct process *process, enum ttrpc_code code, const char *text);
int process_answer_wait(const struct process *process, struct ttrpc_call *call);

/* process_io.c. They take the descriptors that a report brought, and let bytes flow. */
int process_take_output(struct process *process, struct report_message *message);
int process_take_input(struct process *process, struct report_message *message);
void process_close_input(struct process *process);
void process_stop_streams(struct process *process);
bool process_drained(const struct process *process);
void process_resize(struct process *process, uint32_t columns, uint32_t rows);

/* tombstone.c */
struct tombstone {
	struct tombstone *next;
	uint32_t pid, exit_status;
	int64_t exited_at;
	uint32_t exited_at_nanos;
	const char *exec_id; /* behind id */
	char id[];
};

void tombstone_add(const struct process *process);
const struct tombstone *tombstone_find(struct server *server, const char *id, const char *exec_id);
void tombstone_remove(struct server *server, const char *id); /* a new one has the name */

#endif
