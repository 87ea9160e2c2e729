/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor's loop. It waits for three things: verbs of the server, reports of workers, signals.
 * What it takes in may have to be sent on to the server; it never blocks in that: there is room for
 * one message (monitor->message), and while that is taken nothing else is taken in. Workers then wait
 * in their send, exits stay zombies, verbs stay in the socket.
 *
 * The order of what it sends is the promise that the server builds on:
 *   - an exit follows the report that names its process (child->hold),
 *   - that of an init follows the report of its start, too, and
 *   - comes before the report of the container's delete.
 * So exits that are not held go first, then the message.
 *
 * It allocates nothing, ends when the server does, and wakes up by itself once only: a moment after it
 * has answered something itself (direct.c), to give the pages back.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shim/log.h"
#include "shim/pages.h"
#include "shim/pair.h"
#include "ttrpc/ttrpc.h"

#define CALM_MS 20 /* without a message: no call follows another */

static int exit_send(struct monitor *monitor, const struct monitor_child *child)
{
	const struct state_process *process = &child->process;
	struct report report = {
		.type = REPORT_EXIT,
		.flags = process->logger ? REPORT_LOGGER : 0,
		.pid = process->pid,
		.exit_status = process->exit_status,
		.exited_at = process->exited_at,
		.exited_at_nanos = process->exited_at_nanos,
	};
	memcpy(report.id, child->container->id, ID_SIZE);
	memcpy(report.exec_id, process->exec_id, ID_SIZE);
	return report_send(monitor->server_fd, &report, NULL, NULL, MSG_DONTWAIT);
}

/* What a report changes here once the server has it. */
static void message_sent(struct monitor *monitor)
{
	struct monitor_container *container = monitor->settle;
	bool success = monitor->message.report.code == TTRPC_OK;

	monitor->outgoing = false;
	monitor->settle = NULL;
	report_deinit(&monitor->message);
	children_unhold(&monitor->children);
	if (!container)
		return;
	container->init.hold = false;
	container->exclusive = false;
	if (container->phase == CONTAINER_CREATING && success)
		container->phase = CONTAINER_LIVE;
	else if (container->phase == CONTAINER_CREATING || (success && container->deleting))
		children_remove(&monitor->children, container);
}

static int message_send(const struct monitor *monitor)
{
	const struct report_message *message = &monitor->message;
	return report_send(monitor->server_fd, &message->report, message->fds, message->text,
			   MSG_DONTWAIT);
}

/* Sends what there is. 0: all of it; -EAGAIN: the server's socket is full. */
static int flush(struct monitor *monitor)
{
	for (;;) {
		struct monitor_child *child = children_next_exit(&monitor->children);
		int result = 0;
		if (child) {
			result = exit_send(monitor, child);
			if (result == 0)
				children_exit_sent(&monitor->children, child);
		} else if (monitor->outgoing) {
			result = message_send(monitor);
			if (result == 0)
				message_sent(monitor);
		} else {
			return 0;
		}
		if (result < 0)
			return result;
	}
}

static void keep_take(struct monitor_container *container, int fds[static RUNTIME_KEEP_MAX])
{
	for (int i = 0; i < RUNTIME_KEEP_MAX; i++) {
		if (fds[i] < 0)
			continue;
		if (container->keep[i] >= 0)
			close(container->keep[i]);
		container->keep[i] = fds[i];
		fds[i] = -1;
	}
}

static void message_fail(struct monitor *monitor, uint32_t tag, enum ttrpc_code code,
			 const char *text)
{
	struct report_message *message = &monitor->message;
	size_t size = strlen(text);
	report_deinit(message);
	report_init(message);
	message->report.type = REPORT_DONE;
	message->report.tag = tag;
	message->report.code = code;
	message->report.text_size = (uint32_t)size;
	memcpy(message->text, text, size);
}

/* Registers what the worker of a create, exec or restore made. */
static void processes_take(struct monitor *monitor, const struct monitor_worker *worker,
			   struct monitor_container *container)
{
	const struct report *report = &monitor->message.report;
	struct children *children = &monitor->children;
	if (report->pid != 0) /* a create for a later restore makes none */
		children_register(children, container, worker->exec_id, false, report->pid);
	if (report->logger_pid != 0)
		children_register(children, container, worker->exec_id, true, report->logger_pid);
}

