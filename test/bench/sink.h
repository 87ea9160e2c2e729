/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_BENCH_SINK_H
#define TEST_BENCH_SINK_H

/*
 * Listens on path and answers every request OK with an empty message, from a thread of its own,
 * until the process ends. Returns 0 or a negative errno.
 */
int sink_start(const char *path);

/*
 * Reads a shim's log, a FIFO that somebody holds open, and throws it away, until nobody has it open any
 * more: a shim that logs much would wait in write(2) for ever. Returns 0 or a negative errno.
 */
int sink_swallow(const char *path);
#endif
