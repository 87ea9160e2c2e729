/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files: see file.h. */
#include "shim/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PID_FILE_MAX 32u /* bytes; above: refused */

int file_write_all(int fd, const void *bytes, size_t size)
{
	const char *next = bytes;

	while (size > 0) {
		ssize_t n = write(fd, next, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		next += n;
		size -= (size_t)n;
	}
	return 0;
}

/* Up to the end, or size bytes. */
static int read_all(int fd, char *text, size_t size, size_t *ret_n)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = read(fd, text + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	*ret_n = done;
	return 0;
}

static int read_opened(int fd, size_t max, char **ret_text, size_t *ret_size)
{
	struct stat status;
	size_t size = 0;
	char *text;
	int r;

	if (fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -EINVAL;
	if (status.st_size > (off_t)max)
		return -EFBIG;
	text = malloc((size_t)status.st_size + 1);
	if (!text)
		return -ENOMEM;
	r = read_all(fd, text, (size_t)status.st_size, &size);
	if (r < 0) {
		free(text);
		return r;
	}
	text[size] = '\0';
	*ret_text = text;
	*ret_size = size;
	return 0;
}

int file_read(const char *path, int flags, size_t max, char **ret_text, size_t *ret_size)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | flags), r;

	if (fd < 0)
		return -errno;
	r = read_opened(fd, max, ret_text, ret_size);
	close(fd);
	return r;
}

int file_refuse(const char *path, size_t max, int error, struct failure *ret_failure)
{
	switch (error) {
	case -ENOMEM:
		return error;
	case -EINVAL:
		return failure_set(ret_failure, "%s: not a regular file", path);
	case -EFBIG:
		return failure_set(ret_failure, "%s: larger than %zu bytes", path, max);
	default:
		return failure_set(ret_failure, "open %s: %s", path, failure_errno(-error));
	}
}

int file_read_pid(const char *path, pid_t *ret_pid, struct failure *ret_failure)
{
	size_t size;
	char *text, *end;
	long pid;
	int r = file_read(path, O_NOFOLLOW, PID_FILE_MAX, &text, &size);

	if (r < 0)
		return file_refuse(path, PID_FILE_MAX, r, ret_failure);
	errno = 0;
	pid = strtol(text, &end, 10);
	end += strspn(end, " \t\r\n");
	if (errno != 0 || end == text || *end || pid <= 0 || pid > INT_MAX)
		r = failure_set(ret_failure, "%s: \"%s\" is not a pid", path, text);
	else
		*ret_pid = (pid_t)pid;
	free(text);
	return r;
}

/* What an earlier attempt left, or somebody put there, is taken away and not written through. */
static int write_new(int folder, const char *name, const void *bytes, size_t size, mode_t mode)
{
	int fd, r;

	unlinkat(folder, name, 0);
	fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return -errno;
	r = fchmod(fd, mode) < 0 ? -errno : file_write_all(fd, bytes, size);
	if (close(fd) < 0 && r == 0)
		r = -errno;
	return r;
}

int file_replace(const char *folder, const char *name, const void *bytes, size_t size, mode_t mode)
{
	char temporary[NAME_MAX + 1];
	int directory, r;

	if (snprintf(temporary, sizeof(temporary), ".%s.new", name) >= (int)sizeof(temporary))
		return -ENAMETOOLONG;
	directory = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return -errno;
	r = write_new(directory, temporary, bytes, size, mode);
	if (r == 0 && renameat(directory, temporary, directory, name) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(directory, temporary, 0);
	close(directory);
	return r;
}
