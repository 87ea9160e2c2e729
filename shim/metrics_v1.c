/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container uses on a host with cgroup v1: one folder for each controller. A part of the answer
 * is there if the container has a cgroup of that controller, though all of its files be missing.
 */
#include <string.h>

#include "shim/metrics_text.h"
#include "shim/metrics_v1.h"

#define NANOSECONDS UINT64_C(1000000000)
#define USER_HZ 100 /* of all architectures that run containerd */

/* What is there once. */
struct answer {
	V1(Metrics) metrics;
	V1(PidsStat) pids;
	V1(CPUStat) cpu;
	V1(CPUUsage) usage;
	V1(Throttle) throttling;
	V1(MemoryStat) memory;
	V1(MemoryEntry) entries[4];
	V1(MemoryOomControl) oom;
	V1(BlkIOStat) blkio;
	V1(RdmaStat) rdma;
};

static const struct answer empty = {
	.metrics = V1_INIT(METRICS),
	.pids = V1_INIT(PIDS_STAT),
	.cpu = V1_INIT(CPUSTAT),
	.usage = V1_INIT(CPUUSAGE),
	.throttling = V1_INIT(THROTTLE),
	.memory = V1_INIT(MEMORY_STAT),
	.entries = {V1_INIT(MEMORY_ENTRY), V1_INIT(MEMORY_ENTRY), V1_INIT(MEMORY_ENTRY),
		    V1_INIT(MEMORY_ENTRY)},
	.oom = V1_INIT(MEMORY_OOM_CONTROL),
	.blkio = V1_INIT(BLK_IOSTAT),
	.rdma = V1_INIT(RDMA_STAT),
};

/* "hugetlb.2MB" and what of it is asked for. */
static bool hugetlb_number(struct metrics *metrics, int folder, const char *size, const char *what,
			   uint64_t *ret_number)
{
	char name[64];
	stpcpy(stpcpy(stpcpy(name, "hugetlb."), size), what);
	return metrics_number_read(metrics, folder, name, ret_number);
}

static void hugetlb_read(struct metrics *metrics, int folder, struct answer *answer)
{
	char sizes[METRICS_PAGE_SIZES_MAX][METRICS_PAGE_SIZE_TEXT];
	size_t n = folder < 0 ? 0 : metrics_page_sizes(metrics, sizes);
	V1(HugetlbStat) **list = metrics_list(metrics, n + 1, sizeof(**list));
	if (!list)
		return;
	for (size_t i = 0; i < n; i++) {
		V1(HugetlbStat) stat = V1_INIT(HUGETLB_STAT);
		if (!hugetlb_number(metrics, folder, sizes[i], ".usage_in_bytes", &stat.usage))
			continue;
		hugetlb_number(metrics, folder, sizes[i], ".max_usage_in_bytes", &stat.max);
		hugetlb_number(metrics, folder, sizes[i], ".failcnt", &stat.failcnt);
		stat.pagesize = metrics_string(metrics, sizes[i], strlen(sizes[i]));
		*list[answer->metrics.n_hugetlb++] = stat;
	}
	answer->metrics.hugetlb = list;
}

static void pids_read(struct metrics *metrics, int folder, struct answer *answer)
{
	V1(PidsStat) *pids = &answer->pids;
	metrics_number_read(metrics, folder, "pids.current", &pids->current);
	metrics_number_read(metrics, folder, "pids.max", &pids->limit);
	if (pids->limit == UINT64_MAX)
		pids->limit = 0;
	answer->metrics.pids = pids;
}

static void cpu_read(struct metrics *metrics, int folder, struct answer *answer)
{
	static const struct metrics_key keys[] = {
		METRICS_KEY_AS(V1(Throttle), "nr_periods", periods),
		METRICS_KEY_AS(V1(Throttle), "nr_throttled", throttled_periods),
		METRICS_KEY_AS(V1(Throttle), "throttled_time", throttled_time),
	};
	const char *text = metrics_file_read(metrics, folder, "cpu.stat");
	if (text)
		metrics_lines_read(text, keys, sizeof(keys) / sizeof(keys[0]), &answer->throttling);
	answer->cpu.throttling = &answer->throttling;
	answer->metrics.cpu = &answer->cpu;
}

/* One line of numbers. */
static void per_cpu_read(struct metrics *metrics, int folder, V1(CPUUsage) * usage)
{
	const char *at = metrics_file_read(metrics, folder, "cpuacct.usage_percpu");
	/* two characters at least are one number and what ends it */
	uint64_t *numbers =
		at ? metrics_alloc(metrics, (strlen(at) / 2 + 1) * sizeof(*numbers)) : NULL;
	while (numbers && *at && *at != '\n') {
		if (metrics_number_take(&at, &numbers[usage->n_per_cpu]))
			usage->n_per_cpu++;
		at += *at == ' ';
	}
	usage->per_cpu = numbers;
}

static void cpuacct_read(struct metrics *metrics, int folder, struct answer *answer)
{
	static const struct metrics_key keys[] = {METRICS_KEY(V1(CPUUsage), user),
						  METRICS_KEY_AS(V1(CPUUsage), "system", kernel)};
	V1(CPUUsage) *usage = &answer->usage;
	const char *text = metrics_file_read(metrics, folder, "cpuacct.stat");
	if (text)
		metrics_lines_read(text, keys, sizeof(keys) / sizeof(keys[0]), usage);
	usage->user *= NANOSECONDS / USER_HZ;
	usage->kernel *= NANOSECONDS / USER_HZ;
	metrics_number_read(metrics, folder, "cpuacct.usage", &usage->total);
	per_cpu_read(metrics, folder, usage);
	answer->cpu.usage = usage;
	answer->metrics.cpu = &answer->cpu;
}

