/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runtime of containerd-shim-mote-v2: runc, crun and every program with their command line.
 * Each function is one subcommand. Create keeps its options for the later calls, in the task's
 * state and in the bundle. Nothing here is freed: the process ends with the operation.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/file.h"
#include "shim/runc_driver.h"

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

static int create_prepare(struct runc_driver *driver, struct runtime_task *task)
{
	Containerd__Runc__V1__Options *options;
	int r;

	driver->task = task;
	r = runc_options_decode(&task->options, &options, &driver->refused);
	if (r == 0)
		r = runc_options_keep(options, task, &driver->refused);
	if (r != 0)
		return runc_driver_refuse(driver, RUNTIME_INVALID_ARGUMENT, r);
	r = runc_driver_use(driver, task, options);
	if (r != 0)
		return r;
	r = runc_options_write(options, task->bundle, &driver->refused);
	if (r != 0)
		return runc_driver_refuse(driver, RUNTIME_UNKNOWN, r);
	unlink(driver->pid_file);
	return give_stdio(driver);
}

static int runc_create(struct runtime_task *task, pid_t *ret_pid)
{
	const char *arguments[12] = {"create", "--bundle", task->bundle, "--pid-file"};
	struct runc_driver driver;
	size_t n = 4;
	int r = create_prepare(&driver, task);

	if (r != 0)
		return r;
	arguments[n++] = driver.pid_file;
	if (driver.options->no_pivot_root)
		arguments[n++] = "--no-pivot";
	if (driver.options->no_new_keyring)
		arguments[n++] = "--no-new-keyring";
	arguments[n++] = task->id;
	r = runc_driver_run(&driver, arguments, task->stdio);
	if (runc_driver_failed(&driver, r))
		return runc_driver_fail(&driver, r, "OCI runtime create failed");
	r = file_read_pid(driver.pid_file, ret_pid, &driver.refused);
	if (r == FAILURE_REFUSED)
		return runtime_fail(task, RUNTIME_UNKNOWN,
				    "failed to retrieve OCI runtime container pid: %s",
				    driver.refused.text);
	return r;
}

static int runc_start(struct runtime_task *task)
{
	const char *const arguments[] = {"start", task->id, NULL};
	struct runc_driver driver;
	int r = runc_driver_init(&driver, task);

	if (r != 0)
		return r;
	r = runc_driver_run(&driver, arguments, NULL);
	return runc_driver_failed(&driver, r)
		       ? runc_driver_fail(&driver, r, "OCI runtime start failed")
		       : 0;
}

static int kill_failed(struct runc_driver *driver, int result)
{
	static const char *const finished[] = {
		"os: process already finished",
		"container not running",
		"is not running",
		"no such process",
	};
	struct failure own;

	if (result < 0)
		return result;
	for (size_t i = 0; result == 0 && i < sizeof(finished) / sizeof(finished[0]); i++)
		if (runc_driver_printed(driver, finished[i]))
			return runtime_fail(driver->task, RUNTIME_NOT_FOUND,
					    "process already finished: not found");
	if (result == 0 && runc_driver_printed_unknown(driver))
		return runtime_fail(driver->task, RUNTIME_NOT_FOUND,
				    "no such container: not found");
	runc_driver_describe(driver, result, &own);
	return runtime_fail(driver->task, RUNTIME_UNKNOWN, "unknown error after kill: %s",
			    own.text);
}

static int runc_kill(struct runtime_task *task, int signal, bool all)
{
	const char *arguments[5] = {"kill"};
	struct runc_driver driver;
	char number[16];
	size_t n = 1;
	int r = runc_driver_init(&driver, task);

	if (r != 0)
		return r;
	snprintf(number, sizeof(number), "%d", signal);
	if (all)
		arguments[n++] = "--all";
	arguments[n++] = task->id;
	arguments[n++] = number;
	r = runc_driver_run(&driver, arguments, NULL);
	return runc_driver_failed(&driver, r) ? kill_failed(&driver, r) : 0;
}

static bool state_gone(const struct runc_driver *driver)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", driver->root, driver->task->id) >= PATH_MAX)
		return false;
	return access(path, F_OK) < 0 && errno == ENOENT;
}

/* These keep a container's state in the folder of its id; of other programs nothing is known. */
static bool state_is_folder(const struct runc_driver *driver)
{
	const char *slash = strrchr(driver->binary, '/');
	const char *name = slash ? slash + 1 : driver->binary;

	return strcmp(name, "runc") == 0 || strcmp(name, "crun") == 0;
}

