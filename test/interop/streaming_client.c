/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ttrpc-streaming-client SOCKET: exercises a server of the streaming service, on one connection as
 * the Go library's integration tests do, and prints what passed.
 */
#include <stdio.h>
#include <string.h>

#include "test/interop/streaming_tests.h"

int main(int argc, char **argv)
{
	const char *program = argc > 0 ? argv[0] : "client";
	unsigned n_passed = 0, n_failed = 0;
	struct peer peer;
	int error;

	if (argc != 2) {
		fprintf(stderr, "usage: %s SOCKET\n", program);
		return 2;
	}
	error = peer_open(&peer, argv[1]);
	if (error) {
		fprintf(stderr, "%s: %s: %s\n", program, argv[1], strerror(-error));
		return 1;
	}
	for (const struct streaming_test *test = streaming_tests; test->name; test++) {
		const char *why = test->run(&peer);

		if (why)
			printf("not ok %s: %s\n", test->name, why);
		else
			printf("ok %s\n", test->name);
		n_passed += !why;
		n_failed += !!why;
	}
	peer_close(&peer);
	printf("%u passed, %u failed\n", n_passed, n_failed);
	return n_failed ? 1 : 0;
}
