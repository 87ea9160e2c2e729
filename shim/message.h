/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_MESSAGE_H
#define SHIM_MESSAGE_H
/*
 * What the three kinds of process tell each other, over SOCK_SEQPACKET socket pairs:
 *
 *   server  --verb-->   monitor    "do this to that container"; a sealed memfd beside it
 *   worker  --report--> monitor    what it has made so far; how its one operation ended;
 *                                  descriptors beside it
 *   monitor --report--> server     the same, and exits, in an order that means something
 *
 * A verb has one size. A report is followed by text_size bytes of text. A message of any other size,
 * with descriptors that nobody expects or that were cut off (MSG_CTRUNC) is an error: -EBADMSG.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "shim/shim.h"

/* Bytes of an id with its NUL. containerd's identifiers have at most 76 characters. */
#define ID_SIZE 128

/* What the server keeps to and the monitor takes for hostile beyond. */
#define CONTAINERS_MAX 1024 /* of one shim; one more is refused: RESOURCE_EXHAUSTED */
#define EXECS_MAX 4096      /* that run at once, of one shim; the same */
#define OPERATIONS_MAX 32   /* under way at once; more wait in the server */
#define EXCLUSIVE_MAX 24    /* exclusive ones wait beyond this: the server's own rule */
#define SIGNAL_MAX 64       /* of a kill; 0 is one, too */

enum verb_type {
	VERB_CREATE = 1,
	VERB_START,
	VERB_KILL,
	VERB_DELETE,
	VERB_PIDS,
	VERB_EXEC,    /* run one more process */
	VERB_RESTORE, /* start from a checkpoint */
	VERB_PAUSE,
	VERB_RESUME,
	VERB_UPDATE,
	VERB_CHECKPOINT,
	VERB_STATS,
	VERB_END_LOGGER, /* its process is gone and drained: it is to end */
	VERB_CANCEL,     /* end the work on it that is under way */
	VERB_PUBLISH,    /* connect to containerd's event service */
	VERB_CLOSE,      /* unlink the socket: the shim is about to end */
	VERB_MAX,
};

struct verb {
	uint32_t type;
	uint32_t tag; /* comes back in the report; not 0 */
	uint32_t signal;
	uint32_t all;
	uint32_t oom_kills; /* stats: what the server has counted, for when the cgroup is gone */
	char id[ID_SIZE];
	char exec_id[ID_SIZE];
};

enum report_type {
	REPORT_DONE = 1, /* the verb of this tag ended */
	REPORT_EXIT,     /* a process of a container ended */
	REPORT_MADE, /* the verb of this tag has made pid or logger_pid, and is still under way */
};

enum report_flags {
	REPORT_PRIVATE_PIDS = 1, /* create: the container has a PID namespace of its own */
	REPORT_LOGGER = 2,       /* exit: it is the process's logger that ended */
	REPORT_DIRECT_KILL = 4,  /* create, restore: enum runtime_direct, for the monitor */
	REPORT_DIRECT_PIDS = 8,
};

/* What each descriptor beside a report is. The first RUNTIME_KEEP_MAX stay with the monitor. */
enum report_role {
	ROLE_KEEP = 0,
	ROLE_STDIN_SOURCE = RUNTIME_KEEP_MAX,
	ROLE_STDIN_SINK,
	ROLE_STDIN_KEEPER,
	ROLE_STDOUT_SOURCE,
	ROLE_STDOUT_SINK,
	ROLE_STDOUT_KEEPER,
	ROLE_STDERR_SOURCE,
	ROLE_STDERR_SINK,
	ROLE_STDERR_KEEPER,
	ROLE_RESULT,    /* a memfd with the result's bytes, or the publisher's socket */
	ROLE_CONSOLE,   /* the master of the process's terminal, for its size */
	ROLE_OOM_EVENT, /* readable when there may have been an OOM kill; see oom.h */
	ROLE_OOM_FILE,  /* what counts them */
	ROLE_MAX,
};

struct report {
	uint32_t type;
	uint32_t tag;
	uint32_t code; /* enum ttrpc_code; 0: success */
	uint32_t flags;
	int32_t pid;
	int32_t logger_pid;   /* create, exec, restore: takes the process's output; 0: none */
	uint32_t exit_status; /* as containerd counts: the status, or 128 + signal */
	int64_t exited_at;    /* CLOCK_REALTIME */
	uint32_t exited_at_nanos;
	uint32_t roles; /* bit ROLE_X: that descriptor is beside it, in the order of the roles */
	uint32_t text_size;
	uint32_t
		result_size; /* bytes: of the text, which they are, or in the memfd of ROLE_RESULT */
	char id[ID_SIZE];
	char exec_id[ID_SIZE];
};

struct report_message {
	struct report report;
	int fds[ROLE_MAX]; /* by role; -1: none. Owned by whoever holds the message */
	char *text;        /* RUNTIME_ERROR_MAX bytes of the owner's; set before report_receive() */
};

int verb_send(int fd, const struct verb *verb, int payload_fd);
int verb_receive(int fd, struct verb *ret_verb,
		 int *ret_payload_fd); /* -1: none; -ENODATA: the peer is gone */

void report_init(struct report_message *message);   /* leaves text alone */
void report_deinit(struct report_message *message); /* closes what fds are left */
/* Puts a copy of the bytes into a report of success: its text, or a memfd if they are longer. */
int report_put_result(struct report_message *message, const void *bytes, size_t size);
/* Copies them; ret_bytes has room for report.result_size. -EBADMSG: there is no such result. */
int report_get_result(const struct report_message *message, void *ret_bytes);
/* fds by role, or NULL; they stay the caller's. text has report->text_size bytes. */
int report_send(int fd, const struct report *report, const int *fds, const char *text, int flags);
int report_receive(int fd, struct report_message *ret_message, int flags);

/* Whether a worker of it may report a process that it made. */
static inline bool verb_names_process(enum verb_type type)
{
	return type == VERB_CREATE || type == VERB_EXEC || type == VERB_RESTORE;
}

/* Letters, digits, '-', '_' and '.'; begins and ends with a letter or digit; fits; never "..". */
bool id_valid(const char *id);

#endif
