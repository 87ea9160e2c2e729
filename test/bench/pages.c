/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pages: what the memory of processes consists of.
 *
 *     pages PID...       by mapping: which pages are anonymous or of a file, private or shared,
 *                        with the addresses of those that count against the process
 *     pages -s PID...    one line of sums: processes threads rss pss uss pss_anon private_file
 *                        page_tables stacks switches descriptors    (kB, but the counts)
 *
 * smaps tells private from shared and has the shares (PSS), but mixes a file mapping's own pages
 * with the copies made of them on write. /proc/PID/pagemap tells those apart page by page: bit 63
 * present, bit 61 of a file (or shared memory), bit 56 mapped by nobody else. So "private_file" is
 * exact.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STACK_KB 16 /* THREAD_SIZE of x86-64 and aarch64 with 4 kB pages */

#define PAGE_PRESENT (1ull << 63)
#define PAGE_FILE (1ull << 61)
#define PAGE_EXCLUSIVE (1ull << 56)

struct sums {
	unsigned long processes, threads, rss, pss, uss, pss_anon, private_file, page_tables,
		switches, descriptors;
};

enum kind { FILE_SHARED, FILE_PRIVATE, ANON_SHARED, ANON_PRIVATE, KINDS };

static const char *const kind_names[KINDS] = {
	[FILE_SHARED] = "file, shared",
	[FILE_PRIVATE] = "file, private",
	[ANON_SHARED] = "anonymous, shared",
	[ANON_PRIVATE] = "anonymous, private",
};

struct mapping {
	unsigned long begin, end;
	char access[5];
	char name[256];
};

/* Entries are read by the hundreds: a Go program reserves gigabytes of addresses. */
struct pagemap {
	int fd;
	unsigned long page_size, first, count;
	uint64_t entries[512];
};

static FILE *open_entry(const char *pid, const char *name)
{
	char path[320];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
	file = fopen(path, "re");
	if (!file)
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
	return file;
}

/* Adds the number behind "key:" to *sum, if the line begins with that key. */
static void add_if(const char *line, const char *key, unsigned long *sum)
{
	size_t length = strlen(key);

	if (strncmp(line, key, length) == 0 && line[length] == ':')
		*sum += strtoul(line + length + 1, NULL, 10);
}

static int add_rollup(const char *pid, struct sums *sums)
{
	FILE *file = open_entry(pid, "smaps_rollup");
	char line[512];

	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file)) {
		add_if(line, "Rss", &sums->rss);
		add_if(line, "Pss", &sums->pss);
		add_if(line, "Pss_Anon", &sums->pss_anon);
		add_if(line, "Private_Clean", &sums->uss);
		add_if(line, "Private_Dirty", &sums->uss);
	}
	fclose(file);
	return 0;
}

static int add_status(const char *pid, const char *name, struct sums *sums)
{
	FILE *file = open_entry(pid, name);
	char line[512];

	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file)) {
		add_if(line, "Threads", &sums->threads);
		add_if(line, "VmPTE", &sums->page_tables);
		add_if(line, "voluntary_ctxt_switches", &sums->switches);
		add_if(line, "nonvoluntary_ctxt_switches", &sums->switches);
	}
	fclose(file);
	return 0;
}

