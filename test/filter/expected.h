/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_FILTER_EXPECTED_H
#define TEST_FILTER_EXPECTED_H
/*
 * What the server may do, written down a second time: with the kernel's numbers of each architecture
 * instead of names, and conditions in C. Whoever widens seccomp/server.policy has to say so here too.
 */
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXPECTED_CALLS_MAX 40

enum expected_architecture { EXPECTED_X86_64, EXPECTED_AARCH64, EXPECTED_ARCHITECTURES };

/* The action for a call through the architecture's own entry, whatever data->arch says. */
uint32_t expected_action(enum expected_architecture architecture, const struct seccomp_data *data);

size_t expected_calls(void);

/* The number of a call that is allowed at least with some arguments; -1: not on this architecture. */
int expected_number(enum expected_architecture architecture, const char *name);

#endif
