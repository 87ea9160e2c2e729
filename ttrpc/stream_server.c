/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams on the server: calls like the unary ones, in the same table, with the same deadline, but
 * with a stream behind them. What the client sends for one is judged here:
 *
 *   Data                    open                       half-closed by the client
 *   with a message          a message                  INVALID_ARGUMENT: the stream has failed
 *   no data (0x04)          nothing                    nothing
 *   closed, no data (0x05)  the client's end           INVALID_ARGUMENT
 *   closed (0x01)           a message, then the end    INVALID_ARGUMENT
 *   no data, with data      INVALID_ARGUMENT           INVALID_ARGUMENT
 *
 * A method whose client doesn't stream begins half-closed, with its one request as the handler's
 * argument. The first message of the others may come with the request, if it isn't empty.
 *
 * A stream that the server ends has one terminal frame; where the client hadn't closed its side by
 * then, or broke the rules, the id is remembered for a while: what it goes on sending gets no answer.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ttrpc/server.h"
#include "ttrpc/stream_state.h"

struct server_stream {
	struct ttrpc_call call;
	struct ttrpc_stream stream;
	bool accepted;
};

static struct server_stream *of_stream(struct ttrpc_stream *stream)
{
	return container_of(stream, struct server_stream, stream);
}

static struct server_stream *of_call(struct ttrpc_call *call)
{
	return container_of(call, struct server_stream, call);
}

/* ---- the end ---- */

/* A terminal frame went out, or nobody is there to get one. */
static void stream_is_over(struct server_stream *self)
{
	if (self->call.done)
		return;
	call_finish(&self->call);
	if (!self->stream.remote_closed)
		stream_forget(self->stream.pool, self->call.id);
}

