/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals. A process that the shim knows by its pid is a child of the monitor that has not been reaped:
 * the pid can't have become another's, and to send the signal ourselves is what runc and crun would
 * do, sixty times slower. The init of a container of another runtime may stand for something else (a
 * machine), so that is asked; and so is every runtime for all processes of a container, but for a
 * SIGKILL that the kernel itself can send to a cgroup.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim/runc.h"
#include "shim/runc_cgroup.h"
#include "shim/runc_driver.h"

#define SIGNAL_MAX 64

static int finished(struct runtime_task *task)
{
	return runtime_fail(task, RUNTIME_NOT_FOUND, "process already finished: not found");
}

static int kill_failed(struct runc_driver *driver, int result)
{
	static const char *const ended[] = {
		"os: process already finished",
		"container not running",
		"is not running",
		"no such process",
	};
	struct failure own;

	if (result < 0)
		return result;
	for (size_t i = 0; result == 0 && i < sizeof(ended) / sizeof(ended[0]); i++)
		if (runc_driver_printed(driver, ended[i]))
			return finished(driver->task);
	if (result == 0 && runc_driver_printed_unknown(driver))
		return runtime_fail(driver->task, RUNTIME_NOT_FOUND,
				    "no such container: not found");
	runc_driver_describe(driver, result, &own);
	return runtime_fail(driver->task, RUNTIME_UNKNOWN, "unknown error after kill: %s",
			    own.text);
}

static int kill_by_runtime(struct runc_driver *driver, int signal, bool all)
{
	char number[16];
	int r;

	snprintf(number, sizeof(number), "%d", signal);
	runc_driver_add(driver, "kill", NULL);
	if (all)
		runc_driver_add(driver, "--all", NULL);
	runc_driver_add(driver, driver->task->id, number, NULL);
	r = runc_driver_run(driver, NULL);
	return runc_driver_failed(driver, r) ? kill_failed(driver, r) : 0;
}

/* Kernels before 5.3 have no pidfd_open; the pid alone will do, see above. */
static int send_signal(pid_t pid, int signal)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0), r;

	if (fd < 0 && errno != ENOSYS)
		return -errno;
	if (fd < 0)
		return kill(pid, signal) < 0 ? -errno : 0;
	r = (int)syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0) < 0 ? -errno : 0;
	close(fd);
	return r;
}

static int kill_process(struct runtime_task *task, int signal)
{
	char freezer[PATH_MAX];
	/* found before the signal: afterwards it may be gone */
	bool thaw = signal == SIGKILL && !*task->exec_id && task->pid > 0 &&
		    runc_cgroup_freezer(task, freezer);
	int r = task->pid > 0 ? send_signal(task->pid, signal) : -ESRCH;

	if (r == 0 && thaw)
		runc_cgroup_thaw(freezer);
	if (r == -ESRCH)
		return finished(task);
	if (r < 0)
		return runtime_fail(task, RUNTIME_UNKNOWN, "%sunknown error after kill: %s",
				    *task->exec_id ? "exec kill error: " : "", failure_errno(-r));
	return 0;
}

int runc_kill(struct runtime_task *task, int signal, bool all)
{
	struct runc_driver driver;
	const char *folder = runc_cgroup_folder(task);
	int r;

	if (signal < 0 || signal > SIGNAL_MAX)
		return runtime_fail(task, RUNTIME_INVALID_ARGUMENT,
				    "signal %d is none: invalid argument", signal);
	if (*task->exec_id)
		return kill_process(task, signal);
	r = runc_driver_init_beside(&driver, task);
	if (r != 0)
		return r;
	if (!runc_driver_is_known(&driver))
		return kill_by_runtime(&driver, signal, all);
	if (!all)
		return kill_process(task, signal);
	if (signal == SIGKILL && folder && runc_cgroup_kill(folder) == 0)
		return 0;
	return kill_by_runtime(&driver, signal, all);
}
