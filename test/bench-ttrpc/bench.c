/* SPDX-License-Identifier: Apache-2.0 */
/*
 * make bench-ttrpc: what a call costs, beside what sockets allow and beside the Go and Rust
 * libraries where they are. Each round measures every peer in every test, one after the other; this
 * with generator and server on a CPU each, and again with both on one: where the kernel places them
 * makes more of a difference than most servers do.
 *
 *     BENCH_ROUNDS (5)   rounds of each placement       BENCH_MS (200)   time of one measurement
 *     BENCH_ONLY         speed, memory or syscalls alone
 *
 * It prints figures and whether goals were met, and fails only where something can't be measured.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test/bench-ttrpc/bench.h"
#include "test/bench-ttrpc/figures.h"

enum placement { TWO_CPUS, ONE_CPU, PLACEMENTS };

enum test_index {
	CALL_16,
	CALL_4K,
	CALL_1M,
	FLIGHT,
	CONNECTIONS_64,
	CONNECTIONS_256,
	STREAM_32,
	STREAMS_100,
	CLIENT_16,
	CLIENT_4K,
	CLIENT_1M,
	CLIENT_FLIGHT,
	TESTS,
};

/* The generator against everybody's server, or everybody's client against our server. */
static const struct test {
	const char *name;
	unsigned size, connections, streams, underway;
	bool client;
} tests[TESTS] = {
	[CALL_16] = {"server: calls of 16 B, one at a time", 16, 1, 0, 1, false},
	[CALL_4K] = {"server: calls of 4 KiB, one at a time", 4096, 1, 0, 1, false},
	[CALL_1M] = {"server: calls of 1 MiB, one at a time", 1u << 20, 1, 0, 1, false},
	[FLIGHT] = {"server: 64 calls of 16 B under way on a connection", 16, 1, 0, 64, false},
	[CONNECTIONS_64] = {"server: 64 connections, a call under way on each", 16, 64, 0, 1,
			    false},
	[CONNECTIONS_256] = {"server: 256 connections, 4 calls under way on each", 16, 256, 0, 4,
			     false},
	[STREAM_32] = {"server: a stream, 32 messages of 16 B under way", 16, 1, 1, 32, false},
	[STREAMS_100] = {"server: 100 streams on a connection, a message each", 16, 1, 100, 1,
			 false},
	[CLIENT_16] = {"client: calls of 16 B, one at a time", 16, 1, 0, 1, true},
	[CLIENT_4K] = {"client: calls of 4 KiB, one at a time", 4096, 1, 0, 1, true},
	[CLIENT_1M] = {"client: calls of 1 MiB, one at a time", 1u << 20, 1, 0, 1, true},
	[CLIENT_FLIGHT] = {"client: 64 calls of 16 B under way", 16, 1, 0, 64, true},
};

/* Microseconds, microseconds, a second, microseconds of the server for a call. */
struct figures {
	struct figure p50, p99, rate, cpu;
};

static struct figures figures[PLACEMENTS][TESTS][PEERS];
static struct peer *peers;
static unsigned milliseconds;

unsigned bench_option(const char *name, unsigned value)
{
	const char *text = getenv(name);

	return text && *text ? (unsigned)strtoul(text, NULL, 10) : value;
}

void bench_progress(const char *what, unsigned done, unsigned all)
{
	if (!isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "\r%s: round %u of %u ", what, done, all);
	if (done == all)
		fprintf(stderr, "\r%40s\r", "");
}

/* ---- one measurement ---- */

static bool is_tested(const struct test *test, int peer)
{
	if (!peers[peer].there || (test->streams > 0 && !peers[peer].streams))
		return false;
	/* The limits have one connection and one call. */
	return peers[peer].server[0] || (!test->client && test->connections == 1 &&
					 test->streams == 0 && test->underway == 1);
}

static struct process start_server(int peer, int cpu, unsigned size)
{
	static char path[64];
	char number[16];
	const char *limit[] = {PEERS_LIMIT, NULL};
	const char *suffix[] = {peers[peer].name, number, NULL};

	snprintf(path, sizeof(path), PEERS_SOCKET, peers[peer].name);
	snprintf(number, sizeof(number), "%u", size);
	if (peers[peer].server[0])
		return process_serve(cpu, peers[peer].server, path, NULL);
	return process_serve(cpu, limit, path, suffix);
}

