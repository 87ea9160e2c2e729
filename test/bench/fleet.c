/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fleet: many idle containers on each kind of shim, for somebody else to measure.
 *
 *     fleet [-n CONTAINERS] [-G GROUP] ... LABEL=SHIM[,bootstrap]...    (the flags of options.h)
 *
 * Starts the containers one after the other, prints "ready" on stdout, and waits until its stdin is at
 * the end; for a line it gets there it has each container run a process, and one with a terminal, and
 * prints "used". Then it takes everything down in the daemon's order. A shim that fails is left out, by
 * a line of leave.h on stdout. It holds a connection to every shim and answers their events meanwhile,
 * as the daemon does; so a shim that no daemon at hand can drive (too new, too old) can be measured
 * beside the others.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "test/bench/leave.h"
#include "test/bench/options.h"
#include "test/bench/peer.h"
#include "test/bench/sink.h"

struct fleet {
	struct options *options;
	struct peer_task *tasks; /* those of one shim come one after the other */
	unsigned int n_up[OPTIONS_SHIMS_MAX];
};

static struct peer_task *tasks_of(const struct fleet *fleet, size_t shim)
{
	return fleet->tasks + shim * fleet->options->repetitions;
}

/* A group is one shim's, not of several kinds. */
static int begin_one(const struct fleet *fleet, size_t shim, unsigned int i)
{
	const struct options *options = fleet->options;
	struct bundle_spec spec = options->spec;
	char id[32], group[128];

	snprintf(id, sizeof(id), "fleet-%zu", shim * options->repetitions + i);
	snprintf(group, sizeof(group), "%s-%zu", spec.group ? spec.group : "", shim);
	if (spec.group)
		spec.group = group;
	return peer_begin(&tasks_of(fleet, shim)[i], &options->host, &options->shims[shim], id,
			  &spec);
}

static int raise_all(struct fleet *fleet, size_t shim)
{
	struct options *options = fleet->options;
	struct peer_task *tasks = tasks_of(fleet, shim);

	for (unsigned int i = 0; i < options->repetitions; i++) {
		options_progress("%s, container %u of %u", options->shims[shim].label, i + 1,
				 options->repetitions);
		if (begin_one(fleet, shim, i) < 0)
			return options_error("%s", tasks[i].error);
		if (peer_raise(&tasks[i]) < 0)
			return leave_out(options, tasks[i].error, tasks, i + 1);
		fleet->n_up[shim]++;
	}
	return 0;
}

static int use_all(struct fleet *fleet, size_t shim)
{
	struct options *options = fleet->options;
	struct peer_task *tasks = tasks_of(fleet, shim);
	unsigned int n = options->repetitions;

	for (unsigned int i = 0; i < n; i++) {
		options_progress("%s, execs: %u of %u", options->shims[shim].label, i + 1, n);
		if (peer_exec(&tasks[i], "plain", "[\"/bin/true\"]", false) < 0 ||
		    peer_exec(&tasks[i], "terminal", "[\"/bin/true\"]", true) < 0)
			return leave_out(options, tasks[i].error, tasks, n);
	}
	return 0;
}

static int lower_all(struct fleet *fleet, size_t shim)
{
	struct options *options = fleet->options;
	struct peer_task *tasks = tasks_of(fleet, shim);

	for (unsigned int n = fleet->n_up[shim]; n > 0; n--) {
		struct peer_task *task = &tasks[n - 1];

		if (peer_lower(task) < 0 || (n == 1 && leave_wait(options, task) < 0))
			return leave_out(options, task->error, tasks, n);
		peer_end(task);
	}
	return 0;
}

/* With each shim that is not out. */
static int each(struct fleet *fleet, int (*act)(struct fleet *fleet, size_t shim))
{
	int result = 0;

	for (size_t shim = 0; shim < fleet->options->n_shims; shim++)
		if (!fleet->options->shims[shim].out)
			result |= act(fleet, shim);
	options_progress("%s", "");
	return result;
}

static int serve_input(struct fleet *fleet)
{
	char line[64];

	printf("ready\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		if (each(fleet, use_all) < 0)
			return -1;
		printf("used\n");
		fflush(stdout);
	}
	return 0;
}

static int run(struct options *options)
{
	struct fleet fleet = {.options = options};
	int result;

	fleet.tasks = calloc(options->repetitions * options->n_shims, sizeof(*fleet.tasks));
	if (!fleet.tasks)
		return options_error("%s", strerror(ENOMEM));
	result = each(&fleet, raise_all);
	if (result == 0)
		result = serve_input(&fleet);
	/* Also after a failure: what can be taken down is taken down. */
	result |= each(&fleet, lower_all);
	free(fleet.tasks);
	return result;
}

/* A container takes seven descriptors: its FIFOs, the log once more, and a connection each way. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
	struct options options;
	int result;

	if (options_init(&options, argc, argv) < 0)
		return 2;
	options.spec.args = "[\"/bin/sleep\", \"1000000\"]";
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	raise_limit();
	result = sink_start(options.host.ttrpc);
	if (result < 0)
		options_error("%s: %s", options.host.ttrpc, strerror(-result));
	else
		result = run(&options);
	options_deinit(&options);
	return result < 0 ? 1 : 0;
}
