/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the processes of a shim end: by themselves, or because it is left out.
 *
 * The programs here are subreapers: all that a verb or a killed shim leaves behind becomes a child of
 * theirs. So a child that does not run the program of another shim belongs to the shim in question:
 * it itself, its containers, what its runtime was about to do.
 */
#include "test/bench/leave.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/bench/cost.h"
#include "test/bench/deadline.h"
#include "test/bench/sample.h"

#define LOOK_MS 5

/* Also if the program was built anew since the process began. */
static bool runs(unsigned long pid, const struct peer *peer)
{
	size_t length = strlen(peer->program);
	char program[PATH_MAX];

	return cost_program(pid, program) && strncmp(program, peer->program, length) == 0 &&
	       (program[length] == '\0' || strcmp(program + length, " (deleted)") == 0);
}

static bool belongs(const struct options *options, const struct peer *peer, unsigned long pid)
{
	if (cost_field(pid, "status", "PPid:") != (unsigned long)getpid())
		return false;
	for (size_t i = 0; i < options->n_shims; i++)
		if (&options->shims[i] != peer && runs(pid, &options->shims[i]))
			return false;
	return true;
}

/* Sends the signal (0: none) to each child that belongs to the shim; returns their number. */
static size_t signal_all(const struct options *options, const struct peer *peer, int number)
{
	struct dirent *entry;
	DIR *folder = opendir("/proc");
	size_t count = 0;

	while (folder && (entry = readdir(folder))) {
		unsigned long pid = strtoul(entry->d_name, NULL, 10);

		if (pid == 0 || !belongs(options, peer, pid))
			continue;
		kill((pid_t)pid, number);
		count++;
	}
	if (folder)
		closedir(folder);
	return count;
}

/* False if the time was over first. What a killed process leaves behind is found the next time. */
static bool until_gone(const struct options *options, const struct peer *peer, int number)
{
	double deadline = deadline_in(options->host.seconds_max);

	for (;;) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (signal_all(options, peer, number) == 0)
			return true;
		if (sample_clock() >= deadline)
			return false;
		sample_pause(LOOK_MS);
	}
}

int leave_wait(const struct options *options, struct peer_task *task)
{
	if (until_gone(options, task->peer, 0))
		return 0;
	return peer_fail(task, "processes did not end within %u s of Shutdown",
			 options->host.seconds_max);
}

/* The daemon, too, runs the delete verb when a shim has died: it removes the container's cgroup. */
static void remove_all(const struct options *options, struct peer_task *tasks, size_t n)
{
	const struct peer *peer = tasks[0].peer;
	double deadline;

	until_gone(options, peer, SIGKILL);
	deadline = deadline_in(options->host.seconds_max);
	for (size_t i = 0; i < n && sample_clock() < deadline; i++)
		peer_delete_verb(&tasks[i]);
	until_gone(options, peer, SIGKILL);
	for (size_t i = 0; i < n; i++)
		peer_end(&tasks[i]);
}

int leave_out(struct options *options, const char *reason, struct peer_task *tasks, size_t n)
{
	struct peer *peer = &options->shims[tasks[0].peer - options->shims];
	int result = 0;

	if (peer->role == PEER_ANY) {
		result = options_error("%s failed: %s", peer->label, reason);
	} else {
		options_progress("%s", "");
		printf("%s left out: %.*s\n", peer->label, (int)strcspn(reason, "\n"), reason);
		fflush(stdout);
	}
	peer->out = true;
	remove_all(options, tasks, n);
	return result;
}
