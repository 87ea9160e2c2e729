/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_MOUNT_PLAN_H
#define SHIM_MOUNT_PLAN_H
/*
 * What one entry of a Create request's mounts asks of the kernel.
 */
#include <stdbool.h>

#include "shim/mount.h"

struct mount_plan {
	unsigned long flags; /* of mount(2) */
	char *data;          /* what the file system gets: "a,b=c" */
	char *folder;   /* data has names relative to this one: mount from there. NULL: anywhere */
	bool layered;   /* data is more than mount(2) takes; it is an overlay's */
	bool loop;      /* the source is a file, to be mounted as a block device */
	bool direct_io; /* with loop: past the page cache of that file */
	/*
	 * Of an id-mapped mount, as /proc/PID/uid_map and gid_map take them: a line "ON-DISK SEEN
	 * COUNT" each. NULL: of another.
	 */
	char *uid_map, *gid_map;
};

int mount_plan_init(struct mount_plan *ret_plan, const struct mount_entry *entry,
		    struct failure *ret_failure);
void mount_plan_deinit(struct mount_plan *plan);

#endif
