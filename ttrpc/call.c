/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request on the server. call_run() takes it from its envelope to its handler's return; a call
 * that the handler took lives on until it is answered, its deadline passes, or its connection ends.
 *
 * The struct of a call comes from the server's spare ones, the decoded message from its arena, the
 * answer goes to the buffers of conn: a server that is warm calls malloc for none of them.
 *
 * An answer to a call that is done is dropped without a word: it can only come from inside the
 * call's own cancel callback or from its handler after a first answer.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ttrpc/server.h"
#include "ttrpc/view.h"

/* ---- life ---- */

static struct ttrpc_call *call_new(struct ttrpc_server *server)
{
	struct ttrpc_call *call;

	if (list_empty(&server->spare_calls))
		return malloc(sizeof(*call));
	call = container_of(server->spare_calls.next, struct ttrpc_call, link);
	list_remove(&call->link);
	server->n_spare_calls--;
	return call;
}

static void call_free(struct ttrpc_call *call)
{
	struct ttrpc_server *server = call->connection->server;

	if (server->n_spare_calls >= SERVER_SPARE_CALLS_MAX) {
		free(call);
		return;
	}
	list_append(&server->spare_calls, &call->link);
	server->n_spare_calls++;
}

void call_see(const struct ttrpc_call *call, bool out, const ProtobufCMessage *message)
{
	if (call->intercept)
		call->connection->server->hooks->message(call->intercept, out, message);
}

void call_end_intercept(struct ttrpc_call *call)
{
	if (call->intercept)
		call->connection->server->hooks->end_call(call);
}

int call_intercept(struct ttrpc_call *call, const ProtobufCMessage *message)
{
	const struct intercept_hooks *hooks = call->connection->server->hooks;

	return hooks ? hooks->begin_call(call, message) : 0;
}

/* Whoever calls this frees it, unless it is running. */
void call_finish(struct ttrpc_call *call)
{
	struct ttrpc_server *server = call->connection->server;

	call->done = true;
	/* While it runs the interceptors may still be beginning. */
	if (call->intercept && !call->running)
		call_end_intercept(call);
	ttrpc_timer_clear(&call->timer);
	connection_remove(call->connection, call);
	server_progress(server);
}

static void call_tell(struct ttrpc_call *call, int error)
{
	call->error = error;
	if (call->taken && call->cancelled)
		call->cancelled(call, call->userdata);
}

void call_cancel(struct ttrpc_call *call, enum ttrpc_code code, int error)
{
	call->code = code;
	call->error = error;
	call_finish(call);
	if (call->method->streams) {
		call->method->streams->cancel(call, code);
		return;
	}
	call_tell(call, error);
	if (!call->running)
		call_free(call);
}

void call_cancel_all(struct connection *connection, int error)
{
	while (!list_empty(&connection->calls))
		call_cancel(container_of(connection->calls.next, struct ttrpc_call, link),
			    TTRPC_CANCELLED, error);
}

static void call_expired(struct ttrpc_timer *timer)
{
	struct ttrpc_call *call = container_of(timer, struct ttrpc_call, timer);
	struct ttrpc_server *server = call->connection->server;

	server_enter(server);
	if (server->lenient && !call->method->streams) {
		call->error = -ETIMEDOUT;
		/* Which may answer it: it stays until that returns. */
		call->running = true;
		if (call->cancelled)
			call->cancelled(call, call->userdata);
		call->running = false;
		if (call->done) {
			call_end_intercept(call);
			call_free(call);
		}
	} else {
		connection_refuse(call->connection, call->id, TTRPC_DEADLINE_EXCEEDED,
				  "context deadline exceeded");
	}
	server_leave(server);
}

void call_set_timer(struct ttrpc_call *call)
{
	ttrpc_timer_set(call->connection->server->loop, &call->timer, call->deadline, call_expired);
}

/* ---- running ---- */

static const struct ttrpc_method *find_method(const struct ttrpc_service *service,
					      struct slice name)
{
	for (size_t i = 0; i < service->n_methods; i++) {
		const struct ttrpc_method *method = &service->methods[i];

		if (strlen(method->name) == name.size &&
		    (name.size == 0 || memcmp(method->name, name.data, name.size) == 0))
			return method;
	}
	return NULL;
}

static bool call_parse(struct connection *connection, const struct frame *frame,
		       struct envelope_request *ret_request)
{
	const struct ttrpc_limits *limits = &connection->server->limits;
	struct slice envelope = {frame->data, frame->length};
	int error = envelope_request_parse(envelope, limits->metadata, ret_request);