static void send_status(struct server_stream *self, enum ttrpc_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void send_status(struct server_stream *self, enum ttrpc_code code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	answer_status(self->call.connection, self->call.id, code, text_format_own, format,
		      arguments);
	va_end(arguments);
}

static void *side_enter(struct ttrpc_stream *stream)
{
	struct ttrpc_server *server = of_stream(stream)->call.connection->server;

	server_enter(server);
	return server;
}

static void side_leave(void *owner)
{
	server_leave(owner);
}

static void side_abort(struct ttrpc_stream *stream, const struct ttrpc_status *status)
{
	struct server_stream *self = of_stream(stream);

	self->call.code = status->code;
	self->call.error = status->error;
	send_status(self, status->code, "%s", status->text);
	stream_is_over(self);
}

static void side_free(struct ttrpc_stream *stream)
{
	free(of_stream(stream));
}

static void side_see(struct ttrpc_stream *stream, bool out, const ProtobufCMessage *message)
{
	call_see(&of_stream(stream)->call, out, message);
}

static const struct stream_side server_side = {
	.enter = side_enter,
	.leave = side_leave,
	.abort = side_abort,
	.free = side_free,
	.see = side_see,
};

/* The call was answered for it, or its connection is gone. */
static void server_stream_cancel(struct ttrpc_call *call, enum ttrpc_code code)
{
	struct server_stream *self = of_call(call);
	struct ttrpc_status status;

	stream_forget(self->stream.pool, call->id);
	status_format(&status, code, call->error, "%s",
		      code == TTRPC_DEADLINE_EXCEEDED ? "context deadline exceeded"
						      : strerror(-call->error));
	stream_end(&self->stream, &status);
}

/* ---- what the client sends ---- */

static void server_stream_data(struct ttrpc_call *call, const struct frame *frame)
{
	struct ttrpc_stream *stream = &of_call(call)->stream;
	const struct slice payload = {frame->data, frame->length};
	bool has_message = !(frame->flags & FRAME_NO_DATA);
	bool closes = frame->flags & FRAME_REMOTE_CLOSED;

	if (!has_message && frame->length > 0)
		connection_refuse(call->connection, call->id, TTRPC_INVALID_ARGUMENT,
				  "stream %u: data in a frame without data", call->id);
	else if (stream->remote_closed && (has_message || closes))
		connection_refuse(call->connection, call->id, TTRPC_INVALID_ARGUMENT,
				  "stream %u was closed by the client", call->id);
	else if (has_message || closes)
		stream_input(stream, has_message ? &payload : NULL,
			     closes ? STREAM_HALF_CLOSED : STREAM_MORE, NULL);
}

static bool server_stream_forgotten(const struct connection *connection, uint32_t id)
{
	return stream_forgotten(connection->pool, id);
}

/* ---- the request ---- */

static void connection_drained(struct conn *conn)
{
	stream_pool_pass(container_of(conn, struct connection, conn)->pool);
}

static bool connection_has_room(struct connection *connection, uint32_t id)
{
	struct ttrpc_server *server = connection->server;

	if (!connection->pool)
		connection->pool =
			stream_pool_new(&connection->conn, server->loop, &server->arena,
					&server->limits, server->statistics, connection_drained);
	connection->streams = &ttrpc_streams;
	if (!connection->pool)
		connection_refuse(connection, id, TTRPC_RESOURCE_EXHAUSTED, "out of memory");
	else if (connection->pool->n_streams >= server->limits.streams)
		connection_refuse(connection, id, TTRPC_RESOURCE_EXHAUSTED, "more than %u streams",
				  server->limits.streams);
	else
		return true;
	return false;
}

static struct server_stream *server_stream_new(struct connection *connection,
					       const struct frame *frame,
					       const struct envelope_request *request,
					       const struct service_entry *entry,
					       const struct ttrpc_method *method)
{
	struct server_stream *self = malloc(sizeof(*self));

	if (!self) {
		connection_refuse(connection, frame->id, TTRPC_RESOURCE_EXHAUSTED, "out of memory");
		return NULL;
	}
	call_init(&self->call, connection, frame->id, request, entry, method);
	stream_init(&self->stream, &server_side, connection->pool, method, frame->id);
	self->stream.incoming = method->input;
	self->stream.sends = method->flags & TTRPC_SERVER_STREAM;
	self->accepted = false;
	if (!(method->flags & TTRPC_CLIENT_STREAM))
		self->stream.remote_closed = self->stream.half_told = true;
	return self;
}

/* What the handler left undone. */
static void server_stream_opened(struct server_stream *self, int error)
{
	const char *name = self->call.method->name;

	if (self->stream.over)
		return;
	if (error == -ENOSYS)
		stream_abort(&self->stream, TTRPC_UNIMPLEMENTED, error, "method %s", name);
	else if (error < 0)
		stream_abort(&self->stream, ttrpc_code_from_errno(error), error, "%s",
			     strerror(-error));
	else if (!self->accepted)
		stream_abort(&self->stream, TTRPC_UNKNOWN, -ENOMSG,
			     "no answer from the handler of %s", name);
	else if (self->call.deadline)
		call_set_timer(&self->call);
}

static void server_stream_open(struct server_stream *self, const ProtobufCMessage *message)
{
	struct ttrpc_call *call = &self->call;
	int error = call_intercept(call, message);

	/* An interceptor may have answered with the call's own functions; nobody may from now on. */
	call->barred = true;
	if (call->done && !self->stream.over) {
		const struct ttrpc_status status = {.code = call->code};

		stream_forget(self->stream.pool, call->id);
		stream_end(&self->stream, &status);
	}
	if (error == 0 && !self->stream.over)
		error = call->method->open(call->entry->handlers, &self->stream, message);
	server_stream_opened(self, error);
}

/* What came with the request, for a method that takes messages. */
static void server_stream_first(struct server_stream *self, const struct frame *frame,
				const struct slice *payload)
{
	bool has_message = payload->size > 0 && !(frame->flags & FRAME_NO_DATA);
	bool closes = frame->flags & FRAME_REMOTE_CLOSED;

	if (self->call.method->flags & TTRPC_CLIENT_STREAM && (has_message || closes))
		stream_input(&self->stream, has_message ? payload : NULL,
			     closes ? STREAM_HALF_CLOSED : STREAM_MORE, NULL);
}

static void server_stream_run(struct connection *connection, const struct frame *frame,
			      const struct envelope_request *request,
			      const struct service_entry *entry, const struct ttrpc_method *method)
{
	struct ttrpc_server *server = connection->server;
	ProtobufCMessage *message = NULL;
	struct server_stream *self = NULL;

	if (!connection_has_room(connection, frame->id))
		return;
	if (!(method->flags & TTRPC_CLIENT_STREAM))
		message = call_decode(connection, frame->id, method, request->payload);
	if (message || method->flags & TTRPC_CLIENT_STREAM)
		self = server_stream_new(connection, frame, request, entry, method);
	if (self) {
		struct ttrpc_stream *stream = &self->stream;
		bool over;

		stream_begin(stream);
		server_stream_open(self, message);
		self->call.running = false;
		self->call.request = NULL;
		over = stream->over;
		if (over)
			call_end_intercept(&self->call);
		stream_finish(stream);
		arena_reset(&server->arena);
		if (!over)
			server_stream_first(self, frame, &request->payload);
	}
	arena_reset(&server->arena);
}

const struct ttrpc_streams ttrpc_streams = {
	.run = server_stream_run,
	.data = server_stream_data,
	.cancel = server_stream_cancel,
	.forgotten = server_stream_forgotten,
};

/* ---- for handlers ---- */

void ttrpc_stream_accept(struct ttrpc_stream *stream, const struct ttrpc_stream_events *events,
			 const void *typed, void *userdata)
{
	stream->events = events;
	stream->typed = typed;
	stream->userdata = userdata;
	of_stream(stream)->accepted = true;
}

static bool is_servers(const struct ttrpc_stream *stream)
{
	return stream->side == &server_side && !stream->over;
}

/* A stream that the server has ended, with a last frame that was written already. */
static int server_stream_ended(struct server_stream *self, const struct ttrpc_status *status)
{
	struct ttrpc_server *server = self->call.connection->server;

	self->call.code = status->code;
	server_enter(server);
	stream_is_over(self);
	stream_end(&self->stream, status);
	server_leave(server);
	return 0;
}

int ttrpc_stream_close(struct ttrpc_stream *stream)
{
	static const struct ttrpc_status ended_well = {.code = TTRPC_OK};
	struct server_stream *self = of_stream(stream);

	if (!is_servers(stream))
		return 0;
	if (!(stream->method->flags & TTRPC_SERVER_STREAM))
		return ttrpc_stream_fail(stream, TTRPC_UNKNOWN, "no answer from the handler of %s",
					 stream->method->name);
	answer_count(self->call.connection, TTRPC_OK);
	stream_write(stream, FRAME_REMOTE_CLOSED | FRAME_NO_DATA, NULL, 0);
	return server_stream_ended(self, &ended_well);
}

int ttrpc_stream_reply(struct ttrpc_stream *stream, const ProtobufCMessage *response)
{
	struct server_stream *self = of_stream(stream);
	struct ttrpc_status status = {.code = TTRPC_OK};

	if (!is_servers(stream))
		return 0;
	if (stream->method->flags & TTRPC_SERVER_STREAM)
		return ttrpc_stream_fail(stream, TTRPC_INTERNAL,
					 "a response to %s, which answers with a stream",
					 stream->method->name);
	if (!response)
		return ttrpc_stream_fail(stream, TTRPC_UNKNOWN, "no message in the answer of %s",
					 stream->method->name);
	call_see(&self->call, true, response);
	if (!answer_reply(self->call.connection, self->call.id, response))
		status_format(&status, TTRPC_RESOURCE_EXHAUSTED, -EMSGSIZE,
			      "answer is above the limit of %u bytes",
			      self->call.connection->server->limits.message);
	return server_stream_ended(self, &status);
}

int ttrpc_stream_vfail(struct ttrpc_stream *stream, enum ttrpc_code code, const char *format,
		       va_list arguments)
{
	struct server_stream *self = of_stream(stream);
	struct ttrpc_status status = {.error = 0};
	va_list again;

	if (!is_servers(stream))
		return 0;
	if (code == TTRPC_OK)
		code = TTRPC_UNKNOWN;
	va_copy(again, arguments);
	text_format(status.text, sizeof(status.text), format, again);
	status.code = code;
	va_end(again);
	answer_status(self->call.connection, self->call.id, code, text_format, format, arguments);
	return server_stream_ended(self, &status);
}

int ttrpc_stream_fail_details(struct ttrpc_stream *stream, enum ttrpc_code code, const char *text,
			      const struct ttrpc_detail *details, size_t n_details)
{
	struct server_stream *self = of_stream(stream);
	struct ttrpc_status status;

	if (!is_servers(stream))
		return 0;
	if (code == TTRPC_OK)
		code = TTRPC_UNKNOWN;
	if (!answer_details(self->call.connection, self->call.id, code, text, details, n_details))
		return ttrpc_stream_fail(stream, code, "%s", text);
	status_format(&status, code, 0, "%s", text);
	return server_stream_ended(self, &status);
}

int ttrpc_stream_fail(struct ttrpc_stream *stream, enum ttrpc_code code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	ttrpc_stream_vfail(stream, code, format, arguments);
	va_end(arguments);
	return 0;
}

struct ttrpc_call *ttrpc_stream_call(struct ttrpc_stream *stream)
{
	return stream->side == &server_side ? &of_stream(stream)->call : NULL;
}
