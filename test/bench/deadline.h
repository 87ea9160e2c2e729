/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_BENCH_DEADLINE_H
#define TEST_BENCH_DEADLINE_H
#include <sys/types.h>

/* For each answer of a shim, each of its verbs and each command; test/bench/lib.sh reads it, too. */
#define DEADLINE_SECONDS 30

double deadline_in(unsigned int seconds); /* on sample_clock() */

/* Waits until fd can be read or is at its end. Returns 0 or a negative errno: -ETIMEDOUT. */
int deadline_poll(int fd, double deadline);

/* Waits for a child to end. One that does not in time is killed, and not waited for: -ETIMEDOUT. */
int deadline_wait(pid_t pid, double deadline, int *ret_status);

const char *deadline_text(int error); /* of deadline_wait(), for people */
#endif
