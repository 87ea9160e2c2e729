/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_FILTER_MACHINE_H
#define TEST_FILTER_MACHINE_H
/*
 * The kernel's classic BPF machine, as far as a seccomp filter uses it: so that a filter can be asked
 * about every system call, also one of another architecture, without making any.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* False if the kernel would refuse the filter or this machine doesn't know a step of it. */
bool machine_run(const struct sock_filter *filter, size_t length, const struct seccomp_data *data,
		 uint32_t *ret_action);

#endif
