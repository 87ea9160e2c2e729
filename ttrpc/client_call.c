/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call on the client, from its request to its end. It is found by its id, which is handed out in
 * the order of writing, odd and increasing. However a call ends, its id is forgotten first: a frame
 * for it that comes later is counted and dropped.
 *
 * A call that can't be sent (too large, no id left) fails like one that was sent, later and from
 * the loop: a timer that is due at once does that. Nothing of it is written and no id is used up.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ttrpc/client.h"
#include "ttrpc/view.h"

#define CLIENT_PARTS_MAX 1024u /* of what a request in parts has around its payload */

static struct list *call_bucket(struct ttrpc_client *client, uint32_t id)
{
	return &client->calls[id / 2 % CLIENT_BUCKETS];
}

static struct client_call *call_find(struct ttrpc_client *client, uint32_t id)
{
	const struct list *bucket = call_bucket(client, id), *link;

	for (link = bucket->next; id != 0 && link != bucket; link = link->next) {
		struct client_call *call = container_of(link, struct client_call, link);

		if (call->id == id)
			return call;
	}
	return NULL;
}

static struct client_call *call_new(struct ttrpc_client *client)
{
	struct client_call *call;

	if (list_empty(&client->spare_calls))
		return malloc(sizeof(*call));
	call = container_of(client->spare_calls.next, struct client_call, link);
	list_remove(&call->link);
	client->n_spare_calls--;
	return call;
}

static void call_free(struct client_call *call)
{
	struct ttrpc_client *client = call->client;

	if (client->n_spare_calls >= CLIENT_SPARE_CALLS_MAX) {
		free(call);
		return;
	}
	list_append(&client->spare_calls, &call->link);
	client->n_spare_calls++;
}

void client_call_free_spares(struct ttrpc_client *client)
{
	while (!list_empty(&client->spare_calls)) {
		struct list *link = client->spare_calls.next;

		list_remove(link);
		free(container_of(link, struct client_call, link));
	}
}

/* ---- the end ---- */

void client_call_count(struct ttrpc_client *client, enum ttrpc_code code)
{
	if (client->statistics)
		client->statistics
			->calls[(unsigned)code <= TTRPC_UNAUTHENTICATED ? code : TTRPC_UNKNOWN]++;
}

void client_call_see(const struct client_call *call, bool out, const ProtobufCMessage *message)
{
	if (call->intercept)
		call->client->hooks->message(call->intercept, out, message);
}

void client_call_end_intercept(struct client_call *call, const struct ttrpc_status *status)
{
	struct intercept *intercept = call->intercept;

	call->intercept = NULL;
	if (intercept)
		call->client->hooks->end(intercept, status);
}

void client_call_forget(struct client_call *call)
{
	ttrpc_timer_clear(&call->timer);
	list_remove(&call->link);
	call->id = 0;
	if (call->cancel)
		call->cancel->call = NULL;
	call->cancel = NULL;
}

static void call_end(struct client_call *call, const struct ttrpc_status *status,
		     const ProtobufCMessage *response)
{
	client_call_count(call->client, status->code);
	client_call_forget(call);
	if (call->streams) {
		call->streams->end(call, status);
		return;
	}
	if (response)
		client_call_see(call, false, response);
	client_call_end_intercept(call, status);
	if (call->done)
		call->done(call->userdata, status, response);
	else
		call->complete(call->typed, call->userdata, status, response);
	call_free(call);
}

static bool has_calls(const struct ttrpc_client *client)
{
	for (unsigned i = 0; i < CLIENT_BUCKETS; i++)
		if (!list_empty(&client->calls[i]))
			return true;
	return false;
}

void client_call_end_all(struct ttrpc_client *client, int error)
{
	struct ttrpc_status status;

	/* an idle connection's end is no occasion to map what makes texts (shim/resident.ld) */
	if (!has_calls(client))
		return;
	status_format(&status, TTRPC_UNAVAILABLE, error, "connection closed: %s", strerror(-error));
	for (unsigned i = 0; i < CLIENT_BUCKETS; i++)
		while (!list_empty(&client->calls[i]))
			call_end(container_of(client->calls[i].next, struct client_call, link),
				 &status, NULL);
}

void client_call_expire(struct client_call *call)
{
	struct ttrpc_status status;

	call->client->abandoned |= call->id != 0;
	if (call->id != 0)
		status_format(&status, TTRPC_DEADLINE_EXCEEDED, -ETIMEDOUT, "deadline exceeded");
	else if (call->error == -EMSGSIZE)
		status_format(&status, call->code, call->error,
			      "request of %llu bytes is above the limit of %u",
			      (unsigned long long)call->size, call->client->conn.reader.limit);
	else if (call->error == -EOVERFLOW)
		status_format(&status, call->code, call->error, "stream ids ran out");
	else
		status_format(&status, call->code, call->error, "%s", strerror(-call->error));
	call_end(call, &status, NULL);
}

