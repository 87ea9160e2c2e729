/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounting and unmounting for real, in a mount namespace of each test's own. Who may not make one has
 * the tests skipped, by name; what needs no mount is tested in any case.
 */
#include "shim/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shim/mount_plan.h"
#include "test/unit/mount_world.h"

static void planned(char **options, size_t n, unsigned long flags, const char *data)
{
	struct mount_entry entry = {"tmpfs", "tmpfs", "", options, n};
	struct mount_plan plan;

	ASSERT_EQ(mount_plan_init(&plan, &entry, &failure), 0);
	ASSERT_EQ(plan.flags, flags);
	ASSERT_STR(plan.data, data);
	ASSERT(!plan.folder);
	mount_plan_deinit(&plan);
}

TEST(option_words)
{
	planned(WORDS("ro", "nosuid", "noexec", "nodev"),
		MS_RDONLY | MS_NOSUID | MS_NOEXEC | MS_NODEV, "");
	planned(WORDS("ro", "rw"), 0, "");
	planned(WORDS("rw", "ro"), MS_RDONLY, "");
	planned(WORDS("rbind", "rprivate"), MS_BIND | MS_REC, "rprivate");
	planned(WORDS("nosuid", "suid", "noatime", "atime", "sync", "async"), 0, "");
	planned(WORDS("relatime", "norelatime", "strictatime", "nostrictatime"), 0, "");
	planned(WORDS("dirsync", "mand", "remount", "nodiratime"),
		MS_DIRSYNC | MS_MANDLOCK | MS_REMOUNT | MS_NODIRATIME, "");
	planned(WORDS("defaults", "mode=755", "ro", "size=64k"), MS_RDONLY,
		"defaults,mode=755,size=64k");
}

/* 4 MiB of options are what a request holds: a million copies of all before would take minutes. */
TEST(many_words)
{
	enum { N = 1000000 };
	char **words = malloc(N * sizeof(*words));
	struct mount_entry entry = {"tmpfs", "tmpfs", "", words, N};
	struct mount_plan plan;

	for (size_t i = 0; i < N; i++)
		words[i] = (char *)(uintptr_t) "x";
	ASSERT_EQ(mount_plan_init(&plan, &entry, &failure), FAILURE_REFUSED);
	ASSERT_STR(failure.text, "mount options is too long");
	free(words);
}

static void plan_refused(const char *word, const char *reason)
{
	struct mount_entry entry = {"overlay", "overlay", "", WORDS("ro", word)};
	struct mount_plan plan;

	ASSERT_EQ(mount_plan_init(&plan, &entry, &failure), FAILURE_REFUSED);
	ASSERT_STR(failure.text, reason);
}

TEST(refused_words)
{
	plan_refused("X-containerd.mkdir=x",
		     "mount option \"X-containerd.mkdir=x\": it is for containerd's mount manager, "
		     "not for a shim");
	/* Beginning like one is not being one. */
	planned(WORDS("loops"), 0, "loops");
}

static void plan_of(struct mount_plan *plan, char **options, size_t n)
{
	struct mount_entry entry = {"ext4", "file", "", options, n};

	ASSERT_EQ(mount_plan_init(plan, &entry, &failure), 0);
}

TEST(loop_words)
{
	struct mount_plan plan;

	plan_of(&plan, WORDS("direct-io", "ro"));
	ASSERT(!plan.loop && !plan.direct_io);
	ASSERT_STR(plan.data, "direct-io"); /* it may be one of the file system's */
	mount_plan_deinit(&plan);
	plan_of(&plan, WORDS("direct-io", "noload", "loop", "ro"));
	ASSERT(plan.loop && plan.direct_io);
	ASSERT_STR(plan.data, "noload");
	ASSERT_EQ(plan.flags, MS_RDONLY);
	mount_plan_deinit(&plan);
}

