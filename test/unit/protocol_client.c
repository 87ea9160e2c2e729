/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exchanges of ttrpc/PROTOCOL.md, with libttrpc as the client: it does what `do` says, must write
 * the C frames, byte by byte those of the document, gets the S frames whole, in pieces and under
 * faults, and must make of them what `got` says.
 *
 * What it makes of them is noted as text in the document's own words, one line for each.
 */
#include "test/unit/client_fixture.h"
#include "test/unit/protocol_talk.h"
#include "ttrpc/stream_state.h"

#define BIDI (TTRPC_CLIENT_STREAM | TTRPC_SERVER_STREAM)
#define CALLS_MAX 8
#define EVENTS_MAX 16

static const struct ttrpc_method methods[] = {
	NOTE_METHOD("M", 0, NULL, NULL),
	NOTE_METHOD("nope", 0, NULL, NULL),
	NOTE_METHOD("CS", TTRPC_CLIENT_STREAM, NULL, NULL),
	NOTE_METHOD("SS", TTRPC_SERVER_STREAM, NULL, NULL),
	NOTE_METHOD("B", BIDI, NULL, NULL),
};

static const struct ttrpc_service services[] = {
	{.name = "svc.S", .n_methods = 5, .methods = methods},
	{.name = "x", .n_methods = 5, .methods = methods},
};

/* ---- one exchange ---- */

struct talk_run;

struct talk_call {
	struct talk_run *run;
	uint32_t id; /* 0: was never sent */
	struct ttrpc_cancel cancel;
	struct ttrpc_stream *stream;
};

struct talk_run {
	struct ttrpc_loop loop;
	struct ttrpc_client *client;
	const char *title;
	int fd; /* the server's end; -1: hung up */
	size_t step;
	struct talk_call calls[CALLS_MAX];
	unsigned n_calls;
	char events[EVENTS_MAX][96];
	unsigned n_events, n_seen;
};

static void note_event(const struct talk_call *call, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void note_event(const struct talk_call *call, const char *format, ...)
{
	struct talk_run *run = call->run;
	va_list arguments;
	char *event;
	int size;

	ASSERT(run->n_events < EVENTS_MAX);
	event = run->events[run->n_events++];
	size = snprintf(event, sizeof(run->events[0]), "%u ", call->id);
	va_start(arguments, format);
	vsnprintf(event + size, sizeof(run->events[0]) - (size_t)size, format, arguments);
	va_end(arguments);
}

static void note_message(const struct talk_call *call, const char *what,
			 const ProtobufCMessage *message)
{
	uint8_t bytes[16];
	char text[64] = " -";
	size_t size = protobuf_c_message_get_packed_size(message);

	ASSERT(size <= sizeof(bytes));
	protobuf_c_message_pack(message, bytes);
	for (size_t i = 0; i < size; i++)
		snprintf(text + 3 * i, sizeof(text) - 3 * i, " %02x", bytes[i]);
	note_event(call, "%s%s", what, text);
}

static void note_status(const struct talk_call *call, const struct ttrpc_status *status)
{
	if (status->error != 0)
		note_event(call, "local %d", (int)status->code);
	else if (status->code == TTRPC_OK)
		note_event(call, "end");
	else
		note_event(call, "failed %d%s%.64s", (int)status->code, status->text[0] ? " " : "",
			   status->text);
}

static void on_answer(void *userdata, const struct ttrpc_status *status,
		      const ProtobufCMessage *response)
{
	if (response)
		note_message(userdata, "ok", response);
	else
		note_status(userdata, status);
}

static int on_message(struct ttrpc_stream *stream, const ProtobufCMessage *message)
{
	note_message(ttrpc_stream_userdata(stream), "message", message);
	return 0;
}

static void on_ended(struct ttrpc_stream *stream, const struct ttrpc_status *status)
{
	struct talk_call *call = ttrpc_stream_userdata(stream);

	note_status(call, status);
	call->stream = NULL;
}

static const struct ttrpc_stream_events stream_events = {
	.message = on_message,
	.ended = on_ended,
};

/* ---- what the client does ---- */

static const struct ttrpc_service *find_service(const char *name)
{
	for (size_t i = 0; i < 2; i++)
		if (strcmp(services[i].name, name) == 0)
			return &services[i];
	test_fail(__FILE__, __LINE__, "no service %s", name);
}

static const struct ttrpc_method *find_method(const char *name)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (strcmp(methods[i].name, name) == 0)
			return &methods[i];
	test_fail(__FILE__, __LINE__, "no method %s", name);
}

