/* SPDX-License-Identifier: Apache-2.0 */
/* The functions that answer calls, on the call of a stream: they do nothing, wherever that is. */
#include "test/unit/stream_fixture.h"

static void misuse(struct ttrpc_stream *stream)
{
	struct ttrpc_call *call = ttrpc_stream_call(stream);
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;

	ttrpc_call_take(call, NULL, NULL);
	ASSERT_EQ(ttrpc_reply(call, &any.base), 0);
	ASSERT_EQ(ttrpc_reply(call, NULL), 0);
	ASSERT_EQ(ttrpc_fail(call, TTRPC_ABORTED, "no"), 0);
	ASSERT_EQ(ttrpc_fail_details(call, TTRPC_ABORTED, "no", NULL, 0), 0);
}

static int misuse_message(struct ttrpc_stream *stream, const ProtobufCMessage *message)
{
	misuse(stream);
	return talk_message(stream, message);
}

static void misuse_half_closed(struct ttrpc_stream *stream)
{
	misuse(stream);
	talk_half_closed(stream);
	misuse(stream);
}

static void misuse_ended(struct ttrpc_stream *stream, const struct ttrpc_status *status)
{
	misuse(stream);
	talk_ended(stream, status);
}

static int on_misuse(const void *handlers, struct ttrpc_stream *stream,
		     const ProtobufCMessage *request)
{
	static const struct ttrpc_stream_events events = {
		.message = misuse_message,
		.half_closed = misuse_half_closed,
		.ended = misuse_ended,
	};

	(void)handlers;
	(void)request;
	misuse(stream);
	ttrpc_stream_accept(stream, &events, NULL, &talk);
	talk.held[talk.n_held++] = stream;
	return 0;
}

static const struct ttrpc_method misuse_methods[] = {STREAM_METHOD("Misuse", BIDI, on_misuse)};
static const struct ttrpc_service misuse_service = {
	.name = "test.Misuse", .n_methods = 1, .methods = misuse_methods};

TEST(stream_is_not_answered_as_a_call)
{
	struct heard heard = {.in_order = true};
	struct outcome outcome = {.n = 0};
	struct ttrpc_client *client;
	struct fixture fixture;

	stream_fixture_init(&fixture);
	client = connect_client(&fixture);
	ASSERT_EQ(ttrpc_server_register(fixture.server, &misuse_service, NULL, NULL), 0);
	ASSERT_EQ(ttrpc_stream_open(client, &misuse_service, misuse_methods, NULL, NULL,
				    &heard_events, NULL, &heard, &heard.stream),
		  0);
	ASSERT_EQ(number_send(heard.stream, 0, 0), 0);
	settle(&fixture);
	ASSERT_EQ(talk.n_held, 1);
	misuse(talk.held[0]);
	/* Were its memory the server's for calls by now, this one would have it. */
	ASSERT_EQ(start(client, "Park", "x", "", 0, &outcome), 0);
	ASSERT_EQ(number_send(heard.stream, 1, 0), 0);
	ASSERT_EQ(ttrpc_stream_close_send(heard.stream), 0);
	settle(&fixture);
	ASSERT_EQ(heard.n_messages, 2);
	ASSERT_EQ(heard.n_ended, 1);
	ASSERT_EQ(heard.status.code, TTRPC_OK);
	ASSERT_EQ(talk.n_ended, 1);
	ASSERT_EQ(talk.last.code, TTRPC_OK);
	ASSERT_EQ(server_streams(&fixture), 0);
	ttrpc_client_free(client);
	fixture_deinit(&fixture);
}