TEST(map_words)
{
	struct mount_plan plan;

	plan_of(&plan, WORDS("uidmap=0:1000:10,20:4294967295:5", "x", "gidmap=0:1:2"));
	ASSERT_STR(plan.uid_map, "0 1000 10\n20 4294967295 5\n");
	ASSERT_STR(plan.gid_map, "0 1 2\n");
	ASSERT_STR(plan.data, "x");
	mount_plan_deinit(&plan);
	/* the last counts; one alone is none */
	plan_of(&plan, WORDS("uidmap=0:1:2", "gidmap=0:1:2", "uidmap=3:4:5"));
	ASSERT_STR(plan.uid_map, "3 4 5\n");
	mount_plan_deinit(&plan);
	plan_of(&plan, WORDS("uidmap=0:1:2"));
	ASSERT(!plan.uid_map && !plan.gid_map);
	ASSERT_STR(plan.data, "");
	mount_plan_deinit(&plan);
}

TEST(map_words_refused)
{
	static const char *const maps[] = {"",
					   "0",
					   "0:1",
					   "0:1:2:3",
					   "0:1:2,",
					   "a:1:2",
					   "0:-1:2",
					   "0: 1:2",
					   "0:1:2,,0:1:2",
					   ":1:2",
					   "0:1:4294967296",
					   "0:1:99999999999999999999"};
	char word[64], text[128];

	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
		snprintf(word, sizeof(word), "gidmap=%s", maps[i]);
		snprintf(text, sizeof(text), "mount option \"%s\": container:host:size is wanted",
			 word);
		plan_refused(word, text);
	}
}

/* "lowerdir=FOLDER/0:FOLDER/1:..." of n layers. */
static char *many_layers(const char *folder, int n)
{
	size_t size = (size_t)n * (strlen(folder) + 8) + 16, at;
	char *text = malloc(size);

	at = (size_t)snprintf(text, size, "lowerdir=");
	for (int i = 0; i < n; i++)
		at += (size_t)snprintf(text + at, size - at, "%s%s/%d", i ? ":" : "", folder, i);
	return text;
}

TEST(long_overlay_is_made_short)
{
	char *lower = many_layers("/var/lib/containerd/io.containerd.snapshotter/snapshots", 100);
	struct mount_entry entry = {"overlay", "overlay", "", WORDS(lower, "upperdir=/u")};
	struct mount_plan plan;

	ASSERT_EQ(mount_plan_init(&plan, &entry, &failure), 0);
	ASSERT_STR(plan.folder, "/var/lib/containerd/io.containerd.snapshotter/snapshots/");
	ASSERT(strncmp(plan.data, "lowerdir=0:1:2:", 15) == 0);
	ASSERT(strstr(plan.data, ":98:99,upperdir=/u"));
	mount_plan_deinit(&plan);
	free(lower);
}

TEST(too_long)
{
	char *lower = many_layers("/a", 2000), *word = malloc(5000);
	struct mount_entry entry = {"overlay", "overlay", "", WORDS(lower)};
	struct mount_plan plan;

	ASSERT_EQ(mount_plan_init(&plan, &entry, &failure), 0);
	ASSERT(plan.layered); /* it may be mounted in another way */
	mount_plan_deinit(&plan);
	memset(word, 'x', 4999);
	word[4999] = '\0';
	entry = (struct mount_entry){"tmpfs", "tmpfs", "", WORDS(word)};
	ASSERT_EQ(mount_plan_init(&plan, &entry, &failure), FAILURE_REFUSED);
	ASSERT_STR(failure.text, "mount options is too long");
	free(lower);
	free(word);
}

TEST(no_entries)
{
	ASSERT_EQ(mount_all("/no/such/rootfs", NULL, 0, &failure), 0);
	ASSERT_EQ(access("/no/such", F_OK), -1);
}

TEST(tmpfs_and_a_target_in_it)
{
	struct mount_entry entries[] = {
		{"tmpfs", "tmpfs", "", WORDS("mode=755", "size=1m")},
		{"bind", "source", "data", WORDS("rbind", "ro")},
	};
	struct statvfs status;

	need_openat2();
	enter_world();
	ASSERT_EQ(mkdir("source", 0755), 0);
	make_file("source/file", "x");
	/* The folder of the second is made through the first, as a mount manager would. */
	ASSERT_EQ(mount_all("rootfs", entries, 1, &failure), 0);
	ASSERT_EQ(mkdir("rootfs/data", 0755), 0);
	ASSERT_EQ(mount_all("rootfs", entries + 1, 1, &failure), 0);
	ASSERT_EQ(access("rootfs/data/file", R_OK), 0);
	ASSERT_EQ(open("rootfs/data/new", O_WRONLY | O_CREAT | O_CLOEXEC, 0644), -1);
	ASSERT_EQ(errno, EROFS);
	ASSERT_EQ(statvfs("rootfs/data", &status), 0);
	ASSERT(status.f_flag & ST_RDONLY);
	ASSERT_EQ(statvfs("source", &status), 0);
	ASSERT(!(status.f_flag & ST_RDONLY));
	ASSERT_EQ(mounts(), 2);
	unmounted("rootfs");
}

