/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_FUZZ_TTRPC_SERVER_HANDLERS_H
#define TEST_FUZZ_TTRPC_SERVER_HANDLERS_H
/*
 * The service of ttrpc_server.c and what is around it: a unary method and streams of all kinds, whose
 * handlers do what the first bytes of a message say, and interceptors that do what metadata says.
 */
#include "test/fuzz/ttrpc_fuzz.h"
#include "ttrpc/intercept.h"
#include "ttrpc/metadata.h"
#include "ttrpc/server.h"

#define PEERS 2
#define HELD_MAX 32

struct fuzz {
	struct ttrpc_loop loop;
	struct ttrpc_server *server; /* NULL: freed */
	struct ttrpc_statistics statistics;
	struct peer peers[PEERS];
	uint32_t next_id[PEERS];
	struct ttrpc_call *calls[HELD_MAX]; /* NULL: none */
	struct ttrpc_stream *streams[HELD_MAX];
	unsigned n_streams; /* accepted and not ended */
};

static struct fuzz fuzz;

static void server_gone(void)
{
	struct ttrpc_server *server = fuzz.server;

	/* Once: its callbacks find it gone. */
	fuzz.server = NULL;
	ttrpc_server_free(server);
}

/* ---- unary methods ---- */

static void call_answer(struct ttrpc_call *call, uint8_t how)
{
	static const struct ttrpc_detail details[] = {{"type", "value", 5}, {"", "", 0}};
	Google__Protobuf__Any any = fuzz_any((const uint8_t *)"answer", 6);

	if (how % 4 == 0)
		ttrpc_reply(call, &any.base);
	else if (how % 4 == 1)
		ttrpc_fail(call, (enum ttrpc_code)(how / 4), "text of %u", how);
	else if (how % 4 == 2)
		ttrpc_fail_details(call, TTRPC_ABORTED, "text", details, how / 4 % 3);
	else
		ttrpc_reply(call, NULL);
}

static void on_cancelled(struct ttrpc_call *call, void *place)
{
	*(struct ttrpc_call **)place = NULL;
	CHECK(ttrpc_call_error(call) < 0);
	ttrpc_fail(call, TTRPC_INTERNAL, "too late");
}

static int on_park(struct ttrpc_call *call)
{
	for (int i = 0; i < HELD_MAX; i++) {
		if (fuzz.calls[i])
			continue;
		fuzz.calls[i] = call;
		ttrpc_call_take(call, on_cancelled, &fuzz.calls[i]);
		return 0;
	}
	return -EBUSY;
}

static int on_metadata(struct ttrpc_call *call)
{
	const char *value = ttrpc_call_metadata(call, "KEY");
	struct ttrpc_metadata *metadata;

	if (ttrpc_call_metadata_copy(call, &metadata) == 0) {
		const char *copied = ttrpc_metadata_get(metadata, "key");

		/* A NUL within ends the one as it ends the other. */
		CHECK(!value == !copied && (!value || strcmp(value, copied) == 0));
		ttrpc_metadata_free(metadata);
	}
	call_answer(call, 0);
	return 0;
}

static int on_large(struct ttrpc_call *call, const ProtobufCMessage *request)
{
	static const uint8_t bytes[4096];
	Google__Protobuf__Any any = fuzz_any(bytes, 16u * any_byte(request, 1));

	return ttrpc_reply(call, &any.base);
}

static void on_down(void *userdata, int error)
{
	CHECK(error == 0 || error == -ETIMEDOUT);
	if (userdata)
		server_gone();
}

static int on_unary(const void *handlers, struct ttrpc_call *call, const ProtobufCMessage *request)
{
	uint8_t how = any_byte(request, 0);
	size_t size;

	(void)handlers;
	ttrpc_call_payload(call, &size);
	switch (how) {
	case 0:
		return ttrpc_reply(call, request);
	case 1:
		return on_park(call);
	case 2:
		return -any_byte(request, 1);
	case 3:
		call_answer(call, any_byte(request, 1));
		call_answer(call, any_byte(request, 2));
		return -EIO;
	case 4:
		return on_metadata(call);
	case 5:
		return on_large(call, request);
	case 6:
		ttrpc_server_shutdown(fuzz.server, fuzz_time(any_byte(request, 1)), on_down,
				      any_byte(request, 2) ? fuzz.server : NULL);
		return on_park(call);
	case 7:
		server_gone();
		return 0;
	case 8:
		ttrpc_server_enforce_deadlines(fuzz.server, any_byte(request, 1) & 1);
		return on_park(call);
	case 9:
		ttrpc_call_set_connection_data(call, malloc(1), free);
		return ttrpc_reply(call, request);
	default:
		return 0;
	}
}

/* ---- streams ---- */

static void stream_act(struct ttrpc_stream *stream, uint8_t how)
{
	static const uint8_t large[3000];
	Google__Protobuf__Any any = fuzz_any((const uint8_t *)"reply", 5);

	switch (how % 8) {
	case 0:
		any_send(stream, 10u * how);
		break;
	case 1:
		ttrpc_stream_close(stream);
		break;
	case 2:
		if (how & 16)
			any = fuzz_any(large, sizeof(large));
		ttrpc_stream_reply(stream, how & 8 ? &any.base : NULL);
		break;
	case 3:
		ttrpc_stream_fail(stream, (enum ttrpc_code)(how / 8), "failed with %u", how);
		break;
	case 4:
		ttrpc_stream_cancel(stream);
		break;
	case 5:
		ttrpc_stream_pause(stream);
		break;
	case 6:
		ttrpc_stream_resume(stream);
		break;
	case 7:
		while (any_send(stream, 100) == 0)
			;
		break;
	}
}

