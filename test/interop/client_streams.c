/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our client on somebody's server: streams. Those of streaming_tests.h come first.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test/interop/client.h"
#include "test/interop/names.h"
#include "test/interop/streaming_tests.h"
#include "ttrpc/metadata.h"

static void run(const char *name)
{
	const struct streaming_test *test = streaming_tests;
	struct peer peer;

	while (strcmp(test->name, name) != 0)
		test++;
	client_open(&peer);
	for (int i = 0; i < 10; i++) {
		const char *why = test->run(&peer);

		if (why)
			test_fail(__FILE__, __LINE__, "%s", why);
	}
	peer_close(&peer);
}

TEST(client_stream)
{
	run("SumStream");
}

TEST(server_stream)
{
	run("DivideStream");
}

TEST(bidirectional)
{
	run("EchoStream");
}

TEST(one_empty_answer)
{
	run("EchoNull");
}

TEST(empty_answers)
{
	run("EchoNullStream");
}

TEST(empty_request)
{
	run("EmptyPayloadStream");
}

static void open_echo(struct exchange *exchange, struct peer *peer)
{
	ASSERT(exchange_open(exchange, peer, &STREAMING(service), "EchoStream", NULL, NULL));
}

static void open_flow(struct exchange *exchange, struct peer *peer, const char *method,
		      const struct ttrpc_options *options, const Interop__Item *request)
{
	ASSERT(exchange_open(exchange, peer, &interop_flow_service, method, options,
			     request ? &request->base : NULL));
}

static void take_echo(struct exchange *exchange, const ProtobufCMessage *message)
{
	exchange->seq = ((const Payload *)message)->seq;
}

static void echo(struct exchange *exchange, uint32_t seq)
{
	Payload payload = PAYLOAD_INIT;

	payload.seq = seq;
	ASSERT(exchange_send(exchange, &payload.base));
	ASSERT(exchange_await(exchange, exchange->n_messages + 1));
	ASSERT_EQ(exchange->seq, seq + 1);
}

/* Either way in the middle of a stream; a stream without any message; an empty result. */
TEST(stream_empty_messages)
{
	exchange_cleanup struct exchange mixed = {.take = take_echo}, none = {0}, sum = {0};
	struct peer peer;

	client_open(&peer);
	open_echo(&mixed, &peer);
	for (int i = 0; i < 3; i++) {
		echo(&mixed, 0);
		echo(&mixed, UINT32_MAX);
	}
	ASSERT(exchange_finish(&mixed));
	ASSERT_EQ(mixed.n_messages, 6);
	open_echo(&none, &peer);
	ASSERT(exchange_finish(&none));
	ASSERT_EQ(none.n_messages, 0);
	ASSERT(exchange_open(&sum, &peer, &STREAMING(service), "SumStream", NULL, NULL));
	ASSERT(exchange_finish(&sum));
	ASSERT_EQ(sum.n_messages, 1);
	peer_close(&peer);
}

/* "No data" in the middle; a last message, also an empty one, in the frame that ends the stream. */
TEST(stream_ends)
{
	static const uint32_t seqs[] = {7, 7, 0};
	struct peer peer;

	if (!kind_get()->odd_ends)
		SKIP("only the Go library sends them");
	client_open(&peer);
	for (uint32_t i = 0; i < 3; i++) {
		exchange_cleanup struct exchange exchange = {.take = take_item};
		Interop__Item request = item(i, NULL);

		open_flow(&exchange, &peer, "Ends", NULL, &request);
		ASSERT(exchange_ended(&exchange, TTRPC_OK));
		ASSERT_EQ(exchange.n_messages, 1);
		ASSERT_EQ(exchange.seq, seqs[i]);
	}
	peer_close(&peer);
}

TEST(stream_status)
{
	exchange_cleanup struct exchange exchange = {.take = take_item};
	Interop__Item request = item(TTRPC_DATA_LOSS, "lost");
	struct peer peer;

	client_open(&peer);
	open_flow(&exchange, &peer, "Fail", NULL, &request);
	ASSERT(exchange_ended(&exchange, TTRPC_DATA_LOSS));
	ASSERT_EQ(exchange.status.error, 0);
	ASSERT_STR(exchange.status.text, "lost");
	ASSERT_EQ(exchange.n_messages, 2);
	ASSERT_EQ(exchange.seq, 1);
	expect_alive(&peer);
	peer_close(&peer);
}

TEST(stream_metadata)
{
	exchange_cleanup struct exchange exchange = {.take = take_item};
	Interop__Item request = item(0, "mixed-case");
	struct ttrpc_metadata *metadata;
	struct ttrpc_options options;
	struct peer peer;

	client_open(&peer);
	metadata = metadata_new(&options);
	open_flow(&exchange, &peer, "Values", &options, &request);
	ttrpc_metadata_free(metadata);
	ASSERT(exchange_ended(&exchange, TTRPC_OK));
	ASSERT_EQ(exchange.n_messages, 3);
	ASSERT_STR(exchange.msg, "three");
	peer_close(&peer);
}

