/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's cgroup v1: what it counts, and its OOM kills. Skipped where it is not mounted. */
#include "proto/cgroup_v1.pb-c.h"
#include "test/unit/cgroup_real.h"

#define METRICS Io__Containerd__Cgroups__V1__Metrics

/* A group below the one that this process is in. */
static void group_init(struct group *group)
{
	struct metrics_paths own;
	memset(group, 0, sizeof(*group));
	group->oom = OOM_NULL;
	group->loop = TTRPC_LOOP_NULL;
	group->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (metrics_unified(group->root))
		SKIP("the machine has cgroup v2");
	ASSERT_EQ(metrics_paths_find(group->root, false, getpid(), &own), 0);
	if (!own.folders[METRICS_MEMORY])
		SKIP("no memory controller of cgroup v1");
	int length = snprintf(group->folder, sizeof(group->folder), "%s/mote-test-%d",
			      own.folders[METRICS_MEMORY], getpid());
	ASSERT(length < (int)sizeof(group->folder));
	metrics_paths_deinit(&own);
	if (mkdir(group->folder, 0700) < 0)
		SKIP("no cgroup can be made: %s", strerror(errno));
	ASSERT(group_write(group, "memory.limit_in_bytes", LIMIT));
	group_write(group, "memory.memsw.limit_in_bytes", LIMIT);

	/* found again as create finds a container's */
	pid_t pid = group_fork(group, false);
	ASSERT_EQ(metrics_paths_find(group->root, false, pid, &group->paths), 0);
	kill(pid, SIGKILL);
	group_reap(pid);
	ASSERT_STR(group->paths.folders[METRICS_MEMORY], group->folder);
}

static METRICS *read_metrics(const struct group *group)
{
	struct tree tree = {.root = group->root};
	return (METRICS *)stats_read(&tree, &group->paths, oom_kills(&group->oom),
				     &io__containerd__cgroups__v1__metrics__descriptor);
}

static void free_metrics(METRICS *metrics)
{
	io__containerd__cgroups__v1__metrics__free_unpacked(metrics, NULL);
}

TEST(what_the_kernel_counts)
{
	struct group group;
	group_init(&group);
	pid_t pid = group_fork(&group, false);
	METRICS *metrics = read_metrics(&group);
	ASSERT_EQ(metrics->memory->usage->limit, strtoull(LIMIT, NULL, 10));
	ASSERT_EQ(metrics->memory->hierarchical_memory_limit, strtoull(LIMIT, NULL, 10));
	ASSERT(metrics->memory->usage->max > 0);
	ASSERT_EQ(metrics->memory_oom_control->oom_kill, 0);
	if (metrics->cpu && metrics->cpu->usage)
		ASSERT(metrics->cpu->usage->total > 0 && metrics->cpu->usage->n_per_cpu > 0);
	free_metrics(metrics);
	kill(pid, SIGKILL);
	group_reap(pid);
	group_remove(group.folder);
	group_unwatch(&group);
}

TEST(a_kill_is_told_and_counted_also_when_all_is_gone)
{
	struct group group;
	group_init(&group);
	group_watch(&group);
	for (int kills = 1; kills <= 2; kills++) {
		pid_t pid = group_fork(&group, true);
		group_turn_until(&group, kills);
		group_reap(pid);
		ASSERT_EQ(group.told, kills);
		group_burst_end(&group);
	}
	METRICS *metrics = read_metrics(&group);
	ASSERT_EQ(metrics->memory_oom_control->oom_kill, 2);
	ASSERT(metrics->memory->usage->max > strtoull(LIMIT, NULL, 10) / 2);
	free_metrics(metrics);

	/* the removal is signalled like a kill, and is none */
	group_remove(group.folder);
	while (group.oom.file_fd >= 0)
		ASSERT_EQ(ttrpc_loop_dispatch(&group.loop, -1), 0);
	ASSERT_EQ(group.calls, 2);
	metrics = read_metrics(&group);
	ASSERT_EQ(metrics->memory->usage->limit, 0);
	ASSERT_EQ(metrics->memory_oom_control->oom_kill, 2);
	free_metrics(metrics);
	group_unwatch(&group);
}

/* The loop was busy elsewhere: whoever looks when the process has ended is told. */
TEST(a_kill_is_known_at_the_exit)
{
	struct group group;
	group_init(&group);
	group_watch(&group);
	group_reap(group_fork(&group, true));
	oom_check(&group.oom);
	ASSERT_EQ(group.calls, 1);
	group_burst_end(&group);
	ASSERT_EQ(ttrpc_loop_dispatch(&group.loop, -1), 0); /* now the signal arrives */
	ASSERT_EQ(group.calls, 1);
	group_remove(group.folder);
	group_unwatch(&group);
}

/* A process that ends by itself, or is killed by a user, is none of it. */
TEST(other_ends_are_not_told)
{
	struct group group;
	group_init(&group);
	group_watch(&group);
	pid_t pid = group_fork(&group, false);
	kill(pid, SIGKILL);
	group_reap(pid);
	oom_check(&group.oom);
	group_remove(group.folder);
	while (group.oom.file_fd >= 0)
		ASSERT_EQ(ttrpc_loop_dispatch(&group.loop, -1), 0);
	ASSERT_EQ(group.calls, 0);
	group_unwatch(&group);
}

TEST(a_group_without_memory_is_not_watched)
{
	struct metrics_paths none = METRICS_PATHS_NULL;
	struct metrics_paths gone = {.folders = {[METRICS_MEMORY] = "/nowhere"}};
	int event_fd = -7, file_fd = -7;
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	ASSERT_EQ(worker_oom_watch(root, &none, &event_fd, &file_fd), -ENOENT);
	ASSERT_EQ(worker_oom_watch(root, &gone, &event_fd, &file_fd), -ENOENT);
	ASSERT_EQ(worker_oom_enable(root, &gone), -ENOENT);
	ASSERT_EQ(event_fd, -7);
	ASSERT_EQ(file_fd, -7);
	close(root);
}
