/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls: how long single requests take, one shim against the others, on the socket.
 *
 *     calls [-n REPETITIONS] ... LABEL=SHIM[,bootstrap][,ROLE]...    (the flags of options.h)
 *
 * Each shim gets one container, whose process sleeps. A repetition makes BATCH calls of each method,
 * the shims one after the other in an order that turns, and then leads one further process, `true`,
 * through each container: Exec, Start, Wait, Delete; beside it the runtime's own `exec`, by itself.
 * The last line says what ours adds to the runtime.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "test/bench/deadline.h"
#include "test/bench/leave.h"
#include "test/bench/options.h"
#include "test/bench/peer.h"
#include "test/bench/sample.h"
#include "test/bench/sink.h"
#include "test/bench/table.h"

#define BATCH 10
#define EXEC_GOAL_MS 3.0 /* what the shim may add to the runtime's exec */

static int call_state(struct peer_task *task)
{
	struct wire_reply reply;

	return peer_call_id(task, "State", &reply);
}

static int call_connect(struct peer_task *task)
{
	struct wire_reply reply;

	return peer_call_id(task, "Connect", &reply);
}

static int call_stats(struct peer_task *task)
{
	struct wire_reply reply;

	return peer_call_id(task, "Stats", &reply);
}

static int call_pids(struct peer_task *task)
{
	struct wire_reply reply;

	return peer_call_id(task, "Pids", &reply);
}

/* One that a process without a handler for it does not notice. */
static int call_kill(struct peer_task *task)
{
	return peer_signal(task, SIGCONT);
}

enum method { STATE, CONNECT, STATS, PIDS, KILL, METHODS };

static int (*const methods[METHODS])(struct peer_task *) = {
	[STATE] = call_state, [CONNECT] = call_connect, [STATS] = call_stats,
	[PIDS] = call_pids,   [KILL] = call_kill,
};

static struct table_row method_rows[METHODS] = {
	[STATE] = {.name = "State", .kind = TABLE_AT_MOST, .goals[PEER_NEWEST] = 0.5},
	[CONNECT] = {.name = "Connect", .kind = TABLE_AT_MOST, .goals[PEER_NEWEST] = 0.5},
	[STATS] = {.name = "Stats", .kind = TABLE_AT_MOST, .goals[PEER_NEWEST] = 0.5},
	[PIDS] = {.name = "Pids", .kind = TABLE_AT_MOST, .goals[PEER_NEWEST] = 0.05},
	[KILL] = {.name = "Kill (SIGCONT)", .kind = TABLE_AT_MOST, .goals[PEER_NEWEST] = 0.05},
};

static struct table_row exec_row = {
	.name = "exec of true, ms",
	.kind = TABLE_AT_MOST,
	.goals = {[PEER_NEWEST] = 0.8, [PEER_RUST] = 0.9},
};

struct bench {
	struct options *options;
	struct peer_task tasks[OPTIONS_SHIMS_MAX];
	size_t n_begun;
	struct sample runtime_alone;
	unsigned int number;
};

static int leave(struct bench *bench, size_t shim)
{
	struct peer_task *task = &bench->tasks[shim];

	return leave_out(bench->options, task->error, task, 1);
}

static int raise_all(struct bench *bench)
{
	const struct options *options = bench->options;
	char id[32];

	for (size_t i = 0; i < options->n_shims; i++) {
		struct peer_task *task = &bench->tasks[i];

		snprintf(id, sizeof(id), "calls-%zu", i);
		if (peer_begin(task, &options->host, &options->shims[i], id, &options->spec) < 0)
			return options_error("%s", task->error);
		bench->n_begun++;
		if (peer_raise(task) < 0 && leave(bench, i) < 0)
			return -1;
	}
	return 0;
}

static int lower_all(struct bench *bench)
{
	int result = 0;

	for (size_t i = 0; i < bench->n_begun; i++) {
		struct peer_task *task = &bench->tasks[i];

		if (bench->options->shims[i].out)
			continue;
		if (peer_lower(task) < 0 || leave_wait(bench->options, task) < 0)
			result |= leave(bench, i);
		else
			peer_end(task);
	}
	return result;
}

/* Microseconds. */
static int batch(struct bench *bench, enum method method, size_t shim)
{
	struct peer_task *task = &bench->tasks[shim];

	for (int i = 0; i < BATCH; i++) {
		double begin = sample_clock();

		if (methods[method](task) < 0)
			return leave(bench, shim);
		if (sample_add(&method_rows[method].samples[shim], (sample_clock() - begin) * 1e3) <
		    0)
			return options_error("%s", strerror(ENOMEM));
	}
	return 0;
}