	if (error == -E2BIG)
		connection_refuse(connection, frame->id, TTRPC_RESOURCE_EXHAUSTED,
				  "more than %u metadata entries", limits->metadata);
	else if (error < 0)
		connection_refuse(connection, frame->id, TTRPC_INVALID_ARGUMENT,
				  "unmarshal request: malformed envelope");
	else if (ret_request->metadata_size > limits->metadata_bytes)
		connection_refuse(connection, frame->id, TTRPC_RESOURCE_EXHAUSTED,
				  "more than %zu bytes of metadata", limits->metadata_bytes);
	else if (connection->server->shutdown)
		connection_refuse(connection, frame->id, TTRPC_UNAVAILABLE,
				  "server is shutting down");
	else if (ret_request->timeout < 0)
		connection_refuse(connection, frame->id, TTRPC_DEADLINE_EXCEEDED,
				  "context deadline exceeded");
	else
		return true;
	return false;
}

/* The length of a name that goes into a text; %.*s takes an int. */
static int name_length(struct slice name)
{
	return name.size < TTRPC_STATUS_TEXT_MAX ? (int)name.size : (int)TTRPC_STATUS_TEXT_MAX;
}

/* A client's table may name no code at all, and one for unary calls only none for streams. */
static bool method_is_served(const struct ttrpc_method *method)
{
	if (method->flags & (TTRPC_CLIENT_STREAM | TTRPC_SERVER_STREAM))
		return method->streams && method->open;
	return method->dispatch;
}

static bool call_find(struct connection *connection, uint32_t id,
		      const struct envelope_request *request,
		      const struct service_entry **ret_entry,
		      const struct ttrpc_method **ret_method)
{
	const struct service_entry *entry = server_find(connection->server, request->service);
	const struct ttrpc_method *method = NULL;

	if (!entry) {
		connection_refuse(connection, id, TTRPC_UNIMPLEMENTED, "service %.*s",
				  name_length(request->service),
				  (const char *)request->service.data);
		return false;
	}
	method = find_method(entry->service, request->method);
	if (!method || !method_is_served(method)) {
		connection_refuse(connection, id, TTRPC_UNIMPLEMENTED, "method %.*s",
				  name_length(request->method), (const char *)request->method.data);
		return false;
	}
	*ret_entry = entry;
	*ret_method = method;
	return true;
}

ProtobufCMessage *call_decode(struct connection *connection, uint32_t id,
			      const struct ttrpc_method *method, struct slice payload)
{
	struct arena *arena = &connection->server->arena;
	ProtobufCMessage *message;

	arena->limit = connection->server->limits.decoded;
	message = view_unpack(arena, method->input, payload.data, payload.size);
	if (!message && arena->exceeded)
		connection_refuse(connection, id, TTRPC_RESOURCE_EXHAUSTED,
				  "decoded message is above the limit of %zu bytes, or too deep",
				  arena->limit);
	else if (!message)
		connection_refuse(connection, id, TTRPC_INTERNAL, "unmarshal request: malformed %s",
				  method->input->name);
	return message;
}

void call_init(struct ttrpc_call *call, struct connection *connection, uint32_t id,
	       const struct envelope_request *request, const struct service_entry *entry,
	       const struct ttrpc_method *method)
{
	*call = (struct ttrpc_call){
		.connection = connection,
		.entry = entry,
		.method = method,
		.request = request,
		.id = id,
		.running = true,
	};
	if (request->timeout > 0)
		call->deadline = ttrpc_now() + (uint64_t)request->timeout;
	connection_insert(connection, call);
}

/* Calls the handler, and answers where the handler didn't. */
static void call_dispatch(struct ttrpc_call *call, const ProtobufCMessage *message)
{
	int error = call_intercept(call, message);

	if (error == 0 && !call->done)
		error = call->method->dispatch(call->entry->handlers, call, message);
	if (call->done)
		return;
	if (error == -ENOSYS)
		call_fail(call, TTRPC_UNIMPLEMENTED, "method %s", call->method->name);
	else if (error < 0)
		call_fail(call, ttrpc_code_from_errno(error), "%s", strerror(-error));
	else if (!call->taken)
		call_fail(call, TTRPC_UNKNOWN, "no answer from the handler of %s",
			  call->method->name);
}

