/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow: how fast a container's output comes out, and what that costs the shim.
 *
 *     flow [-n REPETITIONS] -m WRITE_SIZE -k MIB ... LABEL=SHIM[,bootstrap][,ROLE]...   (options.h)
 *
 * The container is `dd` that writes MIB mebibytes in pieces of WRITE_SIZE bytes; we read the FIFO with
 * splice(2) into /dev/null, which costs next to nothing. The rate counts from the first byte to the
 * last, the time on the processor is that of all processes and threads of the shim in between.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "test/bench/cost.h"
#include "test/bench/leave.h"
#include "test/bench/options.h"
#include "test/bench/peer.h"
#include "test/bench/sample.h"
#include "test/bench/sink.h"
#include "test/bench/table.h"

#define MIB 1048576.0

enum figure { RATE, CPU, FIGURES };

static struct table_row rows[FIGURES] = {
	[RATE] = {.name = "MiB/s", .kind = TABLE_AT_LEAST},
	[CPU] = {.name = "CPU seconds a GiB", .kind = TABLE_AT_MOST},
};

/* Returns the number of bytes that came; ret_begin is when the first did. */
static double drain(const struct peer_task *task, double expected, double *ret_begin)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct pollfd fifo = {.fd = task->bundle.fds[BUNDLE_STDOUT], .events = POLLIN};
	int silence_max = (int)task->host->seconds_max * 1000;
	double bytes = 0;

	while (bytes < expected && poll(&fifo, 1, silence_max) > 0) {
		ssize_t got = splice(fifo.fd, NULL, null, NULL, 1 << 20, SPLICE_F_NONBLOCK);

		if (got < 0 && errno != EAGAIN)
			break;
		if (got > 0 && bytes == 0)
			*ret_begin = sample_clock();
		if (got > 0)
			bytes += (double)got;
	}
	close(null);
	return bytes;
}

static int measure_one(struct peer_task *task, size_t shim, double expected)
{
	double begin = 0, cpu, bytes, seconds;
	struct cost cost;

	if (peer_start_verb(task) < 0 || peer_connect(task) < 0 || peer_create(task) < 0 ||
	    cost_find(task, &cost) < 0)
		return -1;
	cpu = cost_cpu(&cost);
	if (peer_start(task) < 0)
		return -1;
	bytes = drain(task, expected, &begin);
	seconds = (sample_clock() - begin) / 1e3;
	cpu = cost_cpu(&cost) - cpu;
	if (bytes < expected)
		return peer_fail(task, "output: %.0f bytes of %.0f came, then none for %u s", bytes,
				 expected, task->host->seconds_max);
	if (peer_wait(task, 0) < 0 || peer_delete(task) < 0 || peer_shutdown(task) < 0 ||
	    peer_delete_verb(task) < 0)
		return -1;
	if (sample_add(&rows[RATE].samples[shim], bytes / MIB / seconds) < 0 ||
	    sample_add(&rows[CPU].samples[shim], cpu / (bytes / MIB / 1024)) < 0)
		return peer_fail(task, "%s", strerror(ENOMEM));
	return 0;
}

static int repeat(struct options *options, size_t shim, unsigned int number)
{
	struct peer_task task;
	char id[32];

	snprintf(id, sizeof(id), "flow-%u", number);
	if (peer_begin(&task, &options->host, &options->shims[shim], id, &options->spec) < 0)
		return options_error("%s", task.error);
	if (measure_one(&task, shim, (double)options->mebibytes * MIB) < 0 ||
	    leave_wait(options, &task) < 0)
		return leave_out(options, task.error, &task, 1);
	peer_end(&task);
	return 0;
}

static int measure(struct options *options)
{
	size_t n = options->n_shims;
	unsigned int number = 0;

	for (unsigned int round = 0; round <= options->repetitions; round++) {
		options_progress("output in pieces of %u bytes: %u of %u", options->piece, round,
				 options->repetitions);
		for (size_t i = 0; i < n; i++) {
			size_t shim = (i + round) % n;

			if (options->shims[shim].out)
				continue;
			if (repeat(options, shim, number++) < 0)
				return -1;
			for (int figure = 0; figure < FIGURES && round == 0; figure++)
				rows[figure].samples[shim].count = 0;
		}
	}
	options_progress("%s", "");
	return 0;
}

/* Against the newest shim and the release's: for bulk; of small pieces only the rate counts. */
static void set_goals(const struct options *options)
{
	static const double bulk[FIGURES][PEER_ROLES] = {
		[RATE] = {[PEER_NEWEST] = 1, [PEER_RELEASE] = 2},
		[CPU] = {[PEER_NEWEST] = 0.5, [PEER_RELEASE] = 0.25},
	};
	static const double pieces[FIGURES][PEER_ROLES] = {
		[RATE] = {[PEER_NEWEST] = 1, [PEER_RELEASE] = 1},
	};

	for (int figure = 0; figure < FIGURES; figure++)
		memcpy(rows[figure].goals, options->piece >= 4096 ? bulk[figure] : pieces[figure],
		       sizeof(bulk[0]));
}

int main(int argc, char **argv)
{
	struct options options;
	char args[256];
	int result;

	if (options_init(&options, argc, argv) < 0)
		return 2;
	if (options.piece == 0 || options.mebibytes == 0) {
		options_error("flow needs -m and -k");
		return 2;
	}
	snprintf(args, sizeof(args),
		 "[\"/bin/dd\", \"if=/dev/zero\", \"bs=%u\", \"count=%lu\", \"status=none\"]",
		 options.piece, options.mebibytes * 1048576ul / options.piece);
	options.spec.args = args;
	set_goals(&options);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	result = sink_start(options.host.ttrpc);
	if (result < 0)
		options_error("%s: %s", options.host.ttrpc, strerror(-result));
	else
		result = measure(&options);
	if (result == 0) {
		printf("%u MiB of standard output, written %u bytes at a time; median (10-90 %%), "
		       "%u interleaved repetitions\n",
		       options.mebibytes, options.piece, options.repetitions);
		table_print(&options, rows, FIGURES);
	}
	table_deinit(rows, FIGURES);
	options_deinit(&options);
	return result < 0 ? 1 : 0;
}
