/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_MOUNT_LAYERS_H
#define SHIM_MOUNT_LAYERS_H
/*
 * An overlay whose options are more than a page: its layers are given to the kernel one by one (since
 * 6.7). For workers.
 */
#include "shim/mount_plan.h"

/*
 * Mounts it at target, an O_PATH descriptor. 0 or a negative errno; -E2BIG: the kernel does not know
 * how.
 */
int mount_layers(const struct mount_entry *entry, const struct mount_plan *plan, int target);

/*
 * The next item of a list as overlay reads it: up to an end character that no backslash precedes,
 * without such backslashes, in place. *list is then behind it, or NULL.
 */
char *mount_layers_next(char **list, char end);

#endif
