/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_BENCH_OPTIONS_H
#define TEST_BENCH_OPTIONS_H
#include <stdbool.h>
#include <stddef.h>

#include "test/bench/bundle.h"
#include "test/bench/peer.h"

#define OPTIONS_SHIMS_MAX 6

/* The command line that all that drive shims share. */
struct options {
	unsigned int repetitions; /* -n: repetitions, or containers */
	unsigned int gap;         /* -g: milliseconds */
	unsigned int piece;       /* -m: bytes */
	unsigned int mebibytes;   /* -k */
	bool brief;               /* -b */
	const char *runtime_name; /* the last part of the runtime's path */
	char *template;           /* the text of -t */
	struct peer_host host;    /* -d, -N and -r, and what follows from them */
	struct bundle_spec spec;  /* -f, -G, the template; args are the caller's */
	struct peer shims[OPTIONS_SHIMS_MAX];
	size_t n_shims;
};

/* Returns 0, or -1 after it has told the user what is wrong. Strings point into argv. */
int options_init(struct options *options, int argc, char **argv);
void options_deinit(struct options *options);

/* One line on stderr; returns -1. */
int options_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Overwrites the line on stderr, if that is a terminal; an empty text clears it. */
void options_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));
#endif
