/* SPDX-License-Identifier: Apache-2.0 */
/* The answer of Stats on cgroup v2: each field of the table that containerd's clients read. */
#include "proto/cgroup_v2.pb-c.h"
#include "test/unit/cgroup_fixture.h"

#define METRICS Io__Containerd__Cgroups__V2__Metrics
#define FOLDER "sys/fs/cgroup/pod/one"

static const struct metrics_paths paths = {.folders = {[METRICS_UNIFIED] = "/" FOLDER}};

struct row {
	const char *key;
	unsigned number;
};

static const struct row memory_table[] = {
	{"anon", 1},
	{"file", 2},
	{"kernel_stack", 3},
	{"slab", 4},
	{"sock", 5},
	{"shmem", 6},
	{"file_mapped", 7},
	{"file_dirty", 8},
	{"file_writeback", 9},
	{"anon_thp", 10},
	{"inactive_anon", 11},
	{"active_anon", 12},
	{"inactive_file", 13},
	{"active_file", 14},
	{"unevictable", 15},
	{"slab_reclaimable", 16},
	{"slab_unreclaimable", 17},
	{"pgfault", 18},
	{"pgmajfault", 19},
	{"workingset_refault", 20},
	{"workingset_activate", 21},
	{"workingset_nodereclaim", 22},
	{"pgrefill", 23},
	{"pgscan", 24},
	{"pgsteal", 25},
	{"pgactivate", 26},
	{"pgdeactivate", 27},
	{"pglazyfree", 28},
	{"pglazyfreed", 29},
	{"thp_fault_alloc", 30},
	{"thp_collapse_alloc", 31},
	{"workingset_refault_anon", 39},
	{"workingset_refault_file", 40},
	{"workingset_activate_anon", 41},
	{"workingset_activate_file", 42},
};

/* Files of one number. */
static const struct row memory_files[] = {
	{"memory.current", 32},  {"memory.max", 33},  {"memory.swap.current", 34},
	{"memory.swap.max", 35}, {"memory.peak", 36}, {"memory.swap.peak", 37},
};

static const struct row cpu_table[] = {
	{"usage_usec", 1},   {"user_usec", 2},      {"system_usec", 3}, {"nr_periods", 4},
	{"nr_throttled", 5}, {"throttled_usec", 6}, {"nr_bursts", 8},   {"burst_usec", 9},
};

static const struct row events_table[] = {
	{"low", 1}, {"high", 2}, {"max", 3}, {"oom", 4}, {"oom_kill", 5}, {"oom_group_kill", 6},
};

#define ROWS(table) (table), sizeof(table) / sizeof((table)[0])

static METRICS *read_metrics(const struct tree *tree, uint64_t oom_kills)
{
	return (METRICS *)stats_read(tree, &paths, oom_kills,
				     &io__containerd__cgroups__v2__metrics__descriptor);
}

static void free_metrics(METRICS *metrics)
{
	io__containerd__cgroups__v2__metrics__free_unpacked(metrics, NULL);
}

/* A value that tells fields from each other: 1000000 and the number. */
static void write_rows(const struct tree *tree, const char *path, const struct row *rows, size_t n)
{
	char text[4096] = "", *end = text;
	for (size_t i = 0; i < n; i++)
		end += sprintf(end, "%s_not 1\n%s %u\n", rows[i].key, rows[i].key,
			       1000000 + rows[i].number);
	tree_write(tree, path, text);
}

static void check_rows(const void *message, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ASSERT_EQ(stats_field(message, rows[i].number), 1000000 + rows[i].number);
}

TEST(lines)
{
	struct tree tree;
	char name[64];
	tree_init(&tree);
	write_rows(&tree, FOLDER "/memory.stat", ROWS(memory_table));
	write_rows(&tree, FOLDER "/cpu.stat", ROWS(cpu_table));
	write_rows(&tree, FOLDER "/memory.events", ROWS(events_table));
	for (size_t i = 0; i < sizeof(memory_files) / sizeof(memory_files[0]); i++) {
		char value[32];
		snprintf(name, sizeof(name), FOLDER "/%s", memory_files[i].key);
		snprintf(value, sizeof(value), "%u\n", 1000000 + memory_files[i].number);
		tree_write(&tree, name, value);
	}
	tree_write(&tree, FOLDER "/pids.current", "3\n");
	tree_write(&tree, FOLDER "/pids.max", "4\n");
	METRICS *metrics = read_metrics(&tree, 0);
	check_rows(metrics->memory, ROWS(memory_table));
	check_rows(metrics->memory, ROWS(memory_files));
	check_rows(metrics->cpu, ROWS(cpu_table));
	check_rows(metrics->memory_events, ROWS(events_table));
	ASSERT_EQ(metrics->pids->current, 3);
	ASSERT_EQ(metrics->pids->limit, 4);
	ASSERT(!metrics->cpu->psi && !metrics->memory->psi && !metrics->io->psi);
	free_metrics(metrics);
	tree_deinit(&tree);
}

