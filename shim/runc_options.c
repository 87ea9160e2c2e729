/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The model is the decoded message, on the heap, each string of it too; one table says of every
 * option how the other forms call it.
 *
 * What is kept for the next worker: a version, the message's size, the message, and behind it what
 * runc_options_keep_more() was given. A message with nothing but defaults has no bytes of its own, and
 * "kept" must differ from "lost".
 */
#include "shim/runc_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/runtimeoptions.pb-c.h"
#include "shim/file.h"
#include "shim/runc_files.h"

#define STATE_VERSION 2
#define STATE_HEAD 3u /* bytes: the version, the message's size, low byte first */

/* In the order of the message, which is also that of options.json. */
const struct runc_option runc_option_table[] = {
#define OPTION(json, toml, type)                                                                   \
	{                                                                                          \
#json, toml, RUNC_OPTION_##type, offsetof(Containerd__Runc__V1__Options, json)     \
	}
	OPTION(no_pivot_root, "NoPivotRoot", BOOL),
	OPTION(no_new_keyring, "NoNewKeyring", BOOL),
	OPTION(shim_cgroup, "ShimCgroup", STRING),
	OPTION(io_uid, "IoUid", NUMBER),
	OPTION(io_gid, "IoGid", NUMBER),
	OPTION(binary_name, "BinaryName", STRING),
	OPTION(root, "Root", STRING),
	OPTION(systemd_cgroup, "SystemdCgroup", BOOL),
	OPTION(criu_image_path, "CriuImagePath", STRING),
	OPTION(criu_work_path, "CriuWorkPath", STRING),
	OPTION(task_api_address, "TaskApiAddress", STRING),
	OPTION(task_api_version, "TaskApiVersion", NUMBER),
#undef OPTION
};

const size_t runc_option_count = sizeof(runc_option_table) / sizeof(runc_option_table[0]);

static void *member(const Containerd__Runc__V1__Options *options, const struct runc_option *option)
{
	return (char *)(uintptr_t)options + option->offset;
}

bool runc_option_get_bool(const Containerd__Runc__V1__Options *options,
			  const struct runc_option *option)
{
	return *(protobuf_c_boolean *)member(options, option);
}

uint32_t runc_option_get_number(const Containerd__Runc__V1__Options *options,
				const struct runc_option *option)
{
	return *(uint32_t *)member(options, option);
}

const char *runc_option_get_string(const Containerd__Runc__V1__Options *options,
				   const struct runc_option *option)
{
	return *(char **)member(options, option);
}

void runc_option_set_bool(Containerd__Runc__V1__Options *options, const struct runc_option *option,
			  bool value)
{
	*(protobuf_c_boolean *)member(options, option) = value;
}

void runc_option_set_number(Containerd__Runc__V1__Options *options,
			    const struct runc_option *option, uint32_t value)
{
	*(uint32_t *)member(options, option) = value;
}

int runc_option_set_string(Containerd__Runc__V1__Options *options, const struct runc_option *option,
			   const char *value)
{
	char **place = member(options, option);
	char *copy = strdup(value);

	if (!copy)
		return -ENOMEM;
	if (*place != protobuf_c_empty_string)
		free(*place);
	*place = copy;
	return 0;
}

static Containerd__Runc__V1__Options *defaults(void)
{
	return containerd__runc__v1__options__unpack(NULL, 0, NULL);
}

static int unpack(const void *bytes, size_t size, Containerd__Runc__V1__Options **ret_options,
		  struct failure *ret_failure)
{
	Containerd__Runc__V1__Options *options =
		containerd__runc__v1__options__unpack(NULL, size, bytes);

	if (!options)
		return failure_set(ret_failure, "runtime options: not a valid message");
	*ret_options = options;
	return 0;
}

/* config_body first: whoever sends it has read config_path itself. */
static int read_toml(const struct runtime_task *task, const Runtimeoptions__V1__Options *message,
		     Containerd__Runc__V1__Options *options, struct failure *ret_failure)
{
	const char *name = "runtime options";
	char *text = NULL;
	size_t size;
	int r;

	if (message->config_body.len > 0) {
		text = strndup((const char *)message->config_body.data, message->config_body.len);
		r = text ? 0 : -ENOMEM;
	} else if (*message->config_path) {
		name = message->config_path;
		r = file_read(name, 0, RUNC_OPTIONS_FILE_MAX, &text, &size);
		if (r < 0)
			r = file_refuse(name, RUNC_OPTIONS_FILE_MAX, r, ret_failure);
	} else {
		return 0;
	}
	if (r == 0)
		r = runc_options_parse_toml(task, name, text, options, ret_failure);
	free(text);
	return r;
}

