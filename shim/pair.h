/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_PAIR_H
#define SHIM_PAIR_H
/*
 * The insides of the resident pair, for the files that make it up:
 *
 *   launch.c    start's side of monitor.h; the monitor's birth, and the server's
 *   monitor.c   the monitor's loop: what it waits for, in which order it sends
 *   verbs.c     the table of what the server may ask for
 *   direct.c    those of them that need no worker
 *   children.c  containers, processes, workers, exits
 *   worker.c    what a worker does
 *   server.c    the other process of the pair
 */
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <time.h>

#include "shim/children.h"
#include "shim/config.h"
#include "shim/message.h"
#include "shim/monitor.h"

#define BUNDLE_SIZE 512 /* bytes of a bundle's path with its NUL; `start` refuses longer ones */

struct monitor {
	const struct shim_config *config;
	struct monitor_setup setup;
	char folder[BUNDLE_SIZE];       /* above the bundles; fixed at start */
	dev_t socket_device;            /* the socket file that `start` made, to unlink no other */
	ino_t socket_inode;             /* 0: there is none */
	struct timespec socket_changed; /* inode numbers are given out again */
	struct rlimit files;            /* RLIMIT_NOFILE as it was: a runtime gets it back */

	pid_t server_pid;
	int server_fd;        /* verbs in, reports out */
	int report_fd;        /* reports in, from all workers */
	int worker_report_fd; /* the workers' end of it */
	int signal_fd;

	bool zombies;  /* there may be some that were not looked at */
	bool touched;  /* pages that are not used while it sleeps */
	bool outgoing; /* message below waits to be sent: nothing else is taken in meanwhile */
	struct monitor_container *settle; /* whose exclusive verb the message answers */
	struct report_message message;
	struct children children; /* its first part still lies on the page of all the above */
	char text[RUNTIME_ERROR_MAX];
};

extern struct monitor monitor_instance; /* launch.c */

/* What a worker is given; it inherits the rest of the monitor's memory and uses none of it. */
struct job {
	const struct shim_config *config;
	const struct verb *verb;
	int payload_fd; /* -1: none */
	int report_fd;
	const char *bundle;
	const int *keep;
	pid_t pid; /* of the verb's process, init or exec; 0 before create, and when it has ended */
	pid_t init_pid;   /* of the container's init; the same */
	pid_t logger_pid; /* of the verb's process; the same */
	const struct rlimit *files;
	bool undo; /* the verb is a create whose worker died */
};

/* launch.c */
struct server_parameters {
	const struct shim_config *config;
	int listen_fd, monitor_fd, log_fd;
	bool debug;
	void *memory; /* struct monitor's, zeroed but for its last 4 KiB */
};

/* Returns 0 when the shim ended as it should, or a negative errno. */
int monitor_run(struct monitor *monitor);

/* verbs.c. 0, or -EPROTO: this is no verb that an honest server sends now; it was logged. */
int verb_handle(struct monitor *monitor, const struct verb *verb, int payload_fd);
int verb_refuse(const struct monitor *monitor, uint32_t type, const char *why); /* -EPROTO */
bool verb_exclusive(enum verb_type type);
/* Puts a new worker in the place of a create's that died unreported. It undoes the create. */
int worker_replace(struct monitor *monitor, struct monitor_worker *dead);
void socket_unlink(struct monitor *monitor); /* the first time */

/* worker.c. Runs the job in this process, which is to exit afterwards. */
void worker_run(const struct job *job);

/* server.c. Becomes the server; returns its exit status. */
int server_main(const struct server_parameters *parameters);

#endif
