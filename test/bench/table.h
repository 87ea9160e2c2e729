/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_BENCH_TABLE_H
#define TEST_BENCH_TABLE_H
#include <stddef.h>

#include "test/bench/options.h"
#include "test/bench/sample.h"

enum table_goal {
	TABLE_NO_GOAL,
	TABLE_AT_MOST,  /* our median, as a share of the other's */
	TABLE_AT_LEAST, /* of a figure that should be large */
};

/* A quantity, measured with each shim. */
struct table_row {
	const char *name;
	enum table_goal kind;
	double goals[PEER_ROLES]; /* against a shim of that role; 0: none */
	struct sample samples[OPTIONS_SHIMS_MAX];
};

/*
 * Medians with the values at 10 and 90 per cent; then the ratios of the first shim to each other one,
 * with goals.
 */
void table_print(const struct options *options, const struct table_row *rows, size_t n_rows);
void table_deinit(struct table_row *rows, size_t n_rows);
#endif
