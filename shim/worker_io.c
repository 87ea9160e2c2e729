/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a process's bytes come from and go to: see worker_io.h. The scheme of standard output's URI
 * decides for both outputs:
 *
 *   none, fifo          a pipe for each stream that has a path; the server pumps between it and the FIFO
 *   file                the same, and both go to one file
 *   binary, binary-v2   the logger's pipes; the server has no part in it
 *
 * A stream without a path is /dev/null. With a terminal the process gets its streams by the console
 * socket, and the server pumps between the terminal's master and whatever stands above, for standard
 * input and output; there is no standard error. Nobody may want that output: then it goes to
 * /dev/null. The stock shim lets it wait in the terminal, and a program that prints some kilobytes
 * stands still for ever.
 */
#include "shim/worker_io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/uri.h"
#include "shim/worker_payload.h"

static const enum report_role source_roles[] = {ROLE_STDIN_SOURCE, ROLE_STDOUT_SOURCE,
						ROLE_STDERR_SOURCE};
static const enum report_role sink_roles[] = {ROLE_STDIN_SINK, ROLE_STDOUT_SINK, ROLE_STDERR_SINK};
static const enum report_role keeper_roles[] = {ROLE_STDIN_KEEPER, ROLE_STDOUT_KEEPER,
						ROLE_STDERR_KEEPER};

static const char *without_scheme(const char *path)
{
	return strncasecmp(path, "fifo://", 7) == 0 ? path + 7 : path;
}

static int fd_nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

static int fd_copy(int fd, int *ret_fd)
{
	*ret_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return *ret_fd < 0 ? -errno : 0;
}

static int null_open(int *ret_fd)
{
	*ret_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	return *ret_fd < 0 ? -errno : 0;
}

/* ---- before the runtime: where output goes, by its scheme ---- */

static int open_fifo(struct worker_io *io)
{
	for (int stream = 0; stream < 3; stream++)
		io->piped[stream] = *io->request.path[stream];
	return 0;
}

static int folders_make(char *path)
{
	for (char *at = path + 1; *at; at++) {
		if (*at != '/')
			continue;
		*at = 0;
		int result = mkdir(path, 0755) < 0 && errno != EEXIST ? -errno : 0;
		*at = '/';
		if (result < 0)
			return result;
	}
	return 0;
}

/* It is the sink of both: one open file, so that neither overwrites the other. */
static int open_file(struct worker_io *io)
{
	int *fds = io->message->fds;
	char *path;
	int result = uri_path(io->request.path[FIFO_STDOUT], &path);
	if (result == -EBADMSG)
		return runtime_fail(io->task, RUNTIME_UNKNOWN, "unable to parse stdout uri %s",
				    io->request.path[FIFO_STDOUT]);
	if (result < 0)
		return result;
	result = folders_make(path);
	if (result < 0)
		return runtime_fail(io->task, RUNTIME_UNKNOWN, "mkdir for %s: %s", path,
				    failure_errno(-result));
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_CLOEXEC, 0644);
	if (fd < 0)
		return runtime_fail(io->task, RUNTIME_UNKNOWN, "open %s: %s", path,
				    failure_errno(errno));
	fds[ROLE_STDOUT_SINK] = fd;
	io->piped[FIFO_STDIN] = *io->request.path[FIFO_STDIN];
	io->piped[FIFO_STDOUT] = true;
	io->piped[FIFO_STDERR] = !io->request.terminal;
	return io->request.terminal ? 0 : fd_copy(fd, &fds[ROLE_STDERR_SINK]);
}

static int open_logger(struct worker_io *io)
{
	struct logger *logger = &io->logger;
	struct failure failure;
	int result = logger_start(io->job, io->request.path[FIFO_STDOUT], LOGGER_WAIT_SECONDS,
				  logger, &failure);
	if (result != 0)
		return worker_refuse(io->task, result, &failure);
	io->message->report.logger_pid = logger->pid;
	io->piped[FIFO_STDIN] = *io->request.path[FIFO_STDIN];
	if (io->request.terminal) {
		io->message->fds[ROLE_STDOUT_SINK] = logger->output[0];
		result = fd_nonblock(logger->output[0]);
		close(logger->output[1]);
	} else {
		io->task->stdio[FIFO_STDOUT] = logger->output[0];
		io->task->stdio[FIFO_STDERR] = logger->output[1];
	}
	logger->output[0] = logger->output[1] = -1;
	return result;
}

static const struct scheme {
	const char *name;
	int (*open)(struct worker_io *io);
} schemes[] = {
	{"", open_fifo},         {"fifo", open_fifo},        {"file", open_file},
	{"binary", open_logger}, {"binary-v2", open_logger},
};

static int output_open(struct worker_io *io)
{
	const char *output = io->request.path[FIFO_STDOUT];
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (uri_has_scheme(output, schemes[i].name))
			return schemes[i].open(io);
	return runtime_fail(io->task, RUNTIME_UNKNOWN, "unknown STDIO scheme %.*s",
			    (int)uri_scheme(output), output);
}