static void call_timer(struct ttrpc_timer *timer)
{
	struct client_call *call = container_of(timer, struct client_call, timer);
	struct ttrpc_client *client = call->client;

	client_enter(client);
	client_call_expire(call);
	client_leave(client);
}

void ttrpc_client_cancel(struct ttrpc_cancel *cancel)
{
	struct client_call *call = cancel->call;
	struct ttrpc_client *client;
	struct ttrpc_status status;

	if (!call)
		return;
	client = call->client;
	status_format(&status, TTRPC_CANCELLED, -ECANCELED, "context canceled");
	client->abandoned = true;
	client_enter(client);
	call_end(call, &status, NULL);
	client_leave(client);
}

/* ---- answers ---- */

void client_call_status(struct ttrpc_status *status, const struct envelope_response *answer)
{
	status_set(status, (enum ttrpc_code)answer->code, 0, answer->text.data, answer->text.size);
	status->details = answer->status.data;
	status->details_size = answer->status.size;
}

static void call_answer(struct client_call *call, const struct envelope_response *answer)
{
	struct ttrpc_status status = {.code = TTRPC_OK};
	ProtobufCMessage *response = NULL;
	struct ttrpc_client *client = call->client;
	struct arena *arena = &client->arena;

	arena->limit = client->limits.decoded;
	if (answer->code != 0) {
		client_call_status(&status, answer);
	} else {
		response = call->unpack(arena, call->method->output, answer->payload.data,
					answer->payload.size);
		if (!response && arena->exceeded)
			status_format(&status, TTRPC_RESOURCE_EXHAUSTED, -EMSGSIZE,
				      "decoded answer is above the limit of %zu bytes, or too deep",
				      arena->limit);
		else if (!response)
			status_format(&status, TTRPC_INTERNAL, -EBADMSG,
				      "malformed %s in the answer", call->method->output->name);
	}
	client_enter(client);
	call_end(call, &status, response);
	if (!client->lends)
		arena_reset(arena);
	client_leave(client);
}

void client_call_frame(struct ttrpc_client *client, const struct frame *frame)
{
	struct client_call *call = call_find(client, frame->id);
	struct slice envelope = {frame->data, frame->length};
	struct envelope_response answer;
	struct ttrpc_status status;

	if (!call) {
		client->n_late++;
		if (client->statistics)
			client->statistics->late++;
		return;
	}
	if (call->streams) {
		call->streams->frame(call, frame);
		return;
	}
	if (frame->oversize)
		status_format(&status, TTRPC_RESOURCE_EXHAUSTED, -EMSGSIZE,
			      "answer of %u bytes is above the limit of %u", frame->length,
			      client->conn.reader.limit);
	else if (frame->type != FRAME_RESPONSE)
		status_format(&status, TTRPC_INTERNAL, -EPROTO,
			      "frame of type %u instead of an answer", (unsigned)frame->type);
	else if (envelope_response_parse(envelope, &answer) < 0)
		status_format(&status, TTRPC_INTERNAL, -EBADMSG,
			      "malformed envelope of the answer");
	else {
		call_answer(call, &answer);
		return;
	}
	call_end(call, &status, NULL);
}

/* ---- the request ---- */

static int64_t timeout_clamp(uint64_t timeout)
{
	return timeout > INT64_MAX ? INT64_MAX : (int64_t)timeout;
}

/* False: the request has no field that is worth it, or much beside the payload. */
static bool request_in_parts(struct ttrpc_client *client, const struct envelope_call *envelope,
			     const struct frame *frame, const ProtobufCMessage *request)
{
	uint8_t around[FRAME_HEADER_SIZE + CLIENT_PARTS_MAX], *head, *tail;
	struct iovec pieces[VIEW_PARTS + 2];
	struct view_parts parts;

	if (frame->length - envelope->payload_size > CLIENT_PARTS_MAX ||
	    !view_pack(request, envelope->payload_size, &parts))
		return false;
	frame_header_write(around, frame);
	head = envelope_request_head(around + FRAME_HEADER_SIZE, envelope);
	tail = envelope_request_tail(head, envelope);
	pieces[0] = (struct iovec){around, (size_t)(head - around)};
	memcpy(pieces + 1, parts.pieces, sizeof(parts.pieces));
	pieces[VIEW_PARTS + 1] = (struct iovec){head, (size_t)(tail - head)};
	conn_write(&client->conn, pieces, VIEW_PARTS + 2);
	return true;
}

static bool request_packed(struct ttrpc_client *client, const struct envelope_call *envelope,
			   const struct frame *frame, const ProtobufCMessage *request)
{
	uint8_t *start = conn_reserve(&client->conn, FRAME_HEADER_SIZE + frame->length);
	uint8_t *payload;

	if (!start)
		return false;
	frame_header_write(start, frame);
	envelope_request_write(start + FRAME_HEADER_SIZE, envelope, &payload);
	if (envelope->payload_size > 0)
		protobuf_c_message_pack(request, payload);
	conn_commit(&client->conn, FRAME_HEADER_SIZE + frame->length);
	return true;
}