static int unpack_generic(const struct runtime_task *task,
			  Containerd__Runc__V1__Options **ret_options, struct failure *ret_failure)
{
	Runtimeoptions__V1__Options *message =
		runtimeoptions__v1__options__unpack(NULL, task->options.size, task->options.value);
	Containerd__Runc__V1__Options *options;
	int r;

	if (!message)
		return failure_set(ret_failure, "runtime options: not a valid message");
	options = defaults();
	r = options ? read_toml(task, message, options, ret_failure) : -ENOMEM;
	runtimeoptions__v1__options__free_unpacked(message, NULL);
	if (r == 0)
		*ret_options = options;
	else
		runc_options_free(options);
	return r;
}

/* Types come with and without "type.googleapis.com/" before them. */
static const char *type_name(const struct runtime_any *any)
{
	const char *slash = strrchr(any->type_url, '/');
	return slash ? slash + 1 : any->type_url;
}

static bool is_specific(const struct runtime_any *any)
{
	return strcmp(type_name(any), "containerd.runc.v1.Options") == 0;
}

static bool is_generic(const struct runtime_any *any)
{
	return strcmp(type_name(any), "runtimeoptions.v1.Options") == 0 ||
	       strcmp(type_name(any), "cri.runtimeoptions.v1.Options") == 0;
}

bool runc_options_known(const struct runtime_any *any)
{
	return is_specific(any) || is_generic(any);
}

int runc_options_decode(const struct runtime_task *task,
			Containerd__Runc__V1__Options **ret_options, struct failure *ret_failure)
{
	const struct runtime_any *any = &task->options;

	/* Without a value the type says nothing: the stock shim does not look at it either. */
	if (any->size == 0)
		return unpack(NULL, 0, ret_options, ret_failure);
	if (is_specific(any))
		return unpack(any->value, any->size, ret_options, ret_failure);
	if (is_generic(any))
		return unpack_generic(task, ret_options, ret_failure);
	return failure_set(ret_failure, "runtime options of type \"%s\" are not understood",
			   any->type_url);
}

int runc_options_keep(const Containerd__Runc__V1__Options *options, struct runtime_task *task,
		      struct failure *ret_failure)
{
	size_t size = containerd__runc__v1__options__get_packed_size(options);

	if (size + STATE_HEAD > sizeof(task->state))
		return failure_set(ret_failure, "runtime options are longer than %zu bytes",
				   sizeof(task->state) - STATE_HEAD);
	task->state[0] = STATE_VERSION;
	task->state[1] = (unsigned char)(size & 0xff);
	task->state[2] = (unsigned char)(size >> 8);
	containerd__runc__v1__options__pack(options, task->state + STATE_HEAD);
	task->state_size = size + STATE_HEAD;
	return 0;
}

/* Where what is kept beside the options begins; 0: nothing is kept that this version knows. */
static size_t state_message_end(const struct runtime_task *task)
{
	size_t end;

	if (task->state_size < STATE_HEAD || task->state[0] != STATE_VERSION)
		return 0;
	end = STATE_HEAD + task->state[1] + ((size_t)task->state[2] << 8);
	return end <= task->state_size ? end : 0;
}

void runc_options_keep_more(struct runtime_task *task, const char *text)
{
	size_t end = state_message_end(task), size = strlen(text) + 1;

	if (end == 0 || size > sizeof(task->state) - end)
		return;
	memcpy(task->state + end, text, size);
	task->state_size = end + size;
}

const char *runc_options_more(const struct runtime_task *task)
{
	size_t end = state_message_end(task);

	if (end == 0 || end == task->state_size || task->state[task->state_size - 1])
		return NULL;
	return (const char *)task->state + end;
}

/* A container that the stock shim made, or whose shim was killed before it could keep anything. */
static int load_files(const char *folder, Containerd__Runc__V1__Options **ret_options,
		      struct failure *ret_failure)
{
	Containerd__Runc__V1__Options *options = defaults();
	int r = options ? runc_files_read(folder, options, ret_failure) : -ENOMEM;

	if (r == 0)
		*ret_options = options;
	else
		runc_options_free(options);
	return r;
}

int runc_options_load(const struct runtime_task *task, Containerd__Runc__V1__Options **ret_options,
		      struct failure *ret_failure)
{
	size_t end;

	if (task->state_size == 0)
		return load_files(task->bundle, ret_options, ret_failure);
	end = state_message_end(task);
	if (end == 0)
		return failure_set(ret_failure, "kept runtime options are of unknown version %u",
				   task->state[0]);
	return unpack(task->state + STATE_HEAD, end - STATE_HEAD, ret_options, ret_failure);
}

void runc_options_free(Containerd__Runc__V1__Options *options)
{
	if (options)
		containerd__runc__v1__options__free_unpacked(options, NULL);
}
