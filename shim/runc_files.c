/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.json has the form that Go's encoder gives the options: snake_case keys in the message's
 * order, defaults left out, "{}" if nothing is set. runtime is the binary's name as it was sent,
 * possibly empty, without a newline. Both are read as the work of somebody else.
 */
#include "shim/runc_files.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/file.h"

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

static int write_file(const char *folder, const char *name, const char *text,
		      struct failure *ret_failure)
{
	int r = file_replace(folder, name, text, strlen(text), 0600);

	if (r < 0)
		return failure_set(ret_failure, "open %s/%s: %s", folder, name, failure_errno(-r));
	return 0;
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
	size_t size;
	int r = -ENAMETOOLONG;

	if (snprintf(path, sizeof(path), "%s/%s", folder, name) < (int)sizeof(path))
		r = file_read(path, O_NOFOLLOW, RUNC_OPTIONS_FILE_MAX, ret_text, &size);
	return r == 0 || r == -ENOENT ? 0
				      : file_refuse(path, RUNC_OPTIONS_FILE_MAX, r, ret_failure);
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
