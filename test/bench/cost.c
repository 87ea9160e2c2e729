/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the processes of one shim use, read from /proc. The time on the processor is that of schedstat,
 * in nanoseconds: stat counts ticks of 10 ms.
 */
#include "test/bench/cost.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

unsigned long cost_field(unsigned long pid, const char *file, const char *key)
{
	char path[64], line[256];
	unsigned long value = 0;
	FILE *stream;

	snprintf(path, sizeof(path), "/proc/%lu/%s", pid, file);
	stream = fopen(path, "re");
	if (!stream)
		return 0;
	while (fgets(line, sizeof(line), stream))
		if (strncmp(line, key, strlen(key)) == 0)
			value = strtoul(line + strlen(key), NULL, 10);
	fclose(stream);
	return value;
}

bool cost_program(unsigned long pid, char path[static PATH_MAX])
{
	char name[64];
	ssize_t length;

	snprintf(name, sizeof(name), "/proc/%lu/exe", pid);
	length = readlink(name, path, PATH_MAX - 1);
	if (length < 0)
		return false;
	path[length] = '\0';
	return true;
}

int cost_find(struct peer_task *task, struct cost *ret_cost)
{
	char program[PATH_MAX], parent[PATH_MAX];
	struct cost cost = {.n = 1};
	struct wire_reply reply;
	uint64_t pid = 0;

	if (peer_call_id(task, "Connect", &reply) < 0)
		return -1;
	if (!wire_get_number(reply.payload, reply.size, 1, &pid) ||
	    !cost_program((unsigned long)pid, program))
		return peer_fail(task, "Connect names process %lu", (unsigned long)pid);
	cost.pids[0] = (unsigned long)pid;
	cost.pids[1] = cost_field(cost.pids[0], "status", "PPid:");
	if (cost_program(cost.pids[1], parent) && strcmp(program, parent) == 0)
		cost.n = 2;
	*ret_cost = cost;
	return 0;
}

/* Calls add with the name of each entry of a folder in /proc/PID. */
static void each_entry(unsigned long pid, const char *name,
		       void (*add)(unsigned long pid, const char *entry, unsigned long *sum),
		       unsigned long *sum)
{
	struct dirent *entry;
	char path[64];
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%lu/%s", pid, name);
	folder = opendir(path);
	if (!folder)
		return;
	while ((entry = readdir(folder)))
		if (entry->d_name[0] != '.')
			add(pid, entry->d_name, sum);
	closedir(folder);
}

static void add_thread(unsigned long pid, const char *thread, unsigned long *sum)
{
	unsigned long nanoseconds;
	char path[320];
	FILE *stream;

	snprintf(path, sizeof(path), "/proc/%lu/task/%s/schedstat", pid, thread);
	stream = fopen(path, "re");
	if (!stream)
		return;
	if (fscanf(stream, "%lu", &nanoseconds) == 1)
		*sum += nanoseconds;
	fclose(stream);
}

static void add_one(unsigned long pid, const char *entry, unsigned long *sum)
{
	(void)pid;
	(void)entry;
	(*sum)++;
}

double cost_cpu(const struct cost *cost)
{
	unsigned long nanoseconds = 0;

	for (size_t i = 0; i < cost->n; i++)
		each_entry(cost->pids[i], "task", add_thread, &nanoseconds);
	return (double)nanoseconds / 1e9;
}

unsigned long cost_anonymous(const struct cost *cost)
{
	unsigned long kb = 0;

	for (size_t i = 0; i < cost->n; i++)
		kb += cost_field(cost->pids[i], "smaps_rollup", "Anonymous:");
	return kb;
}

unsigned long cost_descriptors(const struct cost *cost)
{
	unsigned long count = 0;

	for (size_t i = 0; i < cost->n; i++)
		each_entry(cost->pids[i], "fd", add_one, &count);
	return count;
}
