/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two peers send frames to a server, which has unary methods and streams of all kinds; handlers do
 * what messages tell them, down to freeing the server. See ttrpc_fuzz.h for the form of the input.
 *
 * Whatever happens: the server ends its calls and streams, each once, and owes nobody anything.
 */
#include "test/fuzz/ttrpc_server_handlers.h"
#include "ttrpc/envelope.h"

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
