/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_MOUNT_KERNEL_H
#define SHIM_MOUNT_KERNEL_H
/* One mount that the kernel itself does, where it is to be. For workers. */
#include <stdbool.h>

#include "shim/mount.h"
#include "shim/mount_plan.h"

/* A target below the root file system; what leads out of it by links or .. stays inside. */
struct mount_place {
	const char *rootfs, *target;
};

#define MOUNT_NAME_SIZE 32

/*
 * An O_PATH descriptor of what is seen there now, the top of what is mounted; or a negative errno. Its
 * name is for calls that take a path.
 */
int mount_place_open(const struct mount_place *place);
const char *mount_name(int fd, char name[static MOUNT_NAME_SIZE]);

/* *ret_mounted: there is something to be undone, also on failure. 0 or a negative errno. */
int mount_kernel(const struct mount_place *place, const struct mount_entry *entry,
		 const struct mount_plan *plan, bool *ret_mounted);

#endif
