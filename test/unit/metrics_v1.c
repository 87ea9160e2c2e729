/* SPDX-License-Identifier: Apache-2.0 */
/* The answer of Stats on cgroup v1: each field of the table that containerd's clients read. */
#include "proto/cgroup_v1.pb-c.h"
#include "test/unit/cgroup_fixture.h"

#define METRICS Io__Containerd__Cgroups__V1__Metrics
#define ENTRY Io__Containerd__Cgroups__V1__BlkIOEntry

static const struct metrics_paths paths = {
	.folders =
		{
			[METRICS_BLKIO] = "/cg/blkio/one",
			[METRICS_CPU] = "/cg/cpu/one",
			[METRICS_CPUACCT] = "/cg/cpuacct/one",
			[METRICS_HUGETLB] = "/cg/hugetlb/one",
			[METRICS_MEMORY] = "/cg/memory/one",
			[METRICS_PIDS] = "/cg/pids/one",
			[METRICS_RDMA] = "/cg/rdma/one",
		},
};

/* Key of memory.stat, and number of the field. */
static const struct {
	const char *key;
	unsigned number;
} memory_table[] = {
	{"cache", 1},
	{"rss", 2},
	{"rss_huge", 3},
	{"mapped_file", 4},
	{"dirty", 5},
	{"writeback", 6},
	{"pgpgin", 7},
	{"pgpgout", 8},
	{"pgfault", 9},
	{"pgmajfault", 10},
	{"inactive_anon", 11},
	{"active_anon", 12},
	{"inactive_file", 13},
	{"active_file", 14},
	{"unevictable", 15},
	{"hierarchical_memory_limit", 16},
	{"hierarchical_memsw_limit", 17},
	{"total_cache", 18},
	{"total_rss", 19},
	{"total_rss_huge", 20},
	{"total_mapped_file", 21},
	{"total_dirty", 22},
	{"total_writeback", 23},
	{"total_pgpgin", 24},
	{"total_pgpgout", 25},
	{"total_pgfault", 26},
	{"total_pgmajfault", 27},
	{"total_inactive_anon", 28},
	{"total_active_anon", 29},
	{"total_inactive_file", 30},
	{"total_active_file", 31},
	{"total_unevictable", 32},
};

#define MEMORY_KEYS (sizeof(memory_table) / sizeof(memory_table[0]))

static METRICS *read_metrics(const struct tree *tree, uint64_t oom_kills)
{
	return (METRICS *)stats_read(tree, &paths, oom_kills,
				     &io__containerd__cgroups__v1__metrics__descriptor);
}

static void free_metrics(METRICS *metrics)
{
	io__containerd__cgroups__v1__metrics__free_unpacked(metrics, NULL);
}

TEST(memory_stat)
{
	struct tree tree;
	char text[4096] = "", *end = text;
	tree_init(&tree);
	/* in an order that is not the kernel's, and among keys that nobody asks for */
	for (size_t i = MEMORY_KEYS; i-- > 0;)
		end += sprintf(end, "%s %u\nswapcached 7\n", memory_table[i].key,
			       100000 + memory_table[i].number);
	tree_write(&tree, "cg/memory/one/memory.stat", text);
	METRICS *metrics = read_metrics(&tree, 0);
	for (size_t i = 0; i < MEMORY_KEYS; i++)
		ASSERT_EQ(stats_field(metrics->memory, memory_table[i].number),
			  100000 + memory_table[i].number);
	free_metrics(metrics);
	tree_deinit(&tree);
}

static void check_entry(const Io__Containerd__Cgroups__V1__MemoryEntry *entry, uint64_t base)
{
	ASSERT(entry);
	ASSERT_EQ(entry->limit, base + 1);
	ASSERT_EQ(entry->usage, base + 2);
	ASSERT_EQ(entry->max, base + 3);
	ASSERT_EQ(entry->failcnt, base + 4);
}

