/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process's standard streams and its terminal, as the server has them: descriptors that workers made
 * and sent. Of a terminal the master comes several times, as an end of each stream and as the console,
 * which is for its size alone.
 */
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "shim/server.h"

static void stream_ended(struct stream *stream, void *userdata)
{
	(void)stream;
	task_drained(userdata);
}

static int stream_take(struct process *process, int i, int *source, int *sink, int *keeper)
{
	struct stream *stream = &process->streams[i];
	if (*source < 0 || *sink < 0)
		return 0;
	int result = stream_start(stream, &process->container->server->loop, *source, *sink,
				  *keeper, stream_ended, process);
	if (result < 0)
		return result;
	*source = *sink = *keeper = -1;
	return 0;
}

static int take(int *fd)
{
	int taken = *fd;
	*fd = -1;
	return taken;
}

int process_take_output(struct process *process, struct report_message *message)
{
	int *fds = message->fds;
	process->input = take(&fds[ROLE_STDIN_SINK]);
	process->console = take(&fds[ROLE_CONSOLE]);
	process->logger = message->report.logger_pid != 0;
	if (process->columns || process->rows)
		process_resize(process, process->columns, process->rows);
	int result = stream_take(process, 1, &fds[ROLE_STDOUT_SOURCE], &fds[ROLE_STDOUT_SINK],
				 &fds[ROLE_STDOUT_KEEPER]);
	if (result == 0)
		result = stream_take(process, 2, &fds[ROLE_STDERR_SOURCE], &fds[ROLE_STDERR_SINK],
				     &fds[ROLE_STDERR_KEEPER]);
	return result;
}

int process_take_input(struct process *process, struct report_message *message)
{
	int *fds = message->fds;
	int result = stream_take(process, 0, &fds[ROLE_STDIN_SOURCE], &process->input,
				 &fds[ROLE_STDIN_KEEPER]);
	if (process->input_closed)
		stream_close_keeper(&process->streams[0]);
	return result;
}

void process_close_input(struct process *process)
{
	process->input_closed = true;
	stream_close_keeper(&process->streams[0]);
}

static void end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void process_stop_streams(struct process *process)
{
	for (int i = 0; i < 3; i++)
		stream_stop(&process->streams[i]);
	end(&process->input);
	end(&process->console);
}

/* What the process wrote has reached containerd's FIFOs, or the logger has seen to it: all of it. */
bool process_drained(const struct process *process)
{
	return !process->logger && !stream_open(&process->streams[1]) &&
	       !stream_open(&process->streams[2]);
}

void process_resize(struct process *process, uint32_t columns, uint32_t rows)
{
	struct winsize size = {.ws_col = (unsigned short)columns, .ws_row = (unsigned short)rows};
	process->columns = columns;
	process->rows = rows;
	if (process->console >= 0)
		ioctl(process->console, TIOCSWINSZ, &size);
}
