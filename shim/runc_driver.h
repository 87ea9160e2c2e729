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
#define RUNC_ARGUMENTS_MAX 64 /* of a command, the global ones and the NULL included */

struct runc_driver {
	struct runtime_task *task;
	Containerd__Runc__V1__Options *options;
	const char *binary;
	char root[PATH_MAX]; /* of the runtime's state in this namespace */
	char log[PATH_MAX];
	bool log_own; /* for this command alone */
	char pid_file[PATH_MAX];
	const char *argv[RUNC_ARGUMENTS_MAX];
	size_t argc;
	const void *input; /* of the command; NULL: none */
	size_t input_size;

	/* what became of it */
	struct failure refused;
	struct command_result result;
	int logged;            /* as runc_log_last_error() has it */
	struct failure record; /* with 1 */
};

/* With the options that create kept, or with options that the driver takes. */
int runc_driver_init(struct runc_driver *driver, struct runtime_task *task);
int runc_driver_use(struct runc_driver *driver, struct runtime_task *task,
		    Containerd__Runc__V1__Options *options);

/*
 * The same for an operation that runs beside others of its container: what it logs is kept apart
 * from what they log, and joins it at the end.
 */
int runc_driver_init_beside(struct runc_driver *driver, struct runtime_task *task);

/* Whether the runtime is the program of that name, whatever its folder. */
bool runc_driver_is(const struct runc_driver *driver, const char *name);

/*
 * Whether it is one whose containers are known to be plain processes in cgroups: of other programs
 * with the same command line nothing is known.
 */
bool runc_driver_is_known(const struct runc_driver *driver);

/* Words of the command, behind the global ones; NULL at the end. They are not copied. */
void runc_driver_add(struct runc_driver *driver, ...) __attribute__((sentinel));

/*
 * Runs the command. stdio NULL: its output goes into the result. Refused: it did not start.
 */
int runc_driver_run(struct runc_driver *driver, const int *stdio);
bool runc_driver_failed(const struct runc_driver *driver, int run_result);

/*
 * Runs a command that makes a process: the task's stdio is given to it, and its pid is read from
 * pid_file, which is taken away before. prefix: of the client's error.
 */
int runc_driver_make(struct runc_driver *driver, const char *pid_file, const char *prefix,
		     pid_t *ret_pid);

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