TEST(memory_entries)
{
	static const char *const files[] = {"memory.limit_in_bytes",
					    "11\n",
					    "memory.usage_in_bytes",
					    "12\n",
					    "memory.max_usage_in_bytes",
					    "13\n",
					    "memory.failcnt",
					    "14\n",
					    "memory.memsw.limit_in_bytes",
					    "21\n",
					    "memory.memsw.usage_in_bytes",
					    "22\n",
					    "memory.memsw.max_usage_in_bytes",
					    "23\n",
					    "memory.memsw.failcnt",
					    "24\n",
					    "memory.kmem.limit_in_bytes",
					    "31\n",
					    "memory.kmem.usage_in_bytes",
					    "32\n",
					    "memory.kmem.max_usage_in_bytes",
					    "33\n",
					    "memory.kmem.failcnt",
					    "34\n",
					    "memory.kmem.tcp.limit_in_bytes",
					    "41\n",
					    "memory.kmem.tcp.usage_in_bytes",
					    "42\n",
					    "memory.kmem.tcp.max_usage_in_bytes",
					    "43\n",
					    "memory.kmem.tcp.failcnt",
					    "44\n",
					    "memory.oom_control",
					    "oom_kill_disable 1\nunder_oom 1\noom_kill 5\n",
					    NULL};
	struct tree tree;
	tree_init(&tree);
	tree_write_all(&tree, "cg/memory/one", files);
	METRICS *metrics = read_metrics(&tree, 3);
	check_entry(metrics->memory->usage, 10);
	check_entry(metrics->memory->swap, 20);
	check_entry(metrics->memory->kernel, 30);
	check_entry(metrics->memory->kernel_tcp, 40);
	ASSERT_EQ(stats_field(metrics->memory_oom_control, 1), 1);
	ASSERT_EQ(stats_field(metrics->memory_oom_control, 2), 1);
	ASSERT_EQ(stats_field(metrics->memory_oom_control, 3), 5);
	free_metrics(metrics);

	/* no swap accounting: what is behind it is read all the same */
	ASSERT_EQ(unlinkat(tree.root, "cg/memory/one/memory.memsw.limit_in_bytes", 0), 0);
	ASSERT_EQ(unlinkat(tree.root, "cg/memory/one/memory.memsw.usage_in_bytes", 0), 0);
	metrics = read_metrics(&tree, 8);
	ASSERT_EQ(metrics->memory->swap->limit, 0);
	ASSERT_EQ(metrics->memory->swap->max, 23);
	check_entry(metrics->memory->kernel_tcp, 40);
	ASSERT_EQ(metrics->memory_oom_control->oom_kill, 8);
	free_metrics(metrics);
	tree_deinit(&tree);
}

TEST(processors)
{
	static const char *const files[] = {"cpu.stat",
					    "nr_periods 3\nnr_throttled 4\nthrottled_time 5\n",
					    "cpuacct.usage",
					    "123456789012345678\n",
					    "cpuacct.stat",
					    "user 7\nsystem 9\n",
					    "cpuacct.usage_percpu",
					    "111 0 333 \n",
					    NULL};
	struct tree tree;
	tree_init(&tree);
	tree_write_all(&tree, "cg/cpu/one", files);
	tree_write_all(&tree, "cg/cpuacct/one", files);
	METRICS *metrics = read_metrics(&tree, 0);
	ASSERT_EQ(metrics->cpu->usage->total, 123456789012345678);
	ASSERT_EQ(metrics->cpu->usage->user, 70000000);
	ASSERT_EQ(metrics->cpu->usage->kernel, 90000000);
	ASSERT_EQ(metrics->cpu->usage->n_per_cpu, 3);
	ASSERT_EQ(metrics->cpu->usage->per_cpu[0], 111);
	ASSERT_EQ(metrics->cpu->usage->per_cpu[1], 0);
	ASSERT_EQ(metrics->cpu->usage->per_cpu[2], 333);
	ASSERT_EQ(metrics->cpu->throttling->periods, 3);
	ASSERT_EQ(metrics->cpu->throttling->throttled_periods, 4);
	ASSERT_EQ(metrics->cpu->throttling->throttled_time, 5);
	free_metrics(metrics);
	tree_deinit(&tree);
}

