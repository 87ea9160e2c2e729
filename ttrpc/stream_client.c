/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams on the client: calls in the client's table until a terminal frame comes, the connection
 * or the time ends, or the user leaves. What the server sends for one:
 *
 *                     server streams                  one response
 *   Data              a message                       protocol error
 *   no data (0x04)    nothing                         protocol error
 *   closed (0x01)     a message, then the end         protocol error
 *   closed (0x05)     the end                         protocol error
 *   Response, OK      its message if there is one,    the response, then the end
 *                     then the end
 *   Response, else    the end                         the end
 *   oversize          the end, RESOURCE_EXHAUSTED     the same
 *
 * There is no frame that says that a client has lost interest. The politest is to say that no more
 * messages come, where they might; what the server sends then is late, and dropped.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ttrpc/client.h"
#include "ttrpc/stream_state.h"

struct client_stream {
	struct client_call call;
	struct ttrpc_stream stream;
};

static struct client_stream *of_stream(struct ttrpc_stream *stream)
{
	return container_of(stream, struct client_stream, stream);
}

static struct client_stream *of_call(struct client_call *call)
{
	return container_of(call, struct client_stream, call);
}

static bool server_streams(const struct client_stream *self)
{
	return self->call.method->flags & TTRPC_SERVER_STREAM;
}

/* ---- the end ---- */

static void *side_enter(struct ttrpc_stream *stream)
{
	struct ttrpc_client *client = of_stream(stream)->call.client;

	client_enter(client);
	return client;
}

static void side_leave(void *owner)
{
	client_leave(owner);
}

static void say_goodbye(struct client_stream *self)
{
	struct ttrpc_stream *stream = &self->stream;

	if (stream->sends && !stream->local_closed && client_error(self->call.client) == 0)
		stream_write(stream, FRAME_REMOTE_CLOSED | FRAME_NO_DATA, NULL, 0);
	stream->local_closed = true;
}

static void side_abort(struct ttrpc_stream *stream, const struct ttrpc_status *status)
{
	struct client_stream *self = of_stream(stream);

	self->call.client->abandoned = true;
	client_call_count(self->call.client, status->code);
	client_call_forget(&self->call);
	say_goodbye(self);
}

static void side_free(struct ttrpc_stream *stream)
{
	/* Its messages may have waited for long after the call had left the table. */
	client_call_end_intercept(&of_stream(stream)->call, &stream->status);
	free(of_stream(stream));
}

static void side_see(struct ttrpc_stream *stream, bool out, const ProtobufCMessage *message)
{
	client_call_see(&of_stream(stream)->call, out, message);
}

static const struct stream_side client_side = {
	.enter = side_enter,
	.leave = side_leave,
	.abort = side_abort,
	.free = side_free,
	.see = side_see,
};

/* The connection's end, which comes after what was received; or the deadline, which doesn't wait. */
static void client_stream_end(struct client_call *call, const struct ttrpc_status *status)
{
	struct client_stream *self = of_call(call);

	if (status->error == -ETIMEDOUT) {
		say_goodbye(self);
		stream_end(&self->stream, status);
	} else {
		stream_input(&self->stream, NULL, STREAM_ENDED, status);
	}
}

static void client_streams_free(struct ttrpc_client *client)
{
	struct ttrpc_stream *stream;
	struct ttrpc_status status;

	status_format(&status, TTRPC_UNAVAILABLE, client->conn.error, "connection closed: %s",
		      strerror(-client->conn.error));
	/* One at a time: a callback may end others. */
	while ((stream = stream_pool_first(client->pool)))
		stream_end(stream, &status);
}

/* ---- what the server sends ---- */

static void client_stream_finish(struct client_stream *self, const struct slice *payload,
				 const struct ttrpc_status *status)
{
	client_call_count(self->call.client, status->code);
	client_call_forget(&self->call);
	stream_input(&self->stream, payload, STREAM_ENDED, status);
}

static void client_stream_data(struct client_stream *self, const struct frame *frame)
{
	static const struct ttrpc_status ended_well = {.code = TTRPC_OK};
	const struct slice payload = {frame->data, frame->length};
	const struct slice *message = frame->flags & FRAME_NO_DATA ? NULL : &payload;

	if (frame->flags & FRAME_REMOTE_CLOSED)
		client_stream_finish(self, message, &ended_well);
	else if (message)
		stream_input(&self->stream, message, STREAM_MORE, NULL);
}

