/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_MOUNT_IDMAP_H
#define SHIM_MOUNT_IDMAP_H
/*
 * Id-mapped mounts (since 5.12; of an overlay's layers since 5.19): files belong to other users
 * than the disk says. For workers.
 */
#include "shim/mount_kernel.h"

/*
 * A mount as mount_kernel() makes it, mapped as plan->uid_map and gid_map say; of an overlay the
 * lower layers are. *ret_mounted: there is something to be undone, also on failure. 0 or a negative
 * errno.
 */
int mount_idmap(const struct mount_place *place, const struct mount_entry *entry,
		const struct mount_plan *plan, bool *ret_mounted);

#endif
