/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_FAILURE_H
#define SHIM_FAILURE_H
/*
 * Why something that was asked for was not done: one text, for the person who asked. Functions of
 * the workers that take a struct failure return 0, or a negative errno (this process is broken), or
 * FAILURE_REFUSED, and only then is the text set.
 *
 * The text is always valid UTF-8 without control characters, whatever a runtime printed: a client
 * refuses an answer that is not.
 */
#include <stddef.h>

#include "shim/shim.h"

#define FAILURE_REFUSED 1

struct failure {
	char text[RUNTIME_ERROR_MAX];
};

/* Returns FAILURE_REFUSED. */
int failure_set(struct failure *failure, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Puts words before a text that was set. */
void failure_prefix(struct failure *failure, const char *prefix);

/* Makes text what the head of this file promises, in place, and cuts white space off its ends. */
void failure_clean(char *text);

/* An errno in the words that containerd's users know. Valid until called again. */
const char *failure_errno(int error);

#endif
