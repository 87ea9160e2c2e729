/* SPDX-License-Identifier: Apache-2.0 */
/* Reading folders: see folder.h. */
#include "shim/folder.h"

#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel's, of getdents64(2). */
struct entry {
	uint64_t inode;
	int64_t offset;
	uint16_t size;
	uint8_t type;
	char name[];
};

void folder_init(struct folder *folder, int fd)
{
	folder->fd = fd;
	folder->at = folder->size = 0;
}

int folder_next(struct folder *folder, const char **ret_name, unsigned char *ret_type)
{
	if (folder->at == folder->size) {
		long n = syscall(SYS_getdents64, folder->fd, folder->bytes, sizeof(folder->bytes));

		if (n <= 0)
			return n < 0 ? -errno : 0;
		folder->at = 0;
		folder->size = (size_t)n;
	}
	const struct entry *entry = (const void *)(folder->bytes + folder->at);
	folder->at += entry->size;
	*ret_name = entry->name;
	*ret_type = entry->type;
	return 1;
}
