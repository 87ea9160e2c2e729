/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounts that take more than a call: files as devices, mapped ids, overlays of many layers, and helper
 * programs. What the kernel here can't do is skipped, by name.
 */
#include <limits.h>
#include <linux/loop.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <time.h>

#include "shim/mount_tree.h"
#include "test/unit/mount_world.h"

static void mounted(const struct mount_entry *entry)
{
	if (mount_all("rootfs", entry, 1, &failure) != 0)
		test_fail(__FILE__, __LINE__, "%s", failure.text);
	ASSERT_EQ(mounts(), 1);
}

static void refused(const struct mount_entry *entry, const char *text)
{
	ASSERT_EQ(mount_all("rootfs", entry, 1, &failure), FAILURE_REFUSED);
	if (!strstr(failure.text, text))
		test_fail(__FILE__, __LINE__, "\"%s\" in \"%s\"", text, failure.text);
	ASSERT_EQ(mounts(), 0);
}

static void expect_owner(const char *path, unsigned uid, unsigned gid)
{
	struct stat status;

	ASSERT_EQ(lstat(path, &status), 0);
	ASSERT_EQ(status.st_uid, uid);
	ASSERT_EQ(status.st_gid, gid);
}

/* ---- loop ---- */

static void disk_make(void)
{
	if (access("/dev/loop-control", R_OK | W_OK) < 0)
		SKIP("no loop devices: %s", strerror(errno));
	if (system("command -v mkfs.ext4 >/dev/null") != 0)
		SKIP("no mkfs.ext4");
	enter_world();
	ASSERT_EQ(system("truncate -s 2M disk && mkfs.ext4 -q -O ^has_journal disk"), 0);
}

/* The device of a mount; its flags are those of the kernel now. */
static unsigned loop_flags(const char *path, char name[static 32])
{
	struct loop_info64 info;
	struct stat status;
	unsigned flags;
	int fd;

	ASSERT_EQ(stat(path, &status), 0);
	ASSERT_EQ(status.st_dev >> 8, 7); /* the major number of loop devices */
	snprintf(name, 32, "/dev/loop%d", (int)(status.st_dev & 0xff));
	fd = open(name, O_RDONLY | O_CLOEXEC);
	ASSERT(fd >= 0);
	ASSERT_EQ(ioctl(fd, LOOP_GET_STATUS64, &info), 0);
	flags = info.lo_flags;
	ASSERT_STR((const char *)info.lo_file_name, "disk");
	close(fd);
	return flags;
}

/* Whether the device is let go of, which happens a moment after the last use of it. */
static void expect_free(const char *name)
{
	const struct timespec moment = {.tv_nsec = 10000000};
	char backing[64], text[512];

	snprintf(backing, sizeof(backing), "/sys/block/%s/loop/backing_file", name + 5);
	for (int i = 0; i < 800; i++) {
		FILE *file = fopen(backing, "re");
		bool ours = file && fgets(text, sizeof(text), file) && strstr(text, "/world/disk");

		if (file)
			fclose(file);
		if (!ours)
			return;
		nanosleep(&moment, NULL);
	}
	test_fail(__FILE__, __LINE__, "%s is still attached", name);
}

TEST(loop)
{
	struct mount_entry entry = {"ext4", "disk", "", WORDS("loop")};
	char name[32];

	disk_make();
	mounted(&entry);
	make_file("rootfs/file", "x");
	ASSERT_EQ(loop_flags("rootfs", name), LO_FLAGS_AUTOCLEAR);
	unmounted("rootfs");
	expect_free(name);
}