TEST(overlay)
{
	struct mount_entry entry = {"overlay", "overlay", "/",
				    WORDS("lowerdir=l1:l2", "upperdir=up", "workdir=work")};

	enter_world();
	ASSERT_EQ(mkdir("l1", 0755) | mkdir("l2", 0755) | mkdir("up", 0755) | mkdir("work", 0755),
		  0);
	make_file("l1/one", "1");
	make_file("l2/two", "2");
	ASSERT_EQ(mount_all("rootfs", &entry, 1, &failure), 0);
	ASSERT_EQ(access("rootfs/one", R_OK) | access("rootfs/two", R_OK), 0);
	make_file("rootfs/three", "3");
	ASSERT_EQ(access("up/three", R_OK), 0);
	unmounted("rootfs");
}

TEST(overlay_with_many_layers)
{
	char *lower, name[300];
	struct mount_entry entry = {"overlay", "overlay", "", NULL, 0};
	char deep[240];

	enter_world();
	memset(deep, 'd', sizeof(deep));
	deep[sizeof(deep) - 1] = '\0';
	ASSERT_EQ(mkdir(deep, 0755), 0);
	for (int i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "%s/%d", deep, i);
		ASSERT_EQ(mkdir(name, 0755), 0);
		snprintf(name, sizeof(name), "%s/%d/f%d", deep, i, i);
		make_file(name, "x");
	}
	snprintf(name, sizeof(name), "/tmp/world/%s", deep);
	lower = many_layers(name, 30);
	ASSERT(strlen(lower) > 4096);
	entry.options = &lower;
	entry.n_options = 1;
	ASSERT_EQ(mount_all("rootfs", &entry, 1, &failure), 0);
	ASSERT_EQ(access("rootfs/f0", R_OK) | access("rootfs/f29", R_OK), 0);
	unmounted("rootfs");
	free(lower);
}

TEST(failure_in_the_middle_undoes)
{
	struct mount_entry entries[] = {
		{"tmpfs", "tmpfs", "", NULL, 0},
		{"tmpfs", "other", "", NULL, 0},
		{"bind", "/no/such/source", "", WORDS("bind")},
	};

	enter_world();
	ASSERT_EQ(mount_all("rootfs", entries, 3, &failure), FAILURE_REFUSED);
	ASSERT_STR(failure.text,
		   "failed to mount rootfs component: mount source: \"/no/such/source\", target: "
		   "\"rootfs\", fstype: bind, flags: 4096, data: \"\", err: no such file or "
		   "directory");
	ASSERT_EQ(mounts(), 0);
}

/* A link in the image must not lead a mount out of it. */
TEST(target_stays_inside)
{
	struct mount_entry entries[] = {
		{"bind", "image", "", WORDS("bind")},
		{"tmpfs", "tmpfs", "/link", NULL, 0},
	};

	need_openat2();
	enter_world();
	ASSERT_EQ(mkdir("image", 0755) | mkdir("outside", 0755), 0);
	ASSERT_EQ(mkdir("image/tmp", 0755), 0);
	ASSERT_EQ(symlink("/tmp", "image/link"), 0);
	ASSERT_EQ(mount_all("rootfs", entries, 2, &failure), 0);
	ASSERT_EQ(mounts(), 2);
	make_file("rootfs/tmp/inside", "x");
	ASSERT_EQ(access("image/tmp/inside", F_OK), -1); /* it is on the tmpfs */
	ASSERT_EQ(access("/tmp/inside", F_OK), -1);
	unmounted("rootfs");
	entries[1].target = "../../outside";
	ASSERT_EQ(mount_all("rootfs", entries, 2, &failure), FAILURE_REFUSED);
	ASSERT_EQ(mounts(), 0);
}

