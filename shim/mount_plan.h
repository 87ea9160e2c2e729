/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_MOUNT_PLAN_H
#define SHIM_MOUNT_PLAN_H
/*
 * What one entry of a Create request's mounts asks of mount(2).
 */
#include "shim/mount.h"

struct mount_plan {
	unsigned long flags;
	char *data;   /* what the file system gets: "a,b=c" */
	char *folder; /* data has names relative to this one: mount from there. NULL: anywhere */
};

int mount_plan_init(struct mount_plan *ret_plan, const struct mount_entry *entry,
		    struct failure *ret_failure);
void mount_plan_deinit(struct mount_plan *plan);

#endif
