/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_FOLDER_H
#define SHIM_FOLDER_H
/*
 * The entries of a folder, one after the other, without the heap that readdir(3) takes. Embedded; it
 * holds nothing that would have to be given back. fd stays the caller's and is read from.
 */
#include <stdbool.h>
#include <stddef.h>

#define FOLDER_ROOM 1024 /* bytes of some thirty entries; the longest one needs 280 */

struct folder {
	int fd;
	size_t at, size;
	_Alignas(8) char bytes[FOLDER_ROOM];
};

void folder_init(struct folder *folder, int fd);

/*
 * Returns 1 and the next entry, "." and ".." too: its name, good until the next call, and its type as
 * readdir(3) has it (DT_DIR); 0: there is none; or a negative errno.
 */
int folder_next(struct folder *folder, const char **ret_name, unsigned char *ret_type);

#endif
