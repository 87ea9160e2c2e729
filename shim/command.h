/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_COMMAND_H
#define SHIM_COMMAND_H
/*
 * Runs a program and waits for it. For workers and the short-lived verbs: it blocks.
 *
 * The program dies with the caller (PDEATHSIG), has the caller's environment without NOTIFY_SOCKET,
 * default signals, an empty signal mask, and no descriptor but 0, 1 and 2.
 */
#include <stdbool.h>
#include <stddef.h>

#include "shim/failure.h"

/* Kept of what a program prints; the rest is read and dropped. The pids of a full container fit. */
#define COMMAND_OUTPUT_MAX (1u << 20)

struct command {
	const char *const *argv; /* NULL at the end. argv[0] without a slash is looked up in PATH */
	const char *cwd;         /* NULL: the caller's */
	int stdio[3];            /* -1: /dev/null. They stay the caller's */
	const void *input;       /* not NULL: these bytes are its standard input */
	size_t input_size;
	bool capture;     /* its standard output and error, together, go into the result */
	bool output_only; /* not its standard error */
};

#define COMMAND_NULL ((struct command){.stdio = {-1, -1, -1}})

struct command_result {
	int status;   /* as waitpid() gives it */
	char *output; /* with a NUL behind it; "" without capture */
	size_t output_size;
	bool output_cut; /* it printed more than COMMAND_OUTPUT_MAX */
};

#define COMMAND_RESULT_NULL ((struct command_result){0})

/* Refused: the program could not be started, in Go's words. */
int command_run(const struct command *command, struct command_result *ret_result,
		struct failure *ret_failure);
/* For a child, before it executes something: what is ignored or blocked would stay so. */
void command_reset_signals(void);

void command_result_deinit(struct command_result *result);

/* The exit status as containerd counts it: 128 + N for a program that signal N ended. */
int command_exit_code(const struct command_result *result);

#endif
