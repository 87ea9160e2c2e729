/* SPDX-License-Identifier: Apache-2.0 */
/* A logging program's start: see logger.h. */
#include "shim/logger.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/command.h"
#include "shim/uri.h"
#include "shim/worker_process.h"

/* Its descriptors' numbers, in the order of struct plumbing's theirs. */
enum { AT_NULL, AT_OUTPUT = 3, AT_ERROR, AT_READY, AT_FAILURE, AT_END };

/* Pipes: the logger has one end of each. */
struct plumbing {
	int null;
	int output[2], error[2], ready[2];
	int failure[2]; /* why it could not be executed; its end comes when it was */
};

#define PLUMBING_NULL ((struct plumbing){-1, {-1, -1}, {-1, -1}, {-1, -1}, {-1, -1}})

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int plumbing_open(struct plumbing *plumbing)
{
	plumbing->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (plumbing->null < 0 || pipe2(plumbing->output, O_CLOEXEC) < 0 ||
	    pipe2(plumbing->error, O_CLOEXEC) < 0 || pipe2(plumbing->ready, O_CLOEXEC) < 0 ||
	    pipe2(plumbing->failure, O_CLOEXEC) < 0)
		return -errno;
	return 0;
}

static void plumbing_close_theirs(struct plumbing *plumbing)
{
	close_fd(&plumbing->null);
	close_fd(&plumbing->output[0]);
	close_fd(&plumbing->error[0]);
	close_fd(&plumbing->ready[1]);
	close_fd(&plumbing->failure[1]);
}

static void plumbing_close(struct plumbing *plumbing)
{
	plumbing_close_theirs(plumbing);
	close_fd(&plumbing->output[1]);
	close_fd(&plumbing->error[1]);
	close_fd(&plumbing->ready[0]);
	close_fd(&plumbing->failure[0]);
}

/* ---- in the logger's process ---- */

/* The sources may be any of the targets: they go out of the way first. */
static int child_place(const struct plumbing *plumbing)
{
	int moved[AT_END] = {plumbing->null,      plumbing->null,     plumbing->null,
			     plumbing->output[0], plumbing->error[0], plumbing->ready[1],
			     plumbing->failure[1]};

	for (int i = 0; i < AT_END; i++) {
		moved[i] = fcntl(moved[i], F_DUPFD_CLOEXEC, AT_END);
		if (moved[i] < 0)
			return -errno;
	}
	for (int i = 0; i < AT_END; i++)
		if (dup2(moved[i], i) < 0)
			return -errno;
	fcntl(AT_FAILURE, F_SETFD, FD_CLOEXEC);
	syscall(SYS_close_range, (unsigned)AT_END, ~0u, 0u); /* since 5.9; they are close-on-exec */
	return 0;
}

/* The worker's death ends it up to the moment at which the monitor's knowing of it does. */
static void child_tell(const struct job *job, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || worker_process_tell(job, 0, getpid()) < 0)
		_exit(127);
	prctl(PR_SET_PDEATHSIG, 0);
}

static _Noreturn void child_run(const struct plumbing *plumbing, const char *const *arguments,
				const char *const *environment)
{
	int failure_fd = plumbing->failure[1];
	int error = -child_place(plumbing);

	if (error == 0) {
		failure_fd = AT_FAILURE;
		command_reset_signals();
		execve(arguments[0], (char *const *)(uintptr_t)arguments,
		       (char *const *)(uintptr_t)environment);
		error = errno;
	}
	_exit(write(failure_fd, &error, sizeof(error)) < 0 ? 126 : 127);
}

/* ---- in the worker ---- */

static int program_start(const struct job *job, const char *const *arguments,
			 struct plumbing *plumbing, pid_t *ret_pid, struct failure *ret_failure)
{
	/* of the exec, if it is one's output */
	const char *id = job->verb->exec_id[0] ? job->verb->exec_id : job->verb->id;
	char *environment[3] = {NULL};
	pid_t parent = getpid();
	int error = 0;

	if (asprintf(&environment[0], "CONTAINER_ID=%s", id) < 0 ||
	    asprintf(&environment[1], "CONTAINER_NAMESPACE=%s", job->config->namespace_) < 0)
		return -ENOMEM;
	pid_t pid = fork();
	if (pid == 0) {
		child_tell(job, parent);
		child_run(plumbing, arguments, (const char *const *)environment);
	}
	if (pid < 0)
		return -errno;
	free(environment[0]);
	free(environment[1]);
	plumbing_close_theirs(plumbing);
	if (read(plumbing->failure[0], &error, sizeof(error)) != (ssize_t)sizeof(error)) {
		*ret_pid = pid;
		return 0;
	}
	waitpid(pid, NULL, 0);
	return failure_set(ret_failure, "failed to start binary process: fork/exec %s: %s",
			   arguments[0], failure_errno(error));
}

static int ready_wait(int fd, bool byte_needed, int seconds, struct failure *ret_failure)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	char byte;
	int n;

	do
		n = poll(&wait, 1, seconds * 1000);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (n == 0)
		return failure_set(ret_failure,
				   "logging binary did not call ready within %d s: context "
				   "deadline exceeded",
				   seconds);
	if (read(fd, &byte, 1) != 1 && byte_needed)
		return failure_set(ret_failure, "logging binary did not call ready (it may have "
						"crashed or exited prematurely)");
	return 0;
}

static int start(const struct job *job, const char *const *arguments, struct plumbing *plumbing,
		 pid_t *ret_pid, struct failure *ret_failure)
{
	int result = plumbing_open(plumbing);

	return result < 0 ? result : program_start(job, arguments, plumbing, ret_pid, ret_failure);
}

static int arguments_make(const char *uri, const char *const **ret_arguments,
			  struct failure *ret_failure)
{
	const char **arguments;
	char *path;
	int result = uri_path(uri, &path);

	if (result == 0)
		result = uri_arguments(uri, path, &arguments);
	if (result == 0)
		*ret_arguments = arguments;
	if (result == -ENOMEM || result == 0)
		return result;
	return failure_set(ret_failure, "unable to parse stdout uri %s: %s", uri,
			   failure_errno(-result));
}

int logger_start(const struct job *job, const char *uri, int seconds, struct logger *ret_logger,
		 struct failure *ret_failure)
{
	struct plumbing plumbing = PLUMBING_NULL;
	struct logger logger = LOGGER_NULL;
	const char *const *arguments = NULL;
	int result = arguments_make(uri, &arguments, ret_failure);

	if (result == 0)
		result = start(job, arguments, &plumbing, &logger.pid, ret_failure);
	if (result == 0)
		result = ready_wait(plumbing.ready[0], uri_has_scheme(uri, "binary-v2"), seconds,
				    ret_failure);
	if (result != 0) {
		plumbing_close(&plumbing);
		logger_kill(&logger);
		return result;
	}
	logger.output[0] = plumbing.output[1];
	logger.output[1] = plumbing.error[1];
	plumbing.output[1] = plumbing.error[1] = -1;
	plumbing_close(&plumbing);
	*ret_logger = logger;
	return 0;
}

void logger_kill(struct logger *logger)
{
	close_fd(&logger->output[0]);
	close_fd(&logger->output[1]);
	if (logger->pid > 0) {
		kill(logger->pid, SIGKILL);
		while (waitpid(logger->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	*logger = LOGGER_NULL;
}
