/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_RUNC_FILES_H
#define SHIM_RUNC_FILES_H
/*
 * The files `options.json` and `runtime` in a bundle, which the OCI runtime driver shares with the
 * stock shim. They are written by runc_options_write().
 */
#include "shim/failure.h"
#include "shim/runc_options.h"

/* A file that is missing sets nothing. */
int runc_files_read(const char *folder, Containerd__Runc__V1__Options *options,
		    struct failure *ret_failure);

#endif
