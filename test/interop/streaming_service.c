/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ttrpc.integration.streaming.Streaming, as the Go library's integration tests expect it:
 *
 *   Echo, EchoStream     each message back with seq + 1
 *   SumStream            the sum of the parts, and their number; both wrap
 *   DivideStream         num parts that add up to sum; the first and the last are empty messages
 *   EchoNull             seq must count from 0 and msg be NULL_TEXT: else the stream fails; then Empty
 *   EchoNullStream       the same with NULL_ANSWERS times Empty for each message
 *   EmptyPayloadStream   two messages, seq 1 and 2
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "test/interop/serve.h"

static int echo(struct ttrpc_call *call, const Payload *request)
{
	Payload response = *request;

	response.seq++;
	return ttrpc_reply(call, &response.base);
}

/* ---- EchoStream ---- */
static int echo_stream_message(struct EchoStream *stream, const Payload *message)
{
	Payload answer = *message;

	answer.seq++;
	return STREAMING(echo_stream_server_send)(stream, &answer);
}

static void echo_stream_half_closed(struct EchoStream *stream)
{
	STREAMING(echo_stream_close)(stream);
}

static int echo_stream(struct EchoStream *stream)
{
	static const struct STREAMING(echo_stream_server_events) events = {
		.message = echo_stream_message,
		.half_closed = echo_stream_half_closed,
	};

	STREAMING(echo_stream_accept)(stream, &events, NULL);
	return 0;
}

/* ---- SumStream ---- */
struct sum {
	uint32_t sum, num;
};

static int sum_stream_message(struct SumStream *stream, const Part *message)
{
	struct sum *sum = STREAMING(sum_stream_server_userdata)(stream);

	sum->sum += (uint32_t)message->add;
	sum->num++;
	return 0;
}

static void sum_stream_half_closed(struct SumStream *stream)
{
	const struct sum *sum = STREAMING(sum_stream_server_userdata)(stream);
	Sum response = SUM_INIT;

	response.sum = (int32_t)sum->sum;
	response.num = (int32_t)sum->num;
	STREAMING(sum_stream_reply)(stream, &response);
}

static void sum_stream_ended(struct SumStream *stream, const struct ttrpc_status *status)
{
	(void)status;
	free(STREAMING(sum_stream_server_userdata)(stream));
}

static int sum_stream(struct SumStream *stream)
{
	static const struct STREAMING(sum_stream_server_events) events = {
		.message = sum_stream_message,
		.half_closed = sum_stream_half_closed,
		.ended = sum_stream_ended,
	};
	struct sum *sum = calloc(1, sizeof(*sum));

	if (!sum)
		return -ENOMEM;
	STREAMING(sum_stream_accept)(stream, &events, sum);
	return 0;
}

/* ---- DivideStream ---- */
struct divide {
	uint32_t left; /* of the sum */
	int32_t next, num;
};

static uint32_t divide_part(const struct divide *divide)
{
	if (divide->num > 2 && (divide->next == 0 || divide->next == divide->num - 1))
		return 0;
	if (divide->next == (divide->num > 2 ? divide->num - 2 : divide->num - 1))
		return divide->left;
	return (uint32_t)(divide->next * 37 % 1000 - 500);
}

static void divide_stream_writable(struct DivideStream *stream)
{
	struct divide *divide = STREAMING(divide_stream_server_userdata)(stream);

	for (; divide->next < divide->num; divide->next++) {
		uint32_t add = divide_part(divide);
		Part part = PART_INIT;

		part.add = (int32_t)add;
		if (STREAMING(divide_stream_server_send)(stream, &part) < 0)
			return;
		divide->left -= add;
	}
	STREAMING(divide_stream_close)(stream);
}

static void divide_stream_ended(struct DivideStream *stream, const struct ttrpc_status *status)
{
	(void)status;
	free(STREAMING(divide_stream_server_userdata)(stream));
}

static int divide_stream(struct DivideStream *stream, const Sum *request)
{
	static const struct STREAMING(divide_stream_server_events) events = {
		.writable = divide_stream_writable,
		.ended = divide_stream_ended,
	};
	struct divide *divide;

	if (request->num < 1)
		return STREAMING(divide_stream_fail)(stream, TTRPC_INVALID_ARGUMENT,
						     "a sum can't have %d parts", request->num);
	divide = malloc(sizeof(*divide));
	if (!divide)
		return -ENOMEM;
	*divide = (struct divide){.left = (uint32_t)request->sum, .num = request->num};
	STREAMING(divide_stream_accept)(stream, &events, divide);
	divide_stream_writable(stream);
	return 0;
}