/* The message holds a worker's report: takes what is ours out of it and leaves it to be sent. */
static void report_take(struct monitor *monitor, struct monitor_worker *worker)
{
	const struct report *report = &monitor->message.report;
	struct monitor_container *container = worker->container;

	worker->reported = true;
	worker->container = NULL;
	monitor->children.n_unreported--;
	monitor->outgoing = true;
	if (container && report->code == TTRPC_OK) {
		keep_take(container, monitor->message.fds + ROLE_KEEP);
		if (report->flags & REPORT_DIRECT_KILL)
			container->direct |= RUNTIME_DIRECT_KILL;
		if (report->flags & REPORT_DIRECT_PIDS)
			container->direct |= RUNTIME_DIRECT_PIDS;
		if (verb_names_process(worker->type))
			processes_take(monitor, worker, container);
		if (worker->type == VERB_DELETE)
			children_end_init(&monitor->children, container);
		container->deleting = worker->type == VERB_DELETE;
	}
	if (container && verb_names_process(worker->type))
		children_end_early(&monitor->children, container, worker->exec_id);
	if (worker->exclusive)
		monitor->settle = container;
	children_drop_strays(&monitor->children);
}

/* What the worker has named already: the process, or its logger; NULL: nothing. */
static const struct monitor_child *early_child(struct monitor *monitor,
					       const struct monitor_worker *worker, bool logger)
{
	const struct monitor_child *child =
		worker->container ? children_child(&monitor->children, worker->container,
						   worker->exec_id, logger)
				  : NULL;
	return child && child->early ? child : NULL;
}

static bool may_register(struct monitor *monitor, const struct monitor_worker *worker, bool logger,
			 pid_t pid)
{
	const struct monitor_child *child = early_child(monitor, worker, logger);
	if (child)
		return pid == child->process.pid;
	return pid > 1 && pid != monitor->server_pid &&
	       children_may_register(&monitor->children, pid);
}

/*
 * What a worker makes before it waits for what may never come: a FIFO's other end, a terminal, a logger
 * that is to say that it is ready. If it is killed in this, somebody has to know of it. A logger says
 * so of itself, and may say it when its worker is gone: then it dies of that.
 */
static void made_take(struct monitor *monitor, const struct monitor_worker *worker)
{
	const pid_t pids[] = {monitor->message.report.pid, monitor->message.report.logger_pid};
	if (!worker || worker->reported || !worker->container || !verb_names_process(worker->type))
		return;
	for (int logger = 0; logger < 2; logger++)
		if (pids[logger] != 0 && !early_child(monitor, worker, logger) &&
		    may_register(monitor, worker, logger, pids[logger]) &&
		    children_room(&monitor->children, 1))
			children_register_early(&monitor->children, worker->container,
						worker->exec_id, logger, pids[logger]);
}

/* The runtime may have named anything, or have lied. What is registered here is sent signals. */
static bool pids_credible(struct monitor *monitor, const struct monitor_worker *worker)
{
	const struct report *report = &monitor->message.report;
	bool later = worker->type == VERB_CREATE && report->pid == 0;
	if (report->code != TTRPC_OK)
		return true;
	bool pid = later || may_register(monitor, worker, false, report->pid);
	bool logger = report->logger_pid == 0 ||
		      (report->logger_pid != report->pid &&
		       may_register(monitor, worker, true, report->logger_pid));
	if (pid && logger)
		return true;
	log_write(SHIM_LOG_ERROR, worker->container ? worker->container->id : "",
		  "the runtime made no process with pid %d", report->pid);
	return false;
}

/* One that has been reaped among the strays may have another's number by now. */
static void made_kill(struct monitor *monitor, pid_t pid)
{
	struct state_process known;
	if (pid > 0 && !strays_find(&monitor->children, pid, &known))
		kill(pid, SIGKILL);
}

