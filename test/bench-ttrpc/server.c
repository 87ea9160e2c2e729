/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server SOCKET: bench.Bench and bench.Talker as this library serves them.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "test/bench-ttrpc/bench.ttrpc.h"
#include "ttrpc/stream.h"

#define FETCH_MAX (4u << 20)

static int echo(struct ttrpc_call *call, const Bench__Bytes *request)
{
	return ttrpc_reply(call, &request->base);
}

static int fetch(struct ttrpc_call *call, const Bench__Size *request)
{
	static uint8_t bytes[FETCH_MAX];
	Bench__Bytes answer = BENCH__BYTES__INIT;

	answer.value.data = bytes;
	answer.value.len = request->value < FETCH_MAX ? request->value : FETCH_MAX;
	return ttrpc_reply(call, &answer.base);
}

/* ---- bench.Talker, in which every message comes back ---- */

static void half_closed(struct ttrpc_stream *stream)
{
	ttrpc_stream_close(stream);
}

static int talk(const void *handlers, struct ttrpc_stream *stream, const ProtobufCMessage *request)
{
	static const struct ttrpc_stream_events events = {
		.message = ttrpc_stream_send,
		.half_closed = half_closed,
	};

	(void)handlers;
	(void)request;
	ttrpc_stream_accept(stream, &events, NULL, NULL);
	return 0;
}

static const struct ttrpc_method talker_methods[] = {{
	.name = "Talk",
	.input = &bench__bytes__descriptor,
	.output = &bench__bytes__descriptor,
	.flags = TTRPC_CLIENT_STREAM | TTRPC_SERVER_STREAM,
	.open = talk,
	.streams = &ttrpc_streams,
}};

static const struct ttrpc_service talker = {
	.name = "bench.Talker",
	.n_methods = 1,
	.methods = talker_methods,
};

int main(int argc, char **argv)
{
	static const struct bench_bench_handlers bench = {.echo = echo, .fetch = fetch};
	struct ttrpc_loop loop;
	struct ttrpc_server *server;

	if (argc != 2 || ttrpc_loop_init(&loop) < 0 ||
	    ttrpc_server_new(&loop, TTRPC_POLICY_SAME_USER, &server) < 0 ||
	    bench_bench_register(server, &bench, NULL) < 0 ||
	    ttrpc_server_register(server, &talker, NULL, NULL) < 0 ||
	    ttrpc_server_listen_on(server, argv[1]) < 0)
		return 1;
	puts("ready");
	fflush(stdout);
	return ttrpc_loop_run(&loop) < 0;
}
