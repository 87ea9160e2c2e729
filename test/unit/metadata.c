/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metadata objects, and metadata on the way of calls and streams.
 */
#include "ttrpc/metadata.h"

#include "test/unit/stream_fixture.h"

static const char *const ab[] = {"a", "b"};
static const char *const c[] = {"c"};

TEST(get_is_the_first_value_of_any_case)
{
	struct ttrpc_metadata *metadata = ttrpc_metadata_new();

	ASSERT_EQ(ttrpc_metadata_append(metadata, "Trace-Id", ab, 2), 0);
	ASSERT_STR(ttrpc_metadata_get(metadata, "trace-ID"), "a");
	ASSERT_STR(ttrpc_metadata_get_all(metadata, "TRACE-ID", 1), "b");
	ASSERT(!ttrpc_metadata_get_all(metadata, "trace-id", 2));
	ASSERT(!ttrpc_metadata_get(metadata, "trace-i"));
	ASSERT(!ttrpc_metadata_get(metadata, "trace-idx"));
	ASSERT(!ttrpc_metadata_get(metadata, ""));
	ttrpc_metadata_free(metadata);
}

TEST(set_replaces_and_without_values_deletes)
{
	struct ttrpc_metadata *metadata = ttrpc_metadata_new();

	ASSERT_EQ(ttrpc_metadata_set(metadata, "k", ab, 2), 0);
	ASSERT_EQ(ttrpc_metadata_set(metadata, "other", ab, 1), 0);
	ASSERT_EQ(ttrpc_metadata_set(metadata, "K", c, 1), 0);
	ASSERT_STR(ttrpc_metadata_get(metadata, "k"), "c");
	ASSERT(!ttrpc_metadata_get_all(metadata, "k", 1));
	ASSERT_EQ(ttrpc_metadata_set(metadata, "k", NULL, 0), 0);
	ASSERT(!ttrpc_metadata_get(metadata, "k"));
	ASSERT_STR(ttrpc_metadata_get(metadata, "other"), "a");
	ttrpc_metadata_free(metadata);
}

TEST(append_keeps_the_order)
{
	struct ttrpc_metadata *metadata = ttrpc_metadata_new();
	const struct ttrpc_pair *pairs;
	size_t n;

	ASSERT_EQ(ttrpc_metadata_append(metadata, "k", ab, 2), 0);
	ASSERT_EQ(ttrpc_metadata_append(metadata, "x", NULL, 0), 0);
	ASSERT_EQ(ttrpc_metadata_append(metadata, "K", c, 1), 0);
	pairs = ttrpc_metadata_pairs(metadata, &n);
	ASSERT_EQ(n, 3);
	ASSERT_STR(pairs[0].value, "a");
	ASSERT_STR(pairs[1].value, "b");
	ASSERT_STR(pairs[2].value, "c");
	ASSERT_STR(pairs[2].key, "k");
	ttrpc_metadata_free(metadata);
}

TEST(what_is_no_utf8_changes_nothing)
{
	static const char *const bad[] = {"fine", "\xc3("};
	struct ttrpc_metadata *metadata = ttrpc_metadata_new();
	size_t n;

	ASSERT_EQ(ttrpc_metadata_append(metadata, "k", c, 1), 0);
	ASSERT_EQ(ttrpc_metadata_set(metadata, "k", bad, 2), -EINVAL);
	ASSERT_STR(ttrpc_metadata_get(metadata, "k"), "c");
	ttrpc_metadata_pairs(metadata, &n);
	ASSERT_EQ(n, 1);
	ttrpc_metadata_free(metadata);
}

TEST(clone_is_independent)
{
	struct ttrpc_metadata *metadata = ttrpc_metadata_new(), *clone;

	ASSERT(!ttrpc_metadata_clone(NULL));
	ASSERT_EQ(ttrpc_metadata_append(metadata, "k", ab, 2), 0);
	clone = ttrpc_metadata_clone(metadata);
	ASSERT_EQ(ttrpc_metadata_set(clone, "k", c, 1), 0);
	ASSERT_STR(ttrpc_metadata_get(metadata, "k"), "a");
	ASSERT_STR(ttrpc_metadata_get(clone, "k"), "c");
	ttrpc_metadata_free(metadata);
	ASSERT_STR(ttrpc_metadata_get(clone, "k"), "c");
	ASSERT(!ttrpc_metadata_free(clone));
}