static bool run_load(const struct test *test, int peer, int server, struct result *ret_result)
{
	static const char *const load[] = {PEERS_LOAD, NULL};
	const char *const *prefix = test->client ? peers[peer].client : load;
	char path[64], words[5][16];
	const char *arguments[PROCESS_ARGUMENTS_MAX] = {NULL};
	const unsigned numbers[] = {test->size, test->connections, test->streams, test->underway};
	struct process process;
	int n = 0;

	snprintf(path, sizeof(path), PEERS_SOCKET, peers[server].name);
	snprintf(words[0], sizeof(words[0]), "%u", milliseconds);
	while (*prefix)
		arguments[n++] = *prefix++;
	arguments[n++] = path;
	arguments[n++] = words[0];
	arguments[n++] = "0";
	for (int i = 0; i < 4; i++) {
		snprintf(words[i + 1], sizeof(words[i + 1]), "%u", numbers[i]);
		if (!test->client || i == 0 || i == 3)
			arguments[n++] = words[i + 1];
	}
	process = process_start(0, arguments);
	return process_result(&process, ret_result);
}

static void measure(enum placement placement, int t, int peer, const struct process *running)
{
	const struct test *test = &tests[t];
	struct figures *to = &figures[placement][t][peer];
	int of = test->client ? PEER_MOTE : peer;
	struct process server = running[of];
	struct result result;
	uint64_t cpu;

	if (!peers[of].server[0])
		server = start_server(of, placement == TWO_CPUS, test->size);
	cpu = process_cpu(server.pid);
	if (!run_load(test, peer, of, &result))
		die("%s: no result of %s", test->name, peers[peer].name);
	cpu = process_cpu(server.pid) - cpu;
	if (!peers[of].server[0])
		process_stop(&server);
	figure_add(&to->p50, result.p50 / 1000);
	figure_add(&to->p99, result.p99 / 1000);
	figure_add(&to->rate, result.measured * 1e9 / result.nanoseconds);
	figure_add(&to->cpu, (double)cpu / 1000 / result.calls);
}

static void run_placement(enum placement placement, unsigned rounds)
{
	struct process running[PEERS] = {{.pid = 0}};

	for (int peer = 0; peer < PEERS; peer++)
		if (peers[peer].there && peers[peer].server[0])
			running[peer] = start_server(peer, placement == TWO_CPUS, 0);
	for (unsigned round = 0; round < rounds; round++) {
		for (int t = 0; t < TESTS; t++)
			for (int peer = 0; peer < PEERS; peer++)
				if (is_tested(&tests[t], peer))
					measure(placement, t, peer, running);
		bench_progress(placement == TWO_CPUS ? "two CPUs" : "one CPU", round + 1, rounds);
	}
	for (int peer = 0; peer < PEERS; peer++)
		process_stop(&running[peer]);
}

/* ---- what is printed ---- */

static void print_test(enum placement placement, int t)
{
	printf("\n%s\n%-12s %9s %9s %12s %10s   (least .. most of p50, or of the rate)\n",
	       tests[t].name, "", "p50 us", "p99 us", "calls/s", "CPU us");
	for (int peer = 0; peer < PEERS; peer++) {
		const struct figures *of = &figures[placement][t][peer];
		bool timed = figure_median(&of->p50) > 0;
		const struct figure *spread = timed ? &of->p50 : &of->rate;

		if (of->rate.n == 0)
			continue;
		printf("%-12s ", peers[peer].name);
		if (timed)
			printf("%9.1f %9.1f", figure_median(&of->p50), figure_median(&of->p99));
		else
			printf("%9s %9s", "", "");
		printf(" %12.0f %10.2f   (%.*f .. %.*f)\n", figure_median(&of->rate),
		       figure_median(&of->cpu), timed, figure_least(spread), timed,
		       figure_most(spread));
	}
}

enum metric { P50, RATE, CPU };

static const struct figure *metric_of(const struct figures *of, enum metric metric)
{
	return metric == P50 ? &of->p50 : metric == RATE ? &of->rate : &of->cpu;
}

#define RUST PEERS /* the better one of the two */

