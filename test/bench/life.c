/* SPDX-License-Identifier: Apache-2.0 */
/*
 * life: how long the steps of a container's life take, one shim against the others.
 *
 *     life [-n REPETITIONS] [-g GAP_MS] [-t TEMPLATE] [-b] -r RUNTIME -f ROOTFS -d FOLDER
 *          LABEL=SHIM LABEL=SHIM[,bootstrap] ...
 *
 * One repetition leads one container through each shim, and the order of the shims turns by one
 * each time, so that neither a drift of the machine nor a neighbour's warm cache favours any. A
 * pause comes before each life: moving a process into a cgroup waits for an RCU grace period unless
 * it was done a moment ago, and a host starts containers at random times, not back to back.
 *
 * The first shim is the one that is judged, the second the one that the goals are relative to. -b
 * prints one line a shim, for scripts: LABEL, then the median of each step.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/bench/options.h"
#include "test/bench/peer.h"
#include "test/bench/sample.h"
#include "test/bench/sink.h"

#define LIFE_SECONDS_MAX 60u /* a life that hangs ends the program */

enum step {
	START_VERB,
	FIRST_ANSWER,
	CREATE,
	START,
	WAIT,
	DELETE,
	SHUTDOWN,
	DELETE_VERB,
	LIFE,
	STEPS,
};

static const char *const step_names[STEPS] = {
	[START_VERB] = "start verb",
	[FIRST_ANSWER] = "start to first answer",
	[CREATE] = "Create",
	[START] = "Start",
	[WAIT] = "Wait",
	[DELETE] = "Delete",
	[SHUTDOWN] = "Shutdown",
	[DELETE_VERB] = "delete verb",
	[LIFE] = "whole life",
};

/* What the judged shim's median may be, as a share of the second one's; 0: no goal. */
static const double step_goals[STEPS] = {
	[START_VERB] = 1.0 / 3,
	[FIRST_ANSWER] = 1.0 / 4,
	[DELETE_VERB] = 1.0 / 5,
	[LIFE] = 0.85,
};

struct contender {
	struct peer peer;
	struct sample steps[STEPS];
};

/*
 * Every process of a life becomes our child in the end (we are a subreaper): the life is over, and
 * the machine quiet, when no child is left.
 */
static void reap_all(void)
{
	while (waitpid(-1, NULL, 0) >= 0 || errno == EINTR)
		;
}

static int live(struct peer_task *task, double *ret_times)
{
	static int (*const calls[])(struct peer_task *) = {
		[CREATE] = peer_create,           [START] = peer_start,
		[DELETE] = peer_delete,           [SHUTDOWN] = peer_shutdown,
		[DELETE_VERB] = peer_delete_verb,
	};
	double begin = sample_clock(), before, now;

	if (peer_start_verb(task) < 0)
		return -1;
	ret_times[START_VERB] = sample_clock() - begin;
	if (peer_connect(task) < 0)
		return -1;
	now = sample_clock();
	ret_times[FIRST_ANSWER] = now - begin;
	for (int step = CREATE; step <= DELETE_VERB; step++) {
		before = now;
		if ((step == WAIT ? peer_wait(task, 0) : calls[step](task)) < 0)
			return -1;
		now = sample_clock();
		ret_times[step] = now - before;
	}
	ret_times[LIFE] = now - begin;
	return 0;
}

static int repeat(struct contender *contender, const struct options *options, unsigned int number)
{
	struct peer_task task;
	double times[STEPS];
	char id[32];
	int result;

	snprintf(id, sizeof(id), "life-%u", number);
	if (peer_begin(&task, &options->host, &contender->peer, id, &options->spec) < 0)
		return options_error("%s", task.error);
	sample_pause(options->gap);
	alarm(LIFE_SECONDS_MAX);
	result = live(&task, times);
	if (result < 0)
		options_error("%s", task.error);
	else
		reap_all();
	alarm(0);
	peer_end(&task);
	for (int step = 0; step < STEPS && result == 0; step++)
		result = sample_add(&contender->steps[step], times[step]);
	return result;
}