TEST(loop_read_only_and_direct)
{
	struct mount_entry entry = {"ext4", "disk", "", WORDS("loop", "ro", "direct-io")};
	char name[32];

	disk_make();
	mounted(&entry);
	ASSERT_EQ(open("rootfs/file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644), -1);
	ASSERT_EQ(errno, EROFS);
	/* tmpfs, where the file is, may not be able to do without the cache */
	ASSERT_EQ(loop_flags("rootfs", name) & ~(unsigned)LO_FLAGS_DIRECT_IO,
		  LO_FLAGS_AUTOCLEAR | LO_FLAGS_READ_ONLY);
	unmounted("rootfs");
	expect_free(name);
}

TEST(loop_refused)
{
	struct mount_entry entry = {"ext4", "none", "", WORDS("loop")};

	disk_make();
	refused(&entry, "failed to mount rootfs component: loop device for none: no such file or "
			"directory");
	make_file("none", "this is no file system");
	refused(&entry, "source: \"/dev/loop");
}

/* ---- mapped ids ---- */

/* Folders of these owners; skipped where a mount can't be mapped. */
static void owners_make(const char *folder, unsigned uid, unsigned gid)
{
	char path[128];

	ASSERT(mkdir(folder, 0755) == 0 || errno == EEXIST);
	snprintf(path, sizeof(path), "%s/file", folder);
	make_file(path, "x");
	ASSERT_EQ(lchown(path, uid, gid), 0);
}

static void need_maps(void)
{
	int tree, r;

	enter_world();
	/* no descriptor of that number is open: a kernel that can map says so */
	tree = mount_tree_clone(AT_FDCWD, "/tmp", false);
	if (tree < 0)
		SKIP("no open_tree: %s", strerror(-tree));
	r = mount_tree_map(tree, INT_MAX, false, false);
	close(tree);
	if (r != -EBADF)
		SKIP("no id-mapped mounts: %s", strerror(-r));
}

#define MAPS "uidmap=0:100000:65536", "gidmap=0:200000:65536"

TEST(mapped_bind)
{
	struct mount_entry entry = {"bind", "source", "", WORDS("bind", MAPS)};

	need_maps();
	owners_make("source", 0, 0);
	mounted(&entry);
	expect_owner("rootfs/file", 100000, 200000);
	expect_owner("source/file", 0, 0);
	make_file("rootfs/file", "y");
	unmounted("rootfs");
}

TEST(mapped_with_several_ranges)
{
	struct mount_entry entry = {
		"bind", "source", "",
		WORDS("bind", "uidmap=0:1000:1,5:2000:2", "gidmap=0:1000:1,5:2000:2")};

	need_maps();
	owners_make("source", 6, 0);
	mounted(&entry);
	expect_owner("rootfs/file", 2001, 1000);
	unmounted("rootfs");
}

TEST(mapped_and_read_only)
{
	struct mount_entry entry = {"bind", "source", "", WORDS("rbind", "ro", MAPS)};

	need_maps();
	owners_make("source", 1, 1);
	mounted(&entry);
	expect_owner("rootfs/file", 100001, 200001);
	ASSERT_EQ(open("rootfs/file", O_WRONLY | O_CLOEXEC), -1);
	ASSERT_EQ(errno, EROFS);
	unmounted("rootfs");
}

/* One that is new is mapped, too, and so is one at a target inside. */
TEST(mapped_tmpfs_inside)
{
	struct mount_entry entries[] = {
		{"bind", "source", "", WORDS("bind")},
		{"tmpfs", "tmpfs", "/link/inside", WORDS("mode=755", MAPS)},
	};

	need_openat2();
	need_maps();
	ASSERT_EQ(mkdir("source", 0755) | mkdir("source/real", 0755) |
			  mkdir("source/real/inside", 0755),
		  0);
	ASSERT_EQ(symlink("/real", "source/link"), 0);
	ASSERT_EQ(mount_all("rootfs", entries, 2, &failure), 0);
	ASSERT_EQ(mounts(), 2);
	expect_owner("rootfs/real/inside", 100000, 200000);
	expect_owner("source/real/inside", 0, 0);
	unmounted("rootfs");
}

TEST(mapped_overlay)
{
	struct mount_entry entry = {"overlay", "overlay", "",
				    WORDS("index=off", "lowerdir=/tmp/world/l\\:1:/tmp/world/l2",
					  "upperdir=/tmp/world/up", "workdir=/tmp/world/work",
					  MAPS)};

	need_maps();
	owners_make("l:1", 0, 0);
	owners_make("l2", 5, 6);
	ASSERT_EQ(rename("l2/file", "l2/other"), 0);
	ASSERT_EQ(mkdir("up", 0755) | mkdir("work", 0755), 0);
	mounted(&entry);
	expect_owner("rootfs/file", 100000, 200000);
	expect_owner("rootfs/other", 100005, 200006);
	make_file("rootfs/new", "x");
	ASSERT_EQ(access("up/new", F_OK), 0);
	expect_owner("l2/other", 5, 6);
	unmounted("rootfs");
	ASSERT_EQ(access("l2/other", F_OK), 0);
}

/* More than would fit into a page under their own names. */
TEST(mapped_overlay_of_many_layers)
{
	enum { LAYERS = 60 };
	char name[160], deep[101], *options, *to;
	struct mount_entry entry = {"overlay", "overlay", "", NULL, 3};
	char *words[] = {NULL, (char *)(uintptr_t) "uidmap=0:7:1",
			 (char *)(uintptr_t) "gidmap=0:8:1"};

	need_maps();
	memset(deep, 'd', sizeof(deep) - 1);
	deep[sizeof(deep) - 1] = '\0';
	to = options = malloc(LAYERS * 130 + 16);
	to = stpcpy(to, "lowerdir=");
	for (int i = 0; i < LAYERS; i++) {
		snprintf(name, sizeof(name), "%s%d", deep, i);
		owners_make(name, 0, 0);
		to += sprintf(to, "%s/tmp/world/%s", i ? ":" : "", name);
	}
	snprintf(name, sizeof(name), "%s%d/last", deep, LAYERS - 1);
	make_file(name, "x");
	words[0] = options;
	entry.options = words;
	mounted(&entry);
	expect_owner("rootfs/file", 7, 8);
	ASSERT_EQ(access("rootfs/last", F_OK), 0);
	unmounted("rootfs");
	free(options);
}

TEST(mapped_refused)
{
	struct mount_entry overlap = {"bind", "source", "",
				      WORDS("bind", "uidmap=0:1:2,0:5:1", "gidmap=0:1:2")};
	struct mount_entry remount = {"bind", "source", "", WORDS("remount", MAPS)};
	struct mount_entry layers = {"overlay", "overlay", "", WORDS("upperdir=/x", MAPS)};
	struct mount_entry layer = {"overlay", "overlay", "", WORDS("lowerdir=/no/such", MAPS)};

	need_maps();
	owners_make("source", 0, 0);
	refused(&overlap, "err: invalid argument");
	refused(&remount, "err: invalid argument");
	refused(&layers, "err: invalid argument");
	refused(&layer, "err: no such file or directory");
}

/* ---- an overlay whose options are more than a page, whatever is taken off them ---- */

TEST(overlay_layer_by_layer)
{
	enum { LAYERS = 40 };
	char name[300], part[200], *options, *to;
	struct mount_entry entry = {"overlay", "overlay", "", NULL, 4};
	char *words[] = {NULL, (char *)(uintptr_t) "nosuid",
			 (char *)(uintptr_t) "upperdir=/tmp/world/up",
			 (char *)(uintptr_t) "workdir=/tmp/world/work"};

	enter_world();
	ASSERT_EQ(mkdir("up", 0755) | mkdir("work", 0755), 0);
	memset(part, 'd', sizeof(part) - 1);
	part[sizeof(part) - 1] = '\0';
	to = options = malloc(LAYERS * 260 + 16);
	to = stpcpy(to, "lowerdir=");
	for (int i = 0; i < LAYERS; i++) {
		snprintf(name, sizeof(name), "%03d%s", i, part);
		ASSERT_EQ(mkdir(name, 0755), 0);
		to += sprintf(to, "%s/tmp/world/%s", i ? ":" : "", name);
		snprintf(name, sizeof(name), "%03d%s/f%d", i, part, i);
		make_file(name, "x");
	}
	words[0] = options;
	entry.options = words;
	if (mount_all("rootfs", &entry, 1, &failure) != 0) {
		ASSERT_STR(failure.text, "failed to mount rootfs component: mount options is too "
					 "long");
		free(options);
		SKIP("the kernel takes no layers one by one");
	}
	ASSERT_EQ(mounts(), 1);
	ASSERT_EQ(access("rootfs/f0", F_OK) | access("rootfs/f39", F_OK), 0);
	make_file("rootfs/new", "x");
	ASSERT_EQ(access("up/new", F_OK), 0);
	struct statvfs status;
	ASSERT_EQ(statvfs("rootfs", &status), 0);
	ASSERT(status.f_flag & ST_NOSUID);
	unmounted("rootfs");
	free(options);
}

/* ---- helper programs ---- */

/* One that says how it was called. */
static void helper_make(const char *name, const char *script)
{
	char path[64];
	int fd;

	enter_world();
	ASSERT_EQ(mkdir("bin", 0755), 0);
	snprintf(path, sizeof(path), "bin/%s", name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	ASSERT(fd >= 0);
	ASSERT(dprintf(fd, "#!/bin/sh\n%s\n", script) > 0);
	close(fd);
	setenv("PATH", "/tmp/world/bin:/usr/bin:/bin:/usr/sbin:/sbin", 1);
}

TEST(helper)
{
	struct mount_entry entry = {"fuse3.sshfs", "host:/", "",
				    WORDS("ro", "allow_other", "loop")};
	char line[256] = "";
	FILE *file;

	helper_make("mount.fuse3", "echo $* >words; mount -t tmpfs tmpfs $2");
	mounted(&entry);
	file = fopen("words", "re");
	ASSERT(file && fgets(line, sizeof(line), file) && fclose(file) == 0);
	ASSERT_STR(line, "host:/ /tmp/world/rootfs -o ro -o allow_other -o loop -t sshfs\n");
	unmounted("rootfs");
}

TEST(helper_that_fails)
{
	struct mount_entry entry = {"fuse.x", "source", "", NULL, 0};

	helper_make("mount.fuse", "echo it is not there >&2; exit 3");
	refused(&entry, "mount.fuse: exit status 3: it is not there");
	unlink("bin/mount.fuse");
	setenv("PATH", "/tmp/world/bin", 1);
	refused(&entry, "exec: \"mount.fuse\": executable file not found in $PATH");
}