static ProtobufCMessage *message_parse(const char **text)
{
	static uint8_t bytes[BYTES_MAX];
	size_t size = hex_parse(text, bytes, sizeof(bytes));
	ProtobufCMessage *message =
		protobuf_c_message_unpack(&svc__note__descriptor, NULL, size, bytes);

	ASSERT(message);
	return message;
}

/* timeout=N and KEY=VALUE; the words stay in text. */
static void options_parse(char *text, struct ttrpc_options *options, struct ttrpc_pair *pairs)
{
	char *word, *rest = NULL;

	for (word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		char *value = strchr(word, '=');

		ASSERT(value);
		*value++ = '\0';
		if (strcmp(word, "timeout") == 0)
			options->timeout = strtoull(value, NULL, 10);
		else
			pairs[options->n_metadata++] = (struct ttrpc_pair){word, value};
	}
}

/* SERVICE/METHOD [BYTES] [options] */
static void do_begin(struct talk_run *run, const char *text, bool streams)
{
	struct talk_call *call = &run->calls[run->n_calls++];
	struct ttrpc_options options = {.cancel = streams ? NULL : &call->cancel};
	char service[16], method[16], words[128];
	struct ttrpc_pair pairs[4];
	ProtobufCMessage *message;
	int error, skipped = 0;
	uint64_t next = run->client->next_id;

	ASSERT(run->n_calls <= CALLS_MAX);
	ASSERT_EQ(sscanf(text, "%15[^/]/%15s%n", service, method, &skipped), 2);
	text += skipped;
	message = message_parse(&text);
	snprintf(words, sizeof(words), "%s", text);
	options.metadata = pairs;
	options_parse(words, &options, pairs);
	call->run = run;
	if (streams) {
		const struct ttrpc_method *of = find_method(method);

		error = ttrpc_stream_open(run->client, find_service(service), of, &options,
					  of->flags & TTRPC_CLIENT_STREAM ? NULL : message,
					  &stream_events, NULL, call, &call->stream);
	} else {
		error = ttrpc_client_call(run->client, find_service(service), find_method(method),
					  &options, message, on_answer, call);
	}
	ASSERT_EQ(error, 0);
	if (run->client->next_id > next)
		call->id = (uint32_t)next;
	protobuf_c_message_free_unpacked(message, NULL);
}

static struct talk_call *call_find(struct talk_run *run, const char **text)
{
	char *end;
	unsigned long id = strtoul(*text, &end, 10);

	*text = end;
	for (unsigned i = 0; i < run->n_calls; i++)
		if (run->calls[i].id == id)
			return &run->calls[i];
	test_fail(__FILE__, __LINE__, "%s: no call %lu", run->title, id);
}

static void do_send(struct talk_run *run, const char *text)
{
	struct talk_call *call = call_find(run, &text);
	ProtobufCMessage *message = message_parse(&text);

	ASSERT_EQ(ttrpc_stream_send(call->stream, message), 0);
	protobuf_c_message_free_unpacked(message, NULL);
}

static void do_cancel(struct talk_run *run, const char *text)
{
	struct talk_call *call = call_find(run, &text);

	if (call->stream)
		ttrpc_stream_cancel(call->stream);
	else
		ttrpc_client_cancel(&call->cancel);
}

static void do_wait(struct talk_run *run)
{
	for (int turn = 0; run->n_events == run->n_seen; turn++) {
		ASSERT(turn < TURNS_MAX);
		ASSERT_EQ(ttrpc_loop_dispatch(&run->loop, TURN_TIME), 0);
	}
}

