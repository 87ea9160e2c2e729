/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kill, Pids and Stats without a worker. A worker costs more than most of what it is asked here: to
 * fork, to end and to touch its pages takes 230 us where a signal takes 1, the pids 40 and the thirty
 * files of a cgroup 200 (2 vCPU AMD EPYC VM, Linux 6.18). So the monitor does these itself where
 *
 *   - the runtime said at create that it comes to the same (enum runtime_direct), or leaves Stats to
 *     the shim;
 *   - nothing is read but files that the kernel itself makes, which wait for nobody but the kernel, at
 *     paths that a worker of our own wrote down, and of these no more than a named number;
 *   - all of it fits on the stack. The heap is not used, and the pages of the stack and of the code that
 *     was used are given back as soon as no call follows another (monitor.c), so that the monitor stays
 *     as small as it was.
 *
 * In every other case, and when anything fails, a worker does it and finds the words for the error. The
 * answer goes out at once: no exit has to come before it. Where the socket is full it waits in the
 * monitor's own message, as all else.
 */
#include "shim/direct.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shim/cgroup_procs.h"
#include "shim/metrics.h"
#include "ttrpc/ttrpc.h"

#define PIDS_MAX (RUNTIME_ERROR_MAX / sizeof(pid_t)) /* more: a worker counts them */

static const char finished[] = "process already finished: not found";

/* Sends what is in the message, or leaves it to be sent, and ends it. */
static void answer(struct monitor *monitor, const struct verb *verb, struct report_message *message)
{
	message->report.type = REPORT_DONE;
	message->report.tag = verb->tag;
	int result = report_send(monitor->server_fd, &message->report, message->fds, message->text,
				 MSG_DONTWAIT);
	if (result == 0) {
		report_deinit(message);
		return;
	}
	/* what else may be wrong with the socket shows when it is sent again */
	struct report_message *waiting = &monitor->message;
	waiting->report = message->report;
	memcpy(waiting->fds, message->fds, sizeof(waiting->fds));
	memcpy(waiting->text, message->text, message->report.text_size);
	monitor->outgoing = true;
}

/* The process is a child that has not been reaped: its pid can't be another's. */
bool direct_kill(struct monitor *monitor, const struct verb *verb,
		 struct monitor_container *container)
{
	char text[sizeof(finished)];
	struct report_message message = {.text = text};
	bool init = !verb->exec_id[0];
	if (!(container->direct & RUNTIME_DIRECT_KILL) ||
	    (init && (verb->all || verb->signal == SIGKILL)))
		return false;
	pid_t pid =
		children_pid(children_child(&monitor->children, container, verb->exec_id, false));
	bool sent = pid > 0 && kill(pid, (int)verb->signal) == 0;
	if (pid > 0 && !sent && errno != ESRCH)
		return false;
	report_init(&message);
	if (!sent) {
		message.report.code = TTRPC_NOT_FOUND;
		message.report.text_size = sizeof(finished) - 1;
		memcpy(text, finished, sizeof(finished));
	}
	answer(monitor, verb, &message);
	return true;
}

/* Where a worker wrote down that the container's cgroups are. */
static bool paths_get(const struct monitor *monitor, const struct monitor_container *container,
		      char *buffer, struct metrics_paths *ret_paths)
{
	char bundle[BUNDLE_SIZE];
	return children_bundle(&monitor->children, container->id, bundle, sizeof(bundle)) == 0 &&
	       metrics_paths_read(bundle, buffer, ret_paths) == 0;
}

static bool pids_answer(struct monitor *monitor, const struct verb *verb,
			const struct monitor_container *container)
{
	char buffer[METRICS_PATHS_SIZE], text[RUNTIME_ERROR_MAX];
	struct report_message message = {.text = text};
	struct metrics_paths paths;
	pid_t pids[PIDS_MAX];
	size_t n;
	if (!paths_get(monitor, container, buffer, &paths))
		return false;
	const char *folder = paths.folders[METRICS_UNIFIED] ? paths.folders[METRICS_UNIFIED]
							    : paths.folders[METRICS_PIDS];
	if (!folder || cgroup_procs(folder, pids, PIDS_MAX, &n) < 0)
		return false;
	report_init(&message);
	if (report_put_result(&message, pids, n * sizeof(*pids)) < 0)
		return false;
	answer(monitor, verb, &message);
	return true;
}

bool direct_pids(struct monitor *monitor, const struct verb *verb,
		 struct monitor_container *container)
{
	if (!(container->direct & RUNTIME_DIRECT_PIDS))
		return false;
	monitor->touched = true;
	return pids_answer(monitor, verb, container);
}

struct stats {
	struct monitor *monitor;
	const struct verb *verb;
	struct report_message message;
};

/* Of the time that the files take, closing them is a fourth: the client does not wait for that. */
static int stats_put(void *userdata, const void *bytes, size_t size)
{
	struct stats *stats = userdata;
	int result = report_put_result(&stats->message, bytes, size);
	if (result == 0)
		answer(stats->monitor, stats->verb, &stats->message);
	return result;
}

static bool stats_answer(struct monitor *monitor, const struct verb *verb,
			 const struct monitor_container *container)
{
	char buffer[METRICS_PATHS_SIZE], text[RUNTIME_ERROR_MAX];
	struct stats stats = {.monitor = monitor, .verb = verb, .message = {.text = text}};
	struct metrics_paths paths;
	if (!paths_get(monitor, container, buffer, &paths))
		return false;
	int root = openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return false;
	report_init(&stats.message);
	int result =
		metrics_answer(root, &paths, verb->oom_kills, METRICS_RESIDENT, stats_put, &stats);
	close(root);
	return result == 0;
}

bool direct_stats(struct monitor *monitor, const struct verb *verb,
		  struct monitor_container *container)
{
	if (monitor->config->runtime->stats)
		return false;
	monitor->touched = true;
	return stats_answer(monitor, verb, container);
}
