/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading config.json: the file into memory, jansson's parser, then a few look-ups that tolerate
 * what is absent but not what has the wrong type. The specification is the container's user's, so
 * nothing in it is believed: the file's size is limited, and the depth of its nesting by jansson.
 */
#include "shim/config_json.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "shim/file.h"

/*
 * No number is read here, so each may be of any size: RLIM_INFINITY, 2^64 - 1, is more than jansson's
 * integers hold. A zero in a string concerns only who reads that string.
 */
#define DECODE_FLAGS (JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL)

struct reader {
	struct config_json *config;
	struct failure *failure;
};

static int wrong_type(struct reader *reader, const char *name, const char *wanted)
{
	return failure_set(reader->failure, "config.json: %s is not %s", name, wanted);
}

/* NULL: it is no string, or none in C. */
static const char *text_of(const json_t *value)
{
	const char *text = json_string_value(value);

	return text && strlen(text) == json_string_length(value) ? text : NULL;
}

/* *ret_value stays as it is if the key is absent or null. */
static int get_string(struct reader *reader, const json_t *object, const char *key,
		      const char *name, char **ret_value)
{
	const json_t *value = json_object_get(object, key);
	const char *text = text_of(value);
	char *copy;

	if (!value || json_is_null(value))
		return 0;
	if (!text)
		return wrong_type(reader, name, "a string");
	copy = strdup(text);
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
		const char *text = text_of(json_array_get(array, i));

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
static int read_namespaces(struct reader *reader, const json_t *linux_)
{
	const json_t *list = json_object_get(linux_, "namespaces"), *entry;
	size_t i;

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

static int read_linux(struct reader *reader, const json_t *root)
{
	const json_t *linux_ = NULL;
	int r = get_object(reader, root, "linux", &linux_);

	if (r == 0)
		r = read_namespaces(reader, linux_);
	if (r == 0)
		r = get_string(reader, linux_, "cgroupsPath", "linux.cgroupsPath",
			       &reader->config->cgroups_path);
	return r;
}

static int read_all(struct reader *reader, const json_t *root)
{
	static int (*const parts[])(struct reader *, const json_t *) = {
		read_annotations,
		read_process,
		read_root,
		read_linux,
	};
	int r = 0;

	if (!json_is_object(root))
		return wrong_type(reader, "it", "an object");
	for (size_t i = 0; r == 0 && i < sizeof(parts) / sizeof(parts[0]); i++)
		r = parts[i](reader, root);
	return r;
}

static int parse(const char *text, size_t size, struct config_json *config,
		 struct failure *ret_failure)
{
	struct reader reader = {.config = config, .failure = ret_failure};
	json_error_t error;
	json_t *root = json_loadb(text, size, DECODE_FLAGS, &error);
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
	char *text;
	size_t size;
	int r = file_read(path, O_NOFOLLOW, CONFIG_JSON_SIZE_MAX, &text, &size);

	if (r == -ENOENT)
		return r;
	if (r < 0)
		return file_refuse("config.json", CONFIG_JSON_SIZE_MAX, r, ret_failure);
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
	free(config->cgroups_path);
	free_strings(config->args);
	free_strings(config->env);
	*config = CONFIG_JSON_NULL;
}

bool config_json_private_pids(void)
{
	struct config_json config = CONFIG_JSON_NULL;
	struct failure failure;
	bool is_private = config_json_read("config.json", &config, &failure) == 0 &&
			  config.private_pid_namespace;

	config_json_deinit(&config);
	return is_private;
}
