/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_CHILDREN_H
#define SHIM_CHILDREN_H
/*
 * What the monitor knows: the containers and their processes, the workers, and the strays. Fixed
 * tables in zeroed memory, of which only the used part costs anything.
 *
 * A container:  free -> creating (its create worker lives) -> live -> free (deleted, or create failed)
 * A child:      free -> registered (a worker named it) -> exited -> free (execs and loggers: forwarded)
 *               early: its worker is still under way. If that ends without success, so does the child
 * An exit:      zombie -> peeked, matched, recorded, written to the bundle, reaped -> forwarded
 * Strays are exits of children that nobody has named yet: a worker that makes a process may report it
 * after it has died already. They are kept while such a worker lives.
 */
#include <stdbool.h>
#include <stdint.h>

#include "shim/message.h"
#include "shim/state.h"

#define WORKERS_MAX 64 /* OPERATIONS_MAX, and those that have reported and end */
#define OTHERS_MAX (2 * EXECS_MAX)
#define STRAYS_MAX 256 /* beyond it they stay zombies until a worker has ended */

/* A process that was registered: a container's init, an exec, or the logger of one of these. */
struct monitor_child {
	struct monitor_container *container; /* NULL: free */
	bool hold;    /* its exit waits: the report that it follows has not been sent */
	bool waiting; /* its exit has not been forwarded */
	bool early;   /* the server does not know of it yet */
	struct state_process process; /* pid 0: there is none */
};

struct monitor_container {
	enum { CONTAINER_FREE = 0, CONTAINER_CREATING, CONTAINER_LIVE } phase;
	bool exclusive;  /* a worker has it for itself */
	bool deleting;   /* its delete succeeded: free when that was sent */
	unsigned direct; /* of enum runtime_direct */
	int keep[RUNTIME_KEEP_MAX];
	struct monitor_child init;
	char id[ID_SIZE];
};

struct monitor_worker {
	pid_t pid; /* 0: free */
	uint32_t tag;
	enum verb_type type;
	bool reported;
	bool exclusive; /* it has its container for itself */
	bool cancelled; /* a create that is to fail, whatever it reports */
	bool undoes;    /* it took the place of a create's worker that died, and answers for it */
	struct monitor_container *container;
	char exec_id[ID_SIZE];
};

struct stray {
	pid_t pid;
	struct state_process exit;
};

struct children {
	const char *folder;  /* above the bundles */
	size_t n_containers; /* the highest one ever used, plus one */
	size_t n_others;     /* the highest one ever used, plus one */
	size_t n_waiting;    /* children with waiting set */
	size_t n_workers, n_unreported, n_strays;
	struct monitor_worker workers[WORKERS_MAX];
	struct monitor_container containers[CONTAINERS_MAX];
	struct stray strays[STRAYS_MAX];
	struct monitor_child others[OTHERS_MAX]; /* execs and loggers */
};

struct monitor_container *children_find(struct children *children, const char *id);
struct monitor_container *children_add(struct children *children, const char *id);
void children_remove(struct children *children, struct monitor_container *container);
int children_bundle(const struct children *children, const char *id, char *path, size_t size);

struct monitor_worker *worker_find(struct children *children, pid_t pid);
struct monitor_worker *worker_find_tag(struct children *children, uint32_t tag);
struct monitor_worker *worker_find_exclusive(struct children *children, const char *id);
struct monitor_worker *worker_find_exec(struct children *children,
					const struct monitor_container *container,
					const char *exec_id);
struct monitor_worker *worker_allocate(struct children *children); /* NULL: WORKERS_MAX */
void worker_free(struct children *children, struct monitor_worker *worker);

/*
 * Whether pid may be the init of a container that is being made: it exists, or is among the strays,
 * and is none that is known as another.
 */
bool children_may_register(struct children *children, pid_t pid);

/* NULL: it has none such, or it has ended and that was forwarded. exec_id "": of the init. */
struct monitor_child *children_child(struct children *children, struct monitor_container *container,
				     const char *exec_id, bool logger);
/* 0: NULL, or it has ended; or it is early, and its worker may reap it unseen: nobody is to signal it. */
pid_t children_pid(const struct monitor_child *child);

/* Execs that run or are being made. */
size_t children_execs(const struct children *children);

/* Whether n execs and loggers more may be registered. */
bool children_room(const struct children *children, size_t n);

/*
 * A worker reported that pid is the container's init (exec_id ""), an exec or a logger. Takes its exit
 * from the strays if it is there. There must be room.
 */
void children_register(struct children *children, struct monitor_container *container,
		       const char *exec_id, bool logger, pid_t pid);

/* The same while the worker goes on, which is to be followed by one of the two others. */
void children_register_early(struct children *children, struct monitor_container *container,
			     const char *exec_id, bool logger, pid_t pid);

/* Forgets and kills what was registered early and not reported since. container NULL: all of it. */
void children_end_early(struct children *children, const struct monitor_container *container,
			const char *exec_id);

/*
 * Peeks at one zombie and takes in what it means. Returns
 *   CHILDREN_NONE     there is no zombie now
 *   CHILDREN_TAKEN    it was a container's process or a stray, and is reaped
 *   CHILDREN_WORKER   it is *ret_worker; not reaped: children_reap(pid) when its report was dealt with
 *   CHILDREN_SERVER   it is server_pid; not reaped
 *   CHILDREN_FULL     no room for a stray, and nothing else: ask again after a worker's report
 */
enum children_result {
	CHILDREN_NONE,
	CHILDREN_TAKEN,
	CHILDREN_WORKER,
	CHILDREN_SERVER,
	CHILDREN_FULL,
};
enum children_result children_collect(struct children *children, pid_t server_pid,
				      struct monitor_worker **ret_worker, int *ret_status);
void children_reap(pid_t pid);

/*
 * The same for one container's init, before its delete is reported: it is dead by now. If it is not
 * our zombie yet, since the worker that made it takes its time to go, it was killed by the delete.
 */
void children_end_init(struct children *children, struct monitor_container *container);

/* In a worker: closes what is kept for all containers but its own. */
void children_close_others(const struct children *children, const struct monitor_container *own);

/* The next child whose exit is to be forwarded now, or NULL. */
struct monitor_child *children_next_exit(struct children *children);
void children_exit_sent(struct children *children, struct monitor_child *child);

/* The report that named them has been sent: exits of execs and loggers may follow. */
void children_unhold(struct children *children);

/* No worker lives that could name a stray: forget them. */
void children_drop_strays(struct children *children);

/* ---- between children.c and reap.c ---- */
pid_t child_living(const struct monitor_child *child); /* 0: it has ended */
struct monitor_child *children_of_pid(struct children *children, pid_t pid);
void children_record(struct children *children, const struct monitor_child *child);
/* Whether the strays know how pid ended: then the exit is copied. */
bool strays_find(struct children *children, pid_t pid, struct state_process *process);

#endif