static int call_write(struct client_call *call, const struct envelope_call *envelope, size_t size,
		      const ProtobufCMessage *request, uint8_t flags)
{
	struct ttrpc_client *client = call->client;
	const struct frame frame = {
		.length = (uint32_t)size,
		.id = (uint32_t)client->next_id,
		.type = FRAME_REQUEST,
		.flags = flags,
	};

	if ((envelope->payload_size <= VIEW_MIN ||
	     !request_in_parts(client, envelope, &frame, request)) &&
	    !request_packed(client, envelope, &frame, request))
		return client_error(client);
	call->id = frame.id;
	client->next_id += 2;
	return 0;
}

static void call_unsent(struct client_call *call, enum ttrpc_code code, int error)
{
	call->code = code;
	call->error = error;
	if (call->intercept)
		call->client->hooks->end_unsent(call);
}

int client_call_send(struct client_call *call, const struct ttrpc_service *service,
		     const struct ttrpc_options *given, const ProtobufCMessage *request,
		     uint8_t flags)
{
	struct ttrpc_options options = given ? *given : (struct ttrpc_options){.timeout = 0};
	struct ttrpc_client *client = call->client;
	struct envelope_call envelope;
	size_t size;
	int error;

	error = client->hooks ? client->hooks->begin_request(call, service, request, &options) : 0;
	if (error < 0) {
		call_unsent(call, ttrpc_code_from_errno(error), error);
		return 0;
	}
	envelope = (struct envelope_call){
		.service = service->name,
		.method = call->method->name,
		.metadata = options.metadata,
		.n_metadata = options.n_metadata,
		.timeout = timeout_clamp(options.timeout),
		.payload_size = request ? protobuf_c_message_get_packed_size(request) : 0,
	};
	size = envelope_request_size(&envelope);
	if (size > client->conn.reader.limit) {
		call->size = size;
		call_unsent(call, TTRPC_RESOURCE_EXHAUSTED, -EMSGSIZE);
		return 0;
	}
	if (client->next_id > UINT32_MAX) {
		call_unsent(call, TTRPC_UNAVAILABLE, -EOVERFLOW);
		return 0;
	}
	if (envelope.timeout > 0)
		call->deadline = ttrpc_now() + (uint64_t)envelope.timeout;
	error = call_write(call, &envelope, size, request, flags);
	if (error < 0) {
		call_unsent(call, TTRPC_UNAVAILABLE, error);
		return error;
	}
	list_append(call_bucket(client, call->id), &call->link);
	if (client->loop && call->deadline)
		ttrpc_timer_set(client->loop, &call->timer, call->deadline, call_timer);
	return 0;
}

int client_call_check(const struct ttrpc_client *client)
{
	int error = client_error(client);

	if (error < 0)
		return error;
	return conn_waiting(&client->conn) > client->limits.write_queue ? -ENOBUFS : 0;
}

int client_call_start(struct ttrpc_client *client, const struct ttrpc_service *service,
		      const struct ttrpc_method *method, const struct ttrpc_options *options,
		      const ProtobufCMessage *request, arena_unpack_fn unpack, ttrpc_done_fn done,
		      void *userdata, struct client_call **ret_call)
{
	struct client_call *call;
	int error = client_call_check(client);

	if (error < 0)
		return error;
	call = call_new(client);
	if (!call)
		return -ENOMEM;
	*call = (struct client_call){
		.client = client,
		.method = method,
		.done = done,
		.userdata = userdata,
		.unpack = unpack,
	};
	list_init(&call->link);
	error = client_call_send(call, service, options, request, 0);
	if (error < 0) {
		call_free(call);
		return error;
	}
	if (call->id == 0) {
		list_append(&client->calls[0], &call->link);
		if (client->loop)
			ttrpc_timer_set(client->loop, &call->timer, ttrpc_now(), call_timer);
	}
	if (options && options->cancel) {
		call->cancel = options->cancel;
		call->cancel->call = call;
	}
	*ret_call = call;
	return 0;
}

int ttrpc_client_call(struct ttrpc_client *client, const struct ttrpc_service *service,
		      const struct ttrpc_method *method, const struct ttrpc_options *options,
		      const ProtobufCMessage *request, ttrpc_done_fn done, void *userdata)
{
	struct client_call *call;

	if (!client->loop)
		return -EINVAL;
	return client_call_start(client, service, method, options, request, view_unpack, done,
				 userdata, &call);
}

int ttrpc_client_call_typed(struct ttrpc_client *client, const struct ttrpc_service *service,
			    const struct ttrpc_method *method, const struct ttrpc_options *options,
			    const ProtobufCMessage *request, ttrpc_complete_fn complete,
			    void (*done)(void), void *userdata)
{
	struct client_call *call;
	int error;

	if (!client->loop)
		return -EINVAL;
	error = client_call_start(client, service, method, options, request, view_unpack, NULL,
				  userdata, &call);
	if (error < 0)
		return error;
	call->complete = complete;
	call->typed = done;
	return 0;
}