/* As its bytes, since a decoder takes both forms of a list. */
TEST(per_cpu_is_packed)
{
	static const char list[] = "\x22\x03\x01\x02\x03";
	struct metrics_paths only = {.folders = {[METRICS_CPUACCT] = "/cg"}};
	struct tree tree;
	struct stats_bytes stats = {0};
	tree_init(&tree);
	tree_write(&tree, "cg/cpuacct.usage_percpu", "1 2 3");
	ASSERT_EQ(metrics_answer(tree.root, &only, 0, 0, stats_put, &stats), 0);
	ASSERT(memmem(stats.bytes, stats.size, list, sizeof(list) - 1));
	free(stats.bytes);
	tree_deinit(&tree);
}

TEST(pids)
{
	struct tree tree;
	tree_init(&tree);
	tree_write(&tree, "cg/pids/one/pids.current", "17\n");
	tree_write(&tree, "cg/pids/one/pids.max", "100\n");
	METRICS *metrics = read_metrics(&tree, 0);
	ASSERT_EQ(metrics->pids->current, 17);
	ASSERT_EQ(metrics->pids->limit, 100);
	free_metrics(metrics);
	tree_write(&tree, "cg/pids/one/pids.max", "max\n");
	metrics = read_metrics(&tree, 0);
	ASSERT_EQ(metrics->pids->limit, 0);
	free_metrics(metrics);
	tree_deinit(&tree);
}

TEST(huge_pages)
{
	static const char *const files[] = {"hugetlb.2MB.usage_in_bytes",
					    "2097152\n",
					    "hugetlb.2MB.max_usage_in_bytes",
					    "4194304\n",
					    "hugetlb.2MB.failcnt",
					    "6\n",
					    "hugetlb.1GB.usage_in_bytes",
					    "0\n",
					    NULL};
	struct tree tree;
	tree_init(&tree);
	tree_folders(&tree, "sys/kernel/mm/hugepages/hugepages-2048kB/");
	tree_folders(&tree, "sys/kernel/mm/hugepages/hugepages-1048576kB/");
	tree_folders(&tree,
		     "sys/kernel/mm/hugepages/hugepages-64kB/"); /* the group has no such file */
	tree_write_all(&tree, "cg/hugetlb/one", files);
	METRICS *metrics = read_metrics(&tree, 0);
	ASSERT_EQ(metrics->n_hugetlb, 2);
	int two = strcmp(metrics->hugetlb[0]->pagesize, "2MB") == 0 ? 0 : 1;
	ASSERT_STR(metrics->hugetlb[two]->pagesize, "2MB");
	ASSERT_EQ(metrics->hugetlb[two]->usage, 2097152);
	ASSERT_EQ(metrics->hugetlb[two]->max, 4194304);
	ASSERT_EQ(metrics->hugetlb[two]->failcnt, 6);
	ASSERT_STR(metrics->hugetlb[1 - two]->pagesize, "1GB");
	ASSERT_EQ(metrics->hugetlb[1 - two]->max, 0);
	free_metrics(metrics);
	tree_deinit(&tree);
}

static void check_device(const ENTRY *entry, const char *op, const char *device, uint64_t minor,
			 uint64_t value)
{
	ASSERT_STR(entry->op, op);
	ASSERT_STR(entry->device, device);
	ASSERT_EQ(entry->major, 254);
	ASSERT_EQ(entry->minor, minor);
	ASSERT_EQ(entry->value, value);
}

#define PARTITIONS                                                                                 \
	"major minor  #blocks  name\n\n 254        0  268435456 vda\n 254        1  268434432 "    \
	"vda1\n"

