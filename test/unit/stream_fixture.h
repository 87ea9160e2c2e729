/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_UNIT_STREAM_FIXTURE_H
#define TEST_UNIT_STREAM_FIXTURE_H
/*
 * For the tests of streams: a service of all three kinds beside the one of fixture.h. Its messages
 * are google.protobuf.Any; "n" is the number in value.
 *
 *     Talk    bidi: echoes each message; ends when the client has closed
 *     Hold    bidi: paused from the start; held[] has its streams
 *     Sum     client stream: answers with the number of messages in value
 *     Count   server stream: n messages whose value is their number, then the end
 *     Break   server stream: n messages, then ABORTED "broken"
 *     Mute    bidi, whose handler returns 0 and does nothing
 *     Refuse  bidi, whose handler returns -ENOENT
 *     Quit    bidi: ends with the first message
 *     None    bidi without a handler
 */
#include "test/unit/client_fixture.h"
#include "ttrpc/stream_state.h"

#define HELD_MAX 128

struct talk {
	struct ttrpc_stream *held[HELD_MAX];
	size_t n_held;
	size_t n_messages, n_half, n_ended, n_writable;
	struct ttrpc_status last;
	long left, next; /* of Count */
	enum ttrpc_code fails;
	size_t size; /* of Count's messages */
};

static struct talk talk;

static inline int number_send(struct ttrpc_stream *stream, long number, size_t size)
{
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	char *text = calloc(1, size + 32);
	int result;

	ASSERT(text);
	any.value.len = (size_t)snprintf(text, 32, "%ld", number);
	if (any.value.len < size)
		any.value.len = size;
	any.value.data = (uint8_t *)text;
	result = ttrpc_stream_send(stream, &any.base);
	free(text);
	return result;
}

static inline void talk_ended(struct ttrpc_stream *stream, const struct ttrpc_status *status)
{
	(void)stream;
	talk.n_ended++;
	talk.last = *status;
}

static inline int talk_message(struct ttrpc_stream *stream, const ProtobufCMessage *message)
{
	int error = ttrpc_stream_send(stream, message);

	if (error == 0)
		talk.n_messages++;
	return error;
}

static inline void talk_half_closed(struct ttrpc_stream *stream)
{
	talk.n_half++;
	ttrpc_stream_close(stream);
}

static inline void talk_writable(struct ttrpc_stream *stream)
{
	(void)stream;
	talk.n_writable++;
}

static const struct ttrpc_stream_events talk_events = {
	.message = talk_message,
	.half_closed = talk_half_closed,
	.writable = talk_writable,
	.ended = talk_ended,
};

static inline int on_talk(const void *handlers, struct ttrpc_stream *stream,
			  const ProtobufCMessage *request)
{
	(void)handlers;
	ASSERT(!request);
	ttrpc_stream_accept(stream, &talk_events, NULL, &talk);
	return 0;
}

static inline int on_hold(const void *handlers, struct ttrpc_stream *stream,
			  const ProtobufCMessage *request)
{
	on_talk(handlers, stream, request);
	ttrpc_stream_pause(stream);
	ASSERT(talk.n_held < HELD_MAX);
	talk.held[talk.n_held++] = stream;
	return 0;
}

static inline int sum_message(struct ttrpc_stream *stream, const ProtobufCMessage *message)
{
	(void)stream;
	(void)message;
	talk.n_messages++;
	return 0;
}

static inline void sum_half_closed(struct ttrpc_stream *stream)
{
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	char text[32];

	talk.n_half++;
	any.value.len = (size_t)snprintf(text, sizeof(text), "%zu", talk.n_messages);
	any.value.data = (uint8_t *)text;
	ttrpc_stream_reply(stream, &any.base);
}

static const struct ttrpc_stream_events sum_events = {
	.message = sum_message,
	.half_closed = sum_half_closed,
	.ended = talk_ended,
};

static inline int on_sum(const void *handlers, struct ttrpc_stream *stream,
			 const ProtobufCMessage *request)
{
	(void)handlers;
	ASSERT(!request);
	ttrpc_stream_accept(stream, &sum_events, NULL, &talk);
	return 0;
}

static inline void count_go_on(struct ttrpc_stream *stream)
{
	for (; talk.left > 0; talk.left--, talk.next++) {
		int error = number_send(stream, talk.next, talk.size);

		if (error == -EAGAIN)
			return;
		ASSERT_EQ(error, 0);
	}
	if (talk.fails)
		ttrpc_stream_fail(stream, talk.fails, "broken");
	else
		ttrpc_stream_close(stream);
}

static const struct ttrpc_stream_events count_events = {
	.writable = count_go_on,
	.ended = talk_ended,
};

static inline int on_count(const void *handlers, struct ttrpc_stream *stream,
			   const ProtobufCMessage *request)
{
	(void)handlers;
	ASSERT(request);
	talk.left = any_number(request);
	talk.next = 0;
	ttrpc_stream_accept(stream, &count_events, NULL, &talk);
	count_go_on(stream);
	return 0;
}

static inline int on_break(const void *handlers, struct ttrpc_stream *stream,
			   const ProtobufCMessage *request)
{
	talk.fails = TTRPC_ABORTED;
	return on_count(handlers, stream, request);
}

static inline int on_mute(const void *handlers, struct ttrpc_stream *stream,
			  const ProtobufCMessage *request)
{
	(void)handlers;
	(void)stream;
	(void)request;
	return 0;
}

static inline int on_refuse(const void *handlers, struct ttrpc_stream *stream,
			    const ProtobufCMessage *request)
{
	(void)handlers;
	(void)stream;
	(void)request;
	return -ENOENT;
}

