/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ttrpc-streaming-server SOCKET [-u UID]: the service that the Go library's integration tests use,
 * for the user UID; without it, for the user that runs this.
 */
#include "test/interop/serve.h"

int main(int argc, char **argv)
{
	static const struct served services[] = {
		{&STREAMING(service), &streaming_handlers},
		{NULL, NULL},
	};

	return serve(argc, argv, services);
}
