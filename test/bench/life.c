/* SPDX-License-Identifier: Apache-2.0 */
/*
 * life: how long the steps of a container's life take, one shim against the others.
 *
 *     life [-n REPETITIONS] [-g GAP_MS] [-t TEMPLATE] [-b] -r RUNTIME -f ROOTFS -d FOLDER
 *          LABEL=SHIM LABEL=SHIM[,bootstrap][,ROLE] ...
 *
 * One repetition leads one container through each shim, and the order of the shims turns by one
 * each time, so that neither a drift of the machine nor a neighbour's warm cache favours any. A
 * pause comes before each life: moving a process into a cgroup waits for an RCU grace period unless
 * it was done a moment ago, and a host starts containers at random times, not back to back.
 *
 * The first shim is the one that is judged, the others' roles (options.c) say by which goals. The
 * runtime's own create, start and delete of the same container run in the same turn, by themselves:
 * the last table shows them beside the steps of the life that they are part of. -b prints one line a
 * shim, for scripts: LABEL, then the median of each step.
 */
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "test/bench/bare.h"
#include "test/bench/leave.h"
#include "test/bench/options.h"
#include "test/bench/peer.h"
#include "test/bench/sample.h"
#include "test/bench/sink.h"
#include "test/bench/table.h"

/* What follows one upon the other, then what several of them took together. */
enum step {
	START_VERB,
	CONNECT,
	CREATE,
	START,
	WAIT,
	DELETE,
	SHUTDOWN,
	DELETE_VERB,
	FIRST_ANSWER,
	LIFE,
	STEPS,
};

static const char *const step_names[STEPS] = {
	[START_VERB] = "start verb",
	[CONNECT] = "connect, Connect",
	[CREATE] = "Create",
	[START] = "Start",
	[WAIT] = "Wait",
	[DELETE] = "Delete",
	[SHUTDOWN] = "Shutdown",
	[DELETE_VERB] = "delete verb",
	[FIRST_ANSWER] = "start to first answer",
	[LIFE] = "whole life",
};

/* What the judged shim's median may be, as a share of the others'; 0: no goal. */
static const double step_goals[STEPS][PEER_ROLES] = {
	[START_VERB][PEER_NEWEST] = 1.0 / 3,
	[FIRST_ANSWER][PEER_NEWEST] = 1.0 / 4,
	[DELETE_VERB][PEER_NEWEST] = 1.0 / 5,
	[LIFE] = {[PEER_NEWEST] = 0.8, [PEER_RUST] = 0.9},
};

#define OVERHEAD_GOAL_MS 3.0 /* what the shim may add to the runtime's create, start and delete */

static struct table_row rows[STEPS];
static struct sample bare_steps[BARE_STEPS], bare_lives;

/* The run of the runtime that a step can't do without. */
static const struct sample *const runtime_runs[FIRST_ANSWER] = {
	[CREATE] = &bare_steps[BARE_CREATE],
	[START] = &bare_steps[BARE_START],
	[DELETE] = &bare_steps[BARE_DELETE],
};

static int live(struct peer_task *task, double *ret_times)
{
	static int (*const calls[])(struct peer_task *) = {
		[START_VERB] = peer_start_verb,   [CONNECT] = peer_connect,
		[CREATE] = peer_create,           [START] = peer_start,
		[DELETE] = peer_delete,           [SHUTDOWN] = peer_shutdown,
		[DELETE_VERB] = peer_delete_verb,
	};
	double begin = sample_clock(), before, now = begin;

	for (int step = START_VERB; step <= DELETE_VERB; step++) {
		before = now;
		if ((step == WAIT ? peer_wait(task, 0) : calls[step](task)) < 0)
			return -1;
		now = sample_clock();
		ret_times[step] = now - before;
	}
	ret_times[FIRST_ANSWER] = ret_times[START_VERB] + ret_times[CONNECT];
	ret_times[LIFE] = now - begin;
	return 0;
}

/* A life is over, and the machine quiet, when no process is left of it. */
static int repeat(struct options *options, size_t shim, unsigned int number)
{
	struct peer_task task;
	double times[STEPS];
	int result = 0;
	char id[32];

	snprintf(id, sizeof(id), "life-%u", number);
	if (peer_begin(&task, &options->host, &options->shims[shim], id, &options->spec) < 0)
		return options_error("%s", task.error);
	sample_pause(options->gap);
	if (live(&task, times) < 0 || leave_wait(options, &task) < 0)
		return leave_out(options, task.error, &task, 1);
	peer_end(&task);
	for (int step = 0; step < STEPS && result == 0; step++)
		result = sample_add(&rows[step].samples[shim], times[step]);
	return result;
}

/* The runtime without a shim, in the same turn. */
static int repeat_bare(const struct options *options, unsigned int number)
{
	double times[BARE_STEPS], sum = 0;
	char id[32], error[1024];
	int result = 0;

	snprintf(id, sizeof(id), "bare-%u", number);
	sample_pause(options->gap);
	if (bare_life(&options->host, &options->spec, id, times, error) < 0)
		return options_error("%s", error);
	for (int step = 0; step < BARE_STEPS && result == 0; step++) {
		sum += times[step];
		result = sample_add(&bare_steps[step], times[step]);
	}
	return result == 0 ? sample_add(&bare_lives, sum) : result;
}

static void forget_all(void)
{
	for (int step = 0; step < STEPS; step++)
		for (size_t i = 0; i < OPTIONS_SHIMS_MAX; i++)
			rows[step].samples[i].count = 0;
	for (int step = 0; step < BARE_STEPS; step++)
		bare_steps[step].count = 0;
	bare_lives.count = 0;
}

