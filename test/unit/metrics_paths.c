/* SPDX-License-Identifier: Apache-2.0 */
/* Which cgroups a process is in, and what the bundle remembers of it. */
#include "shim/metrics_paths.h"

#include "test/unit/cgroup_fixture.h"

#define PID 4711
#define PROC_CGROUP "proc/4711/cgroup"

static void find(const struct tree *tree, bool unified, struct metrics_paths *ret_paths)
{
	ASSERT_EQ(metrics_paths_find(tree->root, unified, PID, ret_paths), 0);
}

static void check(const struct metrics_paths *paths, enum metrics_controller controller,
		  const char *folder)
{
	const char *found = paths->folders[controller];
	ASSERT_STR(found ? found : "none", folder);
}

TEST(unified)
{
	static const struct {
		const char *line, *folder;
	} rows[] = {
		{"0::/system.slice/x.scope\n", "/sys/fs/cgroup/system.slice/x.scope"},
		{"0::/\n", "/sys/fs/cgroup"},
		{"0::/k8s.io/a b:c\n", "/sys/fs/cgroup/k8s.io/a b:c"},
		{"1:name=systemd:/elsewhere\n0::/here\n", "/sys/fs/cgroup/here"},
		{"0::/../outside\n", "none"},
		{"0::/a/..\n", "none"},
		{"0::/a..b/...\n", "/sys/fs/cgroup/a..b/..."},
		{"0::relative\n", "none"},
		{"0:\n", "none"},
		{"", "none"},
	};
	struct tree tree;
	tree_init(&tree);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct metrics_paths paths;
		tree_write(&tree, PROC_CGROUP, rows[i].line);
		find(&tree, true, &paths);
		check(&paths, METRICS_UNIFIED, rows[i].folder);
		check(&paths, METRICS_MEMORY, "none");
		metrics_paths_deinit(&paths);
	}
	tree_deinit(&tree);
}

TEST(one_folder_for_each_controller)
{
	struct metrics_paths paths;
	struct tree tree;
	tree_init(&tree);
	tree_write(&tree, PROC_CGROUP,
		   "12:rdma:/\n11:cpu,cpuacct:/k8s/one\n10:memory:/k8s/one:two\n9:pids:/k8s/one\n"
		   "8:blkio:/k8s/one\n7:freezer:/k8s/one\n6:hugetlb:/not/mounted\n"
		   "1:name=systemd:/user.slice\n0::/unified\n");
	tree_write(&tree, "proc/self/mountinfo",
		   "22 1 254:0 / / rw,relatime - ext4 /dev/root rw\n"
		   "31 22 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
		   "32 31 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n"
		   "33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
		   "34 31 0:31 / /sys/fs/cgroup/memory rw shared:9 master:1 - cgroup cgroup "
		   "rw,memory\n"
		   "35 31 0:31 / /another/memory rw - cgroup cgroup rw,memory\n"
		   "36 31 0:32 / /a\\040b rw - cgroup cgroup rw,pids\n"
		   "37 31 0:32 / /cg/pids rw - cgroup cgroup rw,pids\n"
		   "38 31 0:33 / /cg/blkio rw - cgroup none rw,blkio\n"
		   "39 31 0:34 / /cg/rdma rw - cgroup cgroup rw,rdma\n");
	find(&tree, false, &paths);
	check(&paths, METRICS_CPU, "/sys/fs/cgroup/cpu,cpuacct/k8s/one");
	check(&paths, METRICS_CPUACCT, "/sys/fs/cgroup/cpu,cpuacct/k8s/one");
	check(&paths, METRICS_MEMORY, "/sys/fs/cgroup/memory/k8s/one:two");
	check(&paths, METRICS_PIDS, "/cg/pids/k8s/one");
	check(&paths, METRICS_BLKIO, "/cg/blkio/k8s/one");
	check(&paths, METRICS_RDMA, "/cg/rdma");
	check(&paths, METRICS_HUGETLB, "none");
	check(&paths, METRICS_UNIFIED, "none");
	metrics_paths_deinit(&paths);
	tree_deinit(&tree);
}

/* In a container of another engine a mount shows a part of the hierarchy. */
TEST(a_mount_of_a_part)
{
	static const struct {
		const char *root, *path, *folder;
	} rows[] = {
		{"/docker/x", "/docker/x/one", "/cg/memory/one"},
		{"/docker/x", "/docker/x", "/cg/memory"},
		{"/docker/x", "/docker/xy", "none"},
		{"/docker/x", "/docker", "none"},
		{"/docker/x", "/", "none"},
		{"/", "/", "/cg/memory"},
		{"/..", "/one", "none"},
	};
	struct tree tree;
	char text[256];
	tree_init(&tree);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct metrics_paths paths;
		snprintf(text, sizeof(text), "4:memory:%s\n", rows[i].path);
		tree_write(&tree, PROC_CGROUP, text);
		snprintf(text, sizeof(text),
			 "31 23 0:28 %s /cg/memory rw - cgroup cgroup rw,memory\n", rows[i].root);
		tree_write(&tree, "proc/self/mountinfo", text);
		find(&tree, false, &paths);
		check(&paths, METRICS_MEMORY, rows[i].folder);
		metrics_paths_deinit(&paths);
	}
	tree_deinit(&tree);
}