TEST(unmount_what_is_not_there)
{
	ASSERT_EQ(unmount_tree("/no/such/folder", NULL, &failure), 0);
	ASSERT_EQ(unmount_tree("/bin/sh", NULL, &failure), 0);
	ASSERT_EQ(unmount_tree("/usr/share", NULL, &failure), 0);
}

TEST(unmount_stacked_nested_and_strange_names)
{
	static const char *const names[] = {"rootfs",      "rootfs/a b",  "rootfs/a b/c\\d",
					    "rootfs/e\nf", "rootfs/e\nf", "rootfs/\t"};

	enter_world();
	ASSERT_EQ(mkdir("rootfs", 0755) | mkdir("rootfs-2", 0755), 0);
	ASSERT_EQ(mount("t", "rootfs-2", "tmpfs", 0, ""), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		ASSERT(mkdir(names[i], 0755) == 0 || errno == EEXIST);
		ASSERT_EQ(mount("t", names[i], "tmpfs", 0, ""), 0);
	}
	ASSERT_EQ(mounts(), 7);
	ASSERT_EQ(unmount_tree("rootfs", NULL, &failure), 0);
	ASSERT_EQ(mounts(), 1); /* rootfs-2 only begins with the same letters */
	unmounted("rootfs-2");
}

TEST(unmount_busy)
{
	bool busy = false;
	int fd;

	enter_world();
	ASSERT_EQ(mkdir("rootfs", 0755), 0);
	ASSERT_EQ(mount("t", "rootfs", "tmpfs", 0, ""), 0);
	make_file("rootfs/file", "x");
	fd = open("rootfs/file", O_RDONLY | O_CLOEXEC);
	ASSERT_EQ(unmount_tree("rootfs", &busy, &failure), 0);
	ASSERT(busy);
	ASSERT_EQ(mounts(), 0);
	close(fd);
}

/* However many are busy, all that waiting has one end: `delete` has five seconds. */
TEST(unmount_many_busy)
{
	char name[24];
	struct timespec begin, end;
	int fds[4];

	enter_world();
	ASSERT_EQ(mkdir("rootfs", 0755), 0);
	for (int i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "rootfs/%d", i);
		ASSERT_EQ(mkdir(name, 0755), 0);
		ASSERT_EQ(mount("t", name, "tmpfs", 0, ""), 0);
		fds[i] = open(name, O_RDONLY | O_CLOEXEC);
	}
	clock_gettime(CLOCK_MONOTONIC, &begin);
	ASSERT_EQ(unmount_tree("rootfs", NULL, &failure), 0);
	clock_gettime(CLOCK_MONOTONIC, &end);
	ASSERT_EQ(mounts(), 0);
	ASSERT(end.tv_sec - begin.tv_sec <= 4);
	for (int i = 0; i < 4; i++)
		close(fds[i]);
}

/* A program that used it ends while we try. */
TEST(unmount_busy_for_a_moment)
{
	pid_t child;
	int fds[2];
	char byte;

	enter_world();
	ASSERT_EQ(mkdir("rootfs", 0755), 0);
	ASSERT_EQ(mount("t", "rootfs", "tmpfs", 0, ""), 0);
	ASSERT_EQ(pipe2(fds, O_CLOEXEC), 0);
	child = fork();
	if (child == 0) {
		ASSERT_EQ(chdir("rootfs"), 0);
		ASSERT_EQ(write(fds[1], "", 1), 1);
		usleep(120 * 1000);
		_exit(0);
	}
	ASSERT_EQ(read(fds[0], &byte, 1), 1);
	unmounted("rootfs");
	ASSERT_EQ(waitpid(child, NULL, 0), child);
	close(fds[0]);
	close(fds[1]);
}

TEST(unmount_through_no_link)
{
	enter_world();
	ASSERT_EQ(mkdir("real", 0755), 0);
	ASSERT_EQ(symlink("real", "rootfs"), 0);
	ASSERT_EQ(mount("t", "real", "tmpfs", 0, ""), 0);
	ASSERT_EQ(unmount_tree("rootfs", NULL, &failure), 0);
	ASSERT_EQ(mounts(), 1);
	unmounted("real");
}
