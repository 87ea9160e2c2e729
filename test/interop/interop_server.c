/* SPDX-License-Identifier: Apache-2.0 */
/*
 * interop-server SOCKET [-u UID]: the streaming service, and what else our peers' programs ask for.
 */
#include "test/interop/probe.h"
#include "test/interop/serve.h"

int main(int argc, char **argv)
{
	static const struct served services[] = {
		{&STREAMING(service), &streaming_handlers},
		{&interop_probe_service, &probe_handlers},
		{&interop_flow_service, &flow_handlers},
		{NULL, NULL},
	};

	return serve(argc, argv, services);
}
