/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a command failed is found in three places: it did not start (the text is Go's), it wrote an
 * error to log.json, or it ended with a status and printed something. Which of them a client sees,
 * and behind which words, is what clients of the stock shim look for.
 */
#include "shim/runc_driver.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shim/runc_log.h"

int runc_driver_refuse(struct runc_driver *driver, enum runtime_code code, int result)
{
	if (result == FAILURE_REFUSED)
		return runtime_fail(driver->task, code, "%s", driver->refused.text);
	return result;
}

static int set_path(struct runc_driver *driver, char path[static PATH_MAX], const char *folder,
		    const char *name)
{
	if (snprintf(path, PATH_MAX, "%s/%s", folder, name) < PATH_MAX)
		return 0;
	return runtime_fail(driver->task, RUNTIME_INVALID_ARGUMENT,
			    "path %s/%s is too long: invalid argument", folder, name);
}

int runc_driver_use(struct runc_driver *driver, struct runtime_task *task,
		    Containerd__Runc__V1__Options *options)
{
	const char *root = *options->root ? options->root : RUNC_DEFAULT_ROOT;
	int r;

	driver->task = task;
	driver->options = options;
	driver->result = COMMAND_RESULT_NULL;
	driver->binary = *options->binary_name ? options->binary_name : RUNC_DEFAULT_BINARY;
	r = set_path(driver, driver->root, root, task->namespace_);
	if (r == 0)
		r = set_path(driver, driver->log, task->bundle, "log.json");
	if (r == 0)
		r = set_path(driver, driver->pid_file, task->bundle, "init.pid");
	return r;
}

int runc_driver_init(struct runc_driver *driver, struct runtime_task *task)
{
	Containerd__Runc__V1__Options *options;
	int r;

	driver->task = task;
	r = runc_options_load(task, &options, &driver->refused);
	return r == 0 ? runc_driver_use(driver, task, options)
		      : runc_driver_refuse(driver, RUNTIME_UNKNOWN, r);
}

int runc_driver_run(struct runc_driver *driver, const char *const *arguments, const int *stdio)
{
	const char *argv[RUNC_ARGUMENTS_MAX] = {
		driver->binary, "--root",       driver->root, "--log",
		driver->log,    "--log-format", "json",
	};
	struct command command = COMMAND_NULL;
	size_t n = 7;

	if (driver->options->systemd_cgroup)
		argv[n++] = "--systemd-cgroup";
	while (*arguments && n < RUNC_ARGUMENTS_MAX - 1)
		argv[n++] = *arguments++;
	command.argv = argv;
	command.cwd = driver->task->bundle; /* wrappers look for config.json there */
	command.capture = !stdio;
	for (int i = 0; stdio && i < 3; i++)
		command.stdio[i] = stdio[i];
	driver->log_size = runc_log_size(driver->log);
	return command_run(&command, &driver->result, &driver->refused);
}

void runc_driver_describe(const struct runc_driver *driver, int result, struct failure *ret_text)
{
	const struct command_result *ended = &driver->result;

	if (result == FAILURE_REFUSED)
		*ret_text = driver->refused;
	else
		failure_set(ret_text, "%s did not terminate successfully: exit status %d%s%s",
			    driver->binary, command_exit_code(ended),
			    ended->output_size ? ": " : "", ended->output);
}

int runc_driver_fail(struct runc_driver *driver, int result, const char *prefix)
{
	struct failure own, logged;
	int r;

	if (result < 0)
		return result;
	runc_driver_describe(driver, result, &own);
	r = runc_log_last_error(driver->log, driver->log_size, &logged);
	if (r < 0)
		return runtime_fail(driver->task, RUNTIME_UNKNOWN,
				    "%s: unable to retrieve OCI runtime error (open %s: %s): %s",
				    prefix, driver->log, failure_errno(-r), own.text);
	return runtime_fail(driver->task, RUNTIME_UNKNOWN, "%s: %s", prefix,
			    r == 1 ? logged.text : own.text);
}

bool runc_driver_failed(const struct runc_driver *driver, int result)
{
	return result != 0 || driver->result.status != 0;
}

bool runc_driver_printed(const struct runc_driver *driver, const char *text)
{
	return driver->result.output && strcasestr(driver->result.output, text);
}

/*
 * runc and new crun say it; old crun says which file or folder of the container's state is missing.
 */
bool runc_driver_printed_unknown(const struct runc_driver *driver)
{
	return runc_driver_printed(driver, "does not exist") ||
	       (runc_driver_printed(driver, "No such file or directory") &&
		runc_driver_printed(driver, driver->root));
}
