/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading and writing the two files of state.h. The monitor calls the writer for each report and each
 * exit, so it keeps to the stack and a few system calls.
 */
#include "shim/state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATE_LINE_MAX (ID_SIZE + 96)
#define STATE_SIZE_MAX (STATE_PROCESSES_MAX * STATE_LINE_MAX)
#define STATE_HEADER "mote-task 1\n"

static int file_path(const char *bundle, const char *name, char path[static PATH_MAX])
{
	int length = snprintf(path, PATH_MAX, "%s/%s", bundle, name);
	return length < 0 || length >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/* A file that is written under another name and takes its own when it is whole. */
struct replacement {
	int directory, fd;
	int result; /* the first error; then nothing more is done */
	const char *name;
	char temporary[32];
};

static void replacement_begin(struct replacement *file, const char *bundle, const char *name)
{
	*file = (struct replacement){.fd = -1, .name = name};
	snprintf(file->temporary, sizeof(file->temporary), ".%s.new", name);
	file->directory = open(bundle, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (file->directory < 0) {
		file->result = -errno;
		return;
	}
	unlinkat(file->directory, file->temporary, 0);
	file->fd = openat(file->directory, file->temporary,
			  O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (file->fd < 0)
		file->result = -errno;
}

static void replacement_write(struct replacement *file, const char *bytes, size_t size)
{
	while (file->result == 0 && size > 0) {
		ssize_t n = write(file->fd, bytes, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			file->result = -errno;
		bytes += n;
		size -= (size_t)n;
	}
}

static int replacement_end(struct replacement *file)
{
	if (file->fd >= 0) {
		close(file->fd);
		if (file->result == 0 &&
		    renameat(file->directory, file->temporary, file->directory, file->name) < 0)
			file->result = -errno;
		if (file->result < 0)
			unlinkat(file->directory, file->temporary, 0);
	}
	if (file->directory >= 0)
		close(file->directory);
	return file->result;
}

/* Reads at most size bytes; a longer file is -EFBIG. */
static int file_read(const char *bundle, const char *name, char *bytes, size_t size, size_t *ret_n)
{
	char path[PATH_MAX];
	int result = file_path(bundle, name, path);
	if (result < 0)
		return result;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;

	size_t filled = 0;
	ssize_t n;
	char more;
	while (filled < size && (n = read(fd, bytes + filled, size - filled)) > 0)
		filled += (size_t)n;
	if (filled == size && read(fd, &more, 1) == 1)
		result = -EFBIG;
	close(fd);
	if (result == 0)
		*ret_n = filled;
	return result;
}

static size_t process_format(const struct state_process *process, char line[static STATE_LINE_MAX])
{
	int length = snprintf(line, STATE_LINE_MAX,
			      "%d %" PRIu64 " %d %" PRIu32 " %" PRId64 " %" PRIu32 " %s\n",
			      process->pid, process->start_time, process->exited,
			      process->exit_status, process->exited_at, process->exited_at_nanos,
			      process->exec_id[0] ? process->exec_id : "-");
	return (size_t)length;
}

int state_write(const char *bundle, const struct state_process *processes, size_t n)
{
	struct replacement file;
	char line[STATE_LINE_MAX];

	replacement_begin(&file, bundle, "mote.task");
	replacement_write(&file, STATE_HEADER, sizeof(STATE_HEADER) - 1);
	for (size_t i = 0; i < n; i++)
		replacement_write(&file, line, process_format(&processes[i], line));
	return replacement_end(&file);
}

static int process_parse(const char *line, struct state_process *process)
{
	int exited;
	char id[ID_SIZE];
	/* the width is ID_SIZE - 1 */
	int n = sscanf(line, "%d %" SCNu64 " %d %" SCNu32 " %" SCNd64 " %" SCNu32 " %127s",
		       &process->pid, &process->start_time, &exited, &process->exit_status,
		       &process->exited_at, &process->exited_at_nanos, id);
	if (n != 7 || process->pid <= 0)
		return -EBADMSG;
	process->exited = exited != 0;
	process->exec_id[0] = 0;
	if (strcmp(id, "-") != 0)
		memcpy(process->exec_id, id, sizeof(id));
	return 0;
}

static int state_parse(char *text, struct state *ret_state)
{
	const size_t header = sizeof(STATE_HEADER) - 1;
	char *line;
	if (strncmp(text, STATE_HEADER, header) != 0)
		return -EBADMSG;
	text += header;
	ret_state->n_processes = 0;
	while ((line = strsep(&text, "\n")) && ret_state->n_processes < STATE_PROCESSES_MAX) {
		if (*line < '0' || *line > '9')
			continue;
		int result = process_parse(line, &ret_state->processes[ret_state->n_processes]);
		if (result < 0)
			return result;
		ret_state->n_processes++;
	}
	return 0;
}

int state_read(const char *bundle, struct state *ret_state)
{
	size_t size = 0;
	char *text = malloc(STATE_SIZE_MAX + 1);
	if (!text)
		return -ENOMEM;
	int result = file_read(bundle, "mote.task", text, STATE_SIZE_MAX, &size);
	if (result == 0) {
		text[size] = 0;
		result = state_parse(text, ret_state);
	}
	free(text);
	return result;
}

int state_write_runtime(const char *bundle, const void *bytes, size_t size)
{
	struct replacement file;
	replacement_begin(&file, bundle, "mote.runtime");
	replacement_write(&file, bytes, size);
	return replacement_end(&file);
}

int state_read_runtime(const char *bundle, void *bytes, size_t *ret_size)
{
	int result = file_read(bundle, "mote.runtime", bytes, RUNTIME_STATE_MAX, ret_size);
	if (result == -ENOENT) {
		*ret_size = 0;
		result = 0;
	}
	return result;
}

int process_start_time(pid_t pid, uint64_t *ret_start_time)
{
	char path[32], text[512];
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ssize_t n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return -ESRCH;
	text[n] = 0;

	/* field 2 is the command's name in parentheses and may hold spaces and parentheses */
	char *field = strrchr(text, ')');
	for (int i = 2; field && i < 22; i++)
		field = strchr(field + 1, ' ');
	if (!field)
		return -EBADMSG;
	*ret_start_time = strtoull(field, NULL, 10);
	return 0;
}
