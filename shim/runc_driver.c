/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a command failed is found in three places: it did not start (the text is Go's), it wrote an
 * error to its log, or it ended with a status and printed something. Which of them a client sees,
 * and behind which words, is what clients of the stock shim look for.
 *
 * All commands of a container's life append to the bundle's log.json. Those that may run at the same
 * time would take each other's errors for their own, and a client's `docker exec` be told why another
 * one failed: so they get a file each, which is moved to the end of log.json when they have ended.
 */
#include "shim/runc_driver.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/file.h"
#include "shim/runc_log.h"

#define LOG "log.json"

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

/* One too many stays behind the last place, where runc_driver_run() finds it. */
void runc_driver_add(struct runc_driver *driver, ...)
{
	va_list words;
	const char *word;

	va_start(words, driver);
	while ((word = va_arg(words, const char *))) {
		if (driver->argc < RUNC_ARGUMENTS_MAX - 1)
			driver->argv[driver->argc] = word;
		driver->argc++;
	}
	va_end(words);
}

int runc_driver_use(struct runc_driver *driver, struct runtime_task *task,
		    Containerd__Runc__V1__Options *options)
{
	const char *root = *options->root ? options->root : RUNC_DEFAULT_ROOT;
	int r;

	memset(driver, 0, sizeof(*driver));
	driver->task = task;
	driver->options = options;
	driver->binary = *options->binary_name ? options->binary_name : RUNC_DEFAULT_BINARY;
	r = set_path(driver, driver->root, root, task->namespace_);
	if (r == 0)
		r = set_path(driver, driver->log, task->bundle, LOG);
	if (r == 0)
		r = set_path(driver, driver->pid_file, task->bundle, "init.pid");
	if (r != 0)
		return r;
	runc_driver_add(driver, driver->binary, "--root", driver->root, "--log", driver->log,
			"--log-format", "json", NULL);
	if (options->systemd_cgroup)
		runc_driver_add(driver, "--systemd-cgroup", NULL);
	return 0;
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

int runc_driver_init_beside(struct runc_driver *driver, struct runtime_task *task)
{
	char name[32];
	int r = runc_driver_init(driver, task);

	if (r != 0)
		return r;
	snprintf(name, sizeof(name), ".log.%d.json", getpid());
	r = set_path(driver, driver->log, task->bundle, name);
	driver->log_own = true;
	return r;
}

bool runc_driver_is(const struct runc_driver *driver, const char *name)
{
	const char *slash = strrchr(driver->binary, '/');

	return strcmp(slash ? slash + 1 : driver->binary, name) == 0;
}

bool runc_driver_is_known(const struct runc_driver *driver)
{
	return runc_driver_is(driver, "runc") || runc_driver_is(driver, "crun");
}

static void read_log(struct runc_driver *driver, off_t before)
{
	char all[PATH_MAX];

	driver->logged = runc_log_last_error(driver->log, before, &driver->record);
	if (!driver->log_own)
		return;
	if (driver->logged == -ENOENT)
		driver->logged =
			0; /* that of a program which was not started, or has nothing to say */
	if (set_path(driver, all, driver->task->bundle, LOG) == 0)
		runc_log_move(driver->log, all);
}

int runc_driver_run(struct runc_driver *driver, const int *stdio)
{
	struct command command = COMMAND_NULL;
	off_t before;
	int r;

	if (driver->log_own)
		unlink(driver->log); /* of a worker that was killed and had our pid */
	before = runc_log_size(driver->log);
	if (driver->argc >= RUNC_ARGUMENTS_MAX)
		return failure_set(&driver->refused, "%s: %s", driver->binary,
				   failure_errno(E2BIG));
	command.argv = driver->argv;
	command.cwd = driver->task->bundle; /* wrappers look for config.json there */
	command.capture = !stdio;
	command.input = driver->input;
	command.input_size = driver->input_size;
	for (int i = 0; stdio && i < 3; i++)
		command.stdio[i] = stdio[i];
	r = command_run(&command, &driver->result, &driver->refused);
	read_log(driver, before);
	return r;
}

/* In a user namespace the container's root is another user, who may open its stdio anew. */
static int give_stdio(const struct runc_driver *driver)
{
	const struct runtime_task *task = driver->task;
	uid_t uid = driver->options->io_uid;
	gid_t gid = driver->options->io_gid;
	struct stat status;

	for (int i = 0; (uid || gid) && i < 3; i++) {
		if (fstat(task->stdio[i], &status) < 0)
			return -errno;
		if (S_ISFIFO(status.st_mode) && fchown(task->stdio[i], uid, gid) < 0)
			return -errno;
	}
	return 0;
}

int runc_driver_make(struct runc_driver *driver, const char *pid_file, const char *prefix,
		     pid_t *ret_pid)
{
	struct runtime_task *task = driver->task;
	int r = give_stdio(driver);

	if (r < 0)
		return r;
	unlink(pid_file);
	r = runc_driver_run(driver, task->stdio);
	if (runc_driver_failed(driver, r))
		return runc_driver_fail(driver, r, prefix);
	r = file_read_pid(pid_file, ret_pid, &driver->refused);
	if (r == FAILURE_REFUSED)
		return runtime_fail(task, RUNTIME_UNKNOWN,
				    "failed to retrieve OCI runtime %s pid: %s",
				    *task->exec_id ? "exec" : "container", driver->refused.text);
	return r;
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
	struct failure own;

	if (result < 0)
		return result;
	runc_driver_describe(driver, result, &own);
	if (driver->logged < 0)
		return runtime_fail(driver->task, RUNTIME_UNKNOWN,
				    "%s: unable to retrieve OCI runtime error (open %s: %s): %s",
				    prefix, driver->log, failure_errno(-driver->logged), own.text);
	return runtime_fail(driver->task, RUNTIME_UNKNOWN, "%s: %s", prefix,
			    driver->logged == 1 ? driver->record.text : own.text);
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
