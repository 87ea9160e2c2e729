/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client SOCKET MILLISECONDS CALLS SIZE UNDERWAY
 *
 * Calls of bench.Bench/Echo by this library's client: one at a time and blocking, or so many under
 * way in a loop. One at a time its answers are lent; 0 stands for one at a time with answers that are
 * the caller's, allocated and freed.
 */
#include <stdio.h>
#include <stdlib.h>

#include "test/bench-ttrpc/bench.ttrpc.h"
#include "test/bench-ttrpc/meter.h"

struct asker {
	struct ttrpc_loop loop;
	struct ttrpc_client *client;
	struct meter meter;
	Bench__Bytes request;
	bool over;
};

static _Noreturn void die(const char *text)
{
	fprintf(stderr, "client: %s\n", text);
	exit(1);
}

static void run_sync(struct asker *asker, bool lend)
{
	do {
		const struct ttrpc_options options = {.lend = lend};
		Bench__Bytes *response = NULL;
		struct ttrpc_status status;

		if (bench_bench_echo_sync(asker->client, &options, &asker->request, &response,
					  &status) < 0 ||
		    status.code != TTRPC_OK || response->value.len != asker->request.value.len)
			die(status.text);
		if (!lend)
			bench__bytes__free_unpacked(response, NULL);
	} while (meter_add(&asker->meter, 1));
}

static void ask(struct asker *asker);

static void answered(void *userdata, const struct ttrpc_status *status,
		     const Bench__Bytes *response)
{
	struct asker *asker = userdata;

	/* What is under way at the end is cut off. */
	if (asker->over)
		return;
	if (status->code != TTRPC_OK || response->value.len != asker->request.value.len)
		die(status->text);
	asker->over = !meter_add(&asker->meter, 1);
	if (asker->over)
		ttrpc_loop_stop(&asker->loop, 0);
	else
		ask(asker);
}

static void ask(struct asker *asker)
{
	if (bench_bench_echo(asker->client, NULL, &asker->request, answered, asker) < 0)
		die("a call failed");
}

int main(int argc, char **argv)
{
	struct asker asker = {.request = BENCH__BYTES__INIT};
	unsigned underway;

	if (argc != 6 || ttrpc_loop_init(&asker.loop) < 0)
		die("SOCKET MILLISECONDS CALLS SIZE UNDERWAY");
	asker.request.value.len = strtoul(argv[4], NULL, 10);
	asker.request.value.data = calloc(1, asker.request.value.len);
	underway = (unsigned)strtoul(argv[5], NULL, 10);
	if (!asker.request.value.data ||
	    ttrpc_client_connect(underway > 1 ? &asker.loop : NULL, argv[1], 0, &asker.client) < 0)
		die("no connection");
	meter_init(&asker.meter, (unsigned)strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10),
		   underway <= 1);
	for (unsigned i = 0; underway > 1 && i < underway; i++)
		ask(&asker);
	if (underway <= 1)
		run_sync(&asker, underway == 1);
	else if (ttrpc_loop_run(&asker.loop) < 0)
		die("the loop failed");
	meter_print(&asker.meter);
	ttrpc_client_free(asker.client);
	free(asker.request.value.data);
	return 0;
}