TEST(stream_deadline)
{
	const struct ttrpc_options options = {.timeout = 100 * MILLISECOND};
	exchange_cleanup struct exchange exchange = {.take = take_item};
	struct peer peer;

	client_open(&peer);
	open_flow(&exchange, &peer, "Hold", &options, NULL);
	ASSERT(exchange_ended(&exchange, TTRPC_DEADLINE_EXCEEDED));
	expect_alive(&peer);
	peer_close(&peer);
}

TEST(stream_4194304)
{
	exchange_cleanup struct exchange exchange = {.take = take_item};
	char *text = probe_text(LIMIT - ITEM_OVERHEAD);
	Interop__Item message = item(0, text);
	struct peer peer;

	client_open(&peer);
	open_flow(&exchange, &peer, "Hold", NULL, NULL);
	for (size_t i = 1; i <= 3; i++) {
		ASSERT(exchange_send(&exchange, &message.base));
		ASSERT(exchange_await(&exchange, i));
		ASSERT_EQ(exchange.size, strlen(text));
	}
	ASSERT(exchange_finish(&exchange));
	free(text);
	peer_close(&peer);
}

/* Our own limit keeps it back, and the stream goes on. */
TEST(stream_4194305_kept)
{
	exchange_cleanup struct exchange exchange = {.take = take_item};
	char *text = probe_text(LIMIT + 1 - ITEM_OVERHEAD);
	Interop__Item large = item(0, text), small = item(5, "small");
	struct peer peer;

	client_open(&peer);
	open_flow(&exchange, &peer, "Hold", NULL, NULL);
	ASSERT_EQ(ttrpc_stream_send(exchange.stream, &large.base), -EMSGSIZE);
	ASSERT(exchange_send(&exchange, &small.base));
	ASSERT(exchange_finish(&exchange));
	ASSERT_EQ(exchange.n_messages, 1);
	ASSERT_STR(exchange.msg, "small");
	free(text);
	peer_close(&peer);
}

/* With a larger limit of ours the server judges. */
TEST(stream_4194305_sent)
{
	exchange_cleanup struct exchange exchange = {0};
	char *text = probe_text(LIMIT + 1 - ITEM_OVERHEAD);
	Interop__Item large = item(0, text);
	struct ttrpc_limits limits;
	struct peer peer;

	client_open(&peer);
	ttrpc_limits_init(&limits);
	limits.message = 2 * LIMIT;
	limits.send_queue = limits.write_queue = 4 * LIMIT;
	ASSERT_EQ(ttrpc_client_set_limits(peer.client, &limits), 0);
	open_flow(&exchange, &peer, "Hold", NULL, NULL);
	ASSERT(exchange_send(&exchange, &large.base));
	ASSERT(exchange_ended(&exchange, kind_get()->oversize));
	ASSERT_EQ(exchange.status.error, 0);
	expect_alive(&peer);
	free(text);
	peer_close(&peer);
}

TEST(stream_4194305_back)
{
	exchange_cleanup struct exchange exchange = {0};
	Interop__Item request = item(LIMIT + 1, NULL);
	struct peer peer;

	client_open(&peer);
	open_flow(&exchange, &peer, "Fill", NULL, &request);
	ASSERT(exchange_ended(&exchange, kind_get()->oversize_stream));
	ASSERT_EQ(exchange.n_messages, 0);
	expect_alive(&peer);
	peer_close(&peer);
}

/* All are open at the same time: none ends before each has had its answers. */
TEST(streams_1000)
{
	static struct exchange exchanges[MANY];
	struct peer peer;

	client_open(&peer);
	for (uint32_t i = 0; i < MANY; i++) {
		exchanges[i].take = take_echo;
		open_echo(&exchanges[i], &peer);
	}
	for (uint32_t round = 1; round <= 3; round++) {
		Payload payload = PAYLOAD_INIT;

		for (uint32_t i = 0; i < MANY; i++) {
			payload.seq = round * i;
			ASSERT(exchange_send(&exchanges[i], &payload.base));
		}
		for (uint32_t i = 0; i < MANY; i++) {
			ASSERT(exchange_await(&exchanges[i], round));
			ASSERT_EQ(exchanges[i].seq, round * i + 1);
		}
	}
	for (uint32_t i = 0; i < MANY; i++)
		ASSERT_EQ(ttrpc_stream_close_send(exchanges[i].stream), 0);
	for (uint32_t i = 0; i < MANY; i++)
		ASSERT(exchange_ended(&exchanges[i], TTRPC_OK));
	expect_alive(&peer);
	peer_close(&peer);
}
