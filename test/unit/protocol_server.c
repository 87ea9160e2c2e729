/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exchanges of ttrpc/PROTOCOL.md, with libttrpc as the server: the C frames are sent, whole, in
 * pieces and under faults, and the S frames must come, byte by byte those of the document.
 */
#include "test/unit/protocol_talk.h"
#include "test/unit/stream_fixture.h"

#define PROBE_ID 0x7ffffff1u

/* ---- the service that the document describes ---- */

static size_t n_waiting;

static void on_cancelled(struct ttrpc_call *call, void *userdata)
{
	(void)call;
	(void)userdata;
	n_waiting--;
}

static bool text_is(const Svc__Note *note, const char *text)
{
	return strcmp(note->text, text) == 0;
}

static int reply_large(struct ttrpc_call *call)
{
	static char text[TTRPC_MESSAGE_MAX + 1];
	Svc__Note answer = SVC__NOTE__INIT;

	memset(text, 'l', TTRPC_MESSAGE_MAX);
	answer.text = text;
	return ttrpc_reply(call, &answer.base);
}

static int on_m(const void *handlers, struct ttrpc_call *call, const ProtobufCMessage *request)
{
	const Svc__Note *note = note_of(request);
	const char *value;
	Svc__Note answer = SVC__NOTE__INIT;

	(void)handlers;
	if (text_is(note, "fail"))
		return ttrpc_fail(call, (enum ttrpc_code)note->number, "plain");
	if (text_is(note, "large"))
		return reply_large(call);
	if (text_is(note, "wait")) {
		n_waiting++;
		ttrpc_call_take(call, on_cancelled, NULL);
		return 0;
	}
	value = ttrpc_call_metadata(call, note->text);
	if (text_is(note, "key") || text_is(note, "KEY"))
		answer.text = (char *)(uintptr_t)(value ? value : "(none)");
	else
		answer.number = note->number + (int64_t)strlen(note->text);
	return ttrpc_reply(call, &answer.base);
}

static int send_number(struct ttrpc_stream *stream, int64_t number)
{
	Svc__Note note = SVC__NOTE__INIT;

	note.number = number;
	return ttrpc_stream_send(stream, &note.base);
}

static int on_ss(const void *handlers, struct ttrpc_stream *stream, const ProtobufCMessage *request)
{
	const Svc__Note *note = note_of(request);

	(void)handlers;
	for (int64_t i = 1; i <= note->number; i++)
		ASSERT_EQ(send_number(stream, i), 0);
	return text_is(note, "fail") ? ttrpc_stream_fail(stream, TTRPC_ABORTED, "plain")
				     : ttrpc_stream_close(stream);
}

/* One stream at a time has a sum, or is held. */
static int64_t sum;
static bool hold;

static int cs_message(struct ttrpc_stream *stream, const ProtobufCMessage *message)
{
	(void)stream;
	sum += note_of(message)->number;
	return 0;
}

static void cs_half_closed(struct ttrpc_stream *stream)
{
	Svc__Note answer = SVC__NOTE__INIT;

	answer.number = sum;
	ttrpc_stream_reply(stream, &answer.base);
}

static int on_cs(const void *handlers, struct ttrpc_stream *stream, const ProtobufCMessage *request)
{
	static const struct ttrpc_stream_events events = {
		.message = cs_message,
		.half_closed = cs_half_closed,
	};

	(void)handlers;
	ASSERT(!request);
	sum = 0;
	ttrpc_stream_accept(stream, &events, NULL, NULL);
	return 0;
}

static int b_message(struct ttrpc_stream *stream, const ProtobufCMessage *message)
{
	const Svc__Note *note = note_of(message);

	if (text_is(note, "fail"))
		return ttrpc_stream_fail(stream, (enum ttrpc_code)note->number, "plain");
	if (text_is(note, "end"))
		return ttrpc_stream_close(stream);
	if (text_is(note, "hold")) {
		hold = true;
		return 0;
	}
	return ttrpc_stream_send(stream, message);
}

static void b_half_closed(struct ttrpc_stream *stream)
{
	if (!hold)
		ttrpc_stream_close(stream);
}

static int on_b(const void *handlers, struct ttrpc_stream *stream, const ProtobufCMessage *request)
{
	static const struct ttrpc_stream_events events = {
		.message = b_message,
		.half_closed = b_half_closed,
	};

	(void)handlers;
	ASSERT(!request);
	hold = false;
	ttrpc_stream_accept(stream, &events, NULL, NULL);
	return 0;
}

static const struct ttrpc_method methods[] = {
	NOTE_METHOD("M", 0, on_m, NULL),
	NOTE_METHOD("CS", TTRPC_CLIENT_STREAM, NULL, on_cs),
	NOTE_METHOD("SS", TTRPC_SERVER_STREAM, NULL, on_ss),
	NOTE_METHOD("B", BIDI, NULL, on_b),
};