static void call_run_unary(struct connection *connection, uint32_t id,
			   const struct envelope_request *request,
			   const struct service_entry *entry, const struct ttrpc_method *method)
{
	struct ttrpc_server *server = connection->server;
	ProtobufCMessage *message = call_decode(connection, id, method, request->payload);
	struct ttrpc_call *call = message ? call_new(server) : NULL;

	if (call) {
		call_init(call, connection, id, request, entry, method);
		call_dispatch(call, message);
		call->running = false;
		call->request = NULL;
		if (call->done) {
			call_end_intercept(call);
			call_free(call);
		} else if (call->deadline) {
			call_set_timer(call);
		}
	} else if (message) {
		connection_refuse(connection, id, TTRPC_RESOURCE_EXHAUSTED, "out of memory");
	}
	arena_reset(&server->arena);
}

void call_run(struct connection *connection, const struct frame *frame)
{
	const struct service_entry *entry;
	const struct ttrpc_method *method;
	struct envelope_request request;

	if (!call_parse(connection, frame, &request) ||
	    !call_find(connection, frame->id, &request, &entry, &method))
		return;
	if (method->streams)
		method->streams->run(connection, frame, &request, entry, method);
	else
		call_run_unary(connection, frame->id, &request, entry, method);
}

/* ---- for handlers ---- */

int call_answered(struct ttrpc_call *call)
{
	call_finish(call);
	if (!call->running)
		call_free(call);
	return 0;
}

int ttrpc_reply(struct ttrpc_call *call, const ProtobufCMessage *response)
{
	if (call->done || call->barred)
		return 0;
	if (!response)
		return call_fail(call, TTRPC_UNKNOWN, "no message in the answer of %s",
				 call->method->name);
	call_see(call, true, response);
	if (!answer_reply(call->connection, call->id, response))
		call->code = TTRPC_RESOURCE_EXHAUSTED;
	return call_answered(call);
}

static int call_vfail(struct ttrpc_call *call, enum ttrpc_code code, text_format_fn format_with,
		      const char *format, va_list arguments) __attribute__((format(printf, 4, 0)));

static int call_vfail(struct ttrpc_call *call, enum ttrpc_code code, text_format_fn format_with,
		      const char *format, va_list arguments)
{
	if (call->done || call->barred)
		return 0;
	call->code = code == TTRPC_OK ? TTRPC_UNKNOWN : code;
	answer_status(call->connection, call->id, call->code, format_with, format, arguments);
	return call_answered(call);
}

int call_fail(struct ttrpc_call *call, enum ttrpc_code code, const char *format, ...)
{
	va_list arguments;
	int result;

	va_start(arguments, format);
	result = call_vfail(call, code, text_format_own, format, arguments);
	va_end(arguments);
	return result;
}

int ttrpc_fail(struct ttrpc_call *call, enum ttrpc_code code, const char *format, ...)
{
	va_list arguments;
	int result;

	va_start(arguments, format);
	result = call_vfail(call, code, text_format, format, arguments);
	va_end(arguments);
	return result;
}

int ttrpc_call_error(const struct ttrpc_call *call)
{
	return call->error;
}

void ttrpc_call_take(struct ttrpc_call *call, ttrpc_cancel_fn cancelled, void *userdata)
{
	if (call->barred)
		return;
	call->taken = true;
	call->cancelled = cancelled;
	call->userdata = userdata;
}

void *ttrpc_call_userdata(const struct ttrpc_call *call)
{
	return call->entry->userdata;
}

const struct ttrpc_method *ttrpc_call_method(const struct ttrpc_call *call)
{
	return call->method;
}

uint64_t ttrpc_call_deadline(const struct ttrpc_call *call)
{
	return call->deadline;
}

struct ucred ttrpc_call_peer(const struct ttrpc_call *call)
{
	return call->connection->peer;
}

void *ttrpc_call_connection_data(const struct ttrpc_call *call)
{
	return call->connection->data;
}

void ttrpc_call_set_connection_data(struct ttrpc_call *call, void *data,
				    void (*release)(void *data))
{
	struct connection *connection = call->connection;

	if (connection->release && connection->data != data)
		connection->release(connection->data);
	connection->data = data;
	connection->release = release;
}

const void *ttrpc_call_payload(const struct ttrpc_call *call, size_t *ret_size)
{
	if (!call->request)
		return NULL;
	*ret_size = call->request->payload.size;
	return call->request->payload.data;
}

const char *ttrpc_call_metadata(const struct ttrpc_call *call, const char *key)
{
	struct slice value;
	char *copy;

	if (call->intercept)
		return call->connection->server->hooks->find(call->intercept, key);
	if (!call->request || !envelope_metadata(call->request, key, &value))
		return NULL;
	copy = arena_alloc(&call->connection->server->arena, value.size + 1);
	if (!copy)
		return NULL;
	if (value.size > 0)
		memcpy(copy, value.data, value.size);
	copy[value.size] = '\0';
	return copy;
}
