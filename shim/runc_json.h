/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_RUNC_JSON_H
#define SHIM_RUNC_JSON_H
/*
 * JSON that a client sent for the OCI runtime: checked, so that it is refused with a text that says
 * why, and else passed on as it is.
 */
#include <stdbool.h>
#include <stddef.h>

#include "shim/failure.h"

/*
 * Bytes of it; above: refused. What a process is given by execve(), arguments and environment, is a
 * fourth of its stack: 2 MiB unless somebody raised that limit.
 */
#define RUNC_JSON_MAX (2u << 20)

/* Refused: it is not one object. what: its name in the text. A NUL is behind the size bytes. */
int runc_json_check(const char *what, const char *json, size_t size, struct failure *ret_failure);

/*
 * An object that was checked, with its member of this name, in upper or lower case, set to value. The
 * rest stays as it was, byte for byte. *ret_json is to be freed, and has a NUL behind its *ret_size
 * bytes. 0 or a negative errno.
 */
int runc_json_set(const char *json, size_t size, const char *name, bool value, char **ret_json,
		  size_t *ret_size);

#endif