/* The status of a process counts the switches of its first thread only. */
static int add_threads(const char *pid, struct sums *sums)
{
	struct sums ignored = {0};
	struct dirent *entry;
	char path[64], name[300];
	DIR *folder;

	if (add_status(pid, "status", sums) < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/%s/task", pid);
	folder = opendir(path);
	if (!folder)
		return -1;
	while ((entry = readdir(folder))) {
		if (entry->d_name[0] == '.' || strcmp(entry->d_name, pid) == 0)
			continue;
		snprintf(name, sizeof(name), "task/%s/status", entry->d_name);
		add_status(pid, name, &ignored);
	}
	closedir(folder);
	sums->switches += ignored.switches;
	return 0;
}

static int add_descriptors(const char *pid, struct sums *sums)
{
	struct dirent *entry;
	char path[64];
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	folder = opendir(path);
	if (!folder)
		return -1;
	while ((entry = readdir(folder)))
		sums->descriptors += entry->d_name[0] != '.';
	closedir(folder);
	return 0;
}

static bool parse_mapping(const char *line, struct mapping *ret_mapping)
{
	struct mapping mapping = {.name = ""};

	if (sscanf(line, "%lx-%lx %4s %*s %*s %*s %255[^\n]", &mapping.begin, &mapping.end,
		   mapping.access, mapping.name) < 3)
		return false;
	*ret_mapping = mapping;
	return true;
}

static bool load(struct pagemap *pagemap, unsigned long page)
{
	ssize_t size = pread(pagemap->fd, pagemap->entries, sizeof(pagemap->entries),
			     (off_t)(page * sizeof(uint64_t)));

	pagemap->first = page;
	pagemap->count = size > 0 ? (unsigned long)size / sizeof(uint64_t) : 0;
	return pagemap->count > 0;
}

static bool read_page(struct pagemap *pagemap, unsigned long address, enum kind *ret_kind)
{
	unsigned long page = address / pagemap->page_size;
	uint64_t entry;

	if (page - pagemap->first >= pagemap->count && !load(pagemap, page))
		return false;
	entry = pagemap->entries[page - pagemap->first];
	if (!(entry & PAGE_PRESENT))
		return false;
	if (entry & PAGE_FILE)
		*ret_kind = entry & PAGE_EXCLUSIVE ? FILE_PRIVATE : FILE_SHARED;
	else
		*ret_kind = entry & PAGE_EXCLUSIVE ? ANON_PRIVATE : ANON_SHARED;
	return true;
}

static void count_pages(struct pagemap *pagemap, const struct mapping *mapping,
			unsigned long *counts)
{
	enum kind kind;

	for (unsigned long at = mapping->begin; at < mapping->end; at += pagemap->page_size)
		if (read_page(pagemap, at, &kind))
			counts[kind]++;
}

/* Runs of neighbouring pages of one kind; shared file pages are left out: they cost nothing. */
static void print_pages(struct pagemap *pagemap, const struct mapping *mapping)
{
	unsigned long at = mapping->begin;
	enum kind kind, next;

	while (at < mapping->end) {
		unsigned long begin = at;

		at += pagemap->page_size;
		if (!read_page(pagemap, begin, &kind) || kind == FILE_SHARED)
			continue;
		while (at < mapping->end && read_page(pagemap, at, &next) && next == kind)
			at += pagemap->page_size;
		printf("        %4lu kB  %lx-%lx  %s\n", (at - begin) / 1024, begin, at,
		       kind_names[kind]);
	}
}

/* counts: pages of each kind in the whole process. */
static int walk(const char *pid, bool print, unsigned long *counts)
{
	struct pagemap pagemap = {.page_size = (unsigned long)sysconf(_SC_PAGESIZE)};
	struct mapping mapping;
	char path[64], line[1024];
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%s/pagemap", pid);
	pagemap.fd = open(path, O_RDONLY | O_CLOEXEC);
	maps = open_entry(pid, "maps");
	while (maps && pagemap.fd >= 0 && fgets(line, sizeof(line), maps)) {
		if (!parse_mapping(line, &mapping))
			continue;
		if (print)
			printf("  %lx-%lx %s %s\n", mapping.begin, mapping.end, mapping.access,
			       mapping.name[0] ? mapping.name : "[anonymous]");
		count_pages(&pagemap, &mapping, counts);
		if (print)
			print_pages(&pagemap, &mapping);
	}
	if (maps)
		fclose(maps);
	if (pagemap.fd < 0)
		return -1;
	close(pagemap.fd);
	return maps ? 0 : -1;
}

static int add_process(const char *pid, struct sums *sums)
{
	unsigned long counts[KINDS] = {0};

	if (add_rollup(pid, sums) < 0 || add_threads(pid, sums) < 0 ||
	    add_descriptors(pid, sums) < 0 || walk(pid, false, counts) < 0)
		return -1;
	sums->processes++;
	sums->private_file += counts[FILE_PRIVATE] * (unsigned long)sysconf(_SC_PAGESIZE) / 1024;
	return 0;
}

static void print_process(const char *pid)
{
	unsigned long page_kb = (unsigned long)sysconf(_SC_PAGESIZE) / 1024;
	unsigned long counts[KINDS] = {0};
	struct sums sums = {0};

	printf("process %s\n", pid);
	if (walk(pid, true, counts) < 0 || add_process(pid, &sums) < 0)
		return;
	for (int kind = 0; kind < KINDS; kind++)
		printf("  %6lu kB %s\n", counts[kind] * page_kb, kind_names[kind]);
	printf("  RSS %lu, PSS %lu, USS %lu, page tables %lu, kernel stacks %lu kB\n", sums.rss,
	       sums.pss, sums.uss, sums.page_tables, sums.threads * STACK_KB);
}

int main(int argc, char **argv)
{
	bool summary = argc > 1 && strcmp(argv[1], "-s") == 0;
	struct sums sums = {0};
	int status = 0;

	if (argc < 2 + summary) {
		fprintf(stderr, "usage: pages [-s] PID...\n");
		return 2;
	}
	for (int i = 1 + summary; i < argc; i++) {
		if (!summary)
			print_process(argv[i]);
		else if (add_process(argv[i], &sums) < 0)
			status = 1;
	}
	if (summary)
		printf("%lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu\n", sums.processes,
		       sums.threads, sums.rss, sums.pss, sums.uss, sums.pss_anon, sums.private_file,
		       sums.page_tables, sums.threads * STACK_KB, sums.switches, sums.descriptors);
	return status;
}
