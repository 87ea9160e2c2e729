/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From create to remove. Create keeps the options for the later calls, in the task's state and in the
 * bundle; and, as long as the init waits in it, learns which cgroup is the container's.
 *
 * With a checkpoint nothing runs yet: restore takes start's place, and does what create left out.
 */
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shim/config_json.h"
#include "shim/file.h"
#include "shim/runc.h"
#include "shim/runc_cgroup.h"
#include "shim/runc_driver.h"

static int create_prepare(struct runc_driver *driver, struct runtime_task *task)
{
	Containerd__Runc__V1__Options *options;
	struct failure refused;
	int r = runc_options_decode(task, &options, &refused);

	if (r == 0)
		r = runc_options_keep(options, task, &refused);
	if (r == FAILURE_REFUSED)
		return runtime_fail(task, RUNTIME_INVALID_ARGUMENT, "%s", refused.text);
	if (r == 0)
		r = runc_driver_use(driver, task, options);
	if (r != 0)
		return r;
	r = runc_options_write(options, task->bundle, &driver->refused);
	return runc_driver_refuse(driver, RUNTIME_UNKNOWN, r);
}

int runc_create(struct runtime_task *task, pid_t *ret_pid)
{
	struct runc_driver driver;
	pid_t pid = 0;
	int r = create_prepare(&driver, task);

	if (r != 0)
		return r;
	if (*task->checkpoint) {
		*ret_pid = 0;
		return 0;
	}
	runc_driver_add(&driver, "create", "--bundle", task->bundle, "--pid-file", driver.pid_file,
			NULL);
	if (*task->console_socket)
		runc_driver_add(&driver, "--console-socket", task->console_socket, NULL);
	if (driver.options->no_pivot_root)
		runc_driver_add(&driver, "--no-pivot", NULL);
	if (driver.options->no_new_keyring)
		runc_driver_add(&driver, "--no-new-keyring", NULL);
	runc_driver_add(&driver, task->id, NULL);
	r = runc_driver_make(&driver, driver.pid_file, "OCI runtime create failed", &pid);
	if (r != 0)
		return r;
	runc_cgroup_keep(task, pid);
	if (runc_driver_is_known(&driver))
		task->direct =
			RUNTIME_DIRECT_KILL | (runc_cgroup_folder(task) ? RUNTIME_DIRECT_PIDS : 0);
	*ret_pid = pid;
	return 0;
}

int runc_start(struct runtime_task *task)
{
	struct runc_driver driver;
	int r = runc_driver_init(&driver, task);

	if (r != 0)
		return r;
	runc_driver_add(&driver, "start", task->id, NULL);
	r = runc_driver_run(&driver, NULL);
	return runc_driver_failed(&driver, r)
		       ? runc_driver_fail(&driver, r, "OCI runtime start failed")
		       : 0;
}

/* These keep a container's state in the folder of its id. */
static bool state_gone(const struct runc_driver *driver)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", driver->root, driver->task->id) >= PATH_MAX)
		return false;
	return access(path, F_OK) < 0 && errno == ENOENT;
}

/*
 * A runtime that was killed in create or restore has made cgroups, and has not yet written down that it
 * did: of such a container its own delete removes the folder only. It knows none then, but says so
 * only if it is not forced.
 */
static void cgroup_remove(void)
{
	struct config_json config = CONFIG_JSON_NULL;
	struct failure failure;

	if (config_json_read("config.json", &config, &failure) == 0 && config.cgroups_path)
		runc_cgroup_remove(config.cgroups_path);
	config_json_deinit(&config);
}

/* One that could not run is not there, and has made nothing either. */
static bool is_removed(const struct runc_driver *driver, bool force, int run_result)
{
	return !runc_driver_failed(driver, run_result) ||
	       (run_result == 0 && runc_driver_printed_unknown(driver)) ||
	       (force && run_result == FAILURE_REFUSED && state_gone(driver));
}

/*
 * containerd asks for a forced one after every container, also after those that are gone: of those
 * whoever removed the folder saw to the cgroup.
 */
int runc_remove(struct runtime_task *task, bool force)
{
	struct runc_driver driver;
	int r = runc_driver_init(&driver, task);

	if (r != 0)
		return r;
	if (force && runc_driver_is_known(&driver) && state_gone(&driver))
		return 0;
	runc_driver_add(&driver, "delete", NULL);
	if (force)
		runc_driver_add(&driver, "--force", NULL);
	runc_driver_add(&driver, task->id, NULL);
	r = runc_driver_run(&driver, NULL);
	if (!is_removed(&driver, force, r))
		return runc_driver_fail(&driver, r, "failed to delete task");
	if (force || runc_driver_printed_unknown(&driver))
		cgroup_remove();
	return 0;
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
int runc_features(struct runtime_task *task, int fd)
{
	struct runc_driver driver;
	struct command command = COMMAND_NULL;
	Containerd__Runc__V1__Options *options;
	const char *argv[] = {RUNC_DEFAULT_BINARY, "features", NULL};
	int r = runc_options_decode(task, &options, &driver.refused);

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

int runc_shim_cgroup(struct runtime_task *task, const char **ret_path)
{
	struct runc_driver driver = {.task = task};
	Containerd__Runc__V1__Options *options;

	*ret_path = "";
	if (!runc_options_known(&task->options))
		return 0;
	int r = runc_options_decode(task, &options, &driver.refused);
	if (r != 0)
		return runc_driver_refuse(&driver, RUNTIME_INVALID_ARGUMENT, r);
	*ret_path = options->shim_cgroup;
	return 0;
}