/* ---- on the way ---- */

static struct ttrpc_metadata *received;

static int keep_call(const void *handlers, struct ttrpc_call *call, const ProtobufCMessage *request)
{
	(void)handlers;
	ASSERT_EQ(ttrpc_call_metadata_copy(call, &received), 0);
	return ttrpc_reply(call, request);
}

static int keep_stream(const void *handlers, struct ttrpc_stream *stream,
		       const ProtobufCMessage *request)
{
	ASSERT_STR(ttrpc_call_metadata(ttrpc_stream_call(stream), "KEY"), "a");
	ASSERT_EQ(ttrpc_call_metadata_copy(ttrpc_stream_call(stream), &received), 0);
	return on_talk(handlers, stream, request);
}

static const struct ttrpc_method keep_methods[] = {
	ANY_METHOD("Call", 0, keep_call),
	STREAM_METHOD("Stream", BIDI, keep_stream),
};
static const struct ttrpc_service keep_service = {
	.name = "test.Keep", .n_methods = 2, .methods = keep_methods};

static void received_check(void)
{
	ASSERT(received);
	ASSERT_STR(ttrpc_metadata_get_all(received, "key", 0), "a");
	ASSERT_STR(ttrpc_metadata_get_all(received, "key", 1), "b");
	ASSERT_STR(ttrpc_metadata_get_all(received, "key", 2), "c");
	ASSERT(!ttrpc_metadata_get_all(received, "key", 3));
	received = ttrpc_metadata_free(received);
}

TEST(metadata_of_calls_and_streams)
{
	struct ttrpc_metadata *metadata = ttrpc_metadata_new();
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	struct ttrpc_options options = {.timeout = 0};
	struct outcome outcome = {.n = 0};
	struct heard heard = {.answer = 0};
	struct ttrpc_client *client;
	struct fixture fixture;

	stream_fixture_init(&fixture);
	ASSERT_EQ(ttrpc_server_register(fixture.server, &keep_service, NULL, &talk), 0);
	client = connect_client(&fixture);
	ASSERT_EQ(ttrpc_metadata_append(metadata, "KEY", ab, 2), 0);
	ASSERT_EQ(ttrpc_metadata_append(metadata, "Key", c, 1), 0);
	options.metadata = ttrpc_metadata_pairs(metadata, &options.n_metadata);
	ASSERT_EQ(ttrpc_client_call(client, &keep_service, &keep_methods[0], &options, &any.base,
				    on_done, &outcome),
		  0);
	settle(&fixture);
	ASSERT_EQ(outcome.status.code, TTRPC_OK);
	received_check();
	ASSERT_EQ(ttrpc_stream_open(client, &keep_service, &keep_methods[1], &options, NULL,
				    &heard_events, NULL, &heard, &heard.stream),
		  0);
	settle(&fixture);
	received_check();
	ttrpc_metadata_free(metadata);
	ttrpc_client_free(client);
	fixture_deinit(&fixture);
}

TEST(metadata_has_limits)
{
	static char large[2000];
	const struct ttrpc_pair pairs[] = {{"a", "b"}, {"c", "d"}, {"e", large}};
	struct ttrpc_options options = {.metadata = pairs, .n_metadata = 3};
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	struct outcome outcome = {.n = 0};
	struct ttrpc_client *client;
	struct fixture fixture;

	fixture_init(&fixture);
	fixture.server->limits.metadata = 2;
	fixture.server->limits.metadata_bytes = 1000;
	client = connect_client(&fixture);
	memset(large, 'x', sizeof(large) - 1);
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(ttrpc_client_call(client, &echo_service, echo_method("Echo"), &options,
					    &any.base, on_done, &outcome),
			  0);
		settle(&fixture);
		ASSERT_EQ(outcome.status.code, TTRPC_RESOURCE_EXHAUSTED);
		/* Then few enough, and too large. */
		options.metadata = pairs + 1;
		options.n_metadata = 2;
	}
	options.n_metadata = 1;
	ASSERT_EQ(ttrpc_client_call(client, &echo_service, echo_method("Echo"), &options, &any.base,
				    on_done, &outcome),
		  0);
	settle(&fixture);
	ASSERT_EQ(outcome.status.code, TTRPC_OK);
	ttrpc_client_free(client);
	fixture_deinit(&fixture);
}