/* Loggers may outlive their execs for a while, so there may be more than an honest server asks for. */
static bool room_for_made(struct monitor *monitor, const struct monitor_worker *worker)
{
	const struct report *report = &monitor->message.report;
	size_t n = worker->type == VERB_EXEC && !early_child(monitor, worker, false) ? 1 : 0;
	n += report->logger_pid != 0 && !early_child(monitor, worker, true) ? 1 : 0;
	if (report->code != TTRPC_OK || children_room(&monitor->children, n))
		return true;
	log_write(SHIM_LOG_ERROR, worker->container ? worker->container->id : "",
		  "more processes than a shim can have");
	made_kill(monitor, report->pid);
	made_kill(monitor, report->logger_pid);
	return false;
}

/* Whether what its worker made, of which the message tells, can't be taken: then it has failed. */
static bool made_refused(struct monitor *monitor, struct monitor_worker *worker)
{
	enum ttrpc_code code = TTRPC_UNKNOWN;
	const char *why = NULL;
	if (!verb_names_process(worker->type))
		return false;
	if (!pids_credible(monitor, worker)) {
		why = "the runtime made no process";
	} else if (!room_for_made(monitor, worker)) {
		code = TTRPC_RESOURCE_EXHAUSTED;
		why = "a shim has no room for more processes";
	}
	if (why && worker->type != VERB_CREATE)
		message_fail(monitor, worker->tag, code, why);
	return why;
}

/* 1: one was read, and may have been dropped; 0: there is none. */
static int report_read(struct monitor *monitor)
{
	struct report_message *message = &monitor->message;
	int result = report_receive(monitor->report_fd, message, MSG_DONTWAIT);
	if (result == -EAGAIN)
		return 0;
	if (result < 0)
		return result;
	struct monitor_worker *worker = worker_find_tag(&monitor->children, message->report.tag);
	if (message->report.type == REPORT_MADE) {
		made_take(monitor, worker);
		report_deinit(message);
		return 1;
	}
	if (!worker || worker->reported || message->report.type != REPORT_DONE) {
		report_deinit(message);
		return -EBADMSG;
	}
	bool refused = made_refused(monitor, worker);
	if (worker->type == VERB_CREATE)
		worker->cancelled |= refused;
	if (worker->cancelled && worker->type == VERB_CREATE)
		report_deinit(message); /* what it made is undone when it has ended */
	else
		report_take(monitor, worker);
	return 1;
}

/* A create's that died without a report, or whose report came too late, has its work undone first. */
static bool wants_undo(const struct monitor_worker *worker)
{
	return worker->type == VERB_CREATE && !worker->undoes;
}

/* A worker ended. One that did not report is reported for. */
static int worker_ended(struct monitor *monitor, struct monitor_worker *worker, int status)
{
	if (!worker->reported) {
		/* what it sent before it died has to be read first, and may not be the first */
		int result;
		do
			result = report_read(monitor);
		while (result > 0 && !monitor->outgoing);
		if (result < 0 || monitor->outgoing)
			return result < 0 ? result : 0;
		if (!worker->cancelled)
			log_write(SHIM_LOG_ERROR, worker->container ? worker->container->id : "",
				  "worker %d ended with status %d", worker->pid, status);
		if (worker->container)
			children_end_early(&monitor->children, worker->container, worker->exec_id);
		if (wants_undo(worker) && worker_replace(monitor, worker) == 0)
			return 0;
		message_fail(monitor, worker->tag, TTRPC_UNKNOWN,
			     "the shim's worker ended without an answer");
		report_take(monitor, worker);
	}
	children_reap(worker->pid);
	worker_free(&monitor->children, worker);
	return 0;
}

/* Looks at zombies until there is none or something has to be sent. -ECHILD: the server ended. */
static int zombies_collect(struct monitor *monitor)
{
	while (!monitor->outgoing) {
		struct monitor_worker *worker = NULL;
		int status = 0, result = 0;
		switch (children_collect(&monitor->children, monitor->server_pid, &worker,
					 &status)) {
		case CHILDREN_SERVER:
			return -ECHILD;
		case CHILDREN_WORKER:
			result = worker_ended(monitor, worker, status);
			break;
		case CHILDREN_TAKEN:
			break;
		case CHILDREN_NONE:
		case CHILDREN_FULL:
			monitor->zombies = false;
			return 0;
		}
		if (result < 0)
			return result;
	}
	return 0;
}