static const struct goal {
	const char *name;
	enum metric metric;
	enum test_index test, reference_test;
	int reference;
	double goal;
} goals[] = {
	{"16 B call, our server / bare epoll", P50, CALL_16, CALL_16, PEER_EPOLL, 1.10},
	{"16 B call, our blocking client and server / bare epoll", P50, CLIENT_16, CALL_16,
	 PEER_EPOLL, 1.20},
	{"1 MiB call, our server / raw", P50, CALL_1M, CALL_1M, PEER_RAW, 1.5},
	{"1 MiB call, our blocking client and server / raw", P50, CLIENT_1M, CALL_1M, PEER_RAW,
	 1.5},
	{"server's CPU for a 16 B call / Go's", CPU, CALL_16, CALL_16, PEER_GO, 1.0 / 3},
	{"server's CPU for a 16 B call / Rust's", CPU, CALL_16, CALL_16, RUST, 0.5},
	{"calls/s, 64 under way on a connection / Go's", RATE, FLIGHT, FLIGHT, PEER_GO, 6},
	{"calls/s, 64 under way on a connection / Rust's", RATE, FLIGHT, FLIGHT, RUST, 2.5},
	{"calls/s, 256 connections / Go's", RATE, CONNECTIONS_256, CONNECTIONS_256, PEER_GO, 4},
	{"messages/s, 32 under way on a stream / Go's", RATE, STREAM_32, STREAM_32, PEER_GO, 3},
	{"messages/s, 100 streams on a connection / Go's", RATE, STREAMS_100, STREAMS_100, PEER_GO,
	 5},
};

/* The least or, of a rate, the most that a round had: what others on the machine spoil least. */
static double best_round(const struct figure *figure, enum metric metric)
{
	return metric == RATE ? figure_most(figure) : figure_least(figure);
}

static void judge(enum placement placement, const struct goal *goal)
{
	const struct figure *ours =
		metric_of(&figures[placement][goal->test][PEER_MOTE], goal->metric);
	const struct figures *theirs = figures[placement][goal->reference_test];
	const struct figure *bare = metric_of(&theirs[PEER_EPOLL], goal->metric);
	struct figure reference, ratio;
	double best;

	if (goal->reference == RUST)
		reference = figure_best(metric_of(&theirs[PEER_ASYNC], goal->metric),
					metric_of(&theirs[PEER_SYNC], goal->metric),
					goal->metric != RATE);
	else
		reference = *metric_of(&theirs[goal->reference], goal->metric);
	ratio = figure_ratio(ours, &reference);
	figure_judge(goal->name, &ratio, "x", goal->metric != RATE, goal->goal);
	best = best_round(&reference, goal->metric);
	if (best <= 0)
		return;
	printf("  best round / best round: %.2f", best_round(ours, goal->metric) / best);
	if (goal->metric == CPU)
		printf("; bare epoll, which does nothing with it: %.2f",
		       best_round(bare, goal->metric) / best);
	putchar('\n');
}

static void run_speed(unsigned rounds)
{
	static const char *const titles[] = {"a CPU each", "both on one CPU"};

	for (int placement = 0; placement < PLACEMENTS; placement++)
		run_placement((enum placement)placement, rounds);
	for (int placement = 0; placement < PLACEMENTS; placement++) {
		printf("\n==== generator and server: %s ====\n", titles[placement]);
		for (int t = 0; t < TESTS; t++)
			print_test((enum placement)placement, t);
	}
	for (int placement = 0; placement < PLACEMENTS; placement++) {
		printf("\n==== goals: %s; medians of %u rounds [least .. most] ====\n",
		       titles[placement], rounds);
		for (size_t i = 0; i < sizeof(goals) / sizeof(goals[0]); i++)
			judge((enum placement)placement, &goals[i]);
	}
}

int main(void)
{
	unsigned rounds = bench_option("BENCH_ROUNDS", 5);
	const char *only = getenv("BENCH_ONLY");

	setvbuf(stdout, NULL, _IOLBF, 0);
	peers = peers_init();
	milliseconds = bench_option("BENCH_MS", 200);
	if (rounds == 0 || rounds > FIGURES_ROUNDS_MAX)
		die("BENCH_ROUNDS is 1 to %d", FIGURES_ROUNDS_MAX);
	printf("ttrpc: medians of %u rounds of %u ms; mote is built with musl\n", rounds,
	       milliseconds);
	if (!only || strcmp(only, "speed") == 0)
		run_speed(rounds);
	if (!only || strcmp(only, "memory") == 0)
		bench_memory(peers, rounds);
	if (!only || strcmp(only, "syscalls") == 0)
		bench_syscalls(peers);
	printf("\n%u goals missed\n", figures_missed());
	return 0;
}
