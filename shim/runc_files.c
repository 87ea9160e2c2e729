/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.json has the form that Go's encoder gives the options: snake_case keys in the message's
 * order, defaults left out, "{}" if nothing is set. runtime is the binary's name as it was sent,
 * possibly empty, without a newline.
 *
 * Files are written under another name and renamed. They are read as the work of somebody else.
 */
#include "shim/runc_files.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PID_FILE_MAX 32u /* bytes of init.pid; above: refused */

static int refuse_file(const char *verb, const char *path, int error, struct failure *ret_failure)
{
	return failure_set(ret_failure, "%s %s: %s", verb, path, failure_errno(error));
}

/* One byte more than allowed is asked for, so that a file that is too large shows. */
static ssize_t read_up_to(int fd, char *text, size_t size)
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
	return (ssize_t)done;
}

int runc_file_read(const char *path, size_t max, char **ret_text, struct failure *ret_failure)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), r = 0;
	char *text;
	ssize_t n;

	if (fd < 0)
		return refuse_file("open", path, errno, ret_failure);
	text = malloc(max + 1);
	n = text ? read_up_to(fd, text, max + 1) : -ENOMEM;
	close(fd);
	if (!text)
		return -ENOMEM;
	if (n < 0)
		r = refuse_file("read", path, (int)-n, ret_failure);
	else if ((size_t)n > max)
		r = failure_set(ret_failure, "%s: larger than %zu bytes", path, max);
	if (r != 0) {
		free(text);
		return r;
	}
	text[n] = '\0';
	*ret_text = text;
	return 0;
}

static int write_new(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	size_t size = strlen(text), done = 0;
	int r = fd < 0 ? -errno : 0;

	while (r == 0 && done < size) {
		ssize_t n = write(fd, text + done, size - done);

		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			r = n == 0 ? -EIO : -errno;
	}
	if (fd >= 0 && close(fd) < 0 && r == 0)
		r = -errno;
	return r;
}

static int write_file(const char *folder, const char *name, const char *text,
		      struct failure *ret_failure)
{
	char path[PATH_MAX], temporary[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/%s", folder, name);
	int m = snprintf(temporary, sizeof(temporary), "%s/.%s.new", folder, name), r;

	if (n >= (int)sizeof(path) || m >= (int)sizeof(temporary))
		return refuse_file("open", folder, ENAMETOOLONG, ret_failure);
	r = write_new(temporary, text);
	if (r == 0 && rename(temporary, path) < 0)
		r = -errno;
	if (r == 0)
		return 0;
	unlink(temporary);
	return refuse_file("open", path, -r, ret_failure);
}

/* NULL: the option has its default. */
static json_t *option_to_json(const Containerd__Runc__V1__Options *options,
			      const struct runc_option *option)
{
	const char *text;
	uint32_t number;

	switch (option->type) {
	case RUNC_OPTION_BOOL:
		return runc_option_get_bool(options, option) ? json_true() : NULL;
	case RUNC_OPTION_NUMBER:
		number = runc_option_get_number(options, option);
		return number ? json_integer(number) : NULL;
	case RUNC_OPTION_STRING:
		text = runc_option_get_string(options, option);
		return *text ? json_string(text) : NULL;
	}
	return NULL;
}

static char *options_to_json(const Containerd__Runc__V1__Options *options)
{
	json_t *root = json_object();
	char *text;

	for (size_t i = 0; i < runc_option_count; i++) {
		json_t *value = option_to_json(options, &runc_option_table[i]);

		if (value)
			json_object_set_new(root, runc_option_table[i].json, value);
	}
	text = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	return text;
}

int runc_options_write(const Containerd__Runc__V1__Options *options, const char *folder,
		       struct failure *ret_failure)
{
	char *text = options_to_json(options);
	int r;

	if (!text)
		return -ENOMEM;
	r = write_file(folder, "options.json", text, ret_failure);
	free(text);
	if (r == 0)
		r = write_file(folder, "runtime", options->binary_name, ret_failure);
	return r;
}

static int option_from_json(Containerd__Runc__V1__Options *options,
			    const struct runc_option *option, const json_t *value)
{
	switch (option->type) {
	case RUNC_OPTION_BOOL:
		if (!json_is_boolean(value))
			return -EINVAL;
		runc_option_set_bool(options, option, json_is_true(value));
		return 0;
	case RUNC_OPTION_NUMBER:
		if (!json_is_integer(value) || json_integer_value(value) < 0 ||
		    json_integer_value(value) > UINT32_MAX)
			return -EINVAL;
		runc_option_set_number(options, option, (uint32_t)json_integer_value(value));
		return 0;
	case RUNC_OPTION_STRING:
		if (!json_is_string(value))
			return -EINVAL;
		return runc_option_set_string(options, option, json_string_value(value));
	}
	return -EINVAL;
}

static int options_from_json(Containerd__Runc__V1__Options *options, const json_t *root,
			     struct failure *ret_failure)
{
	for (size_t i = 0; i < runc_option_count; i++) {
		const struct runc_option *option = &runc_option_table[i];
		const json_t *value = json_object_get(root, option->json);
		int r = value ? option_from_json(options, option, value) : 0;

		if (r == -EINVAL)
			return failure_set(ret_failure, "options.json: %s has the wrong type",
					   option->json);
		if (r < 0)
			return r;
	}
	return 0;
}

static int parse_json(Containerd__Runc__V1__Options *options, const char *text,
		      struct failure *ret_failure)
{
	json_error_t error;
	json_t *root = json_loads(text, 0, &error);
	int r;

	if (!root)
		return failure_set(ret_failure, "options.json: line %d: %s", error.line,
				   error.text);
	r = options_from_json(options, root, ret_failure);
	json_decref(root);
	return r;
}

/* *ret_text stays NULL if there is no such file. */
static int read_optional(const char *folder, const char *name, char **ret_text,
			 struct failure *ret_failure)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path))
		return refuse_file("open", folder, ENAMETOOLONG, ret_failure);
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return 0;
	return runc_file_read(path, RUNC_OPTIONS_FILE_MAX, ret_text, ret_failure);
}

int runc_files_read(const char *folder, Containerd__Runc__V1__Options *options,
		    struct failure *ret_failure)
{
	char *text = NULL, *binary = NULL;
	int r = read_optional(folder, "options.json", &text, ret_failure);

	if (r == 0 && text)
		r = parse_json(options, text, ret_failure);
	if (r == 0)
		r = read_optional(folder, "runtime", &binary, ret_failure);
	if (r == 0 && binary && *binary) {
		if (options->binary_name != protobuf_c_empty_string)
			free(options->binary_name);
		options->binary_name = binary;
		binary = NULL;
	}
	free(text);
	free(binary);
	return r;
}

int runc_file_read_pid(const char *path, pid_t *ret_pid, struct failure *ret_failure)
{
	char *text, *end;
	long pid;
	int r = runc_file_read(path, PID_FILE_MAX, &text, ret_failure);

	if (r != 0)
		return r;
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
