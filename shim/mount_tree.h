/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_MOUNT_TREE_H
#define SHIM_MOUNT_TREE_H
/*
 * Mounts that are descriptors and stand nowhere yet: the calls of open_tree(2) and its kin, and a place
 * to make such a mount where nobody else sees it. All return a descriptor or 0, or a negative errno;
 * -ENOSYS: the kernel is too old (open_tree and move_mount 5.2, mount_setattr 5.12).
 */
#include <stdbool.h>

/* A copy of the mount at path, or of what folder is with "". With recursive: of those below it too. */
int mount_tree_clone(int folder, const char *path, bool recursive);

/* Its owners are seen as the user namespace maps them. It must not have stood anywhere. */
int mount_tree_map(int tree, int user_namespace, bool read_only, bool recursive);

/* Mounts it at target, an O_PATH descriptor. */
int mount_tree_attach(int tree, int target);

/*
 * Runs make in a child in a mount namespace of its own, private: what it mounts is gone with it, but for
 * the tree that it returns. A negative errno of make's is returned.
 */
int mount_tree_aside(int (*make)(void *argument), void *argument);

#endif
