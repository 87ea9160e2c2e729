/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chain of interceptors, and what a call carries through it: one piece of memory for the call's
 * view and all states, made at its beginning and gone with its end. How many of the chain's
 * interceptors a call knows is fixed when it begins.
 */
#include "ttrpc/intercept.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ttrpc/client.h"
#include "ttrpc/hooks.h"
#include "ttrpc/server.h"

#define STATE_ALIGN 16u

struct intercept_chain {
	const struct ttrpc_interceptor **interceptors;
	size_t n;
};

struct intercept {
	struct ttrpc_intercepted seen;
	const struct intercept_chain *chain;
	size_t n; /* those that have begun */
	_Alignas(STATE_ALIGN) uint8_t states[];
};

static size_t state_size(const struct ttrpc_interceptor *interceptor)
{
	return (interceptor->state_size + STATE_ALIGN - 1) & ~(size_t)(STATE_ALIGN - 1);
}

static void *state_of(struct intercept *intercept, size_t index)
{
	uint8_t *state = intercept->states;

	for (size_t i = 0; i < index; i++)
		state += state_size(intercept->chain->interceptors[i]);
	return state;
}

static void intercept_end(struct intercept *intercept, const struct ttrpc_status *status)
{
	while (intercept->n-- > 0) {
		const struct ttrpc_interceptor *interceptor =
			intercept->chain->interceptors[intercept->n];

		if (interceptor->end)
			interceptor->end(interceptor, state_of(intercept, intercept->n),
					 &intercept->seen, status);
	}
	ttrpc_metadata_free(intercept->seen.metadata);
	free(intercept);
}

static bool was_answered(const struct intercept *intercept)
{
	return intercept->seen.call && intercept->seen.call->done;
}

/* Runs the begins; the first that fails, or answers, is the last. */
static int intercept_run(struct intercept *intercept, size_t n)
{
	int error = 0;

	for (size_t i = 0; i < n && error == 0 && !was_answered(intercept); i++) {
		const struct ttrpc_interceptor *interceptor = intercept->chain->interceptors[i];

		if (interceptor->begin)
			error = interceptor->begin(interceptor, state_of(intercept, i),
						   &intercept->seen);
		if (error == 0)
			intercept->n++;
	}
	return error;
}

static int intercept_begin(struct intercept_chain *chain, const char *service,
			   const struct ttrpc_method *method, struct ttrpc_metadata *metadata,
			   uint64_t timeout, struct ttrpc_call *call,
			   struct intercept **ret_intercept)
{
	size_t size = sizeof(struct intercept);
	struct intercept *intercept;
	struct ttrpc_status status;
	int error;

	for (size_t i = 0; i < chain->n; i++)
		size += state_size(chain->interceptors[i]);
	intercept = metadata ? calloc(1, size) : NULL;
	if (!intercept) {
		ttrpc_metadata_free(metadata);
		return -ENOMEM;
	}
	intercept->seen = (struct ttrpc_intercepted){
		.service = service,
		.method = method,
		.metadata = metadata,
		.timeout = timeout,
		.call = call,
	};
	intercept->chain = chain;
	*ret_intercept = intercept;
	error = intercept_run(intercept, chain->n);
	if (error < 0) {
		*ret_intercept = NULL;
		status_format(&status, ttrpc_code_from_errno(error), error, "%s", strerror(-error));
		intercept_end(intercept, &status);
	}
	return error;
}

static void intercept_result(const struct intercept *intercept, struct ttrpc_options *options)
{
	options->timeout = intercept->seen.timeout;
	options->metadata = ttrpc_metadata_pairs(intercept->seen.metadata, &options->n_metadata);
}

static const char *intercept_find(const struct intercept *intercept, const char *key)
{
	return ttrpc_metadata_get(intercept->seen.metadata, key);
}

static void intercept_message(struct intercept *intercept, bool out,
			      const ProtobufCMessage *message)
{
	for (size_t i = 0; i < intercept->n; i++) {
		size_t index = out ? intercept->n - 1 - i : i;
		const struct ttrpc_interceptor *interceptor = intercept->chain->interceptors[index];
		void *state = state_of(intercept, index);

		if (out && interceptor->message_out)
			interceptor->message_out(interceptor, state, &intercept->seen, message);
		if (!out && interceptor->message_in)
			interceptor->message_in(interceptor, state, &intercept->seen, message);
	}
}