TEST(max_is_the_largest_number)
{
	struct tree tree;
	tree_init(&tree);
	tree_write(&tree, FOLDER "/memory.max", "max\n");
	tree_write(&tree, FOLDER "/memory.swap.max", "max\n");
	tree_write(&tree, FOLDER "/pids.max", "max\n");
	METRICS *metrics = read_metrics(&tree, 0);
	ASSERT(metrics->memory->usage_limit == UINT64_MAX);
	ASSERT(metrics->memory->swap_limit == UINT64_MAX);
	ASSERT(metrics->pids->limit == UINT64_MAX);
	free_metrics(metrics);
	tree_deinit(&tree);
}

static void check_pressure(const Io__Containerd__Cgroups__V2__PSIData *data, double avg10,
			   double avg60, double avg300, uint64_t total)
{
	ASSERT(data);
	ASSERT(data->avg10 == avg10 && data->avg60 == avg60 && data->avg300 == avg300);
	ASSERT_EQ(data->total, total);
}

TEST(pressure)
{
	struct tree tree;
	tree_init(&tree);
	tree_write(&tree, FOLDER "/cpu.pressure",
		   "some avg10=0.07 avg60=1.50 avg300=99.99 total=12345\n"
		   "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");
	tree_write(&tree, FOLDER "/memory.pressure",
		   "some avg10=12.34 avg60=0.10 avg300=0.01 total=18446744073709551615\n");
	tree_write(&tree, FOLDER "/io.pressure",
		   "full avg10=100.00 avg60=3.30 avg300=2.20 total=7\n");
	METRICS *metrics = read_metrics(&tree, 0);
	check_pressure(metrics->cpu->psi->some, 0.07, 1.50, 99.99, 12345);
	check_pressure(metrics->cpu->psi->full, 0, 0, 0, 0);
	check_pressure(metrics->memory->psi->some, 12.34, 0.10, 0.01, UINT64_MAX);
	ASSERT(!metrics->memory->psi->full && !metrics->io->psi->some);
	check_pressure(metrics->io->psi->full, 100, 3.3, 2.2, 7);
	free_metrics(metrics);
	tree_deinit(&tree);
}

static void check_io(const Io__Containerd__Cgroups__V2__IOEntry *entry, uint64_t major,
		     uint64_t minor, uint64_t first)
{
	ASSERT_EQ(entry->major, major);
	ASSERT_EQ(entry->minor, minor);
	ASSERT_EQ(entry->rbytes, first);
	ASSERT_EQ(entry->wbytes, first + 1);
	ASSERT_EQ(entry->rios, first + 2);
	ASSERT_EQ(entry->wios, first + 3);
}

TEST(io)
{
	struct tree tree;
	tree_init(&tree);
	tree_write(&tree, FOLDER "/io.stat",
		   "8:16 rbytes=11 wbytes=12 rios=13 wios=14 dbytes=15 dios=16\n"
		   "253:10 253:5 rbytes=21 wbytes=22 rios=23 wios=24 dbytes=0 dios=0\n"
		   "7:7 \n"
		   "254:0 cost.usage=1 rbytes=31 wbytes=32 rios=33 wios=34\n");
	METRICS *metrics = read_metrics(&tree, 0);
	ASSERT_EQ(metrics->io->n_usage, 3);
	check_io(metrics->io->usage[0], 8, 16, 11);
	check_io(metrics->io->usage[1], 253, 5, 21);
	check_io(metrics->io->usage[2], 254, 0, 31);
	free_metrics(metrics);
	tree_deinit(&tree);
}

TEST(rdma)
{
	struct tree tree;
	tree_init(&tree);
	tree_write(&tree, FOLDER "/rdma.current", "mlx4_0 hca_handle=2 hca_object=2000\n");
	tree_write(&tree, FOLDER "/rdma.max", "mlx4_0 hca_handle=max hca_object=7\n");
	METRICS *metrics = read_metrics(&tree, 0);
	ASSERT_EQ(metrics->rdma->n_current, 1);
	ASSERT_STR(metrics->rdma->current[0]->device, "mlx4_0");
	ASSERT_EQ(metrics->rdma->current[0]->hca_handles, 2);
	ASSERT_EQ(metrics->rdma->current[0]->hca_objects, 2000);
	ASSERT_EQ(metrics->rdma->n_limit, 1);
	ASSERT_EQ(metrics->rdma->limit[0]->hca_handles, UINT32_MAX);
	ASSERT_EQ(metrics->rdma->limit[0]->hca_objects, 7);
	free_metrics(metrics);
	tree_deinit(&tree);
}

