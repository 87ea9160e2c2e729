/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_FILE_H
#define SHIM_FILE_H
/*
 * Small files, read and written as a whole. What stands under a name may be anything: nothing here
 * waits for the other end of a FIFO, or reads more than it was told to.
 */
#include <stddef.h>
#include <sys/types.h>

#include "shim/failure.h"

/* 0 or a negative errno. */
int file_write_all(int fd, const void *bytes, size_t size);

/*
 * A regular file of at most max bytes, with a NUL behind them, to be freed. flags: 0 or O_NOFOLLOW.
 * Returns 0 or a negative errno; -EINVAL: it is no regular file; -EFBIG: it is larger.
 */
int file_read(const char *path, int flags, size_t max, char **ret_text, size_t *ret_size);

/* Puts such an errno into words; returns FAILURE_REFUSED, or -ENOMEM for that. */
int file_refuse(const char *path, size_t max, int error, struct failure *ret_failure);

/* What a program wrote for --pid-file. Refused: it is no pid. */
int file_read_pid(const char *path, pid_t *ret_pid, struct failure *ret_failure);

/*
 * Writes folder/name anew under another name and renames it, so that a reader sees the old or the new
 * one, whole. The mode is as it is given, whatever the mask. 0 or a negative errno, and nothing of it.
 */
int file_replace(const char *folder, const char *name, const void *bytes, size_t size, mode_t mode);

#endif
