/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading config.json: the file into memory, jansson's parser, then a few look-ups that tolerate
 * what is absent but not what has the wrong type. The specification is the container's user's, so
 * nothing in it is believed: the file's size is limited here, the depth of its nesting by jansson.
 */
#include "shim/config_json.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct reader {
	struct config_json *config;
	struct failure *failure;
};

static int wrong_type(struct reader *reader, const char *name, const char *wanted)
{
	return failure_set(reader->failure, "config.json: %s is not %s", name, wanted);
}

/* *ret_value stays as it is if the key is absent or null. */
static int get_string(struct reader *reader, const json_t *object, const char *key,
		      const char *name, char **ret_value)
{
	const json_t *value = json_object_get(object, key);
	char *copy;

	if (!value || json_is_null(value))
		return 0;
	if (!json_is_string(value))
		return wrong_type(reader, name, "a string");
	copy = strdup(json_string_value(value));
	if (!copy)
		return -ENOMEM;
	free(*ret_value);
	*ret_value = copy;
	return 0;
}

static int get_strings(struct reader *reader, const json_t *object, const char *key,
		       const char *name, char ***ret_values)
{
	const json_t *array = json_object_get(object, key);
	size_t n = json_array_size(array);
	char **values;

	if (array && !json_is_null(array) && !json_is_array(array))
		return wrong_type(reader, name, "a list of strings");
	values = calloc(n + 1, sizeof(*values));
	if (!values)
		return -ENOMEM;
	*ret_values = values;
	for (size_t i = 0; i < n; i++) {
		const char *text = json_string_value(json_array_get(array, i));

		if (!text)
			return wrong_type(reader, name, "a list of strings");
		values[i] = strdup(text);
		if (!values[i])
			return -ENOMEM;
	}
	return 0;
}

static int get_object(struct reader *reader, const json_t *object, const char *key,
		      const json_t **ret_value)
{
	const json_t *value = json_object_get(object, key);

	if (value && !json_is_null(value) && !json_is_object(value))
		return wrong_type(reader, key, "an object");
	*ret_value = value;
	return 0;
}

/* The order is the stock shim's; both at once occurs where a pod is grouped by hand. */
static int read_annotations(struct reader *reader, const json_t *root)
{
	static const char *const keys[] = {
		"io.containerd.runc.v2.group",
		"io.kubernetes.cri.sandbox-id",
	};
	const json_t *annotations = NULL;
	int r = get_object(reader, root, "annotations", &annotations);

	for (size_t i = 0; r == 0 && !reader->config->group && i < 2; i++)
		r = get_string(reader, annotations, keys[i], keys[i], &reader->config->group);
	return r;
}

static int read_process(struct reader *reader, const json_t *root)
{
	struct config_json *config = reader->config;
	const json_t *process = NULL;
	int r = get_object(reader, root, "process", &process);

	config->cwd = strdup("/");
	if (r == 0 && !config->cwd)
		r = -ENOMEM;
	if (r == 0)
		r = get_string(reader, process, "cwd", "process.cwd", &config->cwd);
	if (r == 0)
		r = get_strings(reader, process, "args", "process.args", &config->args);
	if (r == 0)
		r = get_strings(reader, process, "env", "process.env", &config->env);
	return r;
}

static int read_root(struct reader *reader, const json_t *root)
{
	const json_t *folder = NULL;
	int r = get_object(reader, root, "root", &folder);

	if (r == 0)
		r = get_string(reader, folder, "path", "root.path", &reader->config->root);
	return r;
}

/* An entry of type pid makes a new namespace; with a path it joins another's. */
static int read_namespaces(struct reader *reader, const json_t *root)
{
	const json_t *linux_ = NULL, *list, *entry;
	size_t i;
	int r = get_object(reader, root, "linux", &linux_);

	if (r != 0)
		return r;
	list = json_object_get(linux_, "namespaces");
	if (list && !json_is_null(list) && !json_is_array(list))
		return wrong_type(reader, "linux.namespaces", "a list");
	json_array_foreach(list, i, entry)
	{
		const char *type = json_string_value(json_object_get(entry, "type"));
		const char *path = json_string_value(json_object_get(entry, "path"));

		if (type && strcmp(type, "pid") == 0)
			reader->config->private_pid_namespace = !path || !*path;
	}
	return 0;
}

static int read_all(struct reader *reader, const json_t *root)
{
	static int (*const parts[])(struct reader *, const json_t *) = {
		read_annotations,
		read_process,
		read_root,
		read_namespaces,
	};
	int r = 0;

	if (!json_is_object(root))
		return wrong_type(reader, "it", "an object");
	for (size_t i = 0; r == 0 && i < sizeof(parts) / sizeof(parts[0]); i++)
		r = parts[i](reader, root);
	return r;
}

static ssize_t read_fully(int fd, char *buffer, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = read(fd, buffer + done, size - done);

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

static int load(int fd, char **ret_text, size_t *ret_size, struct failure *ret_failure)
{
	struct stat status;
	char *text;
	ssize_t n;

	if (fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return failure_set(ret_failure, "config.json: not a regular file");
	if (status.st_size > (off_t)CONFIG_JSON_SIZE_MAX)
		return failure_set(ret_failure, "config.json: larger than %u bytes",
				   CONFIG_JSON_SIZE_MAX);
	text = malloc((size_t)status.st_size + 1);
	if (!text)
		return -ENOMEM;
	n = read_fully(fd, text, (size_t)status.st_size);
	if (n < 0) {
		free(text);
		return failure_set(ret_failure, "config.json: %s", failure_errno((int)-n));
	}
	*ret_text = text;
	*ret_size = (size_t)n;
	return 0;
}

static int parse(const char *text, size_t size, struct config_json *config,
		 struct failure *ret_failure)
{
	struct reader reader = {.config = config, .failure = ret_failure};
	json_error_t error;
	json_t *root = json_loadb(text, size, 0, &error);
	int r;

	if (!root && json_error_code(&error) == json_error_out_of_memory)
		return -ENOMEM;
	if (!root)
		return failure_set(ret_failure, "config.json: line %d: %s", error.line, error.text);
	r = read_all(&reader, root);
	json_decref(root);
	return r;
}

int config_json_read(const char *path, struct config_json *ret_config, struct failure *ret_failure)
{
	struct config_json config = CONFIG_JSON_NULL;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), r;
	char *text = NULL;
	size_t size = 0;

	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	if (fd < 0)
		return failure_set(ret_failure, "config.json: %s", failure_errno(errno));
	r = load(fd, &text, &size, ret_failure);
	close(fd);
	if (r == 0)
		r = parse(text, size, &config, ret_failure);
	free(text);
	if (r == 0)
		*ret_config = config;
	else
		config_json_deinit(&config);
	return r;
}

static void free_strings(char **list)
{
	for (char **item = list; item && *item; item++)
		free(*item);
	free(list);
}

void config_json_deinit(struct config_json *config)
{
	free(config->group);
	free(config->root);
	free(config->cwd);
	free_strings(config->args);
	free_strings(config->env);
	*config = CONFIG_JSON_NULL;
}