/* ---- EchoNull, EchoNullStream ---- */
struct nulls {
	uint32_t seq;  /* of the next message */
	uint32_t owed; /* answers */
	bool half_closed;
};

static bool null_is_next(const struct nulls *nulls, const Payload *message)
{
	return message->seq == nulls->seq && strcmp(message->msg, NULL_TEXT) == 0;
}

static int echo_null_message(struct EchoNull *stream, const Payload *message)
{
	struct nulls *nulls = STREAMING(echo_null_server_userdata)(stream);

	if (!null_is_next(nulls, message))
		return STREAMING(echo_null_fail)(stream, TTRPC_UNKNOWN,
						 "unexpected message %u \"%.64s\", expected %u",
						 message->seq, message->msg, nulls->seq);
	nulls->seq++;
	return 0;
}

static void echo_null_half_closed(struct EchoNull *stream)
{
	Google__Protobuf__Empty empty = GOOGLE__PROTOBUF__EMPTY__INIT;

	STREAMING(echo_null_reply)(stream, &empty);
}

static void echo_null_ended(struct EchoNull *stream, const struct ttrpc_status *status)
{
	(void)status;
	free(STREAMING(echo_null_server_userdata)(stream));
}

static int echo_null(struct EchoNull *stream)
{
	static const struct STREAMING(echo_null_server_events) events = {
		.message = echo_null_message,
		.half_closed = echo_null_half_closed,
		.ended = echo_null_ended,
	};
	struct nulls *nulls = calloc(1, sizeof(*nulls));

	if (!nulls)
		return -ENOMEM;
	STREAMING(echo_null_accept)(stream, &events, nulls);
	return 0;
}

/* Sends what is owed, as far as that goes, and ends when nothing more will be. */
static void echo_null_stream_writable(struct EchoNullStream *stream)
{
	struct nulls *nulls = STREAMING(echo_null_stream_server_userdata)(stream);
	Google__Protobuf__Empty empty = GOOGLE__PROTOBUF__EMPTY__INIT;

	for (; nulls->owed > 0; nulls->owed--)
		if (STREAMING(echo_null_stream_server_send)(stream, &empty) < 0)
			return;
	if (nulls->half_closed)
		STREAMING(echo_null_stream_close)(stream);
}

static int echo_null_stream_message(struct EchoNullStream *stream, const Payload *message)
{
	struct nulls *nulls = STREAMING(echo_null_stream_server_userdata)(stream);

	if (nulls->owed > 0)
		return -EAGAIN;
	if (!null_is_next(nulls, message))
		return STREAMING(echo_null_stream_fail)(
			stream, TTRPC_UNKNOWN, "unexpected message %u \"%.64s\", expected %u",
			message->seq, message->msg, nulls->seq);
	nulls->seq++;
	nulls->owed = NULL_ANSWERS;
	echo_null_stream_writable(stream);
	return 0;
}

static void echo_null_stream_half_closed(struct EchoNullStream *stream)
{
	struct nulls *nulls = STREAMING(echo_null_stream_server_userdata)(stream);

	nulls->half_closed = true;
	echo_null_stream_writable(stream);
}

static void echo_null_stream_ended(struct EchoNullStream *stream, const struct ttrpc_status *status)
{
	(void)status;
	free(STREAMING(echo_null_stream_server_userdata)(stream));
}

static int echo_null_stream(struct EchoNullStream *stream)
{
	static const struct STREAMING(echo_null_stream_server_events) events = {
		.message = echo_null_stream_message,
		.half_closed = echo_null_stream_half_closed,
		.writable = echo_null_stream_writable,
		.ended = echo_null_stream_ended,
	};
	struct nulls *nulls = calloc(1, sizeof(*nulls));

	if (!nulls)
		return -ENOMEM;
	STREAMING(echo_null_stream_accept)(stream, &events, nulls);
	return 0;
}

/* ---- EmptyPayloadStream ---- */
static int empty_payload_stream(struct EmptyPayloadStream *stream,
				const Google__Protobuf__Empty *request)
{
	int error = 0;

	(void)request;
	for (uint32_t seq = 1; seq <= 2 && !error; seq++) {
		Payload payload = PAYLOAD_INIT;

		payload.seq = seq;
		error = STREAMING(empty_payload_stream_server_send)(stream, &payload);
	}
	return error ? error : STREAMING(empty_payload_stream_close)(stream);
}

const struct STREAMING(handlers) streaming_handlers = {
	.echo = echo,
	.echo_stream = echo_stream,
	.sum_stream = sum_stream,
	.divide_stream = divide_stream,
	.echo_null = echo_null,
	.echo_null_stream = echo_null_stream,
	.empty_payload_stream = empty_payload_stream,
};
