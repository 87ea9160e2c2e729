/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fleet: many idle containers on each kind of shim, for somebody else to measure.
 *
 *     fleet [-n CONTAINERS] [-G GROUP] ... LABEL=SHIM[,bootstrap]...    (the flags of options.h)
 *
 * Starts the containers one after the other, prints "ready" on stdout, and waits until its stdin is at
 * the end; for a line it gets there it has each container run a process, and one with a terminal, and
 * prints "used". Then it takes everything down in the daemon's order. It holds a connection to every shim
 * and answers their events meanwhile, as the daemon does; so a shim that no daemon at hand can
 * drive (too new, too old) can be measured beside the others.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/bench/options.h"
#include "test/bench/peer.h"
#include "test/bench/sink.h"

/* Those of one shim come one after the other; a group is one shim's, not of several kinds. */
static int raise_one(struct peer_task *task, const struct options *options, unsigned int number)
{
	unsigned int kind = number / options->repetitions;
	struct bundle_spec spec = options->spec;
	char id[32], group[128];

	snprintf(id, sizeof(id), "fleet-%u", number);
	snprintf(group, sizeof(group), "%s-%u", spec.group ? spec.group : "", kind);
	if (spec.group)
		spec.group = group;
	if (peer_begin(task, &options->host, &options->shims[kind], id, &spec) < 0)
		return -1;
	if (peer_start_verb(task) < 0 || peer_connect(task) < 0 || peer_create(task) < 0 ||
	    peer_start(task) < 0) {
		peer_end(task);
		return -1;
	}
	return 0;
}

/* Goes on after a failure: what can be taken down is taken down. */
static int lower_one(struct peer_task *task)
{
	int result = 0;

	result |= peer_kill(task);
	result |= peer_wait(task, 128 + 9);
	result |= peer_delete(task);
	result |= peer_shutdown(task);
	result |= peer_delete_verb(task);
	if (result < 0)
		options_error("%s", task->error);
	peer_end(task);
	return result;
}

static int use_all(struct peer_task *tasks, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		options_progress("execs: %u of %u", i + 1, n);
		if (peer_exec(&tasks[i], "plain", "[\"/bin/true\"]", false) < 0 ||
		    peer_exec(&tasks[i], "terminal", "[\"/bin/true\"]", true) < 0)
			return options_error("%s", tasks[i].error);
	}
	options_progress("%s", "");
	return 0;
}

static int serve_input(struct peer_task *tasks, unsigned int n)
{
	char line[64];

	printf("ready\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		if (use_all(tasks, n) < 0)
			return -1;
		printf("used\n");
		fflush(stdout);
	}
	return 0;
}

static int run(const struct options *options)
{
	unsigned int n = options->repetitions * (unsigned int)options->n_shims, up = 0;
	struct peer_task *tasks = calloc(n, sizeof(*tasks));
	int result = 0;

	if (!tasks)
		return options_error("%s", strerror(ENOMEM));
	while (up < n && result == 0) {
		options_progress("container %u of %u", up + 1, n);
		result = raise_one(&tasks[up], options, up);
		if (result < 0)
			options_error("%s", tasks[up].error);
		else
			up++;
	}
	options_progress("%s", "");
	if (result == 0)
		result = serve_input(tasks, up);
	while (up > 0)
		result |= lower_one(&tasks[--up]);
	free(tasks);
	while (waitpid(-1, NULL, 0) >= 0 || errno == EINTR)
		;
	return result;
}

int main(int argc, char **argv)
{
	struct options options;
	int result;

	if (options_init(&options, argc, argv) < 0)
		return 2;
	options.spec.args = "[\"/bin/sleep\", \"1000000\"]";
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	result = sink_start(options.host.ttrpc);
	if (result < 0)
		options_error("%s: %s", options.host.ttrpc, strerror(-result));
	else
		result = run(&options);
	options_deinit(&options);
	return result < 0 ? 1 : 0;
}
