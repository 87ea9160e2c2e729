/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a process's bytes come from and go to: see worker_io.h. The scheme of standard output's URI
 * decides for all three:
 *
 *   none, fifo   a pipe for each stream that has a path; the server pumps between it and the FIFO
 *
 * A stream without a path is /dev/null.
 */
#include "shim/worker_io.h"

#include <errno.h>
#include <fcntl.h>
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
	return uri_has_scheme(path, "fifo") && path[5] == '/' && path[6] == '/' ? path + 7 : path;
}

static int fd_nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

static int null_open(int *ret_fd)
{
	*ret_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	return *ret_fd < 0 ? -errno : 0;
}

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

static int stream_open(struct worker_io *io, enum fifo_stream stream)
{
	if (!io->request.path[stream][0])
		return null_open(&io->task->stdio[stream]);
	return pipe_open(io, stream);
}

static int scheme_check(struct worker_io *io)
{
	const char *output = io->request.path[FIFO_STDOUT];
	size_t length = uri_scheme(output);

	if (length > 0 && !uri_has_scheme(output, "fifo"))
		return runtime_fail(io->task, RUNTIME_UNKNOWN, "unknown STDIO scheme %.*s",
				    (int)length, output);
	return 0;
}

int worker_io_open(struct worker_io *io, const struct job *job, struct runtime_task *task,
		   struct report_message *message, const struct worker_io_request *request)
{
	*io = (struct worker_io){.job = job, .task = task, .message = message, .request = *request};
	for (int stream = 0; stream < 3; stream++)
		io->request.path[stream] = without_scheme(request->path[stream]);
	if (request->terminal)
		return runtime_fail(task, RUNTIME_UNIMPLEMENTED, "terminal: not implemented");
	int result = scheme_check(io);
	for (int stream = 0; result == 0 && stream < 3; stream++)
		result = stream_open(io, (enum fifo_stream)stream);
	return result;
}

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

int worker_io_connect(struct worker_io *io, bool input)
{
	uint64_t deadline = fifo_deadline();
	int result = 0;

	stdio_close(io->task);
	for (int stream = input ? FIFO_STDIN : FIFO_STDOUT; result == 0 && stream < 3; stream++)
		if (io->request.path[stream][0])
			result = fifo_connect(io, (enum fifo_stream)stream, deadline);
	return result;
}

void worker_io_undo(struct worker_io *io)
{
	stdio_close(io->task);
	report_deinit(io->message);
}

int worker_io_input(struct runtime_task *task, struct report_message *message, const char *path)
{
	struct worker_io io = {
		.task = task, .message = message, .request.path[FIFO_STDIN] = without_scheme(path)};

	return *path ? fifo_connect(&io, FIFO_STDIN, 0) : 0;
}
