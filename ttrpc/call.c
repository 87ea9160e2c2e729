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
#include "ttrpc/text.h"

/* ---- sending ---- */

static uint8_t *write_header(uint8_t *at, uint32_t id, size_t length)
{
	const struct frame frame = {
		.length = (uint32_t)length,
		.id = id,
		.type = FRAME_RESPONSE,
	};

	frame_header_write(at, &frame);
	return at + FRAME_HEADER_SIZE;
}

void call_send_status(struct connection *connection, uint32_t id, enum ttrpc_code code,
		      const char *format, va_list arguments)
{
	size_t text_size, size;
	uint8_t *start, *text;
	va_list again;

	va_copy(again, arguments);
	text_size = text_format(NULL, 0, format, again);
	va_end(again);
	if (text_size > TTRPC_STATUS_TEXT_MAX)
		text_size = TTRPC_STATUS_TEXT_MAX;

	size = envelope_status_size(code, text_size);
	/* One more for the formatter's NUL. */
	start = conn_reserve(&connection->conn, FRAME_HEADER_SIZE + size + 1);
	if (!start)
		return;
	text = start + FRAME_HEADER_SIZE + (size - text_size);
	text_format((char *)text, text_size + 1, format, arguments);
	/*
	 * A text that isn't UTF-8, also one that was cut inside a character, would cost the peer
	 * the code.
	 */
	text_repair_utf8((char *)text, text_size);
	write_header(start, id, size);
	envelope_status_write(start + FRAME_HEADER_SIZE, code, text_size);
	conn_commit(&connection->conn, FRAME_HEADER_SIZE + size);
}

static bool call_send_reply(struct ttrpc_call *call, const ProtobufCMessage *response)
{
	struct connection *connection = call->connection;
	size_t payload_size = protobuf_c_message_get_packed_size(response);
	size_t size = envelope_reply_size(payload_size);
	uint32_t limit = connection->server->limits.message;
	uint8_t *start, *payload;

	if (size > limit) {
		ttrpc_fail(call, TTRPC_RESOURCE_EXHAUSTED,
			   "answer of %zu bytes is above the limit of %u", size, limit);
		return false;
	}
	start = conn_reserve(&connection->conn, FRAME_HEADER_SIZE + size);
	if (start) {
		payload = write_header(start, call->id, size);
		payload = envelope_reply_write(payload, payload_size);
		protobuf_c_message_pack(response, payload);
		conn_commit(&connection->conn, FRAME_HEADER_SIZE + size);
	}
	return true;
}

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

/* Nothing is owed for it any more. Whoever calls this frees it, unless it is running. */
static void call_finish(struct ttrpc_call *call)
{
	call->done = true;
	ttrpc_timer_clear(&call->timer);
	list_remove(&call->link);
	call->connection->n_calls--;
}

void call_cancel(struct ttrpc_call *call)
{
	call_finish(call);
	if (call->taken && call->cancelled)
		call->cancelled(call, call->userdata);
	if (!call->running)
		call_free(call);
}

void call_cancel_all(struct connection *connection)
{
	while (!list_empty(&connection->calls))
		call_cancel(container_of(connection->calls.next, struct ttrpc_call, link));
}

static void call_expired(struct ttrpc_timer *timer)
{
	struct ttrpc_call *call = container_of(timer, struct ttrpc_call, timer);
	struct ttrpc_server *server = call->connection->server;

	server_enter(server);
	connection_refuse(call->connection, call->id, TTRPC_DEADLINE_EXCEEDED,
			  "context deadline exceeded");
	server_leave(server);
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
	if (!method || method->flags & (TTRPC_CLIENT_STREAM | TTRPC_SERVER_STREAM)) {
		connection_refuse(connection, id, TTRPC_UNIMPLEMENTED, "method %.*s",
				  name_length(request->method), (const char *)request->method.data);
		return false;
	}
	*ret_entry = entry;
	*ret_method = method;
	return true;
}

