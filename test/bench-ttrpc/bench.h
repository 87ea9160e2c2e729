/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_BENCH_TTRPC_BENCH_H
#define TEST_BENCH_TTRPC_BENCH_H
/*
 * The parts of the bench; each prints what it has measured.
 *
 *   bench.c      speed             memory.c     memory and sizes
 *   syscalls.c   system calls and allocations for each message
 */
#include <stdbool.h>

#include "test/bench-ttrpc/peers.h"
#include "test/bench-ttrpc/process.h"

void bench_memory(const struct peer *peers, unsigned rounds);
void bench_syscalls(const struct peer *peers);

void bench_progress(const char *what, unsigned done, unsigned all);
unsigned bench_option(const char *name, unsigned value); /* from the environment */

#endif
