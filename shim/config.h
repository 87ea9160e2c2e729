/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_CONFIG_H
#define SHIM_CONFIG_H
/*
 * What the command line and the environment say: made once in shim_main(), inherited over fork by the
 * monitor, the server and the workers, never changed. Strings point into argv or the environment and
 * are "" where absent.
 */
#include <stdbool.h>

struct runtime;

struct shim_config {
	const struct runtime *runtime;
	bool debug, version, info;
	const char *namespace_, *id, *bundle, *address, *publish_binary;
	const char *socket, *debug_socket; /* accepted for the stock shim's sake, not used */
	const char *verb;                  /* "start", "delete" or "" */
	char **argv;                       /* for the title that ps shows */
	int argc;
};

#endif
