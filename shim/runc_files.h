/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_RUNC_FILES_H
#define SHIM_RUNC_FILES_H
/*
 * The small files in a bundle that the OCI runtime driver shares with others: `options.json` and
 * `runtime` with the stock shim, `init.pid` with the runtime.
 */
#include <stddef.h>
#include <sys/types.h>

#include "shim/failure.h"
#include "shim/runc_options.h"

/* A whole file with a NUL behind it, to be freed. Refused: "open PATH: ...", or too large. */
int runc_file_read(const char *path, size_t max, char **ret_text, struct failure *ret_failure);

/* A file that is missing sets nothing. */
int runc_files_read(const char *folder, Containerd__Runc__V1__Options *options,
		    struct failure *ret_failure);

/* What the runtime wrote for --pid-file. */
int runc_file_read_pid(const char *path, pid_t *ret_pid, struct failure *ret_failure);

#endif
