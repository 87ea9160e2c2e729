/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_OOM_H
#define SHIM_OOM_H
/*
 * In the server: notices that the kernel killed processes of a container because its memory was used
 * up. One struct oom is embedded in what it belongs to. It opens nothing (worker_oom.h does), allocates
 * nothing, and sleeps while no memory runs out.
 *
 * What counts is the number oom_kill, which grows by one for each process that was killed:
 *
 *   cgroup v2   file: memory.events, which is polled for EPOLLPRI. event: none (-1)
 *   cgroup v1   file: memory.oom_control. event: the eventfd that the kernel signals
 *
 * Kills that follow each other within OOM_BURST are told once: with memory.oom.group one shortage ends
 * all processes of the container, and the kernel counts them one after the other.
 */
#include <stddef.h>
#include <stdint.h>

#include "ttrpc/loop.h"

#define OOM_BURST UINT64_C(100000000) /* nanoseconds between kills of one burst */

struct oom;

/* n: kills that were not told yet. May stop the oom, and free what embeds it. */
typedef void (*oom_killed_fn)(struct oom *oom, uint64_t n, void *userdata);

struct oom {
	struct ttrpc_loop *loop;
	struct ttrpc_watch watch; /* of event_fd, or else of file_fd */
	struct ttrpc_timer again; /* v1 only: see oom.c */
	uint64_t pause;           /* before again fires */
	int event_fd, file_fd;    /* -1: none. file_fd -1: stopped */
	uint64_t kills;           /* as last read */
	uint64_t burst_end;       /* kills until then belong to the ones that were told */
	oom_killed_fn killed;
	void *userdata;
};

#define OOM_NULL ((struct oom){.watch = TTRPC_WATCH_NULL, .event_fd = -1, .file_fd = -1})

/*
 * Takes both descriptors, also if it fails. What was killed before is not told. file_fd -1: there is
 * nothing to watch, and oom is as OOM_NULL. Returns 0 or a negative errno; after -ENODEV, which means
 * that the cgroup is gone already, as after any other, oom is as OOM_NULL. killed is not called from
 * here.
 */
int oom_start(struct oom *oom, struct ttrpc_loop *loop, int event_fd, int file_fd,
	      oom_killed_fn killed, void *userdata);

/*
 * Reads now, and calls killed if there is something to tell: to be called first of all when a process
 * of the container has ended, so that the reason comes before the exit. Stopped: does nothing.
 */
void oom_check(struct oom *oom);

/* Closes the descriptors; the number of kills stays. Stopped: does nothing. */
void oom_stop(struct oom *oom);

/* As the kernel counted when it was last read; also when stopped. */
uint64_t oom_kills(const struct oom *oom);

/* The number oom_kill in what such a file holds. -EBADMSG: there is none. */
int oom_parse(const char *text, size_t size, uint64_t *ret_kills);

#endif
