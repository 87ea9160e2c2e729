/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's cgroup v2: what it counts, and its OOM kills. Skipped where it is not mounted alone;
 * make test-vm runs it in a machine where it is.
 */
#include <poll.h>

#include "proto/cgroup_v2.pb-c.h"
#include "test/unit/cgroup_real.h"

#define METRICS Io__Containerd__Cgroups__V2__Metrics
#define MANY 8

static char above[PATH_MAX]; /* the group that the test's group is in */

/* Two new groups, one in the other; the inner one gets its controllers as a container's does. */
static void group_init(struct group *group)
{
	memset(group, 0, sizeof(*group));
	group->oom = OOM_NULL;
	group->loop = TTRPC_LOOP_NULL;
	group->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (!metrics_unified(group->root))
		SKIP("the machine does not have cgroup v2 alone");
	snprintf(above, sizeof(above), METRICS_CGROUP_ROOT "/mote-test-%d", getpid());
	if (mkdir(above, 0700) < 0)
		SKIP("no cgroup can be made: %s", strerror(errno));
	snprintf(group->folder, sizeof(group->folder), METRICS_CGROUP_ROOT "/mote-test-%d/inner",
		 getpid());
	ASSERT_EQ(mkdir(group->folder, 0700), 0);
	ASSERT(!group_write(group, "memory.max", LIMIT));

	pid_t pid = group_fork(group, false);
	ASSERT_EQ(metrics_paths_find(group->root, true, pid, &group->paths), 0);
	kill(pid, SIGKILL);
	group_reap(pid);
	ASSERT_STR(group->paths.folders[METRICS_UNIFIED], group->folder);

	int event_fd, file_fd;
	ASSERT_EQ(worker_oom_watch(group->root, &group->paths, &event_fd, &file_fd), -ENOENT);
	ASSERT_EQ(worker_oom_enable(group->root, &group->paths), 0);
	ASSERT_EQ(worker_oom_enable(group->root, &group->paths), 0);
	ASSERT(group_write(group, "memory.max", LIMIT));
	group_write(group, "memory.swap.max", "0");
}

static void group_end(struct group *group)
{
	group_remove(group->folder);
	group_remove(above);
	group_unwatch(group);
}

static METRICS *read_metrics(const struct group *group)
{
	struct tree tree = {.root = group->root};
	return (METRICS *)stats_read(&tree, &group->paths, oom_kills(&group->oom),
				     &io__containerd__cgroups__v2__metrics__descriptor);
}

static void free_metrics(METRICS *metrics)
{
	io__containerd__cgroups__v2__metrics__free_unpacked(metrics, NULL);
}

/* Until the kernel has said all that it held back. A descriptor that is always ready never ends here. */
static void turn_until_silent(struct group *group)
{
	struct pollfd loop = {.fd = ttrpc_loop_fd(&group->loop), .events = POLLIN};
	while (poll(&loop, 1, 0) == 1)
		ASSERT_EQ(ttrpc_loop_dispatch(&group->loop, 0), 0);
}

static bool readable(const struct group *group, const char *name)
{
	char path[PATH_MAX + 64], byte;
	snprintf(path, sizeof(path), "%s/%s", group->folder, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool is = fd >= 0 && read(fd, &byte, 1) >= 0;
	if (fd >= 0)
		close(fd);
	return is;
}

TEST(what_the_kernel_counts)
{
	struct group group;
	group_init(&group);
	pid_t pid = group_fork(&group, false);
	METRICS *metrics = read_metrics(&group);
	ASSERT_EQ(metrics->pids->current, 1);
	ASSERT(metrics->pids->limit == UINT64_MAX);
	ASSERT(metrics->cpu->usage_usec > 0);
	ASSERT(metrics->memory->usage > 0);
	ASSERT(metrics->memory->usage_limit == strtoull(LIMIT, NULL, 10));
	ASSERT(metrics->memory_events);
	ASSERT_EQ(metrics->memory_events->oom_kill, 0);
	ASSERT_EQ(metrics->cpu->psi != NULL, readable(&group, "cpu.pressure"));
	ASSERT_EQ(metrics->memory->psi != NULL, readable(&group, "memory.pressure"));
	ASSERT_EQ(metrics->io->psi != NULL, readable(&group, "io.pressure"));
	free_metrics(metrics);
	kill(pid, SIGKILL);
	group_reap(pid);
	group_end(&group);
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
		turn_until_silent(&group);
		ASSERT_EQ(group.calls, kills);
		group_burst_end(&group);
	}
	METRICS *metrics = read_metrics(&group);
	ASSERT_EQ(metrics->memory_events->oom_kill, 2);
	ASSERT(metrics->memory_events->max > 0);
	free_metrics(metrics);

	group_remove(group.folder);
	oom_check(&group.oom);
	ASSERT_EQ(group.oom.file_fd, -1);
	turn_until_silent(&group);
	ASSERT_EQ(group.calls, 2);
	metrics = read_metrics(&group);
	ASSERT_EQ(metrics->memory->usage_limit, 0);
	ASSERT_EQ(metrics->memory_events->oom_kill, 2);
	free_metrics(metrics);
	group_remove(above);
	group_unwatch(&group);
}

/* All processes go with one of them; seen together they are one burst. */
TEST(a_group_that_is_killed_as_a_whole)
{
	struct group group;
	pid_t pids[MANY + 1];
	group_init(&group);
	ASSERT(group_write(&group, "memory.oom.group", "1"));
	group_watch(&group);
	for (int i = 0; i <= MANY; i++)
		pids[i] = group_fork(&group, i == MANY);
	for (int i = 0; i <= MANY; i++)
		group_reap(pids[i]);
	oom_check(&group.oom);
	ASSERT_EQ(group.calls, 1);
	/* the kernel counts the one that it chose as its victim twice */
	ASSERT(group.told >= MANY + 1);
	group_burst_end(&group);
	turn_until_silent(&group);
	ASSERT_EQ(group.calls, 1);
	group_end(&group);
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
	turn_until_silent(&group);
	ASSERT_EQ(group.calls, 1);
	group_end(&group);
}

/* memory.events changes for other reasons, too: a limit that is met without a kill. */
TEST(other_events_are_not_told)
{
	struct group group;
	group_init(&group);
	ASSERT(group_write(&group, "memory.high", "1048576"));
	ASSERT(group_write(&group, "memory.max", "max"));
	group_watch(&group);
	pid_t pid = group_fork(&group, false);
	ASSERT(group_write(&group, "memory.high", "4096"));
	kill(pid, SIGKILL);
	group_reap(pid);
	turn_until_silent(&group);
	oom_check(&group.oom);
	ASSERT_EQ(group.calls, 0);
	group_end(&group);
}
