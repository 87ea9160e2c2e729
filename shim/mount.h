/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_MOUNT_H
#define SHIM_MOUNT_H
/*
 * The mounts of a Create request: a container's root file system, in order. For workers: it blocks.
 */
#include <stddef.h>

#include "shim/failure.h"

/* One containerd.types.Mount; strings are never NULL. target is inside the root file system. */
struct mount_entry {
	const char *type, *source, *target;
	char **options;
	size_t n_options;
};

/*
 * Mounts the entries in order below the folder rootfs, which is made if it is missing. No entries:
 * nothing is done. If one fails, those before it are unmounted.
 */
int mount_all(const char *rootfs, const struct mount_entry *entries, size_t n_entries,
	      struct failure *ret_failure);

#endif
