/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of `start`'s standard input: see bootstrap.h. Whoever wrote them may start any program
 * as this user anyway, so the limits here are against accidents: a file given as standard input.
 */
#include "shim/bootstrap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/bootstrap.pb-c.h"
#include "proto/google/protobuf/any.pb-c.h"
#include "proto/runc_options.pb-c.h"

#define BOOTSTRAP_READ_SIZE 4096
#define BOOTSTRAP_DEBUG (-4) /* the log level from which downwards debug lines are wanted */
#define BOOTSTRAP_VERSION 3  /* of the task service, as the answer names it */
#define RUNC_OPTIONS "containerd.runc.v1.Options"
#define GENERIC_OPTIONS "runtimeoptions.v1.Options" /* of a client that does not know the runtime */

void bootstrap_init(struct bootstrap *bootstrap)
{
	*bootstrap = (struct bootstrap){
		.ttrpc_address = "",
		.grpc_address = "",
		.socket_dir = "",
		.shim_cgroup = "",
		.options = {.type_url = ""},
	};
	arena_init(&bootstrap->arena, NULL, 0, BOOTSTRAP_DECODED_MAX);
}

void bootstrap_deinit(struct bootstrap *bootstrap)
{
	arena_deinit(&bootstrap->arena);
}

static int malformed(const struct bootstrap *bootstrap, const char *what,
		     struct failure *ret_failure)
{
	return failure_set(ret_failure, "%s on standard input %s", what,
			   bootstrap->arena.exceeded ? "are too large" : "are malformed");
}

/* Types come with and without "type.googleapis.com/" before them. */
static bool type_is(const char *type_url, const char *type)
{
	const char *slash = strrchr(type_url, '/');
	return strcmp(slash ? slash + 1 : type_url, type) == 0;
}

/* BootstrapParams may carry extensions of any kind; these are the runtime's options for certain. */
static bool names_options(const char *type_url)
{
	return type_is(type_url, RUNC_OPTIONS) || type_is(type_url, GENERIC_OPTIONS) ||
	       type_is(type_url, "cri." GENERIC_OPTIONS);
}

static int options_take(struct bootstrap *bootstrap, const Google__Protobuf__Any *any,
			struct failure *ret_failure)
{
	const Containerd__Runc__V1__Options *options;
	struct runtime_any *first = &bootstrap->options;

	if ((!first->value && !*first->type_url) ||
	    (!names_options(first->type_url) && names_options(any->type_url)))
		*first = (struct runtime_any){
			.type_url = any->type_url,
			.value = any->value.data,
			.size = any->value.len,
		};
	if (!type_is(any->type_url, RUNC_OPTIONS))
		return 0;
	options =
		(void *)arena_unpack(&bootstrap->arena, &containerd__runc__v1__options__descriptor,
				     any->value.data, any->value.len);
	if (!options)
		return malformed(bootstrap, "the runtime's options", ret_failure);
	bootstrap->shim_cgroup = options->shim_cgroup;
	return 0;
}

static int params_take(struct bootstrap *bootstrap,
		       const Containerd__Runtime__Bootstrap__V1__BootstrapParams *params,
		       struct failure *ret_failure)
{
	int result = 0;

	bootstrap->params = true;
	bootstrap->debug = (int)params->log_level <= BOOTSTRAP_DEBUG;
	bootstrap->ttrpc_address = params->containerd_ttrpc_address;
	bootstrap->grpc_address = params->containerd_grpc_address;
	if (params->socket_dir)
		bootstrap->socket_dir = params->socket_dir;
	for (size_t i = 0; i < params->n_extensions && result == 0; i++)
		if (params->extensions[i]->value)
			result = options_take(bootstrap, params->extensions[i]->value, ret_failure);
	return result;
}

/* Broken BootstrapParams may still be read as an Any, of which only these two fields matter. */
static bool any_is_params(const Google__Protobuf__Any *any, const char *id, const char *namespace_)
{
	return *id && strcmp(any->type_url, id) == 0 && any->value.len == strlen(namespace_) &&
	       memcmp(any->value.data, namespace_, any->value.len) == 0;
}

int bootstrap_parse(struct bootstrap *bootstrap, const void *bytes, size_t size, const char *id,
		    const char *namespace_, struct failure *ret_failure)
{
	const Containerd__Runtime__Bootstrap__V1__BootstrapParams *params;
	const Google__Protobuf__Any *any;

	if (size == 0)
		return 0;
	params = (void *)arena_unpack(
		&bootstrap->arena,
		&containerd__runtime__bootstrap__v1__bootstrap_params__descriptor, bytes, size);
	if (params && *id && strcmp(params->instance_id, id) == 0 &&
	    strcmp(params->namespace_, namespace_) == 0)
		return params_take(bootstrap, params, ret_failure);
	arena_reset(&bootstrap->arena);
	any = (void *)arena_unpack(&bootstrap->arena, &google__protobuf__any__descriptor, bytes,
				   size);
	if (!any || any_is_params(any, id, namespace_))
		return malformed(bootstrap, "bootstrap parameters", ret_failure);
	return options_take(bootstrap, any, ret_failure);
}

/* Reads what there is into *buffer, which grows. 0: that was the end; else 1 or a negative errno. */
static int input_read(int fd, unsigned char **buffer, size_t *capacity, size_t *filled)
{
	if (*filled == *capacity) {
		size_t larger = *capacity ? *capacity * 4 : BOOTSTRAP_READ_SIZE;
		unsigned char *moved = realloc(*buffer, larger);
		if (!moved)
			return -ENOMEM;
		*buffer = moved;
		*capacity = larger;
	}
	ssize_t n = read(fd, *buffer + *filled, *capacity - *filled);
	if (n < 0)
		return errno == EINTR ? 1 : -errno;
	*filled += (size_t)n;
	return n > 0;
}

int bootstrap_read(struct bootstrap *bootstrap, int fd, const char *id, const char *namespace_,
		   struct failure *ret_failure)
{
	unsigned char *buffer = NULL;
	size_t capacity = 0, filled = 0;
	int result;

	do
		result = input_read(fd, &buffer, &capacity, &filled);
	while (result > 0 && filled <= BOOTSTRAP_SIZE_MAX);
	if (result > 0)
		result = failure_set(ret_failure, "standard input has more than %u bytes",
				     BOOTSTRAP_SIZE_MAX);
	else if (result < 0)
		result = failure_set(ret_failure, "cannot read standard input: %s",
				     failure_errno(-result));
	else
		result = bootstrap_parse(bootstrap, buffer, filled, id, namespace_, ret_failure);
	free(buffer);
	return result;
}

void *bootstrap_pack(const ProtobufCMessage *message, size_t *ret_size)
{
	size_t size = protobuf_c_message_get_packed_size(message);
	void *bytes = malloc(size + 1); /* an empty message is no failure */
	if (bytes)
		*ret_size = protobuf_c_message_pack(message, bytes);
	return bytes;
}

void *bootstrap_result(const char *address, size_t *ret_size)
{
	Containerd__Runtime__Bootstrap__V1__BootstrapResult result =
		CONTAINERD__RUNTIME__BOOTSTRAP__V1__BOOTSTRAP_RESULT__INIT;

	result.has_version = true;
	result.version = BOOTSTRAP_VERSION;
	result.address = (char *)(uintptr_t)address;
	result.protocol = (char *)(uintptr_t) "ttrpc";
	return bootstrap_pack(&result.base, ret_size);
}
