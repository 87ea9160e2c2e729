/* SPDX-License-Identifier: Apache-2.0 */
#include "test/interop/streaming_tests.h"

#include <stdio.h>
#include <string.h>

#include "test/interop/names.h"

#define SECOND UINT64_C(1000000000)

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			return #condition;                                                         \
	} while (0)

static void take_payload(struct exchange *exchange, const ProtobufCMessage *message)
{
	const Payload *payload = (const Payload *)message;

	exchange->seq = payload->seq;
	exchange->size = strlen(payload->msg);
	snprintf(exchange->msg, sizeof(exchange->msg), "%s", payload->msg);
}

static bool send_payload(struct exchange *exchange, uint32_t seq, char *msg)
{
	Payload payload = PAYLOAD_INIT;

	payload.seq = seq;
	payload.msg = msg;
	return exchange_send(exchange, &payload.base);
}

static bool open_stream(struct exchange *exchange, struct peer *peer, const char *method,
			const ProtobufCMessage *request)
{
	return exchange_open(exchange, peer, &STREAMING(service), method, NULL, request);
}

static const char *echo(struct peer *peer)
{
	char text[] = "Echo Me";
	Payload request = PAYLOAD_INIT, *response = NULL;
	struct ttrpc_status status;
	bool same;

	request.seq = 1;
	request.msg = text;
	CHECK(STREAMING(echo_sync)(peer->client, NULL, &request, &response, &status) == 0);
	CHECK(status.code == TTRPC_OK);
	same = response->seq == 2 && strcmp(response->msg, text) == 0;
	ttrpc__integration__streaming__echo_payload__free_unpacked(response, NULL);
	CHECK(same);
	return NULL;
}

static const char *echo_stream(struct peer *peer)
{
	exchange_cleanup struct exchange exchange = {.take = take_payload};

	CHECK(open_stream(&exchange, peer, "EchoStream", NULL));
	for (uint32_t seq = 0; seq < 100; seq += 2) {
		char text[64];

		snprintf(text, sizeof(text), "%u: Echo in a stream", seq);
		CHECK(send_payload(&exchange, seq, text));
		CHECK(exchange_await(&exchange, seq / 2 + 1));
		CHECK(exchange.seq == seq + 1 && strcmp(exchange.msg, text) == 0);
	}
	CHECK(exchange_finish(&exchange));
	CHECK(exchange.n_messages == 50);
	return NULL;
}

static void take_sum(struct exchange *exchange, const ProtobufCMessage *message)
{
	const Sum *sum = (const Sum *)message;

	exchange->sum = (uint32_t)sum->sum;
	exchange->seq = (uint32_t)sum->num;
}

static bool send_part(struct exchange *exchange, int32_t add)
{
	Part part = PART_INIT;

	part.add = add;
	return exchange_send(exchange, &part.base);
}

static const char *sum_stream(struct peer *peer)
{
	exchange_cleanup struct exchange exchange = {.take = take_sum};

	CHECK(open_stream(&exchange, peer, "SumStream", NULL));
	CHECK(send_part(&exchange, 0));
	for (int32_t add = -99; add <= 100; add++)
		CHECK(send_part(&exchange, add));
	CHECK(send_part(&exchange, 0));
	CHECK(exchange_finish(&exchange));
	CHECK(exchange.n_messages == 1);
	CHECK(exchange.sum == 100);
	CHECK(exchange.seq == 202);
	return NULL;
}

static void take_part(struct exchange *exchange, const ProtobufCMessage *message)
{
	exchange->sum += (uint32_t)((const Part *)message)->add;
}

static const char *divide_stream(struct peer *peer)
{
	exchange_cleanup struct exchange exchange = {.take = take_part};
	Sum request = SUM_INIT;

	request.sum = 392;
	request.num = 30;
	CHECK(open_stream(&exchange, peer, "DivideStream", &request.base));
	CHECK(exchange_ended(&exchange, TTRPC_OK));
	CHECK(exchange.n_messages == 30);
	CHECK(exchange.sum == 392);
	return NULL;
}

static const char *send_nulls(struct exchange *exchange)
{
	for (uint32_t seq = 0; seq < 100; seq++)
		CHECK(send_payload(exchange, seq, (char[]){NULL_TEXT}));
	return NULL;
}

static const char *echo_null(struct peer *peer)
{
	exchange_cleanup struct exchange exchange = {0};

	CHECK(open_stream(&exchange, peer, "EchoNull", NULL));
	CHECK(!send_nulls(&exchange));
	CHECK(exchange_finish(&exchange));
	CHECK(exchange.n_messages == 1);
	return NULL;
}

static const char *echo_null_stream(struct peer *peer)
{
	exchange_cleanup struct exchange exchange = {0};

	CHECK(open_stream(&exchange, peer, "EchoNullStream", NULL));
	CHECK(!send_nulls(&exchange));
	CHECK(exchange_finish(&exchange));
	CHECK(exchange.n_messages == 100 * NULL_ANSWERS);
	return NULL;
}

static const char *empty_payload_stream(struct peer *peer)
{
	exchange_cleanup struct exchange exchange = {.take = take_payload};
	const struct ttrpc_options options = {.timeout = 30 * SECOND};
	Google__Protobuf__Empty empty = GOOGLE__PROTOBUF__EMPTY__INIT;

	CHECK(exchange_open(&exchange, peer, &STREAMING(service), "EmptyPayloadStream", &options,
			    &empty.base));
	CHECK(exchange_await(&exchange, 1));
	CHECK(exchange_ended(&exchange, TTRPC_OK));
	CHECK(exchange.n_messages == 2);
	CHECK(exchange.seq == 2);
	return NULL;
}

const struct streaming_test streaming_tests[] = {
	{"Echo", echo},
	{"EchoStream", echo_stream},
	{"SumStream", sum_stream},
	{"DivideStream", divide_stream},
	{"EchoNull", echo_null},
	{"EchoNullStream", echo_null_stream},
	{"EmptyPayloadStream", empty_payload_stream},
	{NULL, NULL},
};