static void on_stream_ended(struct ttrpc_stream *stream, const struct ttrpc_status *status)
{
	CHECK(fuzz.n_streams > 0 && (status->code != TTRPC_OK || status->error == 0));
	fuzz.n_streams--;
	for (int i = 0; i < HELD_MAX; i++)
		if (fuzz.streams[i] == stream)
			fuzz.streams[i] = NULL;
}

static int on_stream_message(struct ttrpc_stream *stream, const ProtobufCMessage *message)
{
	uint8_t how = any_byte(message, 0), other = any_byte(message, 1) % HELD_MAX;

	switch (how) {
	case 0:
		return ttrpc_stream_send(stream, message);
	case 1:
		return -EAGAIN;
	case 2:
		return -any_byte(message, 1);
	case 3:
		if (fuzz.streams[other])
			stream_act(fuzz.streams[other], any_byte(message, 2));
		return 0;
	case 4:
		if (fuzz.calls[other])
			call_answer(fuzz.calls[other], any_byte(message, 2));
		fuzz.calls[other] = NULL;
		return 0;
	case 5:
		server_gone();
		return 0;
	case 6:
		/* Too large, which is the stream's end. */
		return any_send(stream, 3000);
	default:
		stream_act(stream, how);
		return 0;
	}
}

static void on_half_closed(struct ttrpc_stream *stream)
{
	if (ttrpc_stream_method(stream)->flags & TTRPC_SERVER_STREAM)
		ttrpc_stream_close(stream);
	else
		stream_act(stream, 10);
}

static void on_writable(struct ttrpc_stream *stream)
{
	any_send(stream, 100);
}

static const struct ttrpc_stream_events events = {
	.message = on_stream_message,
	.half_closed = on_half_closed,
	.writable = on_writable,
	.ended = on_stream_ended,
};

static int on_open(const void *handlers, struct ttrpc_stream *stream,
		   const ProtobufCMessage *request)
{
	uint8_t how = request ? any_byte(request, 0) : 255;

	(void)handlers;
	if (how == 0)
		return -any_byte(request, 1);
	if (how == 1)
		server_gone();
	if (how < 2)
		return 0;
	ttrpc_stream_accept(stream, &events, NULL, NULL);
	fuzz.n_streams++;
	for (int i = 0; i < HELD_MAX; i++) {
		if (!fuzz.streams[i]) {
			fuzz.streams[i] = stream;
			break;
		}
	}
	if (request)
		stream_act(stream, how);
	return 0;
}

#define FUZZ_METHOD(method_name, method_flags, ...)                                                \
	{                                                                                          \
		.name = method_name, .input = &google__protobuf__any__descriptor,                  \
		.output = &google__protobuf__any__descriptor, .flags = (method_flags), __VA_ARGS__ \
	}

static const struct ttrpc_method methods[] = {
	FUZZ_METHOD("U", 0, .dispatch = on_unary),
	FUZZ_METHOD("B", TTRPC_CLIENT_STREAM | TTRPC_SERVER_STREAM, .open = on_open,
		    .streams = &ttrpc_streams),
	FUZZ_METHOD("C", TTRPC_CLIENT_STREAM, .open = on_open, .streams = &ttrpc_streams),
	FUZZ_METHOD("S", TTRPC_SERVER_STREAM, .open = on_open, .streams = &ttrpc_streams),
	FUZZ_METHOD("N", 0, .dispatch = NULL),
};

static const struct ttrpc_service service = {"s", sizeof(methods) / sizeof(methods[0]), methods};

/* ---- interceptors: the outer one only counts, the inner one does as metadata says ---- */

static int begun, seen;

static int on_begin(const struct ttrpc_interceptor *interceptor, void *state,
		    struct ttrpc_intercepted *call)
{
	*(const void **)state = interceptor;
	if (interceptor->userdata && ttrpc_metadata_get(call->metadata, "refuse"))
		return -EACCES;
	begun++;
	if (interceptor->userdata && ttrpc_metadata_get(call->metadata, "x"))
		return ttrpc_fail(call->call, TTRPC_UNAUTHENTICATED, "by an interceptor");
	if (interceptor->userdata && ttrpc_metadata_get(call->metadata, "key"))
		call->timeout = 1u << 20;
	return ttrpc_metadata_append(call->metadata, "seen", (const char *[]){"value"}, 1);
}

static void on_seen(const struct ttrpc_interceptor *interceptor, void *state,
		    const struct ttrpc_intercepted *call, const ProtobufCMessage *message)
{
	CHECK(*(const void **)state == interceptor && call->method);
	seen += any_byte(message, 0);
}

static void on_end(const struct ttrpc_interceptor *interceptor, void *state,
		   const struct ttrpc_intercepted *call, const struct ttrpc_status *status)
{
	CHECK(*(const void **)state == interceptor && call->method && status);
	begun--;
}

static const struct ttrpc_interceptor interceptors[] = {
	{sizeof(void *), NULL, on_begin, on_seen, on_seen, on_end},
	{sizeof(void *), &seen, on_begin, on_seen, on_seen, on_end},
};

#endif
