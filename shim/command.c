/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program's life here: looked up in PATH, cloned, executed, its output collected, reaped.
 *
 * The child shares our memory until it executes (CLONE_VM | CLONE_VFORK: no page table is copied,
 * and we are stopped meanwhile), so it must not return, allocate or run a signal handler of ours:
 * all signals are blocked around clone() and the child resets them before it unblocks them. What
 * goes wrong in it comes back through a close-on-exec pipe: nothing in it means that the program
 * runs.
 *
 * We may be the child of a subreaper and have children of other makes: only the pid that was cloned
 * is waited for. What a program leaves running may keep the output pipe open for ever: so the end
 * of output is the end of the program, not the end of file.
 */
#include "shim/command.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/file.h"
#include "shim/program.h"

#define CHILD_STACK_SIZE (16u << 10)
#define LOOK_MS 20
#define CLOSE_RANGE_MARK 4u /* CLOSE_RANGE_CLOEXEC, which older headers lack */

enum child_step { STEP_CHDIR = 1, STEP_STDIO, STEP_EXEC };

struct child_error {
	int step;
	int error;
};

struct child {
	const char *program;
	char *const *argv;
	char *const *env;
	const char *cwd;
	int stdio[3];
	int error_fd;
	pid_t parent;
};

extern char **environ;

void command_reset_signals(void)
{
	struct sigaction action = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int i = 1; i < _NSIG; i++)
		sigaction(i, &action, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The sources may be 0, 1 or 2 themselves, in any order: they go out of the way first. */
static int child_set_stdio(const struct child *child)
{
	int moved[3];

	for (int i = 0; i < 3; i++) {
		moved[i] = fcntl(child->stdio[i], F_DUPFD_CLOEXEC, 3);
		if (moved[i] < 0)
			return -1;
	}
	for (int i = 0; i < 3; i++)
		if (dup2(moved[i], i) < 0)
			return -1;
	return 0;
}

static enum child_step child_prepare_and_exec(const struct child *child)
{
	if (child->cwd && chdir(child->cwd) < 0)
		return STEP_CHDIR;
	if (child_set_stdio(child) < 0)
		return STEP_STDIO;
	/* All should be close-on-exec; a library or who ran us may have left one. Since 5.11. */
	syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_MARK);
	execve(child->program, child->argv, child->env);
	return STEP_EXEC;
}

/* What it returns is its exit status. */
static int child_main(void *argument)
{
	const struct child *child = argument;
	int error_fd = fcntl(child->error_fd, F_DUPFD_CLOEXEC, 3);
	struct child_error report;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != child->parent)
		return 127; /* it died before the line above */
	command_reset_signals();
	report.step = (int)child_prepare_and_exec(child);
	report.error = errno;
	return write(error_fd, &report, sizeof(report)) < 0 ? 126 : 127;
}

