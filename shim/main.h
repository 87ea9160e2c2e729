/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_MAIN_H
#define SHIM_MAIN_H
/*
 * The short-lived verbs behind shim_main(). Each returns the exit status of the program, and has said
 * on standard error why, if it is not 0.
 */
#include <stdio.h>

#include "shim/config.h"
#include "shim/failure.h"

int start_main(const struct shim_config *config);
int delete_main(const struct shim_config *config);
int info_main(const struct shim_config *config);

/*
 * Says "RUNTIME: TEXT" on standard error, without a newline: containerd puts it inside a line of its
 * own. Returns 1.
 */
int main_fail(const struct shim_config *config, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* As failure_set(), with a text for a call that set errno: "WHAT NAME: REASON". */
int main_errno(struct failure *failure, const char *what, const char *name);

/* The text of a result that is not 0 is in failure, or else made from the errno. Returns 1. */
int main_report(const struct shim_config *config, const struct failure *failure, int result);

/* Writes all of it to standard output; 0 or a negative errno. */
int main_answer(const void *bytes, size_t size);

/* Fills in what a call of the runtime from a short-lived verb has in common; task is zeroed. */
void main_task(const struct shim_config *config, struct runtime_task *task);

#endif