static ProtobufCMessage *call_decode(struct connection *connection, uint32_t id,
				     const struct ttrpc_method *method, struct slice payload)
{
	struct arena *arena = &connection->server->arena;
	ProtobufCMessage *message;

	arena->limit = connection->server->limits.decoded;
	message = arena_unpack(arena, method->input, payload.data, payload.size);
	if (!message && arena->exceeded)
		connection_refuse(connection, id, TTRPC_RESOURCE_EXHAUSTED,
				  "decoded message is above the limit of %zu bytes, or too deep",
				  arena->limit);
	else if (!message)
		connection_refuse(connection, id, TTRPC_INTERNAL, "unmarshal request: malformed %s",
				  method->input->name);
	return message;
}

static void call_init(struct ttrpc_call *call, struct connection *connection, uint32_t id,
		      const struct envelope_request *request)
{
	*call = (struct ttrpc_call){
		.connection = connection,
		.request = request,
		.id = id,
		.running = true,
	};
	if (request->timeout > 0)
		call->deadline = ttrpc_now() + (uint64_t)request->timeout;
	list_append(&connection->calls, &call->link);
	connection->n_calls++;
}

/* Calls the handler, and answers where the handler didn't. */
static void call_dispatch(struct ttrpc_call *call, const ProtobufCMessage *message)
{
	int error = call->method->dispatch(call->entry->handlers, call, message);

	if (call->done)
		return;
	if (error == -ENOSYS)
		ttrpc_fail(call, TTRPC_UNIMPLEMENTED, "method %s", call->method->name);
	else if (error < 0)
		ttrpc_fail(call, ttrpc_code_from_errno(error), "%s", strerror(-error));
	else if (!call->taken)
		ttrpc_fail(call, TTRPC_UNKNOWN, "no answer from the handler of %s",
			   call->method->name);
}

void call_run(struct connection *connection, const struct frame *frame)
{
	struct ttrpc_server *server = connection->server;
	const struct service_entry *entry;
	const struct ttrpc_method *method;
	struct envelope_request request;
	ProtobufCMessage *message;
	struct ttrpc_call *call;

	if (!call_parse(connection, frame, &request) ||
	    !call_find(connection, frame->id, &request, &entry, &method))
		return;
	message = call_decode(connection, frame->id, method, request.payload);
	call = message ? call_new(server) : NULL;
	if (call) {
		call_init(call, connection, frame->id, &request);
		call->entry = entry;
		call->method = method;
		call_dispatch(call, message);
		call->running = false;
		call->request = NULL;
		if (call->done)
			call_free(call);
		else if (call->deadline)
			ttrpc_timer_set(server->loop, &call->timer, call->deadline, call_expired);
	} else if (message) {
		connection_refuse(connection, frame->id, TTRPC_RESOURCE_EXHAUSTED, "out of memory");
	}
	arena_reset(&server->arena);
}

/* ---- for handlers ---- */

int ttrpc_reply(struct ttrpc_call *call, const ProtobufCMessage *response)
{
	if (call->done)
		return 0;
	if (!response)
		return ttrpc_fail(call, TTRPC_UNKNOWN, "no message in the answer of %s",
				  call->method->name);
	if (!call_send_reply(call, response))
		return 0;
	call_finish(call);
	if (!call->running)
		call_free(call);
	return 0;
}

int ttrpc_fail(struct ttrpc_call *call, enum ttrpc_code code, const char *format, ...)
{
	va_list arguments;

	if (call->done)
		return 0;
	va_start(arguments, format);
	call_send_status(call->connection, call->id, code == TTRPC_OK ? TTRPC_UNKNOWN : code,
			 format, arguments);
	va_end(arguments);
	call_finish(call);
	if (!call->running)
		call_free(call);
	return 0;
}

void ttrpc_call_take(struct ttrpc_call *call, ttrpc_cancel_fn cancelled, void *userdata)
{
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
