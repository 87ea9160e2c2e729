/* SPDX-License-Identifier: Apache-2.0 */
/* Judging and ending a process: see worker_process.h. */
#include "shim/worker_process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim/state.h"

#define DEATH_WAIT_MS 10000 /* for a process that was sent SIGKILL */

/*
 * Of a process that is just being reaped the kernel says that its parent is 0. It can't be opened any
 * more then.
 */
static int parent_of(pid_t pid, pid_t *ret_parent)
{
	pid_t parent = 0;
	int result = process_parent(pid, &parent);
	if (result == 0 && parent == 0)
		result = process_parent(pid, &parent);
	if (result == 0)
		*ret_parent = parent;
	return result;
}

/*
 * The way up from it ends at the monitor, to which orphans come. One that has ended already is the
 * monitor's to judge.
 */
static bool is_credible(pid_t pid)
{
	pid_t monitor = getppid(), parent = pid;
	if (pid <= 1 || pid == monitor || pid == getpid())
		return false;
	while (parent > 1 && parent != monitor) {
		if (parent_of(parent, &parent) == 0)
			continue;
		if (parent == pid)
			return true;
		parent = pid; /* one on the way has ended: its children have another parent now */
	}
	return parent == monitor;
}

int worker_process_tell(const struct job *job, pid_t pid, pid_t logger_pid)
{
	const struct report report = {
		.type = REPORT_MADE, .tag = job->verb->tag, .pid = pid, .logger_pid = logger_pid};
	return report_send(job->report_fd, &report, NULL, "", 0);
}

int worker_process_check(struct runtime_task *task, pid_t pid)
{
	if (is_credible(pid))
		return 0;
	return runtime_fail(task, RUNTIME_UNKNOWN, "the runtime made no process with pid %d", pid);
}

int worker_process_open(pid_t pid)
{
	return pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
}

static void process_signal(int pidfd, int signal_number)
{
	syscall(SYS_pidfd_send_signal, pidfd, signal_number, NULL, 0);
}

bool worker_process_wait(int pidfd, int ms)
{
	struct pollfd dead = {.fd = pidfd, .events = POLLIN};
	return pidfd < 0 || poll(&dead, 1, ms) == 1;
}

int worker_process_end(int pidfd)
{
	bool ended = worker_process_wait(pidfd, 0);
	if (!ended) {
		process_signal(pidfd, SIGKILL);
		ended = worker_process_wait(pidfd, DEATH_WAIT_MS);
	}
	if (pidfd >= 0)
		close(pidfd);
	return ended ? 0 : -EBUSY;
}

/* It was the monitor's when the verb came; a stranger may have its pid by now. */
int worker_process_end_gently(pid_t pid, int ms)
{
	int pidfd = worker_process_open(pid);
	if (pidfd >= 0 && !is_credible(pid)) {
		close(pidfd);
		return 0;
	}
	if (!worker_process_wait(pidfd, 0)) {
		process_signal(pidfd, SIGTERM);
		worker_process_wait(pidfd, ms);
	}
	return worker_process_end(pidfd);
}