static void signals_read(struct monitor *monitor)
{
	struct signalfd_siginfo info;
	while (read(monitor->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			monitor->zombies = true;
		else
			kill(monitor->server_pid, (int)info.ssi_signo);
	}
}

static int verb_read(struct monitor *monitor)
{
	struct verb verb;
	int payload_fd = -1;
	int result = verb_receive(monitor->server_fd, &verb, &payload_fd);
	if (result == -EAGAIN)
		return 0;
	if (result == -EBADMSG)
		return verb_refuse(monitor, 0, "bad form");
	if (result < 0)
		return result;
	result = verb_handle(monitor, &verb, payload_fd);
	if (payload_fd >= 0)
		close(payload_fd);
	return result;
}

/* What was used to answer at once, and is not while the monitor sleeps. */
static void forget(struct monitor *monitor)
{
	monitor->touched = false;
	pages_forget_stack();
	pages_forget();
}

/* One turn. Reports come before signals: a worker's report is there before its zombie. */
static int turn(struct monitor *monitor)
{
	int result = flush(monitor);
	bool full = result == -EAGAIN;
	if (result < 0 && !full)
		return result;

	/* a worker that has reported is still to be reaped: its place is free a moment later */
	bool room = monitor->children.n_workers < WORKERS_MAX;
	struct pollfd fds[] = {
		{.fd = monitor->server_fd,
		 .events = (short)(full   ? POLLOUT
				   : room ? POLLIN
					  : 0)},
		{.fd = monitor->report_fd, .events = full ? 0 : POLLIN},
		{.fd = monitor->signal_fd, .events = full ? 0 : POLLIN},
	};
	bool busy = !full && monitor->zombies;
	int n = poll(fds, 3, busy ? 0 : monitor->touched ? CALM_MS : -1);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (n == 0 && !busy)
		forget(monitor);
	if (full)
		return fds[0].revents & (POLLHUP | POLLERR) ? -ECHILD : 0;

	if (fds[1].revents & POLLIN) {
		monitor->zombies = true; /* room for strays may have come */
		result = report_read(monitor);
		return result < 0 ? result : 0;
	}
	if (fds[2].revents & POLLIN)
		signals_read(monitor);
	if (monitor->zombies)
		return zombies_collect(monitor);
	/* what a server that is gone had asked for is not begun any more */
	if (fds[0].revents & (POLLHUP | POLLERR))
		return -ECHILD;
	return fds[0].revents & POLLIN ? verb_read(monitor) : 0;
}

/* The workers end with this process: what they have made and nobody knows of does, too. */
static void made_end(struct monitor *monitor)
{
	struct report_message *message = &monitor->message;
	/* who tells of itself from now on hears that nobody listens */
	shutdown(monitor->report_fd, SHUT_RD);
	report_deinit(message);
	while (report_receive(monitor->report_fd, message, MSG_DONTWAIT) == 0) {
		if (message->report.type == REPORT_MADE)
			made_take(monitor,
				  worker_find_tag(&monitor->children, message->report.tag));
		report_deinit(message);
	}
	children_end_early(&monitor->children, NULL, "");
}

int monitor_run(struct monitor *monitor)
{
	int result = 0;
	monitor->zombies = true;
	pages_forget();
	while (result == 0)
		result = turn(monitor);

	bool server_ended = result == -ECHILD || result == -ENODATA || result == -EPIPE ||
			    result == -ECONNRESET;
	if (!server_ended && result != -EPROTO) /* that has been said already */
		log_write(SHIM_LOG_ERROR, monitor->config->id, "the monitor ends the shim: %s",
			  strerror(-result));
	kill(monitor->server_pid, SIGKILL);
	socket_unlink(monitor);
	made_end(monitor);
	return server_ended ? 0 : result;
}