static int exec_with(struct bench *bench, size_t shim)
{
	struct peer_task *task = &bench->tasks[shim];
	double begin;
	char exec_id[32];

	snprintf(exec_id, sizeof(exec_id), "exec-%u", bench->number++);
	sample_pause(bench->options->gap);
	begin = sample_clock();
	if (peer_exec(task, exec_id, "[\"/bin/true\"]", false) < 0)
		return leave(bench, shim);
	return sample_add(&exec_row.samples[shim], sample_clock() - begin);
}

/* In our own container, the one that the first shim made. */
static int exec_alone(struct bench *bench)
{
	const struct options *options = bench->options;
	const char *words[] = {options->host.runtime, "--root",    NULL, "exec",
			       bench->tasks[0].id,    "/bin/true", NULL};
	char root[PATH_MAX + 128];
	double begin;
	int status, error;
	pid_t pid;

	snprintf(root, sizeof(root), "%s/%s", options->host.runtime_root, options->host.namespace_);
	words[2] = root;
	sample_pause(options->gap);
	begin = sample_clock();
	error = -posix_spawn(&pid, words[0], NULL, NULL, (char *const *)(uintptr_t)words, environ);
	if (error == 0)
		error = deadline_wait(pid, deadline_in(options->host.seconds_max), &status);
	if (error < 0 || status != 0)
		return options_error("%s exec: %s", words[0],
				     error < 0 ? deadline_text(error) : "it failed");
	return sample_add(&bench->runtime_alone, sample_clock() - begin);
}

static int repeat(struct bench *bench, unsigned int round)
{
	const struct options *options = bench->options;
	size_t n = options->n_shims;

	/* The method after the last one is the exec. */
	for (int method = 0; method <= METHODS; method++) {
		for (size_t i = 0; i < n; i++) {
			size_t shim = (i + round) % n;

			if (options->shims[shim].out)
				continue;
			if ((method == METHODS ? exec_with(bench, shim)
					       : batch(bench, (enum method)method, shim)) < 0)
				return -1;
		}
	}
	return exec_alone(bench);
}

/* The first round warms everything up. */
static int measure(struct bench *bench)
{
	for (unsigned int round = 0; round <= bench->options->repetitions; round++) {
		options_progress("calls with %s: %u of %u", bench->options->runtime_name, round,
				 bench->options->repetitions);
		if (repeat(bench, round) < 0)
			return -1;
		if (round > 0)
			continue;
		for (size_t i = 0; i < bench->options->n_shims; i++) {
			for (int method = 0; method < METHODS; method++)
				method_rows[method].samples[i].count = 0;
			exec_row.samples[i].count = 0;
		}
		bench->runtime_alone.count = 0;
	}
	options_progress("%s", "");
	return 0;
}

static void print(const struct bench *bench)
{
	const struct options *options = bench->options;
	double alone = sample_quantile(&bench->runtime_alone, 0.5);
	double ours = sample_quantile(&exec_row.samples[0], 0.5);

	printf("Requests on one connection, the container made with %s; us, median (10-90 %%), %u "
	       "interleaved repetitions of %d calls\n",
	       options->runtime_name, options->repetitions, BATCH);
	table_print(options, method_rows, METHODS);
	printf("One more process in it: Exec, Start, Wait and Delete; ms\n");
	table_print(options, &exec_row, 1);
	printf("  `%s exec` alone %.2f ms (%.2f-%.2f); with %s %.2f more (goal <= %.0f: %s)\n",
	       options->runtime_name, alone, sample_quantile(&bench->runtime_alone, 0.1),
	       sample_quantile(&bench->runtime_alone, 0.9), options->shims[0].label, ours - alone,
	       EXEC_GOAL_MS, ours - alone <= EXEC_GOAL_MS ? "met" : "missed");
}

int main(int argc, char **argv)
{
	struct options options;
	struct bench bench = {.options = &options};
	int result;

	if (options_init(&options, argc, argv) < 0)
		return 2;
	options.spec.args = "[\"/bin/sleep\", \"1000000\"]";
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	result = sink_start(options.host.ttrpc);
	if (result < 0)
		options_error("%s: %s", options.host.ttrpc, strerror(-result));
	if (result == 0)
		result = raise_all(&bench);
	if (result == 0)
		result = measure(&bench);
	result |= lower_all(&bench);
	if (result == 0)
		print(&bench);
	table_deinit(method_rows, METHODS);
	table_deinit(&exec_row, 1);
	sample_deinit(&bench.runtime_alone);
	options_deinit(&options);
	return result < 0 ? 1 : 0;
}