/* containerd asks for a forced one after every container, also after those that are gone. */
static int runc_remove(struct runtime_task *task, bool force)
{
	const char *arguments[4] = {"delete"};
	struct runc_driver driver;
	size_t n = 1;
	int r = runc_driver_init(&driver, task);

	if (r != 0)
		return r;
	if (force && state_is_folder(&driver) && state_gone(&driver))
		return 0;
	if (force)
		arguments[n++] = "--force";
	arguments[n++] = task->id;
	r = runc_driver_run(&driver, arguments, NULL);
	if (!runc_driver_failed(&driver, r) || (r == 0 && runc_driver_printed_unknown(&driver)))
		return 0;
	if (force && r == FAILURE_REFUSED && state_gone(&driver))
		return 0; /* a program that is not there has made nothing either */
	return runc_driver_fail(&driver, r, "failed to delete task");
}

/* A list of numbers; null for none. */
static int take_pids(struct runc_driver *driver, pid_t *pids, size_t max, size_t *ret_n)
{
	const struct command_result *ended = &driver->result;
	json_error_t error;
	json_t *list = json_loadb(ended->output, ended->output_size, JSON_DECODE_ANY, &error);
	const json_t *item;
	size_t i, n = 0;

	if (!list || (!json_is_array(list) && !json_is_null(list)))
		return runtime_fail(driver->task, RUNTIME_UNKNOWN,
				    "%s ps printed no list of pids: %s", driver->binary,
				    list ? ended->output : error.text);
	json_array_foreach(list, i, item)
	{
		json_int_t pid = json_integer_value(item);

		if (pid <= 0 || pid > INT_MAX)
			return runtime_fail(driver->task, RUNTIME_UNKNOWN,
					    "%s ps printed something that is not a pid",
					    driver->binary);
		if (n < max)
			pids[n++] = (pid_t)pid;
	}
	*ret_n = n;
	return 0;
}

static int runc_pids(struct runtime_task *task, pid_t *pids, size_t max, size_t *ret_n)
{
	const char *const arguments[] = {"ps", "--format", "json", task->id, NULL};
	struct runc_driver driver;
	struct failure own;
	int r = runc_driver_init(&driver, task);

	if (r != 0)
		return r;
	r = runc_driver_run(&driver, arguments, NULL);
	if (r < 0)
		return r;
	if (!runc_driver_failed(&driver, r))
		return take_pids(&driver, pids, max, ret_n);
	if (task->pid == 0) {
		*ret_n =
			0; /* the cgroup may be gone with the last process: crun 1.8.1 crashes then */
		return 0;
	}
	runc_driver_describe(&driver, r, &own);
	return runtime_fail(task, RUNTIME_UNKNOWN, "%s", own.text);
}

/* Whoever reads the features takes what is no JSON for a broken runtime, and nothing for an old one. */
static bool is_object(const struct command_result *result)
{
	json_error_t error;
	json_t *root = json_loadb(result->output, result->output_size, 0, &error);
	bool yes = json_is_object(root);

	json_decref(root);
	return yes;
}

/* Not every runtime has the subcommand (runc since 1.1); then this is an error. */
static int runc_features(struct runtime_task *task, int fd)
{
	struct runc_driver driver;
	struct command command = COMMAND_NULL;
	Containerd__Runc__V1__Options *options;
	const char *argv[] = {RUNC_DEFAULT_BINARY, "features", NULL};
	int r = runc_options_decode(&task->options, &options, &driver.refused);

	driver.task = task;
	if (r != 0)
		return runc_driver_refuse(&driver, RUNTIME_INVALID_ARGUMENT, r);
	if (*options->binary_name)
		argv[0] = options->binary_name;
	command.argv = argv;
	command.capture = true;
	command.output_only = true;
	r = command_run(&command, &driver.result, &driver.refused);
	if (r != 0)
		return runc_driver_refuse(&driver, RUNTIME_NOT_FOUND, r);
	if (driver.result.status != 0)
		return runtime_fail(task, RUNTIME_UNIMPLEMENTED, "%s features: exit status %d",
				    argv[0], command_exit_code(&driver.result));
	if (!is_object(&driver.result))
		return runtime_fail(task, RUNTIME_UNIMPLEMENTED, "%s features: no JSON object",
				    argv[0]);
	return file_write_all(fd, driver.result.output, driver.result.output_size);
}

static const struct runtime runc = {
	.name = "io.containerd.mote.v2",
	.create = runc_create,
	.start = runc_start,
	.kill = runc_kill,
	.remove = runc_remove,
	.pids = runc_pids,
	.features = runc_features,
};

int main(int argc, char **argv)
{
	return shim_main(&runc, argc, argv);
}