static const struct ttrpc_service service = {
	.name = "svc.S",
	.n_methods = sizeof(methods) / sizeof(methods[0]),
	.methods = methods,
};

/* ---- one exchange ---- */

struct talk_run {
	struct fixture fixture;
	const char *title;
	int fd; /* -1: hung up */
	size_t step;
};

/* S~: all of the frame but its text. */
static void expect_code(struct talk_run *run, const uint8_t *expected, size_t size)
{
	static uint8_t bytes[65536];
	struct envelope_response wanted, response;
	uint32_t length;

	await(&run->fixture.loop, run->fd, bytes, FRAME_HEADER_SIZE, run->title);
	length = (uint32_t)bytes[2] << 8 | bytes[3];
	if (bytes[0] || bytes[1] || memcmp(bytes + 4, expected + 4, 6) != 0)
		test_fail(__FILE__, __LINE__, "%s: another header", run->title);
	await(&run->fixture.loop, run->fd, bytes, length, run->title);
	ASSERT_EQ(envelope_response_parse((struct slice){bytes, length}, &response), 0);
	expected += FRAME_HEADER_SIZE;
	size -= FRAME_HEADER_SIZE;
	ASSERT_EQ(envelope_response_parse((struct slice){expected, size}, &wanted), 0);
	if (response.code != wanted.code || response.has_payload || response.text.size == 0)
		test_fail(__FILE__, __LINE__, "%s: code %d: %.*s", run->title, response.code,
			  (int)response.text.size, (const char *)response.text.data);
}

static void run_line(struct talk_run *run, const struct line *line)
{
	static uint8_t bytes[BYTES_MAX];
	struct ttrpc_loop *loop = &run->fixture.loop;

	if (strcmp(line->key, "C") == 0) {
		feed(loop, run->fd, bytes, line_bytes(line, bytes), run->step);
	} else if (strcmp(line->key, "S") == 0) {
		await_these(loop, run->fd, bytes, line_bytes(line, bytes), run->title);
	} else if (strcmp(line->key, "S~") == 0) {
		expect_code(run, bytes, line_bytes(line, bytes));
	} else if (strcmp(line->key, "do") == 0 && strcmp(line->text, "hangup") == 0) {
		close(run->fd);
		run->fd = -1;
	} else {
		/* What a client does or gets is the other program's. */
		ASSERT(strcmp(line->key, "do") == 0 || strcmp(line->key, "got") == 0);
	}
}

/* The connection goes on, and nothing came that the document doesn't know. */
static void probe(struct talk_run *run)
{
	static const uint8_t data[] = "\x0a\x05svc.S\x12\x01M\x1a\x02\x08\x07";
	uint8_t bytes[64];
	const uint8_t answer[] = {0, 0, 0, 4, 0x7f, 0xff, 0xff, 0xf1, 2, 0, 0x12, 2, 8, 7};
	size_t size = frame_build(bytes, PROBE_ID, FRAME_REQUEST, 0, data, sizeof(data) - 1);

	expect_no_more(&run->fixture.loop, run->fd, run->title);
	feed(&run->fixture.loop, run->fd, bytes, size, run->step);
	await_these(&run->fixture.loop, run->fd, answer, sizeof(answer), run->title);
	expect_no_more(&run->fixture.loop, run->fd, run->title);
	close(run->fd);
}

static void run_exchange(struct block *block, const struct way *way, unsigned seed)
{
	struct talk_run run = {.title = block->title, .step = way->step};
	struct line line;

	n_waiting = 0;
	fixture_init(&run.fixture);
	ASSERT_EQ(ttrpc_server_register(run.fixture.server, &service, NULL, NULL), 0);
	run.fd = raw_connect(&run.fixture);
	way_begin(way, seed, strstr(block->title, "limit") || strstr(block->title, "largest"));
	while (block_line(block, &line))
		run_line(&run, &line);
	if (run.fd >= 0)
		probe(&run);
	settle_all(&run.fixture.loop);
	if (ttrpc_server_connections(run.fixture.server) != 0 || n_waiting != 0)
		test_fail(__FILE__, __LINE__, "%s: something is left", run.title);
	faults_end();
	fixture_deinit(&run.fixture);
}

static void run_exchanges(const struct way *way)
{
	struct document document;
	struct block block;
	unsigned n = 0;

	document_open(&document);
	while (document_block(&document, "exchange", &block))
		if (strcmp(block.kind, "client") != 0)
			run_exchange(&block, way, n++);
	ASSERT(n >= 50);
}

TEST(exchanges_whole)
{
	run_exchanges(&ways[0]);
}

TEST(exchanges_byte_by_byte)
{
	run_exchanges(&ways[1]);
	run_exchanges(&ways[2]);
}

TEST(exchanges_under_faults)
{
	SKIP_UNDER_VALGRIND("millions of system calls");
	for (size_t i = 3; i < sizeof(ways) / sizeof(ways[0]); i++)
		run_exchanges(&ways[i]);
	ASSERT(faults.n > 0);
}
