/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server of bytes answers a client that has calls and streams of all kinds under way, whose
 * callbacks start more of them, cancel others or free the client. See ttrpc_fuzz.h for the form of
 * the input.
 *
 * Whatever comes: each call that was started is done once, and each stream ended once.
 */
#include "test/fuzz/ttrpc_fuzz.h"
#include "ttrpc/client.h"
#include "ttrpc/intercept.h"
#include "ttrpc/metadata.h"

#define HELD_MAX 64

enum then { NOTHING, CALL, CANCEL, FREE, CLOSE, THENS };

struct held {
	bool used;
	uint8_t then; /* what its callback does */
	struct ttrpc_cancel cancel;
	struct ttrpc_stream *stream; /* NULL: a call */
};

struct fuzz {
	struct ttrpc_loop loop;
	struct ttrpc_client *client; /* NULL: freed */
	struct ttrpc_statistics statistics;
	struct peer peer;
	struct held held[HELD_MAX];
	unsigned n_held, n_closed;
};

static struct fuzz fuzz;

static void start_call(uint8_t how, uint8_t time);

static struct held *hold(uint8_t then)
{
	for (int i = 0; i < HELD_MAX; i++) {
		if (fuzz.held[i].used)
			continue;
		fuzz.held[i] = (struct held){.used = true, .then = then};
		fuzz.n_held++;
		return &fuzz.held[i];
	}
	return NULL;
}

static void let_go(struct held *held)
{
	CHECK(held->used && fuzz.n_held > 0);
	held->used = false;
	fuzz.n_held--;
}

static void leave(struct held *held)
{
	if (held->stream)
		ttrpc_stream_cancel(held->stream);
	else
		ttrpc_client_cancel(&held->cancel);
}

/* Once: its callbacks find it gone. */
static void free_client(void)
{
	struct ttrpc_client *client = fuzz.client;

	fuzz.client = NULL;
	ttrpc_client_free(client);
}

static void do_then(uint8_t then)
{
	switch (then % THENS) {
	case CALL:
		start_call(then / THENS, 0);
		break;
	case CANCEL:
		leave(&fuzz.held[then / THENS % HELD_MAX]);
		break;
	case FREE:
		free_client();
		break;
	case CLOSE:
		if (fuzz.client)
			ttrpc_client_close(fuzz.client);
		break;
	}
}

/* ---- what the client tells ---- */

static void check_status(const struct ttrpc_status *status)
{
	const void *value;
	char type[8];
	size_t size, n = 0;

	CHECK(strnlen(status->text, sizeof(status->text)) < sizeof(status->text));
	while (ttrpc_status_detail(status, n, type, sizeof(type), &value, &size)) {
		n += size > 0 ? 1 + 0u * ((const uint8_t *)value)[size - 1] : 1;
	}
}

static void on_done(void *userdata, const struct ttrpc_status *status,
		    const ProtobufCMessage *response)
{
	struct held *held = userdata;

	CHECK(!response == (status->code != TTRPC_OK) && !held->cancel.call);
	check_status(status);
	let_go(held);
	do_then(held->then);
}

static int on_message(struct ttrpc_stream *stream, const ProtobufCMessage *message)
{
	const struct held *held = ttrpc_stream_userdata(stream);

	switch (any_byte(message, 0) % 8) {
	case 0:
		return ttrpc_stream_send(stream, message);
	case 1:
		return -EAGAIN;
	case 2:
		return -any_byte(message, 1);
	case 3:
		ttrpc_stream_pause(stream);
		return 0;
	case 4:
		ttrpc_stream_close_send(stream);
		return 0;
	case 5:
		ttrpc_stream_cancel(stream);
		return 0;
	default:
		do_then(held->then);
		return 0;
	}
}

static void on_writable(struct ttrpc_stream *stream)
{
	any_send(stream, 100);
}

static void on_ended(struct ttrpc_stream *stream, const struct ttrpc_status *status)
{
	struct held *held = ttrpc_stream_userdata(stream);

	check_status(status);
	CHECK(held->stream == stream);
	held->stream = NULL;
	let_go(held);
	do_then(held->then);
}