TEST(devices_of_a_scheduler)
{
	static const char *const files[] = {"blkio.sectors_recursive",
					    "254:0 101\n",
					    "blkio.io_service_bytes_recursive",
					    "254:0 Read 201\n254:0 Total 201\nTotal 201\n",
					    "blkio.io_serviced_recursive",
					    "254:0 Read 301\n254:16 Write 302\nTotal 603\n",
					    "blkio.io_queued_recursive",
					    "254:1 Sync 401\n",
					    "blkio.io_service_time_recursive",
					    "254:0 Async 501\n",
					    "blkio.io_wait_time_recursive",
					    "254:0 Discard 601\n",
					    "blkio.io_merged_recursive",
					    "254:0 Read 701\n",
					    "blkio.time_recursive",
					    "254:0 801\n",
					    "blkio.throttle.io_serviced",
					    "254:0 Read 901\n",
					    NULL};
	struct tree tree;
	tree_init(&tree);
	tree_write(&tree, "proc/partitions", PARTITIONS);
	tree_write_all(&tree, "cg/blkio/one", files);
	METRICS *metrics = read_metrics(&tree, 0);
	Io__Containerd__Cgroups__V1__BlkIOStat *blkio = metrics->blkio;
	ASSERT_EQ(blkio->n_sectors_recursive, 1);
	check_device(blkio->sectors_recursive[0], "", "/dev/vda", 0, 101);
	ASSERT_EQ(blkio->n_io_service_bytes_recursive, 2);
	check_device(blkio->io_service_bytes_recursive[0], "Read", "/dev/vda", 0, 201);
	check_device(blkio->io_service_bytes_recursive[1], "Total", "/dev/vda", 0, 201);
	ASSERT_EQ(blkio->n_io_serviced_recursive, 2);
	check_device(blkio->io_serviced_recursive[0], "Read", "/dev/vda", 0, 301);
	check_device(blkio->io_serviced_recursive[1], "Write", "", 16, 302);
	ASSERT_EQ(blkio->n_io_queued_recursive, 1);
	check_device(blkio->io_queued_recursive[0], "Sync", "/dev/vda1", 1, 401);
	ASSERT_EQ(blkio->n_io_service_time_recursive, 1);
	check_device(blkio->io_service_time_recursive[0], "Async", "/dev/vda", 0, 501);
	ASSERT_EQ(blkio->n_io_wait_time_recursive, 1);
	check_device(blkio->io_wait_time_recursive[0], "Discard", "/dev/vda", 0, 601);
	ASSERT_EQ(blkio->n_io_merged_recursive, 1);
	check_device(blkio->io_merged_recursive[0], "Read", "/dev/vda", 0, 701);
	ASSERT_EQ(blkio->n_io_time_recursive, 1);
	check_device(blkio->io_time_recursive[0], "", "/dev/vda", 0, 801);
	free_metrics(metrics);
	tree_deinit(&tree);
}

/* No scheduler counts, or it counted nothing. */
TEST(devices_of_the_throttling_layer)
{
	struct tree tree;
	tree_init(&tree);
	tree_write(&tree, "proc/partitions", PARTITIONS);
	tree_write(&tree, "cg/blkio/one/blkio.throttle.io_serviced", "254:0 Read 5\nTotal 5\n");
	tree_write(&tree, "cg/blkio/one/blkio.throttle.io_service_bytes", "254:1 Write 4096\n");
	for (int scheduler = 0; scheduler < 2; scheduler++) {
		METRICS *metrics = read_metrics(&tree, 0);
		ASSERT_EQ(metrics->blkio->n_io_serviced_recursive, 1);
		check_device(metrics->blkio->io_serviced_recursive[0], "Read", "/dev/vda", 0, 5);
		ASSERT_EQ(metrics->blkio->n_io_service_bytes_recursive, 1);
		check_device(metrics->blkio->io_service_bytes_recursive[0], "Write", "/dev/vda1", 1,
			     4096);
		ASSERT_EQ(metrics->blkio->n_sectors_recursive, 0);
		free_metrics(metrics);
		tree_write(&tree, "cg/blkio/one/blkio.io_serviced_recursive", "Total 0\n");
	}
	tree_deinit(&tree);
}

TEST(rdma)
{
	struct tree tree;
	tree_init(&tree);
	tree_write(&tree, "cg/rdma/one/rdma.current", "mlx4_0 hca_handle=2 hca_object=2000\n");
	tree_write(&tree, "cg/rdma/one/rdma.max",
		   "mlx4_0 hca_handle=3 hca_object=max\nocrdma1 hca_handle=4294967296\n");
	METRICS *metrics = read_metrics(&tree, 0);
	ASSERT_EQ(metrics->rdma->n_current, 1);
	ASSERT_STR(metrics->rdma->current[0]->device, "mlx4_0");
	ASSERT_EQ(metrics->rdma->current[0]->hca_handles, 2);
	ASSERT_EQ(metrics->rdma->current[0]->hca_objects, 2000);
	ASSERT_EQ(metrics->rdma->n_limit, 2);
	ASSERT_EQ(metrics->rdma->limit[0]->hca_handles, 3);
	ASSERT_EQ(metrics->rdma->limit[0]->hca_objects, UINT32_MAX);
	ASSERT_STR(metrics->rdma->limit[1]->device, "ocrdma1");
	ASSERT_EQ(metrics->rdma->limit[1]->hca_handles, UINT32_MAX);
	ASSERT_EQ(metrics->rdma->limit[1]->hca_objects, 0);
	free_metrics(metrics);
	tree_deinit(&tree);
}