TEST(huge_pages)
{
	static const char *const files[] = {"hugetlb.2MB.current",
					    "2097152\n",
					    "hugetlb.2MB.max",
					    "max\n",
					    "hugetlb.2MB.events",
					    "max 5\n",
					    NULL};
	struct tree tree;
	tree_init(&tree);
	tree_folders(&tree, "sys/kernel/mm/hugepages/hugepages-2048kB/");
	tree_folders(&tree, "sys/kernel/mm/hugepages/hugepages-1048576kB/");
	tree_folders(&tree, "sys/kernel/mm/hugepages/hugepages-64kB/");
	tree_folders(&tree, "sys/kernel/mm/hugepages/elsewhere/");
	tree_write_all(&tree, FOLDER, files);
	METRICS *metrics = read_metrics(&tree, 0);
	int seen = 0;
	ASSERT_EQ(metrics->n_hugetlb, 3);
	for (size_t i = 0; i < metrics->n_hugetlb; i++) {
		const Io__Containerd__Cgroups__V2__HugeTlbStat *stat = metrics->hugetlb[i];
		bool used = strcmp(stat->pagesize, "2MB") == 0;
		ASSERT_EQ(stat->current, used ? 2097152 : 0);
		ASSERT(stat->max == (used ? UINT64_MAX : 0));
		ASSERT_EQ(stat->failcnt, used ? 5 : 0);
		seen |= used ? 1 : strcmp(stat->pagesize, "1GB") == 0 ? 2 : 0;
		seen |= strcmp(stat->pagesize, "64KB") == 0 ? 4 : 0;
	}
	ASSERT_EQ(seen, 7);
	free_metrics(metrics);
	tree_deinit(&tree);
}

/* oom_kill is what the server counted if that is more; the events are absent without the controller. */
TEST(memory_events)
{
	struct tree tree;
	tree_init(&tree);
	tree_write(&tree, FOLDER "/memory.events", "low 0\noom 4\noom_kill 3\n");
	METRICS *metrics = read_metrics(&tree, 0);
	ASSERT_EQ(metrics->memory_events->oom_kill, 3);
	free_metrics(metrics);
	metrics = read_metrics(&tree, 5);
	ASSERT_EQ(metrics->memory_events->oom, 4);
	ASSERT_EQ(metrics->memory_events->oom_kill, 5);
	free_metrics(metrics);

	ASSERT_EQ(unlinkat(tree.root, FOLDER "/memory.events", 0), 0);
	metrics = read_metrics(&tree, 0);
	ASSERT(!metrics->memory_events);
	free_metrics(metrics);
	metrics = read_metrics(&tree, 5);
	ASSERT_EQ(metrics->memory_events->oom_kill, 5);
	free_metrics(metrics);
	tree_deinit(&tree);
}

/* The container has exited and its cgroup was removed. */
TEST(what_is_gone_is_zero)
{
	struct tree tree;
	tree_init(&tree);
	for (uint64_t kills = 0; kills < 2; kills++) {
		METRICS *metrics = read_metrics(&tree, kills);
		ASSERT(metrics->pids && metrics->cpu && metrics->memory && metrics->rdma &&
		       metrics->io && metrics->memory_events);
		for (size_t i = 0; i < sizeof(memory_table) / sizeof(memory_table[0]); i++)
			ASSERT_EQ(stats_field(metrics->memory, memory_table[i].number), 0);
		ASSERT_EQ(metrics->memory->usage_limit, 0);
		ASSERT_EQ(metrics->pids->limit, 0);
		ASSERT(!metrics->cpu->psi && !metrics->memory->psi && !metrics->io->psi);
		ASSERT_EQ(metrics->memory_events->oom_kill, kills);
		ASSERT_EQ(metrics->n_network, 0);
		free_metrics(metrics);
	}
	tree_deinit(&tree);
}

TEST(nonsense_is_zero)
{
	static const char *const files[] = {
		"memory.current",
		"",
		"memory.max",
		"-1\n",
		"memory.peak",
		"18446744073709551616\n",
		"memory.stat",
		"anon\nfile \nslab x\nsock 1x\n =\n",
		"cpu.stat",
		"\n\n \n  usage_usec 1\nuser_usec 2",
		"io.stat",
		"254 rbytes=1\n254:x rbytes=1\n:\n254:0\n254:0 rbytes\n254:0 rbytes=\n",
		"rdma.current",
		"\n =\nmlx4_0\nmlx4_0 hca_handle\n",
		"cpu.pressure",
		"some\nfull avg10=x avg60=. avg300=1.2.3 total=-\n",
		NULL};
	struct tree tree;
	tree_init(&tree);
	tree_write_all(&tree, FOLDER, files);
	METRICS *metrics = read_metrics(&tree, 0);
	ASSERT_EQ(metrics->memory->usage, 0);
	ASSERT_EQ(metrics->memory->usage_limit, 0);
	ASSERT_EQ(metrics->memory->max_usage, 0);
	ASSERT_EQ(metrics->memory->anon, 0);
	ASSERT_EQ(metrics->memory->sock, 0);
	ASSERT_EQ(metrics->cpu->usage_usec, 0);
	ASSERT_EQ(metrics->cpu->user_usec, 2);
	ASSERT_EQ(metrics->io->n_usage, 0);
	ASSERT_EQ(metrics->rdma->n_current, 0);
	check_pressure(metrics->cpu->psi->full, 0, 0, 0, 0);
	free_metrics(metrics);
	tree_deinit(&tree);
}