static inline int quit_message(struct ttrpc_stream *stream, const ProtobufCMessage *message)
{
	(void)message;
	return ttrpc_stream_close(stream);
}

static const struct ttrpc_stream_events quit_events = {
	.message = quit_message,
	.ended = talk_ended,
};

static inline int on_quit(const void *handlers, struct ttrpc_stream *stream,
			  const ProtobufCMessage *request)
{
	(void)handlers;
	(void)request;
	ttrpc_stream_accept(stream, &quit_events, NULL, &talk);
	return 0;
}

static inline int on_none(const void *handlers, struct ttrpc_stream *stream,
			  const ProtobufCMessage *request)
{
	(void)handlers;
	(void)stream;
	(void)request;
	return -ENOSYS;
}

#define STREAM_METHOD(method_name, method_flags, method_open)                                      \
	{                                                                                          \
		.name = method_name, .input = &google__protobuf__any__descriptor,                  \
		.output = &google__protobuf__any__descriptor, .flags = (method_flags),             \
		.open = (method_open), .streams = &ttrpc_streams                                   \
	}
#define BIDI (TTRPC_CLIENT_STREAM | TTRPC_SERVER_STREAM)

static const struct ttrpc_method stream_methods[] = {
	STREAM_METHOD("Talk", BIDI, on_talk),
	STREAM_METHOD("Hold", BIDI, on_hold),
	STREAM_METHOD("Sum", TTRPC_CLIENT_STREAM, on_sum),
	STREAM_METHOD("Count", TTRPC_SERVER_STREAM, on_count),
	STREAM_METHOD("Break", TTRPC_SERVER_STREAM, on_break),
	STREAM_METHOD("Mute", BIDI, on_mute),
	STREAM_METHOD("Refuse", BIDI, on_refuse),
	STREAM_METHOD("Quit", BIDI, on_quit),
	STREAM_METHOD("None", BIDI, on_none),
};

static const struct ttrpc_service stream_service = {
	.name = "test.Stream",
	.n_methods = sizeof(stream_methods) / sizeof(stream_methods[0]),
	.methods = stream_methods,
};

static inline const struct ttrpc_method *stream_method(const char *name)
{
	for (size_t i = 0; i < stream_service.n_methods; i++)
		if (strcmp(stream_methods[i].name, name) == 0)
			return &stream_methods[i];
	test_fail(__FILE__, __LINE__, "no method %s", name);
}

static inline void stream_fixture_init(struct fixture *fixture)
{
	memset(&talk, 0, sizeof(talk));
	fixture_init(fixture);
	ASSERT_EQ(ttrpc_server_register(fixture->server, &stream_service, NULL, &talk), 0);
}

/* How many streams the server has; none is to be left. */
static inline uint32_t server_streams(const struct fixture *fixture)
{
	const struct list *link = fixture->server->connections.next;
	uint32_t n = 0;

	for (; link != &fixture->server->connections; link = link->next) {
		const struct connection *connection =
			container_of(link, const struct connection, link);

		n += connection->pool ? connection->pool->n_streams : 0;
	}
	return n;
}

/* The client's side: what came, in order. */
struct heard {
	struct ttrpc_stream *stream;
	size_t n_messages, n_writable, n_ended;
	char text[256]; /* values, one space before each */
	struct ttrpc_status status;
	int answer; /* what message returns */
	long next;  /* the number that must come */
	bool in_order;
};

/* The number at the begin of a value, which may go on with zeroes. */
static inline long number_of(const Google__Protobuf__Any *any)
{
	char text[32] = "";

	memcpy(text, any->value.data, any->value.len < 31 ? any->value.len : 31);
	return strtol(text, NULL, 10);
}

static inline int heard_message(struct ttrpc_stream *stream, const ProtobufCMessage *message)
{
	struct heard *heard = ttrpc_stream_userdata(stream);
	const Google__Protobuf__Any *any = any_of(message);
	size_t length = strlen(heard->text);

	if (heard->answer < 0)
		return heard->answer;
	ASSERT_EQ(heard->n_ended, 0);
	heard->n_messages++;
	if (length + any->value.len + 2 < sizeof(heard->text))
		snprintf(heard->text + length, sizeof(heard->text) - length, " %.*s",
			 (int)any->value.len, (const char *)any->value.data);
	if (heard->in_order)
		ASSERT_EQ(number_of(any), heard->next++);
	return 0;
}

static inline void heard_writable(struct ttrpc_stream *stream)
{
	struct heard *heard = ttrpc_stream_userdata(stream);

	heard->n_writable++;
}

static inline void heard_ended(struct ttrpc_stream *stream, const struct ttrpc_status *status)
{
	struct heard *heard = ttrpc_stream_userdata(stream);

	heard->n_ended++;
	heard->status = *status;
	heard->stream = NULL;
}

static const struct ttrpc_stream_events heard_events = {
	.message = heard_message,
	.writable = heard_writable,
	.ended = heard_ended,
};

static inline int stream_start(struct ttrpc_client *client, const char *method, const char *value,
			       uint64_t timeout, struct heard *heard)
{
	const struct ttrpc_options options = {.timeout = timeout};
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;

	any.value.data = (uint8_t *)(uintptr_t)value;
	any.value.len = value ? strlen(value) : 0;
	return ttrpc_stream_open(client, &stream_service, stream_method(method), &options,
				 value ? &any.base : NULL, &heard_events, NULL, heard,
				 &heard->stream);
}

#endif