TEST(lines_of_another_form)
{
	struct metrics_paths paths;
	struct tree tree;
	tree_init(&tree);
	tree_write(&tree, PROC_CGROUP, "4:memory:/one\n5:pids\n6\n\n:::\n7:cpu,,blkio:/two");
	tree_write(&tree, "proc/self/mountinfo",
		   "\n - cgroup \n - cgroup x\n1 2 3 - cgroup cgroup rw,memory\n"
		   "1 2 3 / /cg - cgroup cgroup\n1 2 3 / /cg - cgroup cgroup ,,memory,\n"
		   "1 2 3 / /blk rw - cgroup cgroup blkio");
	find(&tree, false, &paths);
	check(&paths, METRICS_MEMORY, "/cg/one");
	check(&paths, METRICS_BLKIO, "/blk/two");
	check(&paths, METRICS_PIDS, "none");
	metrics_paths_deinit(&paths);
	tree_deinit(&tree);
}

TEST(a_process_that_has_gone)
{
	struct metrics_paths paths;
	struct tree tree;
	tree_init(&tree);
	ASSERT_EQ(metrics_paths_find(tree.root, true, PID, &paths), -ENOENT);
	ASSERT_EQ(metrics_paths_find(tree.root, false, PID, &paths), -ENOENT);
	tree_write(&tree, PROC_CGROUP, "4:memory:/one\n");
	ASSERT_EQ(metrics_paths_find(tree.root, false, PID, &paths), -ENOENT); /* no mountinfo */
	tree_deinit(&tree);
}

TEST(the_bundle_remembers)
{
	static const struct metrics_paths written = {
		.folders = {[METRICS_MEMORY] = "/cg/a b/c", [METRICS_CPU] = "/cg/cpu,x"}};
	struct metrics_paths paths;
	struct tree tree;
	char name[128], buffer[METRICS_PATHS_SIZE];
	struct stat status;
	tree_init(&tree);
	ASSERT_EQ(metrics_paths_read(tree.folder, buffer, &paths), -ENOENT);
	ASSERT_EQ(metrics_paths_write(tree.folder, &written), 0);
	ASSERT_EQ(metrics_paths_read(tree.folder, buffer, &paths), 0);
	for (int i = 0; i < METRICS_CONTROLLERS; i++)
		check(&paths, (enum metrics_controller)i,
		      written.folders[i] ? written.folders[i] : "none");
	metrics_paths_deinit(&paths);

	snprintf(name, sizeof(name), "%s/mote.cgroup", tree.folder);
	ASSERT_EQ(stat(name, &status), 0);
	ASSERT_EQ(status.st_mode & 0777, 0600);

	/* what a later version wrote more is passed over; what is no such file is refused */
	tree_write(&tree, "mote.cgroup",
		   "mote-cgroup 1\nmisc /cg/misc\nmemory /cg/m\n\nmemory\ncpu relative\nx y");
	ASSERT_EQ(metrics_paths_read(tree.folder, buffer, &paths), 0);
	check(&paths, METRICS_MEMORY, "/cg/m");
	check(&paths, METRICS_CPU, "none");
	metrics_paths_deinit(&paths);
	tree_write(&tree, "mote.cgroup", "mote-cgroup 2\n");
	ASSERT_EQ(metrics_paths_read(tree.folder, buffer, &paths), -EBADMSG);

	/* nobody is led elsewhere */
	ASSERT_EQ(unlink(name), 0);
	ASSERT_EQ(symlink("/etc/passwd", name), 0);
	ASSERT_EQ(metrics_paths_read(tree.folder, buffer, &paths), -ELOOP);
	ASSERT_EQ(metrics_paths_write(tree.folder, &written), 0);
	ASSERT_EQ(lstat(name, &status), 0);
	ASSERT(S_ISREG(status.st_mode));
	tree_deinit(&tree);
}

/* This very process, on this very machine. */
TEST(the_real_thing)
{
	struct metrics_paths paths;
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), n = 0;
	bool unified = metrics_unified(root);
	ASSERT_EQ(metrics_paths_find(root, unified, getpid(), &paths), 0);
	for (int i = 0; i < METRICS_CONTROLLERS; i++) {
		if (!paths.folders[i])
			continue;
		char name[PATH_MAX];
		snprintf(name, sizeof(name), "%s/cgroup.procs", paths.folders[i]);
		ASSERT_EQ(access(name, F_OK), 0);
		ASSERT_EQ(unified, i == METRICS_UNIFIED);
		n++;
	}
	metrics_paths_deinit(&paths);
	close(root);
	if (n == 0)
		SKIP("no cgroup is mounted here");
}
