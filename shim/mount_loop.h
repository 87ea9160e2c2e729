/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_MOUNT_LOOP_H
#define SHIM_MOUNT_LOOP_H
/* A file as a block device. For workers. */
#include <stdbool.h>

#include "shim/failure.h"

#define MOUNT_LOOP_NAME_SIZE 32

/*
 * Attaches the file to a free loop device, which is let go when nobody has it open or mounted any
 * more: until it is mounted, the caller keeps *ret_fd, and closes it then. name: the device's.
 */
int mount_loop_attach(const char *file, bool read_only, bool direct_io,
		      char name[static MOUNT_LOOP_NAME_SIZE], int *ret_fd,
		      struct failure *ret_failure);

#endif
