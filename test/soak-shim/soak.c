/* SPDX-License-Identifier: Apache-2.0 */
/*
 * soak: whether a shim is, after very many processes and containers, what it was before.
 *
 *     soak -n CONTAINERS -t TEMPLATE -r RUNTIME -f ROOTFS -d FOLDER NAME=SHIM
 *
 * One container stays for the whole run. In it ten times CONTAINERS processes come and go, then
 * CONTAINERS containers do, each with all verbs and requests of the daemon, in the same shim. Before
 * each part a tenth of it (at least WARM_UP) runs unmeasured: tables that have a limit fill up.
 * Anonymous memory and descriptors of both resident processes must not have grown afterwards.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "test/bench/cost.h"
#include "test/bench/options.h"
#include "test/bench/peer.h"
#include "test/bench/sample.h"
#include "test/bench/sink.h"

#define WARM_UP 40           /* more than any table of the shim keeps of what was */
#define EXECS_A_CONTAINER 10 /* 100,000 of the one beside 10,000 of the other */
#define GROWTH_MAX_KB 8      /* a page of each process: where the stack ends is chance */
#define SETTLE_MS 10000

struct figures {
	unsigned long anonymous_kb, descriptors;
};

struct soak {
	const struct options *options;
	struct peer_task hold;
	struct cost cost;     /* of its shim */
	unsigned long number; /* of the next process or container */
};

static struct figures figures_of(const struct soak *soak)
{
	return (struct figures){
		.anonymous_kb = cost_anonymous(&soak->cost),
		.descriptors = cost_descriptors(&soak->cost),
	};
}

static int begin(struct soak *soak)
{
	struct peer_task *hold = &soak->hold;

	if (peer_begin(hold, &soak->options->host, &soak->options->shims[0], "hold",
		       &soak->options->spec) < 0 ||
	    peer_start_verb(hold) < 0 || peer_connect(hold) < 0 || peer_create(hold) < 0 ||
	    peer_start(hold) < 0 || cost_find(hold, &soak->cost) < 0)
		return options_error("%s", hold->error);
	if (soak->cost.n != 2)
		return options_error("process %lu is not one of a pair", soak->cost.pids[0]);
	return 0;
}

static int end(struct soak *soak)
{
	struct peer_task *hold = &soak->hold;
	int result = 0;

	result |= peer_kill(hold);
	result |= peer_wait(hold, 128 + 9);
	result |= peer_delete(hold);
	result |= peer_shutdown(hold);
	result |= peer_delete_verb(hold);
	if (result < 0)
		options_error("%s", hold->error);
	peer_end(hold);
	return result;
}

/* What was orphaned is ours, as a subreaper. */
static void reap(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

static int one_exec(struct soak *soak)
{
	char exec_id[32];

	snprintf(exec_id, sizeof(exec_id), "exec-%lu", soak->number++);
	if (peer_exec(&soak->hold, exec_id, "[\"/bin/true\"]", false) < 0)
		return options_error("%s", soak->hold.error);
	return 0;
}

static int one_container(struct soak *soak)
{
	struct peer_task task;
	char id[32];
	int result;

	snprintf(id, sizeof(id), "soak-%lu", soak->number++);
	if (peer_begin(&task, &soak->options->host, &soak->options->shims[0], id,
		       &soak->options->spec) < 0)
		return options_error("%s", task.error);
	result = peer_start_verb(&task) < 0 || peer_connect(&task) < 0 || peer_create(&task) < 0 ||
		 peer_start(&task) < 0 || peer_wait(&task, 0) < 0 || peer_delete(&task) < 0 ||
		 peer_shutdown(&task) < 0 || peer_delete_verb(&task) < 0;
	if (result)
		options_error("%s", task.error);
	peer_end(&task);
	reap();
	return result ? -1 : 0;
}

static int repeat(struct soak *soak, int (*one)(struct soak *), unsigned long times)
{
	for (unsigned long i = 0; i < times; i++) {
		if (i % 100 == 0)
			options_progress("%lu of %lu", i, times);
		if (one(soak) < 0)
			return -1;
	}
	options_progress("%s", "");
	return 0;
}

/* Connections and workers that have just ended may still be on their way out. */
static struct figures settled(const struct soak *soak, const struct figures *before)
{
	struct figures now = figures_of(soak);

	for (int waited = 0; waited < SETTLE_MS && now.descriptors > before->descriptors;
	     waited += 50) {
		sample_pause(50);
		now = figures_of(soak);
	}
	return now;
}

static int part(struct soak *soak, const char *name, int (*one)(struct soak *), unsigned long times)
{
	const char *label = soak->options->shims[0].label;
	unsigned long warm_up = times / 10 > WARM_UP ? times / 10 : WARM_UP;
	struct figures before, after;

	if (repeat(soak, one, warm_up) < 0) {
		printf("not ok soak-shim.%s.%s: the warm-up failed\n", label, name);
		return -1;
	}
	sample_pause(200);
	before = figures_of(soak);
	if (repeat(soak, one, times) < 0) {
		printf("not ok soak-shim.%s.%s: one failed\n", label, name);
		return -1;
	}
	after = settled(soak, &before);
	printf("# %s, %lu %s: anonymous memory %lu kB before, %lu after; descriptors %lu, %lu\n",
	       label, times, name, before.anonymous_kb, after.anonymous_kb, before.descriptors,
	       after.descriptors);
	if (after.anonymous_kb > before.anonymous_kb + GROWTH_MAX_KB ||
	    after.descriptors > before.descriptors || after.anonymous_kb == 0) {
		printf("not ok soak-shim.%s.%s: it has grown\n", label, name);
		return -1;
	}
	printf("ok soak-shim.%s.%s\n", label, name);
	fflush(stdout);
	return 0;
}

int main(int argc, char **argv)
{
	struct options options;
	struct soak soak = {.options = &options};
	int result;

	if (options_init(&options, argc, argv) < 0)
		return 2;
	options.spec.args = "[\"/bin/sleep\", \"1000000\"]";
	options.spec.group = "soak";
	soak.hold.wire = WIRE_NULL;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	result = sink_start(options.host.ttrpc);
	if (result < 0)
		options_error("%s: %s", options.host.ttrpc, strerror(-result));
	if (result == 0)
		result = begin(&soak);
	if (result < 0)
		printf("not ok soak-shim.%s: no container to begin with\n", options.shims[0].label);
	options.spec.args = "[\"/bin/true\"]"; /* of the others */
	if (result == 0) {
		result |= part(&soak, "execs", one_exec, options.repetitions * EXECS_A_CONTAINER);
		result |= part(&soak, "containers", one_container, options.repetitions);
		result |= end(&soak);
	}
	options_deinit(&options);
	return result < 0 ? 1 : 0;
}
