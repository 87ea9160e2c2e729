/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines are read from the end: the last error is the one that made the command fail. A line that is
 * no JSON object is passed over, since a wrapper, a crash or a full disk may have left it.
 */
#include "shim/runc_log.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/file.h"

off_t runc_log_size(const char *path)
{
	struct stat status;

	return stat(path, &status) < 0 ? 0 : status.st_size;
}

static bool record_error(const char *line, size_t size, struct failure *ret_message)
{
	json_t *record = json_loadb(line, size, 0, NULL);
	const char *level = json_string_value(json_object_get(record, "level"));
	const char *text = json_string_value(json_object_get(record, "msg"));
	bool is_error =
		level && text && (strcmp(level, "error") == 0 || strcmp(level, "fatal") == 0);

	if (is_error)
		failure_set(ret_message, "%s", text);
	json_decref(record);
	return is_error && ret_message->text[0];
}

static int find_last_error(const char *text, size_t size, struct failure *ret_message)
{
	struct failure message;

	while (size > 0) {
		const char *newline = memrchr(text, '\n', size);
		size_t start = newline ? (size_t)(newline - text) + 1 : 0;

		if (record_error(text + start, size - start, &message)) {
			*ret_message = message;
			return 1;
		}
		size = newline ? start - 1 : 0;
	}
	return 0;
}

static int read_tail(int fd, off_t from, char **ret_text, size_t *ret_size)
{
	struct stat status;
	size_t size, done = 0;
	char *text;

	if (fstat(fd, &status) < 0)
		return -errno;
	if (from > status.st_size)
		from = 0; /* somebody emptied it */
	if (status.st_size - from > (off_t)RUNC_LOG_TAIL_MAX)
		from = status.st_size - (off_t)RUNC_LOG_TAIL_MAX;
	size = (size_t)(status.st_size - from);
	text = malloc(size + 1);
	if (!text)
		return -ENOMEM;
	while (done < size) {
		ssize_t n = pread(fd, text + done, size - done, from + (off_t)done);

		if (n <= 0)
			break;
		done += (size_t)n;
	}
	*ret_text = text;
	*ret_size = done;
	return 0;
}

int runc_log_last_error(const char *path, off_t from, struct failure *ret_message)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC), r;
	char *text = NULL;
	size_t size = 0;

	if (fd < 0)
		return -errno;
	r = read_tail(fd, from, &text, &size);
	close(fd);
	if (r < 0)
		return r;
	r = find_last_error(text, size, ret_message);
	free(text);
	return r;
}

void runc_log_move(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	int out = in < 0 ? -1
			 : open(to,
				O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC,
				0644);
	char *text = NULL;
	size_t size = 0;

	if (out >= 0 && read_tail(in, 0, &text, &size) == 0)
		file_write_all(out, text, size);
	free(text);
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	unlink(from);
}