static void client_stream_response(struct client_stream *self, const struct frame *frame)
{
	struct envelope_response answer;
	struct ttrpc_status status = {.code = TTRPC_OK};
	bool has_message;

	if (envelope_response_parse((struct slice){frame->data, frame->length}, &answer) < 0) {
		stream_abort(&self->stream, TTRPC_INTERNAL, -EBADMSG,
			     "malformed envelope of the answer");
		return;
	}
	if (answer.code != 0)
		client_call_status(&status, &answer);
	has_message = answer.code == 0 && (answer.has_payload || !server_streams(self));
	client_stream_finish(self, has_message ? &answer.payload : NULL, &status);
}

static void client_stream_frame(struct client_call *call, const struct frame *frame)
{
	struct client_stream *self = of_call(call);

	if (frame->oversize)
		stream_abort(&self->stream, TTRPC_RESOURCE_EXHAUSTED, -EMSGSIZE,
			     "message of %u bytes is above the limit of %u", frame->length,
			     call->client->conn.reader.limit);
	else if (frame->type == FRAME_RESPONSE)
		client_stream_response(self, frame);
	else if (frame->type == FRAME_DATA && server_streams(self))
		client_stream_data(self, frame);
	else
		stream_abort(&self->stream, TTRPC_INTERNAL, -EPROTO,
			     "frame of type %u instead of an answer", (unsigned)frame->type);
}

static const struct client_streams client_streams = {
	.frame = client_stream_frame,
	.end = client_stream_end,
	.free = client_streams_free,
};

/* ---- for users ---- */

static void client_drained(struct conn *conn)
{
	stream_pool_pass(container_of(conn, struct ttrpc_client, conn)->pool);
}

static int client_prepare(struct ttrpc_client *client)
{
	int error = client->loop ? client_call_check(client) : -EINVAL;

	if (error < 0 || client->pool)
		return error;
	client->pool = stream_pool_new(&client->conn, client->loop, &client->arena, &client->limits,
				       client->statistics, client_drained);
	client->streams = &client_streams;
	return client->pool ? 0 : -ENOMEM;
}

static uint8_t open_flags(const struct ttrpc_method *method)
{
	/* Who looks at no-data takes the request for a first message without it. */
	return method->flags & TTRPC_CLIENT_STREAM ? FRAME_REMOTE_OPEN | FRAME_NO_DATA
						   : FRAME_REMOTE_CLOSED;
}

static int client_stream_open(struct client_stream *self, const struct ttrpc_service *service,
			      const struct ttrpc_options *options, const ProtobufCMessage *request)
{
	struct client_call *call = &self->call;
	const struct ttrpc_method *method = call->method;
	bool sends = method->flags & TTRPC_CLIENT_STREAM;
	int error = client_call_send(call, service, options, sends ? NULL : request,
				     open_flags(method));

	if (error < 0)
		return error;
	if (call->id == 0)
		return call->error;
	stream_init(&self->stream, &client_side, call->client->pool, method, call->id);
	self->stream.incoming = method->output;
	self->stream.sends = sends;
	self->stream.half_told = true;
	return 0;
}

int ttrpc_stream_open(struct ttrpc_client *client, const struct ttrpc_service *service,
		      const struct ttrpc_method *method, const struct ttrpc_options *options,
		      const ProtobufCMessage *request, const struct ttrpc_stream_events *events,
		      const void *typed, void *userdata, struct ttrpc_stream **ret_stream)
{
	struct client_stream *self;
	int error = client_prepare(client);

	if (error < 0)
		return error;
	if (client->pool->n_streams >= client->limits.streams)
		return -ENOBUFS;
	self = malloc(sizeof(*self));
	if (!self)
		return -ENOMEM;
	self->call = (struct client_call){
		.client = client,
		.method = method,
		.streams = &client_streams,
	};
	list_init(&self->call.link);
	error = client_stream_open(self, service, options, request);
	if (error < 0) {
		free(self);
		return error;
	}
	self->stream.events = events;
	self->stream.typed = typed;
	self->stream.userdata = userdata;
	*ret_stream = &self->stream;
	return 0;
}

int ttrpc_stream_close_send(struct ttrpc_stream *stream)
{
	if (!stream->sends || stream->side != &client_side)
		return -EINVAL;
	if (!stream->local_closed && !stream->over && !stream->ending)
		say_goodbye(of_stream(stream));
	return 0;
}
