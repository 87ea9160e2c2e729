/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading and writing the two files of state.h. The monitor calls the writer for each report and each
 * exit, so it keeps to the stack and a few system calls.
 */
#include "shim/state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/digits.h"

#define STATE_LINE_MAX (ID_SIZE + 96)
#define STATE_BUFFER (8 * STATE_LINE_MAX)
#define STATE_SIZE_MAX (STATE_PROCESSES_MAX * STATE_LINE_MAX)
#define STATE_HEADER "mote-task 1\n"

/* Returns where the text ends; there is no NUL. */
static char *text_put(char *to, const char *text)
{
	size_t size = strlen(text);
	return (char *)memcpy(to, text, size) + size;
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
	_Static_assert(sizeof(".mote.runtime.new") <= sizeof(file->temporary), "the longest name");
	*text_put(text_put(text_put(file->temporary, "."), name), ".new") = 0;
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

static int file_path(const char *bundle, const char *name, char path[static PATH_MAX])
{
	int length = snprintf(path, PATH_MAX, "%s/%s", bundle, name);
	return length < 0 || length >= PATH_MAX ? -ENAMETOOLONG : 0;
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
	const uint64_t numbers[] = {
		(uint64_t)process->pid, process->start_time,          process->exited,
		process->exit_status,   (uint64_t)process->exited_at, process->exited_at_nanos,
	};
	char *end = line;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		end = digits_put(end, numbers[i]);
		*end++ = ' ';
	}
	if (process->logger)
		*end++ = '@';
	end = text_put(end, process->exec_id[0] || process->logger ? process->exec_id : "-");
	*end++ = '\n';
	return (size_t)(end - line);
}

int state_write_each(const char *bundle, const struct state_process *(*next)(void *position),
		     void *position)
{
	struct replacement file;
	char buffer[STATE_BUFFER];
	const struct state_process *process;

	replacement_begin(&file, bundle, "mote.task");
	size_t used = (size_t)(text_put(buffer, STATE_HEADER) - buffer);
	while ((process = next(position))) {
		if (used > sizeof(buffer) - STATE_LINE_MAX) {
			replacement_write(&file, buffer, used);
			used = 0;
		}
		used += process_format(process, buffer + used);
	}
	replacement_write(&file, buffer, used);
	return replacement_end(&file);
}

static int process_parse(const char *line, struct state_process *process)
{
	uint64_t numbers[6];
	/* Not sscanf(3), which is 4 kB that nothing else in the program needs. */
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		char *end;
		numbers[i] = strtoull(line, &end, 10);
		if (end == line)
			return -EBADMSG;
		line = end;
	}
	line += strspn(line, " ");
	process->logger = *line == '@';
	line += process->logger;
	size_t size = strcspn(line, " ");
	if ((size == 0 && !process->logger) || size >= ID_SIZE || (pid_t)numbers[0] <= 0)
		return -EBADMSG;
	process->pid = (pid_t)numbers[0];
	process->start_time = numbers[1];
	process->exited = numbers[2] != 0;
	process->exit_status = (uint32_t)numbers[3];
	process->exited_at = (int64_t)numbers[4];
	process->exited_at_nanos = (uint32_t)numbers[5];
	process->exec_id[0] = 0;
	if (strcmp(line, "-") != 0) {
		memcpy(process->exec_id, line, size);
		process->exec_id[size] = 0;
	}
	return 0;
}

static int state_parse(char *text, struct state *state)
{
	const size_t header = sizeof(STATE_HEADER) - 1;
	char *line;
	if (strncmp(text, STATE_HEADER, header) != 0)
		return -EBADMSG;
	text += header;
	while ((line = strsep(&text, "\n")) && state->n_processes < STATE_PROCESSES_MAX) {
		if (*line < '0' || *line > '9')
			continue;
		int result = process_parse(line, &state->processes[state->n_processes]);
		if (result < 0)
			return result;
		state->n_processes++;
	}
	return 0;
}

int state_read(const char *bundle, struct state *ret_state)
{
	size_t size = 0;
	char *text = malloc(STATE_SIZE_MAX + 1);
	/* of both only what is used is touched */
	struct state state = {.processes = calloc(STATE_PROCESSES_MAX, sizeof(*state.processes))};
	int result = text && state.processes ? 0 : -ENOMEM;
	if (result == 0)
		result = file_read(bundle, "mote.task", text, STATE_SIZE_MAX, &size);
	if (result == 0) {
		text[size] = 0;
		result = state_parse(text, &state);
	}
	free(text);
	if (result == 0)
		*ret_state = state;
	else
		state_deinit(&state);
	return result;
}

void state_deinit(struct state *state)
{
	free(state->processes);
	*state = STATE_NULL;
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

/* A field of /proc/PID/stat that is a number, not below 0. */
static int stat_field(pid_t pid, int wanted, uint64_t *ret_number)
{
	char path[32], text[512];
	*text_put(digits_put(text_put(path, "/proc/"), (uint64_t)pid), "/stat") = 0;
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
	for (int i = 2; field && i < wanted; i++)
		field = strchr(field + 1, ' ');
	if (!field)
		return -EBADMSG;
	uint64_t number = 0;
	for (field++; *field >= '0' && *field <= '9'; field++)
		number = number * 10 + (uint64_t)(*field - '0');
	*ret_number = number;
	return 0;
}

int process_start_time(pid_t pid, uint64_t *ret_start_time)
{
	return stat_field(pid, 22, ret_start_time);
}

int process_parent(pid_t pid, pid_t *ret_parent)
{
	uint64_t parent;
	int result = stat_field(pid, 4, &parent);
	if (result == 0)
		*ret_parent = (pid_t)parent;
	return result;
}
