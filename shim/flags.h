/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_FLAGS_H
#define SHIM_FLAGS_H
/*
 * The command line, read as Go's flag package reads it, because containerd and people write it for
 * the Go shim: -x V, -x=V, --x V, --x=V; booleans -x or -x=false; "--" or the first word that is no
 * flag ends them, and that word is the verb. What comes after the verb is ignored.
 */
#include "shim/config.h"

enum flags_result {
	FLAGS_OK,
	FLAGS_HELP, /* -h or -help: usage, exit status 0 */
	FLAGS_BAD,  /* the error and usage, exit status 2 */
};

struct flags_error {
	char text[160]; /* one line without newline; long words are cut */
};

/* Allocates nothing; ret_config points into argv. Its runtime is NULL. */
enum flags_result flags_parse(int argc, char **argv, struct shim_config *ret_config,
			      struct flags_error *ret_error);

void flags_usage(int fd, const char *program);

#endif