/* The first word of text is verb; what follows it. */
static const char *follows(const char *text, const char *verb)
{
	size_t size = strlen(verb);

	if (strncmp(text, verb, size) != 0 || (text[size] && text[size] != ' '))
		return NULL;
	return text + size + strspn(text + size, " ");
}

static void run_do(struct talk_run *run, const char *text)
{
	const char *rest;

	if ((rest = follows(text, "call")) || (rest = follows(text, "open"))) {
		do_begin(run, rest, text[0] == 'o');
	} else if ((rest = follows(text, "send"))) {
		do_send(run, rest);
	} else if ((rest = follows(text, "close"))) {
		ASSERT_EQ(ttrpc_stream_close_send(call_find(run, &rest)->stream), 0);
	} else if ((rest = follows(text, "cancel"))) {
		do_cancel(run, rest);
	} else if (follows(text, "wait")) {
		do_wait(run);
	} else {
		ASSERT(follows(text, "hangup"));
		close(run->fd);
		run->fd = -1;
	}
}

/* The text of a status may be left out in the document. */
static void run_got(struct talk_run *run, const char *text)
{
	const char *event;

	settle_all(&run->loop);
	if (run->n_seen == run->n_events)
		test_fail(__FILE__, __LINE__, "%s: nothing came instead of %s", run->title, text);
	event = run->events[run->n_seen++];
	if (!follows(event, text))
		test_fail(__FILE__, __LINE__, "%s: %s instead of %s", run->title, event, text);
}

static void run_line(struct talk_run *run, const struct line *line)
{
	static uint8_t bytes[BYTES_MAX];

	if (strcmp(line->key, "do") == 0)
		run_do(run, line->text);
	else if (strcmp(line->key, "got") == 0)
		run_got(run, line->text);
	else if (strcmp(line->key, "C") == 0)
		await_these(&run->loop, run->fd, bytes, line_bytes(line, bytes), run->title);
	else if (strcmp(line->key, "S") == 0)
		feed(&run->loop, run->fd, bytes, line_bytes(line, bytes), run->step);
	else
		test_fail(__FILE__, __LINE__, "%s: %s for a client", run->title, line->key);
}

static void run_end(struct talk_run *run)
{
	settle_all(&run->loop);
	if (run->n_seen != run->n_events)
		test_fail(__FILE__, __LINE__, "%s: %s, too", run->title, run->events[run->n_seen]);
	if (run->fd < 0) {
		ASSERT(run->client->conn.error < 0);
		return;
	}
	expect_no_more(&run->loop, run->fd, run->title);
	/* The connection goes on. */
	do_begin(run, "svc.S/M -", false);
	{
		const struct talk_call *call = &run->calls[run->n_calls - 1];
		uint8_t bytes[64];
		char expected[32];
		size_t size = frame_build(bytes, call->id, FRAME_RESPONSE, 0, NULL, 0);

		feed(&run->loop, run->fd, bytes, size, run->step);
		snprintf(expected, sizeof(expected), "%u ok -", call->id);
		run_got(run, expected);
	}
	close(run->fd);
}

static void run_exchange(struct block *block, const struct way *way, unsigned seed)
{
	struct talk_run run = {.title = block->title, .step = way->step};
	struct line line;
	int fds[2];

	ASSERT_EQ(ttrpc_loop_init(&run.loop), 0);
	ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	ASSERT_EQ(ttrpc_client_new(&run.loop, fds[0], &run.client), 0);
	run.fd = fds[1];
	way_begin(way, seed, strstr(block->title, "limit"));
	while (block_line(block, &line))
		run_line(&run, &line);
	run_end(&run);
	faults_end();
	ttrpc_client_free(run.client);
	ttrpc_loop_deinit(&run.loop);
}

static void run_exchanges(const struct way *way)
{
	struct document document;
	struct block block;
	unsigned n = 0;

	document_open(&document);
	while (document_block(&document, "exchange", &block))
		if (strcmp(block.kind, "server") != 0)
			run_exchange(&block, way, n++);
	ASSERT(n >= 40);
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
	for (size_t i = 3; i < sizeof(ways) / sizeof(ways[0]); i++)
		run_exchanges(&ways[i]);
	ASSERT(faults.n > 0);
}