/* The container has exited and its cgroups were removed. */
TEST(what_is_gone_is_zero)
{
	struct tree tree;
	tree_init(&tree);
	METRICS *metrics = read_metrics(&tree, 2);
	ASSERT(metrics->pids && metrics->cpu && metrics->memory && metrics->blkio && metrics->rdma);
	ASSERT(metrics->cpu->usage && metrics->cpu->throttling);
	ASSERT(metrics->memory->usage && metrics->memory->swap && metrics->memory->kernel &&
	       metrics->memory->kernel_tcp);
	for (unsigned number = 1; number <= 32; number++)
		ASSERT_EQ(stats_field(metrics->memory, number), 0);
	ASSERT_EQ(metrics->memory->usage->usage, 0);
	ASSERT_EQ(metrics->cpu->usage->total, 0);
	ASSERT_EQ(metrics->n_hugetlb, 0);
	ASSERT_EQ(metrics->memory_oom_control->oom_kill, 2);
	free_metrics(metrics);
	tree_deinit(&tree);
}

/* A host without some controllers. */
TEST(what_never_was_is_absent)
{
	struct metrics_paths few = {.folders = {[METRICS_PIDS] = "/cg/pids/one"}};
	struct tree tree;
	tree_init(&tree);
	tree_write(&tree, "cg/pids/one/pids.current", "1\n");
	METRICS *metrics = (METRICS *)stats_read(&tree, &few, 9,
						 &io__containerd__cgroups__v1__metrics__descriptor);
	ASSERT_EQ(metrics->pids->current, 1);
	ASSERT(!metrics->cpu && !metrics->memory && !metrics->blkio && !metrics->rdma);
	ASSERT(!metrics->memory_oom_control && !metrics->cgroup_stats);
	ASSERT_EQ(metrics->n_network, 0);
	free_metrics(metrics);
	tree_deinit(&tree);
}

/* Thousands of disks: neither file nor answer has a fixed size. But it has an end. */
TEST(many_devices)
{
	struct tree tree;
	const size_t n = 4000;
	char *text = malloc(n * 32), *end = text;
	struct stats_bytes stats = {0};
	tree_init(&tree);
	for (size_t i = 0; i < n; i++)
		end += sprintf(end, "254:%zu Read %zu\n", i, i);
	tree_write(&tree, "cg/blkio/one/blkio.throttle.io_serviced", text);
	METRICS *metrics = read_metrics(&tree, 0);
	ASSERT_EQ(metrics->blkio->n_io_serviced_recursive, n);
	check_device(metrics->blkio->io_serviced_recursive[n - 1], "Read", "", n - 1, n - 1);
	free_metrics(metrics);
	free(text);

	/* one that is too large counts as missing; one with too many lines breaks the answer */
	text = malloc(METRICS_TEXT_MAX);
	memset(text, '\n', METRICS_TEXT_MAX - 1);
	text[METRICS_TEXT_MAX - 1] = 0;
	tree_write(&tree, "cg/blkio/one/blkio.throttle.io_serviced", text);
	metrics = read_metrics(&tree, 0);
	ASSERT_EQ(metrics->blkio->n_io_serviced_recursive, 0);
	free_metrics(metrics);
	text[METRICS_TEXT_MAX / 2] = 0;
	tree_write(&tree, "cg/blkio/one/blkio.throttle.io_serviced", text);
	ASSERT_EQ(metrics_answer(tree.root, &paths, 0, 0, stats_put, &stats), -EMSGSIZE);
	ASSERT(!stats.bytes);
	free(text);
	tree_deinit(&tree);
}
