/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_RUNC_DRIVER_H
#define SHIM_RUNC_DRIVER_H
/*
 * One operation of an OCI runtime's command line: the options that the container was created with,
 * what follows from them, and one command. It is for a process that ends with the operation:
 * nothing is freed.
 */
#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "shim/command.h"
#include "shim/failure.h"
#include "shim/runc_options.h"
#include "shim/shim.h"

#define RUNC_DEFAULT_BINARY "runc"
#define RUNC_DEFAULT_ROOT "/run/containerd/runc"
#define RUNC_ARGUMENTS_MAX 24 /* of a command, the global ones and the NULL included */

struct runc_driver {
	struct runtime_task *task;
	Containerd__Runc__V1__Options *options;
	const char *binary;
	char root[PATH_MAX]; /* of the runtime's state in this namespace */
	char log[PATH_MAX];
	char pid_file[PATH_MAX];
	off_t log_size; /* before the command ran */
	struct failure refused;
	struct command_result result;
};

/* With the options that create kept, or with options that the driver takes. */
int runc_driver_init(struct runc_driver *driver, struct runtime_task *task);
int runc_driver_use(struct runc_driver *driver, struct runtime_task *task,
		    Containerd__Runc__V1__Options *options);

/*
 * Runs a subcommand with its arguments, NULL at the end, behind the global ones. stdio NULL: its
 * output goes into the result. Refused: it did not start.
 */
int runc_driver_run(struct runc_driver *driver, const char *const *arguments, const int *stdio);
bool runc_driver_failed(const struct runc_driver *driver, int run_result);

/* Whether the command printed text, in upper or lower case; whether it said "no such container". */
bool runc_driver_printed(const struct runc_driver *driver, const char *text);
bool runc_driver_printed_unknown(const struct runc_driver *driver);

/* Calls runtime_fail(): the log's error behind prefix, or else what the command said. */
int runc_driver_fail(struct runc_driver *driver, int run_result, const char *prefix);

/* What the command itself said of its end. */
void runc_driver_describe(const struct runc_driver *driver, int run_result,
			  struct failure *ret_text);

/* Makes driver->refused the client's error if result is FAILURE_REFUSED; else returns result. */
int runc_driver_refuse(struct runc_driver *driver, enum runtime_code code, int result);

#endif
