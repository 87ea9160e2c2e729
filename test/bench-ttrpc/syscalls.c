/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a message costs in system calls, as strace counts them in the server, and in allocations. An
 * echo is a message received and a message sent; a batch is one of each for many of them.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test/bench-ttrpc/bench.h"
#include "test/bench-ttrpc/figures.h"

#define TRACE "build/bench-ttrpc/strace"
#define TRACE_TIME 5000 /* ms that strace gets to write its table */

struct counts {
	double receives, sends, waits, others;
};

static const struct kind {
	const char *name, *calls;
	const char *numbers[4]; /* SIZE CONNECTIONS STREAMS UNDERWAY */
	double at_most;         /* system calls to receive, and to send, for each message */
} kinds[] = {
	{"16 B, one at a time", "5000", {"16", "1", "0", "1"}, 1.01},
	{"4 KiB, one at a time", "5000", {"4096", "1", "0", "1"}, 1.01},
	{"16 B, 64 under way", "50000", {"16", "1", "0", "64"}, 0.9},
	{"16 B, 256 connections, 4 under way", "50000", {"16", "256", "0", "4"}, 1.01},
	{"16 B, a stream, 32 under way", "50000", {"16", "1", "1", "32"}, 0.9},
};

static double run_load(const char *path, const char *calls, const char *const *numbers)
{
	/* It ends with the number of calls; the time is only for a machine that hangs. */
	const char *const arguments[] = {PEERS_LOAD, path,       "60000",    calls, numbers[0],
					 numbers[1], numbers[2], numbers[3], NULL};
	struct process process = process_start(-1, arguments);
	struct result result;

	if (!process_result(&process, &result))
		die("no result under strace");
	return result.calls;
}

/* ---- system calls ---- */

static void count_line(const char *line, struct counts *counts)
{
	char words[6][32];
	int n = sscanf(line, "%31s %31s %31s %31s %31s %31s", words[0], words[1], words[2],
		       words[3], words[4], words[5]);
	const char *name;
	double calls;

	if (n < 5 || (words[0][0] < '0' || words[0][0] > '9'))
		return;
	calls = strtod(words[3], NULL);
	name = words[n - 1];
	if (strcmp(name, "total") == 0)
		return;
	if (strncmp(name, "recv", 4) == 0 || strcmp(name, "read") == 0)
		counts->receives += calls;
	else if (strncmp(name, "send", 4) == 0 || strncmp(name, "write", 5) == 0)
		counts->sends += calls;
	else if (strncmp(name, "epoll_", 6) == 0)
		counts->waits += calls;
	else
		counts->others += calls;
}

static struct counts read_counts(void)
{
	struct counts counts = {0};
	char line[256];
	FILE *file = NULL;

	/* The tracer ends after its tracee. */
	for (int i = 0; i < TRACE_TIME / 10; i++) {
		file = fopen(TRACE, "re");
		if (file && fgets(line, sizeof(line), file))
			break;
		if (file)
			fclose(file);
		file = NULL;
		process_pause(10);
	}
	if (!file)
		die("strace has written nothing");
	process_pause(50);
	while (fgets(line, sizeof(line), file))
		count_line(line, &counts);
	fclose(file);
	return counts;
}

static void trace(const struct peer *peer, const struct kind *kind)
{
	const char *const prefix[] = {"strace",        "-D", "-f", "-c", "-o", TRACE,
				      peer->server[0], NULL};
	struct process server;
	struct counts counts;
	char path[64], name[96];
	struct figure receives = {.n = 0}, sends = {.n = 0};
	double calls;

	snprintf(path, sizeof(path), PEERS_SOCKET, "traced");
	unlink(TRACE);
	server = process_serve(-1, prefix, path, NULL);
	calls = run_load(path, kind->calls, kind->numbers);
	process_stop(&server);
	counts = read_counts();
	printf("%-40s receive %.3f, send %.3f, epoll %.3f, all else %.3f a call\n", kind->name,
	       counts.receives / calls, counts.sends / calls, counts.waits / calls,
	       counts.others / calls);
	figure_add(&receives, counts.receives / calls);
	figure_add(&sends, counts.sends / calls);
	snprintf(name, sizeof(name), "  receives a message: %s", kind->name);
	figure_judge(name, &receives, "", true, kind->at_most);
	snprintf(name, sizeof(name), "  sends a message: %s", kind->name);
	figure_judge(name, &sends, "", true, kind->at_most);
}

/* ---- allocations ---- */

static double ask_count(const struct process *server)
{
	char line[64];

	kill(server->pid, SIGUSR1);
	process_line(server, line, sizeof(line));
	return strtod(line, NULL);
}

static void count_allocations(const char *what, const char *const *numbers)
{
	const char *const prefix[] = {PEERS_COUNTED, NULL};
	struct figure figure = {.n = 0};
	struct process server;
	char path[64], name[96];
	double before, calls;

	snprintf(path, sizeof(path), PEERS_SOCKET, "counted");
	server = process_serve(-1, prefix, path, NULL);
	run_load(path, "1000", numbers);
	before = ask_count(&server);
	calls = run_load(path, "20000", numbers);
	/* A connection is one. */
	figure_add(&figure, (ask_count(&server) - before - 1) / calls);
	process_stop(&server);
	snprintf(name, sizeof(name), "allocations a call once warm: %s", what);
	figure_judge(name, &figure, "", true, 0);
}

void bench_syscalls(const struct peer *peers)
{
	printf("\n==== system calls of our server, by strace -c, and allocations ====\n");
	if (access("/usr/bin/strace", X_OK) == 0)
		for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
			trace(&peers[PEER_MOTE], &kinds[i]);
	else
		printf("not counted: strace is not installed\n");
	count_allocations("16 B, one at a time", kinds[0].numbers);
	count_allocations("4 KiB, one at a time", kinds[1].numbers);
	count_allocations("16 B, 64 under way", kinds[2].numbers);
}