static int measure(struct contender *contenders, const struct options *options)
{
	size_t n = options->n_shims;
	unsigned int number = 0;

	/* The first, unmeasured round brings the programs into the page cache. */
	for (unsigned int round = 0; round <= options->repetitions; round++) {
		options_progress("life with %s: %u of %u", options->runtime_name, round,
				 options->repetitions);
		for (size_t i = 0; i < n; i++) {
			struct contender *contender = &contenders[(i + round) % n];

			if (repeat(contender, options, number++) < 0)
				return -1;
			for (int step = 0; step < STEPS && round == 0; step++)
				contender->steps[step].count = 0;
		}
	}
	options_progress("%s", "");
	return 0;
}

static void print_brief(const struct contender *contenders, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		printf("%s", contenders[i].peer.label);
		for (int step = 0; step < STEPS; step++)
			printf(" %.3f", sample_quantile(&contenders[i].steps[step], 0.5));
		printf("\n");
	}
}

static void print_ratio(const struct sample *ours, const struct sample *theirs, double goal)
{
	double ratio = sample_quantile(ours, 0.5) / sample_quantile(theirs, 0.5);
	struct sample pairs;

	if (sample_divide(ours, theirs, &pairs) < 0)
		return;
	printf("  %5.2f (%4.2f-%4.2f)", ratio, sample_quantile(&pairs, 0.1),
	       sample_quantile(&pairs, 0.9));
	sample_deinit(&pairs);
	if (goal > 0)
		printf("  %.2f  %-6s", goal, ratio <= goal ? "met" : "missed");
}

static void print_table(const struct contender *contenders, const struct options *options)
{
	char heading[64];

	printf("One container of `true` with %s, on the shim's socket; ms, median (10-90 %%), "
	       "%u interleaved repetitions, %u ms apart\n",
	       options->runtime_name, options->repetitions, options->gap);
	printf("%-22s", "");
	for (size_t i = 0; i < options->n_shims; i++)
		printf(" %-22s", contenders[i].peer.label);
	for (size_t i = 1; i < options->n_shims; i++) {
		snprintf(heading, sizeof(heading), "/ %s", contenders[i].peer.label);
		printf("  %-17s%s", heading, i == 1 ? "  goal        " : "");
	}
	printf("\n");
	for (int step = 0; step < STEPS; step++) {
		const struct sample *ours = &contenders[0].steps[step];

		printf("%-22s", step_names[step]);
		for (size_t i = 0; i < options->n_shims; i++) {
			const struct sample *sample = &contenders[i].steps[step];

			printf(" %7.2f (%5.2f-%6.2f)", sample_quantile(sample, 0.5),
			       sample_quantile(sample, 0.1), sample_quantile(sample, 0.9));
		}
		for (size_t i = 1; i < options->n_shims; i++) {
			print_ratio(ours, &contenders[i].steps[step],
				    i == 1 ? step_goals[step] : 0);
			if (i == 1 && step_goals[step] == 0 && options->n_shims > 2)
				printf("%14s", "");
		}
		printf("\n");
	}
}

int main(int argc, char **argv)
{
	struct contender contenders[OPTIONS_SHIMS_MAX] = {0};
	struct options options;
	int result;

	if (options_init(&options, argc, argv) < 0)
		return 2;
	options.spec.args = "[\"/bin/true\"]";
	for (size_t i = 0; i < options.n_shims; i++)
		contenders[i].peer = options.shims[i];
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	result = sink_start(options.host.ttrpc);
	if (result < 0)
		options_error("%s: %s", options.host.ttrpc, strerror(-result));
	else
		result = measure(contenders, &options);
	if (result == 0 && options.brief)
		print_brief(contenders, options.n_shims);
	else if (result == 0)
		print_table(contenders, &options);
	for (size_t i = 0; i < options.n_shims; i++)
		for (int step = 0; step < STEPS; step++)
			sample_deinit(&contenders[i].steps[step]);
	options_deinit(&options);
	return result < 0 ? 1 : 0;
}
