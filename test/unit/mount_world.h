/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_UNIT_MOUNT_WORLD_H
#define TEST_UNIT_MOUNT_WORLD_H
/* A mount namespace for one test: what is mounted in it is gone with it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim/mount.h"
#include "shim/unmount.h"
#include "test/test.h"

static struct failure failure;

#define WORDS(...)                                                                                 \
	(char **)(uintptr_t)(const char *const[]){__VA_ARGS__},                                    \
		sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)

/* A /tmp that nobody else sees and that ends with the test. */
static inline void enter_world(void)
{
	if (unshare(CLONE_NEWNS) < 0)
		SKIP("no mount namespace: %s", strerror(errno));
	ASSERT_EQ(mount("", "/", "", MS_REC | MS_PRIVATE, ""), 0);
	ASSERT_EQ(mount("tmpfs", "/tmp", "tmpfs", 0, ""), 0);
	ASSERT_EQ(mkdir("/tmp/world", 0755), 0);
	ASSERT_EQ(chdir("/tmp/world"), 0);
}

/* How many mount points the world has below it. */
static inline int mounts(void)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char line[4096];
	int n = 0;

	ASSERT(file);
	while (fgets(line, sizeof(line), file))
		n += strstr(line, " /tmp/world/") != NULL;
	fclose(file);
	return n;
}

static inline void make_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	ASSERT(fd >= 0);
	ASSERT_EQ(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static inline void unmounted(const char *folder)
{
	bool busy = true;

	ASSERT_EQ(unmount_tree(folder, &busy, &failure), 0);
	ASSERT(!busy);
	ASSERT_EQ(mounts(), 0);
}

/* Without it (before 5.6, under valgrind) targets below rootfs are refused. */
static inline void need_openat2(void)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, "/", &how, sizeof(how));

	if (fd < 0)
		SKIP("no openat2: %s", strerror(errno));
	close(fd);
}

#endif
