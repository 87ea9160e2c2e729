/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_PROGRAM_H
#define SHIM_PROGRAM_H
/*
 * Where a program is that was given by name. For workers and the short-lived verbs.
 */
#include <stddef.h>

#include "shim/failure.h"

/*
 * Writes what execve() takes into the buffer of size bytes. A name with a slash is not looked at;
 * any other is an executable file in PATH. What is in the buffer after a refusal means nothing.
 */
int program_find(const char *name, char *ret_path, size_t size, struct failure *ret_failure);

#endif
