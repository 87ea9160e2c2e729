/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SECCOMP_POLICY_H
#define SECCOMP_POLICY_H
/*
 * A policy file, read: which system calls are allowed, and with which arguments. Its syntax is
 * described at the top of server.policy. Used on the build host only.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define POLICY_RULES_MAX 128u
#define POLICY_CALLS_MAX 40u /* different calls; a longer list is no longer read by anybody */
#define POLICY_CONDITIONS_MAX 6u

/* (argument & mask) == value, in 64 bits */
struct policy_condition {
	unsigned int argument;
	uint64_t mask;
	uint64_t value;
};

struct policy_rule {
	unsigned int line;
	char call[32];
	char architecture[16]; /* "": every one */
	size_t n_conditions;
	struct policy_condition conditions[POLICY_CONDITIONS_MAX];
};

struct policy {
	const char *path;
	size_t n_rules;
	size_t n_calls;
	struct policy_rule rules[POLICY_RULES_MAX];
};

/* 0, or -1 after one line "path:line: reason" on stderr. path is kept, not copied. */
int policy_read(const char *path, struct policy *ret_policy);

#endif
