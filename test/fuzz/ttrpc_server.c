/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two peers send frames to a server, which has unary methods and streams of all kinds; handlers do
 * what messages tell them, down to freeing the server. See ttrpc_fuzz.h for the form of the input.
 *
 * Whatever happens: the server ends its calls and streams, each once, and owes nobody anything.
 */
#include "test/fuzz/ttrpc_fuzz.h"
#include "ttrpc/envelope.h"
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

/* ---- the steps ---- */

static void turn(void)
{
	CHECK(ttrpc_loop_dispatch(&fuzz.loop, 0) == 0);
}

/* From a nanosecond to some hours, or too late already. */
static int64_t request_timeout(uint8_t step)
{
	return step < 200 ? (int64_t)fuzz_time(step) : 0 - (int64_t)step;
}

/* A request with a message inside, or as a payload bytes that may be none, so that handlers are reached. */
static void send_request(struct input *input, unsigned which, bool raw)
{
	static const struct ttrpc_pair pairs[] = {
		{"key", "one"}, {"Key", "two"}, {"refuse", ""}, {"x", "y"}, {"z", ""}};
	uint8_t how = input_byte(input), envelope[600], *payload;
	const uint8_t *value;
	size_t size = input_take(input, input_byte(input), &value);
	const Google__Protobuf__Any any = fuzz_any(value, size);
	const struct envelope_call call = {
		.service = "s",
		.method = methods[how % 5].name,
		.metadata = &pairs[how / 5 % 3],
		.n_metadata = how / 15 % 4,
		.timeout = how & 128 ? request_timeout(input_byte(input)) : 0,
		.payload_size = raw ? size : protobuf_c_message_get_packed_size(&any.base),
	};

	envelope_request_write(envelope, &call, &payload);
	if (!raw)
		protobuf_c_message_pack(&any.base, payload);
	else if (size > 0)
		memcpy(payload, value, size);
	peer_send_frame(&fuzz.peers[which], fuzz.next_id[which], FRAME_REQUEST, how & 64 ? 3 : 0,
			envelope, envelope_request_size(&call));
	fuzz.next_id[which] += 2;
}

/* Data with a message inside. */
static void send_message(struct input *input, struct peer *peer)
{
	uint8_t id = input_byte(input), flags = input_byte(input), packed[300];
	const uint8_t *value;
	size_t size = input_take(input, input_byte(input), &value);
	const Google__Protobuf__Any any = fuzz_any(value, size);

	size = protobuf_c_message_pack(&any.base, packed);
	peer_send_frame(peer, id, FRAME_DATA, flags & 7, packed, size);
}

static void send_any_frame(struct input *input, struct peer *peer, size_t unit)
{
	uint8_t id = input_byte(input), type = input_byte(input), flags = input_byte(input);
	uint8_t filled[4096] = {0};
	size_t size = unit * input_byte(input), given;
	const uint8_t *bytes;

	given = input_take(input, size, &bytes);
	memcpy(filled, bytes, given);
	peer_send_frame(peer, id, type, flags, filled, size);
}

static void act(uint8_t which, uint8_t how)
{
	struct ttrpc_call **call = &fuzz.calls[which % HELD_MAX];
	struct ttrpc_stream *stream = fuzz.streams[which % HELD_MAX];

	if (which & 128 && stream) {
		stream_act(stream, how);
	} else if (*call) {
		struct ttrpc_call *answered = *call;

		*call = NULL;
		call_answer(answered, how);
	}
}

static void step(struct input *input)
{
	uint8_t what = input_byte(input);
	struct peer *peer = &fuzz.peers[what & 1];
	const uint8_t *bytes;
	size_t size;

	switch (what >> 1 & 15) {
	case 0:
	case 1:
		send_request(input, what & 1, what & 2);
		break;
	case 2:
	case 3:
		send_message(input, peer);
		break;
	case 4:
		send_any_frame(input, peer, 1);
		break;
	case 5:
		send_any_frame(input, peer, 16);
		break;
	case 6:
		size = input_take(input, input_byte(input), &bytes);
		peer_send(peer, bytes, size);
		break;
	case 7:
		size = input_byte(input);
		peer_receive(peer, 16 * size);
		peer_check_answers(peer);
		break;
	case 8:
		fuzz_now += fuzz_time(input_byte(input));
		break;
	case 9:
		size = input_byte(input);
		act((uint8_t)size, input_byte(input));
		break;
	case 10:
		if (input_byte(input) == 1)
			peer_close(peer);
		break;
	default:
		turn();
	}
	if (what & 128)
		turn();
}

/* ---- the run ---- */

static void on_last_close(void *userdata)
{
	(void)userdata;
	CHECK(ttrpc_server_connections(fuzz.server) == 0);
}

static void begin(uint8_t options)
{
	struct ttrpc_limits limits = fuzz_limits();

	memset(&fuzz, 0, sizeof(fuzz));
	fuzz_now = 1;
	CHECK(ttrpc_loop_init(&fuzz.loop) == 0);
	CHECK(ttrpc_server_new(&fuzz.loop, TTRPC_POLICY_NONE, &fuzz.server) == 0);
	CHECK(ttrpc_server_register(fuzz.server, &service, NULL, NULL) == 0);
	ttrpc_server_count(fuzz.server, &fuzz.statistics);
	/* What is kept for reuse hides what is used too late: as if enough were kept already. */
	if (!(options & 16))
		fuzz.server->n_spare_calls = SERVER_SPARE_CALLS_MAX;
	if (options & 1)
		CHECK(ttrpc_server_set_limits(fuzz.server, &limits) == 0);
	for (int i = 0; i < 2 && options & 2; i++)
		CHECK(ttrpc_server_intercept(fuzz.server, &interceptors[i]) == 0);
	ttrpc_server_on_last_close(fuzz.server, on_last_close, NULL);
	for (int i = 0; i < PEERS; i++) {
		fuzz.next_id[i] = 1;
		CHECK(ttrpc_server_adopt(fuzz.server, peer_init(&fuzz.peers[i])) == 0);
	}
}

/* All peers go, or the server does. */
static void end(uint8_t options)
{
	for (int i = 0; i < PEERS; i++) {
		while (peer_receive(&fuzz.peers[i], SIZE_MAX))
			turn();
		peer_check_answers(&fuzz.peers[i]);
		if (options & 4)
			peer_close(&fuzz.peers[i]);
	}
	for (int i = 0; i < TURNS_MAX && options & 4; i++)
		turn();
	if (fuzz.server && options & 4) {
		CHECK(ttrpc_server_connections(fuzz.server) == 0);
		CHECK(ttrpc_server_idle(fuzz.server));
		CHECK(fuzz.statistics.connections_now == 0);
	}
	server_gone();
	for (int i = 0; i < PEERS; i++)
		peer_close(&fuzz.peers[i]);
	for (int i = 0; i < HELD_MAX; i++)
		CHECK(!fuzz.calls[i] && !fuzz.streams[i]);
	CHECK(fuzz.n_streams == 0 && begun == 0);
	ttrpc_loop_deinit(&fuzz.loop);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	uint8_t options = input_byte(&input);

	begin(options);
	while (input.left > 0 && fuzz.server)
		step(&input);
	turn();
	end(options);
	return 0;
}
