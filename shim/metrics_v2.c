/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container uses on a host with cgroup v2: one folder. All parts of the answer are there, but
 * for those whose absence says something: memory_events, which a cgroup without the memory controller
 * does not have, and pressure, which a kernel need not measure.
 */
#include <string.h>

#include "proto/cgroup_v2.pb-c.h"
#include "shim/metrics.h"
#include "shim/metrics_text.h"

#define V2(name) Io__Containerd__Cgroups__V2__##name
#define V2_INIT(name) IO__CONTAINERD__CGROUPS__V2__##name##__INIT

#define READ_LINES(metrics, folder, file, keys, message)                                           \
	lines_read(metrics, folder, file, keys, sizeof(keys) / sizeof((keys)[0]), message)

/* What is there once. */
struct answer {
	V2(Metrics) metrics;
	V2(PidsStat) pids;
	V2(CPUStat) cpu;
	V2(MemoryStat) memory;
	V2(MemoryEvents) events;
	V2(RdmaStat) rdma;
	V2(IOStat) io;
};

static const struct answer empty = {
	.metrics = V2_INIT(METRICS),
	.pids = V2_INIT(PIDS_STAT),
	.cpu = V2_INIT(CPUSTAT),
	.memory = V2_INIT(MEMORY_STAT),
	.events = V2_INIT(MEMORY_EVENTS),
	.rdma = V2_INIT(RDMA_STAT),
	.io = V2_INIT(IOSTAT),
};

static bool lines_read(struct metrics *metrics, int folder, const char *file,
		       const struct metrics_key *keys, size_t n, void *message)
{
	const char *text = metrics_file_read(metrics, folder, file);
	if (text)
		metrics_lines_read(text, keys, n, message);
	return text;
}

struct pressure {
	V2(PSIStats) stats;
	V2(PSIData) some, full;
};

/* avg10=0.00 avg60=0.07 avg300=0.01 total=4711 */
static void pressure_line_take(const char **at, V2(PSIData) * data)
{
	static const char *const words[] = {" avg10=", " avg60=", " avg300="};
	double *const averages[] = {&data->avg10, &data->avg60, &data->avg300};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t length = strlen(words[i]);
		if (strncmp(*at, words[i], length) != 0)
			return;
		*at += length;
		metrics_decimal_take(at, averages[i]);
	}
	if (strncmp(*at, " total=", strlen(" total=")) == 0) {
		*at += strlen(" total=");
		metrics_number_take(at, &data->total);
	}
}

/* NULL: the kernel does not measure it. */
static V2(PSIStats) * pressure_read(struct metrics *metrics, int folder, const char *file)
{
	static const struct pressure none = {V2_INIT(PSISTATS), V2_INIT(PSIDATA), V2_INIT(PSIDATA)};
	const char *at = metrics_file_read(metrics, folder, file);
	struct pressure *pressure = at ? metrics_alloc(metrics, sizeof(*pressure)) : NULL;
	if (!pressure)
		return NULL;
	*pressure = none;
	for (; *at; metrics_line_skip(&at)) {
		bool some = strncmp(at, "some", 4) == 0;
		if (!some && strncmp(at, "full", 4) != 0)
			continue;
		at += 4;
		pressure_line_take(&at, some ? &pressure->some : &pressure->full);
		if (some)
			pressure->stats.some = &pressure->some;
		else
			pressure->stats.full = &pressure->full;
	}
	return &pressure->stats;
}

static void pids_read(struct metrics *metrics, int folder, struct answer *answer)
{
	metrics_number_read(metrics, folder, "pids.current", &answer->pids.current);
	metrics_number_read(metrics, folder, "pids.max", &answer->pids.limit);
	answer->metrics.pids = &answer->pids;
}