#define KEY(field) METRICS_KEY(V1(MemoryStat), field)
#define KEY_AS(word, field) METRICS_KEY_AS(V1(MemoryStat), word, field)

/* In the kernel's order. */
static const struct metrics_key memory_keys[] = {
	KEY(cache),
	KEY(rss),
	KEY(rss_huge),
	KEY(mapped_file),
	KEY(dirty),
	KEY(writeback),
	KEY_AS("pgpgin", pg_pg_in),
	KEY_AS("pgpgout", pg_pg_out),
	KEY_AS("pgfault", pg_fault),
	KEY_AS("pgmajfault", pg_maj_fault),
	KEY(inactive_anon),
	KEY(active_anon),
	KEY(inactive_file),
	KEY(active_file),
	KEY(unevictable),
	KEY(hierarchical_memory_limit),
	KEY_AS("hierarchical_memsw_limit", hierarchical_swap_limit),
	KEY(total_cache),
	KEY(total_rss),
	KEY(total_rss_huge),
	KEY(total_mapped_file),
	KEY(total_dirty),
	KEY(total_writeback),
	KEY_AS("total_pgpgin", total_pg_pg_in),
	KEY_AS("total_pgpgout", total_pg_pg_out),
	KEY_AS("total_pgfault", total_pg_fault),
	KEY_AS("total_pgmajfault", total_pg_maj_fault),
	KEY(total_inactive_anon),
	KEY(total_active_anon),
	KEY(total_inactive_file),
	KEY(total_active_file),
	KEY(total_unevictable),
};

/* memory.usage_in_bytes, memory.memsw.usage_in_bytes and so on. */
static void memory_entry_read(struct metrics *metrics, int folder, const char *prefix,
			      V1(MemoryEntry) * entry)
{
	const struct {
		const char *name;
		uint64_t *number;
	} files[] = {
		{"usage_in_bytes", &entry->usage},
		{"max_usage_in_bytes", &entry->max},
		{"failcnt", &entry->failcnt},
		{"limit_in_bytes", &entry->limit},
	};
	char name[64], *end = stpcpy(name, prefix);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		stpcpy(end, files[i].name);
		metrics_number_read(metrics, folder, name, files[i].number);
	}
}

static void oom_read(struct metrics *metrics, int folder, struct answer *answer)
{
	static const struct metrics_key keys[] = {
		METRICS_KEY(V1(MemoryOomControl), oom_kill_disable),
		METRICS_KEY(V1(MemoryOomControl), under_oom),
		METRICS_KEY(V1(MemoryOomControl), oom_kill),
	};
	V1(MemoryOomControl) *oom = &answer->oom;
	const char *text = metrics_file_read(metrics, folder, "memory.oom_control");
	if (text)
		metrics_lines_read(text, keys, sizeof(keys) / sizeof(keys[0]), oom);
	if (oom->oom_kill < metrics->oom_kills)
		oom->oom_kill = metrics->oom_kills;
	answer->metrics.memory_oom_control = oom;
}

static void memory_read(struct metrics *metrics, int folder, struct answer *answer)
{
	static const char *const prefixes[] = {"memory.", "memory.memsw.", "memory.kmem.",
					       "memory.kmem.tcp."};
	V1(MemoryStat) *memory = &answer->memory;
	V1(MemoryEntry) *
		*parts[] = {&memory->usage, &memory->swap, &memory->kernel, &memory->kernel_tcp};
	const char *text = metrics_file_read(metrics, folder, "memory.stat");
	if (text)
		metrics_lines_read(text, memory_keys, sizeof(memory_keys) / sizeof(memory_keys[0]),
				   memory);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		memory_entry_read(metrics, folder, prefixes[i], &answer->entries[i]);
		*parts[i] = &answer->entries[i];
	}
	answer->metrics.memory = memory;
	oom_read(metrics, folder, answer);
}

METRICS_RDMA_CHECK(V1);

static void rdma_read(struct metrics *metrics, int folder, struct answer *answer)
{
	metrics_rdma_read(metrics, folder, &io__containerd__cgroups__v1__rdma_entry__descriptor,
			  &answer->rdma);
	answer->metrics.rdma = &answer->rdma;
}

static void blkio_read(struct metrics *metrics, int folder, struct answer *answer)
{
	metrics_v1_blkio(metrics, folder, &answer->blkio);
	answer->metrics.blkio = &answer->blkio;
}

ProtobufCMessage *metrics_v1_read(struct metrics *metrics)
{
	static const struct {
		enum metrics_controller controller;
		void (*read)(struct metrics *metrics, int folder, struct answer *answer);
	} parts[] = {
		{METRICS_HUGETLB, hugetlb_read}, {METRICS_PIDS, pids_read},
		{METRICS_CPU, cpu_read},         {METRICS_CPUACCT, cpuacct_read},
		{METRICS_MEMORY, memory_read},   {METRICS_BLKIO, blkio_read},
		{METRICS_RDMA, rdma_read},
	};
	struct answer *answer = metrics_alloc(metrics, sizeof(*answer));
	if (!answer)
		return NULL;
	*answer = empty;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (!metrics->paths->folders[parts[i].controller])
			continue;
		int folder = metrics_folder_open(metrics, parts[i].controller);
		parts[i].read(metrics, folder, answer);
		metrics_close(metrics, folder);
	}
	return &answer->metrics.base;
}
