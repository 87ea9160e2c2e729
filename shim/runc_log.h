/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_RUNC_LOG_H
#define SHIM_RUNC_LOG_H
/*
 * The log that an OCI runtime appends to with --log FILE --log-format json: one object a line. All
 * commands of a container's life write to one file, so what a command said is what is behind the
 * size that the file had before it ran.
 */
#include <sys/types.h>

#include "shim/failure.h"

#define RUNC_LOG_TAIL_MAX (1u << 20) /* bytes of a command's log that are read, from its end */

/* 0: there is none yet. */
off_t runc_log_size(const char *path);

/*
 * The message of the last record behind `from` whose level is error or fatal. 1: there is one; 0:
 * there is none; negative errno: the file can't be read.
 */
int runc_log_last_error(const char *path, off_t from, struct failure *ret_message);

/*
 * Appends the end of one log to another, in one piece, and removes it. It is for people to read: what
 * can't be appended is lost.
 */
void runc_log_move(const char *from, const char *to);

#endif
