/* SPDX-License-Identifier: Apache-2.0 */
/*
 * repeat: how long commands take, one against the others.
 *
 *     repeat [-n REPETITIONS] [-g GAP_MS] LABEL COMMAND... [-- LABEL COMMAND...]...
 *
 * Runs every command once in each repetition, in an order that turns by one each time, after a
 * pause, with /dev/null for stdin and stdout, and prints a line each: LABEL, then the median and
 * the values at 10 and 90 per cent in milliseconds. The first command ends the program if it fails, or
 * does not end in time; of another the line is LABEL, "failed" and the reason, and it is not run again.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/bench/deadline.h"
#include "test/bench/sample.h"

#define COMMANDS_MAX 16

struct command {
	const char *label;
	char **words; /* ended by NULL */
	char error[128];
	struct sample times;
};

static size_t split(char **words, struct command *commands)
{
	size_t n = 0;

	while (*words && n < COMMANDS_MAX) {
		commands[n].label = *words++;
		commands[n].words = words;
		while (*words && strcmp(*words, "--") != 0)
			words++;
		if (commands[n].words == words)
			return 0;
		n++;
		if (*words)
			*words++ = NULL;
	}
	return n;
}

static int spawn_quietly(const struct command *command, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	int error;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	error = posix_spawnp(ret_pid, command->words[0], &actions, NULL, command->words, environ);
	posix_spawn_file_actions_destroy(&actions);
	return -error;
}

/* Writes the reason into command->error after a failure. */
static void run(struct command *command, bool keep)
{
	double begin = sample_clock(), time;
	int status = 0, error;
	pid_t pid;

	error = spawn_quietly(command, &pid);
	if (error == 0)
		error = deadline_wait(pid, deadline_in(DEADLINE_SECONDS), &status);
	time = sample_clock() - begin;
	if (error == 0 && status == 0 && keep)
		error = sample_add(&command->times, time);
	if (error == -ETIMEDOUT)
		snprintf(command->error, sizeof(command->error), "did not end within %d s",
			 DEADLINE_SECONDS);
	else if (error < 0)
		snprintf(command->error, sizeof(command->error), "%s", strerror(-error));
	else if (status != 0)
		snprintf(command->error, sizeof(command->error), "wait status 0x%x",
			 (unsigned int)status);
}

/* The first round, which warms the page cache, is not kept. */
static int measure(struct command *commands, size_t n, unsigned long repetitions, unsigned int gap)
{
	for (unsigned long round = 0; round <= repetitions; round++) {
		for (size_t i = 0; i < n; i++) {
			struct command *command = &commands[(i + round) % n];

			if (command->error[0])
				continue;
			sample_pause(gap);
			run(command, round > 0);
			if (commands[0].error[0])
				return -1;
		}
	}
	return 0;
}

static void print(const struct command *command)
{
	if (command->error[0])
		printf("%s failed %s\n", command->label, command->error);
	else
		printf("%s %.2f %.2f %.2f\n", command->label, sample_quantile(&command->times, 0.5),
		       sample_quantile(&command->times, 0.1),
		       sample_quantile(&command->times, 0.9));
}

int main(int argc, char **argv)
{
	struct command commands[COMMANDS_MAX] = {0};
	unsigned long repetitions = 50;
	unsigned int gap = 100;
	int flag, result;
	size_t n;

	while ((flag = getopt(argc, argv, "+n:g:")) != -1) {
		if (flag == 'n')
			repetitions = strtoul(optarg, NULL, 10);
		else if (flag == 'g')
			gap = (unsigned int)strtoul(optarg, NULL, 10);
		else
			return 2;
	}
	n = split(argv + optind, commands);
	if (n == 0) {
		fprintf(stderr, "usage: repeat [-n REPETITIONS] [-g GAP_MS] LABEL COMMAND... "
				"[-- LABEL COMMAND...]...\n");
		return 2;
	}
	result = measure(commands, n, repetitions, gap);
	if (result < 0)
		fprintf(stderr, "%s: %s\n", commands[0].label, commands[0].error);
	for (size_t i = 0; i < n; i++) {
		if (result == 0)
			print(&commands[i]);
		sample_deinit(&commands[i].times);
	}
	return result < 0 ? 1 : 0;
}
