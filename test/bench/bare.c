/* SPDX-License-Identifier: Apache-2.0 */
/* The three runs of the runtime that a container needs whatever the shim. */
#include "test/bench/bare.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test/bench/deadline.h"
#include "test/bench/sample.h"

#define ERROR_SIZE 1024

struct bare {
	const struct peer_host *host;
	const char *id;
	struct bundle bundle;
	char root[PATH_MAX + 16], pid_file[PATH_MAX + 16], log[PATH_MAX + 16];
	char *error;
};

static int fail(const struct bare *bare, const char *what, const char *why)
{
	snprintf(bare->error, ERROR_SIZE, "%s alone, %s: %s", bare->host->runtime, what, why);
	return -1;
}

/* words[0] is the subcommand. The container inherits the FIFOs, as it does from a shim. */
static int run(const struct bare *bare, const char *const *words, double *ret_time)
{
	const char *argv[16] = {bare->host->runtime, "--root", bare->root, "--log", bare->log};
	posix_spawn_file_actions_t actions;
	double begin;
	int n = 5, status = 0, error;
	pid_t pid;

	for (const char *const *word = words; *word; word++)
		argv[n++] = *word;
	posix_spawn_file_actions_init(&actions);
	for (int i = 0; i < 3; i++)
		posix_spawn_file_actions_adddup2(&actions, bare->bundle.fds[BUNDLE_STDIN + i], i);
	begin = sample_clock();
	error = -posix_spawn(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv,
			     environ);
	if (error == 0)
		error = deadline_wait(pid, deadline_in(bare->host->seconds_max), &status);
	*ret_time = sample_clock() - begin;
	posix_spawn_file_actions_destroy(&actions);
	if (error < 0)
		return fail(bare, words[0], deadline_text(error));
	return status == 0 ? 0 : fail(bare, words[0], "it failed");
}

/* The container's process has become our child. */
static int wait_for_end(const struct bare *bare)
{
	FILE *file = fopen(bare->pid_file, "re");
	int pid = 0, status = 0, error;

	if (!file)
		return fail(bare, "pid file", strerror(errno));
	if (fscanf(file, "%d", &pid) != 1)
		pid = -1;
	fclose(file);
	error = deadline_wait(pid, deadline_in(bare->host->seconds_max), &status);
	if (error < 0)
		return fail(bare, "the container's process", deadline_text(error));
	return status == 0 ? 0 : fail(bare, "the container's process", "it failed");
}

static int lead(const struct bare *bare, double *ret_times)
{
	const char *const create[] = {"create",     "--bundle",     bare->bundle.path,
				      "--pid-file", bare->pid_file, bare->id,
				      NULL};
	const char *const start[] = {"start", bare->id, NULL};
	const char *const delete[] = {"delete", bare->id, NULL};

	if (run(bare, create, &ret_times[BARE_CREATE]) < 0 ||
	    run(bare, start, &ret_times[BARE_START]) < 0 || wait_for_end(bare) < 0)
		return -1;
	return run(bare, delete, &ret_times[BARE_DELETE]);
}

int bare_life(const struct peer_host *host, const struct bundle_spec *spec, const char *id,
	      double ret_times[static BARE_STEPS], char *error)
{
	struct bare bare = {.host = host, .id = id, .error = error};
	int result = bundle_init(&bare.bundle, host->base, id, spec);

	if (result < 0)
		return fail(&bare, "bundle", strerror(-result));
	snprintf(bare.root, sizeof(bare.root), "%s-bare", host->runtime_root);
	snprintf(bare.pid_file, sizeof(bare.pid_file), "%s/init.pid", bare.bundle.path);
	snprintf(bare.log, sizeof(bare.log), "%s/log.text", bare.bundle.path);
	result = lead(&bare, ret_times);
	bundle_deinit(&bare.bundle);
	return result;
}
