/* SPDX-License-Identifier: Apache-2.0 */
/*
 * echo SOCKET: the smallest server, for its size in the file and in memory.
 */
#include <unistd.h>

#include "test/bench-ttrpc/bench.ttrpc.h"

static int echo(struct ttrpc_call *call, const Bench__Bytes *request)
{
	return ttrpc_reply(call, &request->base);
}

int main(int argc, char **argv)
{
	static const struct bench_bench_handlers bench = {.echo = echo};
	struct ttrpc_loop loop;
	struct ttrpc_server *server;

	if (argc != 2 || ttrpc_loop_init(&loop) < 0 ||
	    ttrpc_server_new(&loop, TTRPC_POLICY_SAME_USER, &server) < 0 ||
	    bench_bench_register(server, &bench, NULL) < 0 ||
	    ttrpc_server_listen_on(server, argv[1]) < 0 || write(1, "ready\n", 6) != 6)
		return 1;
	return ttrpc_loop_run(&loop) < 0;
}