static void on_closed(void *userdata, int error)
{
	(void)userdata;
	CHECK(error < 0);
	fuzz.n_closed++;
}

static const struct ttrpc_stream_events events = {
	.message = on_message,
	.writable = on_writable,
	.ended = on_ended,
};

/* ---- an interceptor, which looks and counts ---- */

static int begun;

static int on_begin(const struct ttrpc_interceptor *interceptor, void *state,
		    struct ttrpc_intercepted *call)
{
	const char *values[] = {"value"};

	(void)interceptor;
	(void)state;
	if (call->timeout == 1)
		return -EACCES;
	if (call->timeout == 2)
		call->timeout = 0;
	begun++;
	return ttrpc_metadata_set(call->metadata, "key", values, 1);
}

static void on_seen(const struct ttrpc_interceptor *interceptor, void *state,
		    const struct ttrpc_intercepted *call, const ProtobufCMessage *message)
{
	(void)interceptor;
	(void)state;
	CHECK(call->method && message);
}

static void on_end(const struct ttrpc_interceptor *interceptor, void *state,
		   const struct ttrpc_intercepted *call, const struct ttrpc_status *status)
{
	(void)interceptor;
	(void)state;
	(void)call;
	(void)status;
	begun--;
}

static const struct ttrpc_interceptor interceptor = {
	.begin = on_begin, .message_in = on_seen, .message_out = on_seen, .end = on_end};

/* ---- what is called ---- */

#define FUZZ_METHOD(method_name, method_flags)                                                     \
	{                                                                                          \
		.name = method_name, .input = &google__protobuf__any__descriptor,                  \
		.output = &google__protobuf__any__descriptor, .flags = (method_flags)              \
	}

static const struct ttrpc_method methods[] = {
	FUZZ_METHOD("U", 0),
	FUZZ_METHOD("B", TTRPC_CLIENT_STREAM | TTRPC_SERVER_STREAM),
	FUZZ_METHOD("C", TTRPC_CLIENT_STREAM),
	FUZZ_METHOD("S", TTRPC_SERVER_STREAM),
};

static const struct ttrpc_service service = {"s", 4, methods};

static void start_call(uint8_t how, uint8_t time)
{
	static const struct ttrpc_pair pairs[] = {{"key", "one"}, {"Key", "two"}};
	static const uint8_t bytes[4096];
	const Google__Protobuf__Any any = fuzz_any(bytes, how & 16 ? 3000 : how & 15);
	struct held *held = fuzz.client ? hold(how / 2) : NULL;
	const struct ttrpc_method *method = &methods[how % 4];
	struct ttrpc_options options = {.timeout = time > 0 ? fuzz_time(time - 1) : 0,
					.metadata = pairs,
					.n_metadata = time % 3};
	int error;

	if (!held)
		return;
	if (method->flags) {
		error = ttrpc_stream_open(fuzz.client, &service, method, &options,
					  method->flags & TTRPC_CLIENT_STREAM ? NULL : &any.base,
					  &events, NULL, held, &held->stream);
	} else {
		options.cancel = &held->cancel;
		error = ttrpc_client_call(fuzz.client, &service, method, &options, &any.base,
					  on_done, held);
	}
	if (error < 0)
		let_go(held);
}

static void act(uint8_t which, uint8_t how)
{
	struct held *held = &fuzz.held[which % HELD_MAX];

	if (!held->used)
		return;
	if (!held->stream || how % 8 == 0)
		leave(held);
	else if (how % 8 == 1)
		ttrpc_stream_close_send(held->stream);
	else if (how % 8 == 2)
		ttrpc_stream_pause(held->stream);
	else if (how % 8 == 3)
		ttrpc_stream_resume(held->stream);
	else if (how % 8 == 4)
		while (any_send(held->stream, 100) == 0)
			;
	else
		any_send(held->stream, 10u * how);
}

/* ---- the steps ---- */

static void turn(void)
{
	CHECK(ttrpc_loop_dispatch(&fuzz.loop, 0) == 0);
}