/* ---- on the server ---- */

static struct ttrpc_metadata *metadata_of_call(const struct ttrpc_call *call)
{
	struct ttrpc_metadata *metadata = NULL;

	ttrpc_call_metadata_copy(call, &metadata);
	return metadata;
}

static int begin_call(struct ttrpc_call *call, const ProtobufCMessage *message)
{
	const struct ttrpc_server *server = call->connection->server;
	struct ttrpc_options options = {.timeout = 0};
	uint64_t timeout = call->deadline ? (uint64_t)call->request->timeout : 0;
	int error = intercept_begin(server->chain, call->entry->service->name, call->method,
				    metadata_of_call(call), timeout, call, &call->intercept);

	if (error < 0)
		return error;
	intercept_result(call->intercept, &options);
	if (options.timeout != timeout)
		call->deadline = options.timeout ? ttrpc_now() + options.timeout : 0;
	if (message && !call->done)
		intercept_message(call->intercept, false, message);
	return 0;
}

static void end_call(struct ttrpc_call *call)
{
	const struct ttrpc_status status = {.code = call->code, .error = call->error};
	struct intercept *intercept = call->intercept;

	call->intercept = NULL;
	intercept_end(intercept, &status);
}

/* ---- on the client ---- */

static struct ttrpc_metadata *metadata_of_options(const struct ttrpc_options *options)
{
	struct ttrpc_metadata *metadata = ttrpc_metadata_new();

	for (size_t i = 0; metadata && options && i < options->n_metadata; i++) {
		const struct ttrpc_pair *pair = &options->metadata[i];

		if (ttrpc_metadata_append(metadata, pair->key, &pair->value, 1) < 0)
			metadata = ttrpc_metadata_free(metadata);
	}
	return metadata;
}

static int begin_request(struct client_call *call, const struct ttrpc_service *service,
			 const ProtobufCMessage *request, struct ttrpc_options *options)
{
	int error = intercept_begin(call->client->chain, service->name, call->method,
				    metadata_of_options(options), options->timeout, NULL,
				    &call->intercept);

	if (error < 0)
		return error;
	intercept_result(call->intercept, options);
	if (request)
		intercept_message(call->intercept, true, request);
	return 0;
}

static void end_unsent(struct client_call *call)
{
	struct ttrpc_status status;

	status_format(&status, call->code, call->error, "%s", strerror(-call->error));
	client_call_end_intercept(call, &status);
}

/* ---- the chain ---- */

static void chain_free(struct intercept_chain *chain)
{
	free(chain->interceptors);
	free(chain);
}

static const struct intercept_hooks hooks = {
	.begin_call = begin_call,
	.begin_request = begin_request,
	.find = intercept_find,
	.message = intercept_message,
	.end = intercept_end,
	.end_call = end_call,
	.end_unsent = end_unsent,
	.free = chain_free,
};

/* The chain that there was, or a new one, with one more; NULL: no memory. */
static struct intercept_chain *chain_add(struct intercept_chain *chain,
					 const struct ttrpc_interceptor *interceptor)
{
	struct intercept_chain *grown = chain ? chain : calloc(1, sizeof(*grown));
	const struct ttrpc_interceptor **interceptors;

	if (!grown)
		return NULL;
	interceptors = realloc(grown->interceptors,
			       (grown->n + 1) * sizeof(const struct ttrpc_interceptor *));
	if (!interceptors) {
		if (!chain)
			free(grown);
		return NULL;
	}
	interceptors[grown->n++] = interceptor;
	grown->interceptors = interceptors;
	return grown;
}

int ttrpc_server_intercept(struct ttrpc_server *server, const struct ttrpc_interceptor *interceptor)
{
	struct intercept_chain *chain = chain_add(server->chain, interceptor);

	if (!chain)
		return -ENOMEM;
	server->chain = chain;
	server->hooks = &hooks;
	return 0;
}

int ttrpc_client_intercept(struct ttrpc_client *client, const struct ttrpc_interceptor *interceptor)
{
	struct intercept_chain *chain = chain_add(client->chain, interceptor);

	if (!chain)
		return -ENOMEM;
	client->chain = chain;
	client->hooks = &hooks;
	return 0;
}