/* Sets *ret_pid; the child has executed, or its error is in the pipe. */
static int child_clone(const struct child *child, pid_t *ret_pid)
{
	sigset_t all, before;
	void *stack = mmap(NULL, CHILD_STACK_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	int pid, error;

	if (stack == MAP_FAILED)
		return -errno;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = clone(child_main, (char *)stack + CHILD_STACK_SIZE, CLONE_VM | CLONE_VFORK | SIGCHLD,
		    (void *)(uintptr_t)child);
	error = errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	munmap(stack, CHILD_STACK_SIZE);
	if (pid < 0)
		return -error;
	*ret_pid = pid;
	return 0;
}

static int wait_for(pid_t pid, int *ret_status)
{
	while (waitpid(pid, ret_status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static int refuse_start(const struct child *child, const struct child_error *report,
			struct failure *ret_failure)
{
	if (report->step == STEP_CHDIR)
		return failure_set(ret_failure, "chdir %s: %s", child->cwd,
				   failure_errno(report->error));
	return failure_set(ret_failure, "fork/exec %s: %s", child->program,
			   failure_errno(report->error));
}

static int child_start(struct child *child, pid_t *ret_pid, struct failure *ret_failure)
{
	struct child_error report;
	int pipe_fds[2], ignored, r;
	pid_t pid = -1;
	ssize_t n;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return -errno;
	child->error_fd = pipe_fds[1];
	child->parent = getpid();
	r = child_clone(child, &pid);
	close(pipe_fds[1]);
	if (r < 0) {
		close(pipe_fds[0]);
		return r;
	}
	do
		n = read(pipe_fds[0], &report, sizeof(report));
	while (n < 0 && errno == EINTR);
	close(pipe_fds[0]);
	if (n != (ssize_t)sizeof(report)) {
		*ret_pid = pid;
		return 0;
	}
	r = wait_for(pid, &ignored);
	return r < 0 ? r : refuse_start(child, &report, ret_failure);
}

/* A service manager's readiness socket is not for runtimes: they would speak for the shim. */
static char **environment(void)
{
	size_t n = 0, kept = 0;
	char **env;

	while (environ[n])
		n++;
	env = calloc(n + 1, sizeof(*env));
	if (!env)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (strncmp(environ[i], "NOTIFY_SOCKET=", 14) != 0)
			env[kept++] = environ[i];
	return env;
}

/* A file in memory: unlike a pipe it can't fill up while nobody reads the program's output. */
static int input_file(const void *input, size_t size)
{
	int fd = memfd_create("input", MFD_CLOEXEC);
	int r = fd < 0 ? -errno : file_write_all(fd, input, size);

	if (fd >= 0 && (r < 0 || lseek(fd, 0, SEEK_SET) < 0)) {
		r = r < 0 ? r : -errno;
		close(fd);
	}
	return r < 0 ? r : fd;
}

/* 1: more may come; 0: end of file; -EAGAIN: nothing there now. */
static int output_read(int fd, struct command_result *result)
{
	char buffer[4096];
	ssize_t n = read(fd, buffer, sizeof(buffer));
	size_t take;
	char *grown;

	if (n <= 0)
		return n == 0 ? 0 : errno == EINTR ? 1 : -errno;
	take = COMMAND_OUTPUT_MAX - result->output_size;
	if ((size_t)n > take)
		result->output_cut = true;
	else
		take = (size_t)n;
	if (take == 0)
		return 1;
	grown = realloc(result->output, result->output_size + take + 1);
	if (!grown)
		return -ENOMEM;
	memcpy(grown + result->output_size, buffer, take);
	result->output = grown;
	result->output_size += take;
	grown[result->output_size] = '\0';
	return 1;
}

/* Whether it can be reaped; it is not. */
static bool has_ended(pid_t pid)
{
	siginfo_t info = {0};

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid == pid;
}

/* Reads until the program has ended and nothing more is there, whoever still holds the pipe. */
static int output_collect(int fd, pid_t pid, struct command_result *result)
{
	int process =
		(int)syscall(SYS_pidfd_open, pid, 0); /* fails before 5.3: then we look often */
	struct pollfd wait[2] = {{.fd = fd, .events = POLLIN}, {.fd = process, .events = POLLIN}};
	bool ended = false;
	int r = 1;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (r == 1 || (r == -EAGAIN && !ended)) {
		if (r == -EAGAIN) {
			poll(wait, 2, process < 0 ? LOOK_MS : -1);
			/* What it wrote before is in the pipe by now: one more round of reads. */
			ended = has_ended(pid);
		} else if (result->output_cut && has_ended(pid)) {
			r = 0; /* what it left behind may print for ever */
			break;
		}
		r = output_read(fd, result);
	}
	if (process >= 0)
		close(process);
	return r == -EAGAIN ? 0 : r;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

struct plumbing {
	int null, input, output[2];
};

static int plumbing_open(const struct command *command, struct plumbing *plumbing)
{
	plumbing->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (plumbing->null < 0)
		return -errno;
	if (command->input) {
		plumbing->input = input_file(command->input, command->input_size);
		if (plumbing->input < 0)
			return plumbing->input;
	}
	if (command->capture && pipe2(plumbing->output, O_CLOEXEC) < 0)
		return -errno;
	return 0;
}

static void plumbing_close(struct plumbing *plumbing)
{
	close_fd(&plumbing->null);
	close_fd(&plumbing->input);
	close_fd(&plumbing->output[0]);
	close_fd(&plumbing->output[1]);
}

static int spawn(const struct command *command, const struct plumbing *plumbing, pid_t *ret_pid,
		 struct failure *ret_failure)
{
	char program[PATH_MAX];
	struct child child = {.program = program, .cwd = command->cwd};
	char **env;
	int r = program_find(command->argv[0], program, sizeof(program), ret_failure);

	if (r != 0)
		return r;
	for (int i = 0; i < 3; i++)
		child.stdio[i] = command->stdio[i] >= 0 ? command->stdio[i] : plumbing->null;
	if (command->input)
		child.stdio[0] = plumbing->input;
	if (command->capture)
		child.stdio[1] = plumbing->output[1];
	if (command->capture && !command->output_only)
		child.stdio[2] = plumbing->output[1];
	env = environment();
	if (!env)
		return -ENOMEM;
	child.env = env;
	child.argv = (char *const *)(uintptr_t)command->argv; /* execve() does not write there */
	r = child_start(&child, ret_pid, ret_failure);
	free(env);
	return r;
}

int command_run(const struct command *command, struct command_result *ret_result,
		struct failure *ret_failure)
{
	struct command_result result = {.output = calloc(1, 1)};
	struct plumbing plumbing = {-1, -1, {-1, -1}};
	pid_t pid = -1;
	int r = result.output ? plumbing_open(command, &plumbing) : -ENOMEM, waited;

	if (r == 0)
		r = spawn(command, &plumbing, &pid, ret_failure);
	close_fd(&plumbing.output[1]);
	if (r == 0) {
		if (command->capture)
			r = output_collect(plumbing.output[0], pid, &result);
		close_fd(&plumbing.output[0]);
		waited = wait_for(pid, &result.status);
		r = r < 0 ? r : waited;
	}
	plumbing_close(&plumbing);
	if (r == 0)
		*ret_result = result;
	else
		command_result_deinit(&result);
	return r;
}

void command_result_deinit(struct command_result *result)
{
	free(result->output);
	*result = COMMAND_RESULT_NULL;
}

int command_exit_code(const struct command_result *result)
{
	return WIFSIGNALED(result->status) ? 128 + WTERMSIG(result->status)
					   : WEXITSTATUS(result->status);
}