/* A message, bare or in the envelope of an answer, or the bytes of an envelope as they are. */
static void send_frame(struct input *input, uint8_t type)
{
	uint8_t id = input_byte(input), flags = input_byte(input), data[600], *at = data;
	const uint8_t *value;
	size_t size = input_take(input, input_byte(input), &value);
	const Google__Protobuf__Any any = fuzz_any(value, size);

	if (type == FRAME_RESPONSE && flags & 128) {
		memcpy(data, value, size);
	} else {
		size = protobuf_c_message_get_packed_size(&any.base);
		if (type == FRAME_RESPONSE)
			at = envelope_reply_write(data, size);
		protobuf_c_message_pack(&any.base, at);
		size += (size_t)(at - data);
	}
	peer_send_frame(&fuzz.peer, id, type, flags & 7, data, size);
}

static void send_any_frame(struct input *input, size_t unit)
{
	uint8_t id = input_byte(input), type = input_byte(input), flags = input_byte(input);
	uint8_t filled[4096] = {0};
	size_t size = unit * input_byte(input), given;
	const uint8_t *bytes;

	given = input_take(input, size, &bytes);
	memcpy(filled, bytes, given);
	peer_send_frame(&fuzz.peer, id, type, flags, filled, size);
}

static void step(struct input *input)
{
	uint8_t what = input_byte(input), how;
	const uint8_t *bytes;
	size_t size;

	switch (what & 15) {
	case 0:
	case 1:
		how = input_byte(input);
		start_call(how, input_byte(input));
		break;
	case 2:
		send_frame(input, FRAME_RESPONSE);
		break;
	case 3:
		send_frame(input, FRAME_DATA);
		break;
	case 4:
		send_any_frame(input, 1);
		break;
	case 5:
		send_any_frame(input, 16);
		break;
	case 6:
		size = input_take(input, input_byte(input), &bytes);
		peer_send(&fuzz.peer, bytes, size);
		break;
	case 7:
		size = input_byte(input);
		peer_receive(&fuzz.peer, 16 * size);
		break;
	case 8:
		fuzz_now += fuzz_time(input_byte(input));
		break;
	case 9:
		how = input_byte(input);
		act(how, input_byte(input));
		break;
	case 10:
		if (input_byte(input) == 1)
			peer_close(&fuzz.peer);
		break;
	default:
		turn();
	}
	if (what & 128)
		turn();
}

/* ---- the run ---- */

static void begin(uint8_t options)
{
	struct ttrpc_limits limits = fuzz_limits();

	memset(&fuzz, 0, sizeof(fuzz));
	fuzz_now = 1;
	CHECK(ttrpc_loop_init(&fuzz.loop) == 0);
	CHECK(ttrpc_client_new(&fuzz.loop, peer_init(&fuzz.peer), &fuzz.client) == 0);
	ttrpc_client_on_close(fuzz.client, on_closed, NULL);
	ttrpc_client_count(fuzz.client, &fuzz.statistics);
	/* What is kept for reuse hides what is used too late: as if enough were kept already. */
	if (!(options & 16))
		fuzz.client->n_spare_calls = CLIENT_SPARE_CALLS_MAX;
	if (options & 1)
		CHECK(ttrpc_client_set_limits(fuzz.client, &limits) == 0);
	if (options & 2)
		CHECK(ttrpc_client_intercept(fuzz.client, &interceptor) == 0);
	if (options & 8)
		fuzz.client->next_id = UINT32_MAX - 4;
}

static void end(uint8_t options)
{
	if (options & 4) {
		peer_close(&fuzz.peer);
		for (int i = 0; i < TURNS_MAX; i++)
			turn();
		CHECK(!fuzz.client || fuzz.n_closed == 1);
	}
	free_client();
	CHECK(fuzz.n_held == 0 && begun == 0 && fuzz.n_closed <= 1);
	peer_close(&fuzz.peer);
	ttrpc_loop_deinit(&fuzz.loop);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	uint8_t options = input_byte(&input);

	begin(options);
	while (input.left > 0 && fuzz.client)
		step(&input);
	turn();
	end(options);
	return 0;
}