/* ---- before the runtime: what the process gets ---- */

/* The container's end blocks, as a program expects; ours is another open file and does not. */
static int pipe_open(struct worker_io *io, enum fifo_stream stream)
{
	bool input = stream == FIFO_STDIN;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	int mine = input ? ends[1] : ends[0];
	io->task->stdio[stream] = input ? ends[0] : ends[1];
	io->message->fds[input ? sink_roles[stream] : source_roles[stream]] = mine;
	return fd_nonblock(mine);
}

static int stdio_open(struct worker_io *io)
{
	int result = 0;
	for (int stream = 0; result == 0 && stream < 3; stream++) {
		if (io->task->stdio[stream] >= 0)
			continue;
		if (io->piped[stream] && !io->request.terminal)
			result = pipe_open(io, (enum fifo_stream)stream);
		else
			result = null_open(&io->task->stdio[stream]);
	}
	return result;
}

static int terminal_open(struct worker_io *io)
{
	struct failure failure;
	int result = console_open(&io->console, &failure);
	if (result != 0)
		return worker_refuse(io->task, result, &failure);
	io->task->console_socket = io->console.path;
	return 0;
}

int worker_io_open(struct worker_io *io, const struct job *job, struct runtime_task *task,
		   struct report_message *message, const struct worker_io_request *request)
{
	*io = (struct worker_io){.job = job,
				 .task = task,
				 .message = message,
				 .request = *request,
				 .console = CONSOLE_NULL,
				 .logger = LOGGER_NULL};
	for (int stream = 0; stream < 3; stream++)
		io->request.path[stream] = without_scheme(request->path[stream]);
	if (request->terminal)
		io->request.path[FIFO_STDERR] = "";
	int result = output_open(io);
	if (result == 0)
		result = stdio_open(io);
	if (result == 0 && request->terminal)
		result = terminal_open(io);
	return result;
}

/* ---- after the runtime ---- */

static void stdio_close(struct runtime_task *task)
{
	for (int stream = 0; stream < 3; stream++) {
		if (task->stdio[stream] >= 0)
			close(task->stdio[stream]);
		task->stdio[stream] = -1;
	}
}

static int fifo_connect(struct worker_io *io, enum fifo_stream stream, uint64_t deadline)
{
	struct fifo_ends ends = FIFO_ENDS_NULL;
	struct failure failure;
	int result = fifo_open(io->request.path[stream], stream, deadline, &ends, &failure);

	if (result != 0)
		return worker_refuse(io->task, result, &failure);
	io->message->fds[stream == FIFO_STDIN ? source_roles[stream] : sink_roles[stream]] =
		ends.fd;
	io->message->fds[keeper_roles[stream]] = ends.keeper;
	return 0;
}

/* A descriptor of the one open file for each of its purposes: each has an end of its own. */
static int terminal_connect(struct worker_io *io)
{
	int *fds = io->message->fds;
	struct failure failure;
	int result =
		console_receive(&io->console, CONSOLE_WAIT_SECONDS, &fds[ROLE_CONSOLE], &failure);
	if (result != 0)
		return worker_refuse(io->task, result, &failure);
	if (io->piped[FIFO_STDIN])
		result = fd_copy(fds[ROLE_CONSOLE], &fds[ROLE_STDIN_SINK]);
	if (result == 0)
		result = fd_copy(fds[ROLE_CONSOLE], &fds[ROLE_STDOUT_SOURCE]);
	if (result == 0 && !io->piped[FIFO_STDOUT] && fds[ROLE_STDOUT_SINK] < 0)
		result = null_open(&fds[ROLE_STDOUT_SINK]);
	return result;
}

static bool needs_fifo(const struct worker_io *io, enum fifo_stream stream)
{
	return io->piped[stream] &&
	       (stream == FIFO_STDIN || io->message->fds[sink_roles[stream]] < 0);
}

int worker_io_connect(struct worker_io *io, bool input)
{
	uint64_t deadline = fifo_deadline();
	int result = 0;

	stdio_close(io->task);
	if (io->request.terminal)
		result = terminal_connect(io);
	console_close(&io->console);
	for (int stream = input ? FIFO_STDIN : FIFO_STDOUT; result == 0 && stream < 3; stream++)
		if (needs_fifo(io, (enum fifo_stream)stream))
			result = fifo_connect(io, (enum fifo_stream)stream, deadline);
	return result;
}

void worker_io_undo(struct worker_io *io)
{
	stdio_close(io->task);
	report_deinit(io->message);
	io->message->report.logger_pid = 0;
	logger_kill(&io->logger);
	console_close(&io->console);
}

int worker_io_input(struct runtime_task *task, struct report_message *message, const char *path)
{
	struct worker_io io = {
		.task = task, .message = message, .request.path[FIFO_STDIN] = without_scheme(path)};

	return *path ? fifo_connect(&io, FIFO_STDIN, 0) : 0;
}
