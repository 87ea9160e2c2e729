/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The smallest runtime: a container is a plain child process in the bundle's root file system,
 * without namespaces or limits. Copy this file to begin a runtime of your own; shim/shim.h says
 * what each function owes its caller.
 *
 *     create   forks the process, which waits at a gate: a socket whose other end the shim keeps
 *     start    opens the gate
 *     remove   kills what still waits or runs
 *
 * If the shim dies the gate closes, and a process that was never started ends.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shim/shim.h"

/* As a shell does it: no such program is status 127, and the reason stands on standard error. */
static _Noreturn void run(const struct runtime_process *process, int gate)
{
	char go;

	if (read(gate, &go, 1) != 1)
		_exit(0);
	environ = process->env;
	if (chroot(process->root) == 0 && chdir(process->cwd) == 0)
		execvp(process->args[0], process->args);
	dprintf(STDERR_FILENO, "cannot run %s: %s\n", process->args[0], strerror(errno));
	_exit(127);
}

static int skeleton_create(struct runtime_task *task, pid_t *ret_pid)
{
	struct runtime_process process;
	int gate[2], result = runtime_process_read(task, &process);

	if (result != 0)
		return result;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, gate) < 0)
		return -errno;
	pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		run(&process, runtime_child_init(task, gate[0]));
	setpgid(pid, pid); /* so that a signal can reach its children too */
	task->keep[0] = gate[1];
	*ret_pid = pid;
	return 0;
}

static int skeleton_start(struct runtime_task *task)
{
	return send(task->keep[0], "", 1, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

/* A pid of 0 says that the process has ended; to kill(2) it would be the shim itself. */
static int skeleton_kill(struct runtime_task *task, int signal, bool all)
{
	if (task->pid > 0 && kill(all ? -task->pid : task->pid, signal) == 0)
		return 0;
	return runtime_fail(task, RUNTIME_NOT_FOUND, "process already finished: not found");
}

static int skeleton_remove(struct runtime_task *task, bool force)
{
	(void)force;
	if (task->pid > 0)
		kill(task->pid, SIGKILL);
	return 0;
}

static int skeleton_pids(struct runtime_task *task, pid_t *pids, size_t max, size_t *ret_n)
{
	*ret_n = task->pid > 0 && max > 0;
	if (*ret_n > 0)
		pids[0] = task->pid;
	return 0;
}

static const struct runtime skeleton = {
	.name = "io.containerd.skeleton.v2",
	.create = skeleton_create,
	.start = skeleton_start,
	.kill = skeleton_kill,
	.remove = skeleton_remove,
	.pids = skeleton_pids,
};

int main(int argc, char **argv)
{
	return shim_main(&skeleton, argc, argv);
}