/* The keys of each file in the kernel's order. */
static void cpu_read(struct metrics *metrics, int folder, struct answer *answer)
{
	static const struct metrics_key keys[] = {
		METRICS_KEY(V2(CPUStat), usage_usec),   METRICS_KEY(V2(CPUStat), user_usec),
		METRICS_KEY(V2(CPUStat), system_usec),  METRICS_KEY(V2(CPUStat), nr_periods),
		METRICS_KEY(V2(CPUStat), nr_throttled), METRICS_KEY(V2(CPUStat), throttled_usec),
		METRICS_KEY(V2(CPUStat), nr_bursts),    METRICS_KEY(V2(CPUStat), burst_usec),
	};
	READ_LINES(metrics, folder, "cpu.stat", keys, &answer->cpu);
	answer->cpu.psi = pressure_read(metrics, folder, "cpu.pressure");
	answer->metrics.cpu = &answer->cpu;
}

#define KEY(field) METRICS_KEY(V2(MemoryStat), field)

static const struct metrics_key memory_keys[] = {
	KEY(anon),
	KEY(file),
	KEY(kernel_stack),
	KEY(sock),
	KEY(shmem),
	KEY(file_mapped),
	KEY(file_dirty),
	KEY(file_writeback),
	KEY(anon_thp),
	KEY(inactive_anon),
	KEY(active_anon),
	KEY(inactive_file),
	KEY(active_file),
	KEY(unevictable),
	KEY(slab_reclaimable),
	KEY(slab_unreclaimable),
	KEY(slab),
	KEY(workingset_refault), /* until 5.8 */
	KEY(workingset_refault_anon),
	KEY(workingset_refault_file),
	KEY(workingset_activate), /* until 5.8 */
	KEY(workingset_activate_anon),
	KEY(workingset_activate_file),
	KEY(workingset_nodereclaim),
	KEY(pgscan),
	KEY(pgsteal),
	KEY(pgfault),
	KEY(pgmajfault),
	KEY(pgrefill),
	KEY(pgactivate),
	KEY(pgdeactivate),
	KEY(pglazyfree),
	KEY(pglazyfreed),
	KEY(thp_fault_alloc),
	KEY(thp_collapse_alloc),
};

static void memory_read(struct metrics *metrics, int folder, struct answer *answer)
{
	V2(MemoryStat) *memory = &answer->memory;
	const struct {
		const char *name;
		uint64_t *number;
	} files[] = {
		{"memory.current", &memory->usage},
		{"memory.max", &memory->usage_limit},
		{"memory.peak", &memory->max_usage},
		{"memory.swap.current", &memory->swap_usage},
		{"memory.swap.max", &memory->swap_limit},
		{"memory.swap.peak", &memory->swap_max_usage},
	};
	READ_LINES(metrics, folder, "memory.stat", memory_keys, memory);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		metrics_number_read(metrics, folder, files[i].name, files[i].number);
	memory->psi = pressure_read(metrics, folder, "memory.pressure");
	answer->metrics.memory = memory;
}

static void events_read(struct metrics *metrics, int folder, struct answer *answer)
{
	static const struct metrics_key keys[] = {
		METRICS_KEY(V2(MemoryEvents), low),
		METRICS_KEY(V2(MemoryEvents), high),
		METRICS_KEY(V2(MemoryEvents), max),
		METRICS_KEY(V2(MemoryEvents), oom),
		METRICS_KEY(V2(MemoryEvents), oom_kill),
		METRICS_KEY(V2(MemoryEvents), oom_group_kill),
	};
	V2(MemoryEvents) *events = &answer->events;
	bool there = READ_LINES(metrics, folder, "memory.events", keys, events);
	if (events->oom_kill < metrics->oom_kills)
		events->oom_kill = metrics->oom_kills;
	/* a cgroup that is gone may have had the controller */
	if (there || folder < 0 || events->oom_kill > 0)
		answer->metrics.memory_events = events;
}

METRICS_RDMA_CHECK(V2);

