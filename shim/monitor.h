/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_MONITOR_H
#define SHIM_MONITOR_H
/*
 * The pair of resident processes, as `start` sees it. monitor_spawn() forks the monitor before `start`
 * has parsed anything, so that no byte of that work stays in the residents; monitor_launch() tells it
 * what was found out. A monitor whose `start` goes away before launching it exits.
 */
#include <stdbool.h>
#include <sys/types.h>
#include <sys/un.h>

#include "shim/config.h"

struct monitor_setup {
	char socket_path[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* to unlink at the end */
	char publisher_path[sizeof(
		((struct sockaddr_un *)0)->sun_path)]; /* containerd's ttrpc; "": none */
	bool debug;
};

struct monitor_handle {
	pid_t pid;
	int channel; /* SOCK_SEQPACKET */
};

/* Between the two calls `start` may move handle.pid into a cgroup and set its oom_score_adj: the server inherits both. */
int monitor_spawn(const struct shim_config *config, struct monitor_handle *ret_handle);

/* Hands over the listening socket (not closed here) and waits until both processes run. Closes the channel. */
int monitor_launch(struct monitor_handle *handle, const struct monitor_setup *setup, int listen_fd);

/* The socket turned out to be served already, or `start` failed: ends the monitor. */
void monitor_abandon(struct monitor_handle *handle);

#endif
