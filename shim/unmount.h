/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_UNMOUNT_H
#define SHIM_UNMOUNT_H
/*
 * Unmounts a folder and all that is mounted below it. For workers and `delete`: it blocks.
 */
#include <stdbool.h>

#include "shim/failure.h"

/*
 * Nothing mounted there, or no such folder: success. ret_busy (may be NULL): something stayed busy
 * and was only taken out of sight (MNT_DETACH).
 */
int unmount_tree(const char *folder, bool *ret_busy, struct failure *ret_failure);

#endif
