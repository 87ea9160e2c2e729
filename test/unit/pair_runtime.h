/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_UNIT_PAIR_RUNTIME_H
#define TEST_UNIT_PAIR_RUNTIME_H
/*
 * A runtime that a test plays through files in the bundle. F is create, start, kill, remove, pids or
 * exec:
 *
 *     in-F      F makes it when it is called          hold-F   F waits until it is gone
 *     fail-F    F refuses, with what is in it as text  pass-F  F succeeds without doing anything
 *     crash-F   F's worker dies
 *     program   what the process does after start, one letter each:
 *         o  writes "out\n"      e  writes "err\n" to standard error     c  copies input to output
 *         h  forks a child that holds its stdio, and writes its pid into `holder`
 *         r  copies two bytes of its input to its output
 *         t  waits until its terminal has a size, and writes "ROWSxCOLUMNS\n"
 *         x  exits with 7
 *
 * At the end of its program the process waits at its gate, a socket that the shim keeps, and exits
 * with 0 when the shim has gone. So does one that was never started. The program of an exec is in its
 * spec, {"program": "..."}; at its end it exits with 0.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shim/shim.h"
#include "test/unit/terminal.h"

/* A condition that comes true by itself, soon; if not, the test's time is up. */
#define UNTIL(condition)                                                                           \
	while (!(condition))                                                                       \
	nanosleep(&(const struct timespec){.tv_nsec = 1000000}, NULL)

static inline bool played_file(const char *kind, const char *function, char name[static 32])
{
	snprintf(name, 32, "%s-%s", kind, function);
	return access(name, F_OK) == 0;
}

/* 1: the function is to do nothing; 0: it is to go on. */
static inline int played_call(struct runtime_task *task, const char *function)
{
	char name[32], text[128];
	played_file("in", function, name);
	close(open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	UNTIL(!played_file("hold", function, name));
	if (played_file("fail", function, name)) {
		int fd = open(name, O_RDONLY | O_CLOEXEC);
		ssize_t n = read(fd, text, sizeof(text) - 1);
		text[n < 0 ? 0 : n] = 0;
		close(fd);
		return runtime_fail(task, RUNTIME_UNKNOWN, "%s", text);
	}
	if (played_file("crash", function, name))
		raise(SIGKILL);
	return played_file("pass", function, name);
}

static inline void played_copy(void)
{
	char bytes[4096];
	ssize_t n;
	while ((n = read(STDIN_FILENO, bytes, sizeof(bytes))) > 0)
		if (write(STDOUT_FILENO, bytes, (size_t)n) != n)
			_exit(8);
}

static inline void played_holder(void)
{
	pid_t pid = fork();
	if (pid == 0)
		for (;;)
			pause();
	FILE *file = fopen("holder.new", "we");
	if (!file || fprintf(file, "%d", pid) < 1 || fclose(file) != 0 ||
	    rename("holder.new", "holder") < 0)
		_exit(9);
}

static inline void played_echo(void)
{
	char bytes[2];
	for (size_t n = 0; n < sizeof(bytes); n++)
		if (read(STDIN_FILENO, bytes + n, 1) != 1)
			_exit(8);
	if (write(STDOUT_FILENO, bytes, sizeof(bytes)) != sizeof(bytes))
		_exit(8);
}

static inline void played_size(void)
{
	struct winsize size = {0};
	UNTIL(ioctl(STDIN_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row != 0);
	dprintf(STDOUT_FILENO, "%dx%d\n", size.ws_row, size.ws_col);
}

static inline void played_step(char step)
{
	if (step == 'o' && write(STDOUT_FILENO, "out\n", 4) != 4)
		_exit(8);
	if (step == 'e' && write(STDERR_FILENO, "err\n", 4) != 4)
		_exit(8);
	if (step == 'c')
		played_copy();
	if (step == 'h')
		played_holder();
	if (step == 'r')
		played_echo();
	if (step == 't')
		played_size();
	if (step == 'x')
		_exit(7);
}

static inline _Noreturn void played_process(int gate)
{
	char program[64] = "", byte;
	if (read(gate, &byte, 1) != 1)
		_exit(0);
	int fd = open("program", O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && read(fd, program, sizeof(program) - 1) < 0)
		_exit(9);
	if (fd >= 0)
		close(fd);
	for (const char *step = program; *step; step++)
		played_step(*step);
	while (read(gate, &byte, 1) == 1)
		;
	_exit(0);
}

/* With a terminal: makes it the process's stdio and sends its master. */
static inline void played_terminal(struct runtime_task *task)
{
	int master, slave;
	if (!*task->console_socket)
		return;
	terminal_open(&master, &slave);
	terminal_send(task->console_socket, 1, &master, 1);
	close(master);
	for (int i = 0; i < 3; i++)
		task->stdio[i] = slave;
}

static inline int played_exec(struct runtime_task *task, pid_t *ret_pid)
{
	char program[64] = "";
	int result = played_call(task, "exec");
	if (result != 0)
		return result;
	if (sscanf(task->json, "{\"program\": \"%63[a-z]", program) != 1)
		return runtime_fail(task, RUNTIME_INVALID_ARGUMENT, "no program");
	played_terminal(task);
	pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		runtime_child_init(task, task->stdio[0]);
		for (const char *step = program; *step; step++)
			played_step(*step);
		_exit(0);
	}
	*ret_pid = pid;
	return 0;
}

static inline int played_create(struct runtime_task *task, pid_t *ret_pid)
{
	int gate[2], result = played_call(task, "create");
	if (result != 0)
		return result;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, gate) < 0)
		return -errno;
	played_terminal(task);
	pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		played_process(runtime_child_init(task, gate[0]));
	task->keep[0] = gate[1];
	*ret_pid = pid;
	return 0;
}

static inline int played_start(struct runtime_task *task)
{
	int result = played_call(task, "start");
	if (result != 0)
		return result < 0 ? result : 0;
	task->state_size = (size_t)snprintf((char *)task->state, 16, "started");
	return send(task->keep[0], "g", 1, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

static inline int played_kill(struct runtime_task *task, int signal, bool all)
{
	int result = played_call(task, "kill");
	(void)all;
	if (result != 0)
		return result < 0 ? result : 0;
	if (task->pid > 0 && kill(task->pid, signal) == 0) {
		char name[32];
		UNTIL(!played_file("after", "kill", name));
		return 0;
	}
	return runtime_fail(task, RUNTIME_NOT_FOUND, "process already finished: not found");
}

static inline int played_remove(struct runtime_task *task, bool force)
{
	int result = played_call(task, force ? "force" : "remove");
	if (task->pid > 0 && result == 0)
		kill(task->pid, SIGKILL);
	return result < 0 ? result : 0;
}

static inline int played_pids(struct runtime_task *task, pid_t *pids, size_t max, size_t *ret_n)
{
	int result = played_call(task, "pids");
	*ret_n = task->pid > 0 && max > 0;
	pids[0] = task->pid;
	return result < 0 ? result : 0;
}

/* Most tests want a runtime that lacks it. */
#ifndef PLAYED_EXEC
#define PLAYED_EXEC NULL
#endif

static const struct runtime played = {
	.name = "io.containerd.played.v2",
	.create = played_create,
	.start = played_start,
	.kill = played_kill,
	.remove = played_remove,
	.pids = played_pids,
	.exec = PLAYED_EXEC,
};

#endif