/* With each shim that is not out, in an order that turns. */
static int repeat_all(struct options *options, unsigned int round, unsigned int *number)
{
	size_t n = options->n_shims;

	for (size_t i = 0; i < n; i++) {
		size_t shim = (i + round) % n;

		if (!options->shims[shim].out && repeat(options, shim, (*number)++) < 0)
			return -1;
	}
	return 0;
}

static int measure(struct options *options)
{
	unsigned int number = 0;

	/* The first, unmeasured round brings the programs into the page cache. */
	for (unsigned int round = 0; round <= options->repetitions; round++) {
		options_progress("life with %s: %u of %u", options->runtime_name, round,
				 options->repetitions);
		if (repeat_all(options, round, &number) < 0)
			return -1;
		if (!options->brief && repeat_bare(options, number++) < 0)
			return -1;
		if (round == 0)
			forget_all();
	}
	options_progress("%s", "");
	return 0;
}

static void print_brief(const struct options *options)
{
	for (size_t i = 0; i < options->n_shims; i++) {
		if (options->shims[i].out)
			continue;
		printf("%s", options->shims[i].label);
		for (int step = 0; step < STEPS; step++)
			printf(" %.3f", sample_quantile(&rows[step].samples[i], 0.5));
		printf("\n");
	}
}

static double median_of(enum step step, size_t shim)
{
	return sample_quantile(&rows[step].samples[shim], 0.5);
}

/* A line of the trace: a value of each shim, the runtime's own (if > 0), and what ours has more. */
static void print_trace_line(const struct options *options, const char *name, const double *times,
			     double runtime)
{
	printf("  %-22s", name);
	for (size_t i = 0; i < options->n_shims; i++)
		if (!options->shims[i].out)
			printf(" %11.2f", times[i]);
	if (runtime > 0)
		printf(" %11.2f", runtime);
	else
		printf(" %11s", "");
	printf(" %11.2f %8.0f %%\n", times[0] - runtime, 100 * times[0] / median_of(LIFE, 0));
}

static void print_trace_step(const struct options *options, enum step step, double runtime,
			     double *sums)
{
	double times[OPTIONS_SHIMS_MAX];

	for (size_t i = 0; i < options->n_shims; i++) {
		times[i] = median_of(step, i);
		sums[i] += times[i];
	}
	print_trace_line(options, step_names[step], times, runtime);
}

/* What each shim adds to the three runs: a difference of medians. */
static void print_overheads(const struct options *options, double bare)
{
	double ours = median_of(LIFE, 0) - bare;

	printf("  %-22s", "the shim adds");
	for (size_t i = 0; i < options->n_shims; i++)
		if (!options->shims[i].out)
			printf(" %11.2f", median_of(LIFE, i) - bare);
	printf("\n  %s adds %.2f ms to three runs of %s, %.2f (%.2f-%.2f) (goal <= %.0f: %s)\n",
	       options->shims[0].label, ours, options->runtime_name, bare,
	       sample_quantile(&bare_lives, 0.1), sample_quantile(&bare_lives, 0.9),
	       OVERHEAD_GOAL_MS, ours <= OVERHEAD_GOAL_MS ? "met" : "missed");
}

static void print_trace(const struct options *options)
{
	double sums[OPTIONS_SHIMS_MAX] = {0}, unused[OPTIONS_SHIMS_MAX] = {0}, runtime_sum = 0;
	double bare = sample_quantile(&bare_lives, 0.5);

	printf("Where the time of a life goes: medians of its steps, and of `%s` alone; ms\n  "
	       "%-22s",
	       options->runtime_name, "");
	for (size_t i = 0; i < options->n_shims; i++)
		if (!options->shims[i].out)
			printf(" %11s", options->shims[i].label);
	printf(" %11s %6s adds %10s\n", options->runtime_name, options->shims[0].label, "of life");
	for (int step = START_VERB; step <= DELETE_VERB; step++) {
		const struct sample *run = runtime_runs[step];
		double alone = run ? sample_quantile(run, 0.5) : 0;

		runtime_sum += alone;
		print_trace_step(options, (enum step)step, alone, sums);
	}
	print_trace_line(options, "sum of these medians", sums, runtime_sum);
	print_trace_step(options, LIFE, bare, unused);
	print_overheads(options, bare);
}

static void print_table(const struct options *options)
{
	printf("One container of `true` with %s, on the shim's socket; ms, median (10-90 %%), "
	       "%u interleaved repetitions, %u ms apart\n",
	       options->runtime_name, options->repetitions, options->gap);
	table_print(options, rows, STEPS);
	print_trace(options);
}

static void prepare(void)
{
	for (int step = 0; step < STEPS; step++) {
		rows[step].name = step_names[step];
		rows[step].kind = TABLE_AT_MOST;
		memcpy(rows[step].goals, step_goals[step], sizeof(rows[step].goals));
	}
}

int main(int argc, char **argv)
{
	struct options options;
	int result;

	if (options_init(&options, argc, argv) < 0)
		return 2;
	options.spec.args = "[\"/bin/true\"]";
	prepare();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	result = sink_start(options.host.ttrpc);
	if (result < 0)
		options_error("%s: %s", options.host.ttrpc, strerror(-result));
	else
		result = measure(&options);
	if (result == 0 && options.brief)
		print_brief(&options);
	else if (result == 0)
		print_table(&options);
	table_deinit(rows, STEPS);
	for (int step = 0; step < BARE_STEPS; step++)
		sample_deinit(&bare_steps[step]);
	sample_deinit(&bare_lives);
	options_deinit(&options);
	return result < 0 ? 1 : 0;
}
