/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_UNIT_RUNC_CGROUPS_H
#define TEST_UNIT_RUNC_CGROUPS_H
/*
 * A view of the machine's cgroups for one test, in a mount namespace of its own: those of v1 alone,
 * without a v2 beside them, which old crun takes for the only one; or v2 alone. What a test makes in it
 * is the machine's, since there is one hierarchy each: so it is in a folder of the test's name, which
 * goes with it.
 */
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "test/test.h"

#define CGROUPS "/sys/fs/cgroup"

static const char *const cgroups_controllers[] = {
	"cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "systemd"};

/* /run is the test's too: empty. */
static inline void cgroups_enter(void)
{
	if (unshare(CLONE_NEWNS) < 0)
		SKIP("no mount namespace: %s", strerror(errno));
	ASSERT_EQ(mount("", "/", "", MS_REC | MS_PRIVATE, ""), 0);
	ASSERT_EQ(mount("tmpfs", "/run", "tmpfs", 0, ""), 0);
}

static inline void cgroups_v2(void)
{
	cgroups_enter();
	if (mount("cgroup2", CGROUPS, "cgroup2", 0, "") < 0)
		SKIP("no cgroup v2: %s", strerror(errno));
}

static inline void cgroups_v1(void)
{
	char from[64], to[64];

	cgroups_enter();
	ASSERT_EQ(mkdir("/run/cgroup", 0755), 0);
	ASSERT_EQ(mount("tmpfs", "/run/cgroup", "tmpfs", 0, ""), 0);
	for (size_t i = 0; i < sizeof(cgroups_controllers) / sizeof(char *); i++) {
		snprintf(from, sizeof(from), CGROUPS "/%s", cgroups_controllers[i]);
		snprintf(to, sizeof(to), "/run/cgroup/%s", cgroups_controllers[i]);
		if (access(from, F_OK) < 0)
			continue;
		ASSERT_EQ(mkdir(to, 0755), 0);
		ASSERT_EQ(mount(from, to, "", MS_BIND, ""), 0);
	}
	if (access("/run/cgroup/devices/cgroup.procs", F_OK) < 0)
		SKIP("this machine has no cgroup v1");
	ASSERT_EQ(mount("/run/cgroup", CGROUPS, "", MS_MOVE, ""), 0);
}

static inline void cgroups_write(const char *folder, const char *name, const char *text)
{
	char path[PATH_MAX + 64];
	FILE *file;

	ASSERT(snprintf(path, sizeof(path), "%s/%s", folder, name) < (int)sizeof(path));
	file = fopen(path, "we");
	ASSERT(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

#endif