static void rdma_read(struct metrics *metrics, int folder, struct answer *answer)
{
	metrics_rdma_read(metrics, folder, &io__containerd__cgroups__v2__rdma_entry__descriptor,
			  &answer->rdma);
	answer->metrics.rdma = &answer->rdma;
}

/*
 * A line is "254:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0". Some kernels (until 5.13)
 * leave out the newline behind a device that has no numbers, which then counts as none.
 */
static bool io_line_take(const char **at, V2(IOEntry) * entry)
{
	static const struct metrics_key keys[] = {
		METRICS_KEY(V2(IOEntry), rbytes),
		METRICS_KEY(V2(IOEntry), wbytes),
		METRICS_KEY(V2(IOEntry), rios),
		METRICS_KEY(V2(IOEntry), wios),
	};
	bool device = false;
	const char *word = *at;
	while (metrics_device_take(&word, &entry->major, &entry->minor)) {
		device = true;
		word += strspn(word, " ");
		*at = word;
	}
	return device && metrics_pairs_take(at, keys, sizeof(keys) / sizeof(keys[0]), entry) > 0;
}

static void io_read(struct metrics *metrics, int folder, struct answer *answer)
{
	V2(IOStat) *io = &answer->io;
	const char *at = metrics_file_read(metrics, folder, "io.stat");
	size_t lines = at ? metrics_lines_count(at) : 0;
	io->usage = metrics_list(metrics, lines + 1, sizeof(**io->usage));
	for (; at && io->usage && *at; metrics_line_skip(&at)) {
		V2(IOEntry) entry = V2_INIT(IOENTRY);
		if (!io_line_take(&at, &entry))
			continue;
		*io->usage[io->n_usage++] = entry;
	}
	io->psi = pressure_read(metrics, folder, "io.pressure");
	answer->metrics.io = io;
}

/* One for each size that the host has, whether the container can use it or not. */
static void hugetlb_read(struct metrics *metrics, int folder, struct answer *answer)
{
	char sizes[METRICS_PAGE_SIZES_MAX][METRICS_PAGE_SIZE_TEXT], name[64], *end;
	size_t n = metrics_page_sizes(metrics, sizes);
	V2(HugeTlbStat) **list = metrics_list(metrics, n + 1, sizeof(**list));
	if (!list)
		return;
	for (size_t i = 0; i < n; i++) {
		static const struct metrics_key keys[] = {
			METRICS_KEY_AS(V2(HugeTlbStat), "max", failcnt)};
		V2(HugeTlbStat) *stat = list[i];
		*stat = (V2(HugeTlbStat))V2_INIT(HUGE_TLB_STAT);
		stat->pagesize = metrics_string(metrics, sizes[i], strlen(sizes[i]));
		end = stpcpy(stpcpy(name, "hugetlb."), sizes[i]);
		stpcpy(end, ".current");
		if (!metrics_number_read(metrics, folder, name, &stat->current))
			continue;
		stpcpy(end, ".max");
		metrics_number_read(metrics, folder, name, &stat->max);
		stpcpy(end, ".events");
		READ_LINES(metrics, folder, name, keys, stat);
	}
	answer->metrics.n_hugetlb = n;
	answer->metrics.hugetlb = list;
}

ProtobufCMessage *metrics_v2_read(struct metrics *metrics)
{
	struct answer *answer = metrics_alloc(metrics, sizeof(*answer));
	if (!answer)
		return NULL;
	*answer = empty;
	int folder = metrics_folder_open(metrics, METRICS_UNIFIED);
	pids_read(metrics, folder, answer);
	cpu_read(metrics, folder, answer);
	memory_read(metrics, folder, answer);
	events_read(metrics, folder, answer);
	rdma_read(metrics, folder, answer);
	io_read(metrics, folder, answer);
	hugetlb_read(metrics, folder, answer);
	metrics_close(metrics, folder);
	return &answer->metrics.base;
}
