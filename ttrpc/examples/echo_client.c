/* SPDX-License-Identifier: Apache-2.0 */
/*
 * echo_client ADDRESS TEXT...: says each text and prints the answer. It needs no loop: the calls
 * block, each for a second at most.
 */
#include <stdio.h>
#include <string.h>

#include "echo.ttrpc.h"

#define SECOND 1000000000u

static int say(struct ttrpc_client *client, char *text)
{
	const struct ttrpc_options options = {.timeout = SECOND};
	Example__Text request = EXAMPLE__TEXT__INIT, *response = NULL;
	struct ttrpc_status status;

	request.text = text;
	example_echo_say_sync(client, &options, &request, &response, &status);
	if (!response) {
		printf("error %d: %s\n", (int)status.code, status.text);
		return 1;
	}
	puts(response->text);
	protobuf_c_message_free_unpacked(&response->base, NULL);
	return 0;
}

int main(int argc, char **argv)
{
	struct ttrpc_client *client;
	int error, failed = 0;

	if (argc < 3) {
		fprintf(stderr, "usage: %s ADDRESS TEXT...\n", argv[0]);
		return 2;
	}
	error = ttrpc_client_connect(NULL, argv[1], SECOND, &client);
	if (error < 0) {
		fprintf(stderr, "%s: %s\n", argv[1], strerror(-error));
		return 2;
	}
	for (int i = 2; i < argc; i++)
		failed |= say(client, argv[i]);
	ttrpc_client_free(client);
	return failed;
}
