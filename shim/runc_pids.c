/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pids of a container: what `runc ps` prints, read where it reads it, or asked of the runtime.
 */
#include <jansson.h>
#include <limits.h>

#include "shim/cgroup_procs.h"
#include "shim/runc.h"
#include "shim/runc_cgroup.h"
#include "shim/runc_driver.h"

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

static int ask(struct runc_driver *driver, pid_t *pids, size_t max, size_t *ret_n)
{
	struct failure own;
	int r;

	runc_driver_add(driver, "ps", "--format", "json", driver->task->id, NULL);
	r = runc_driver_run(driver, NULL);
	if (r < 0)
		return r;
	if (!runc_driver_failed(driver, r))
		return take_pids(driver, pids, max, ret_n);
	if (driver->task->pid == 0) {
		/* the cgroup may be gone with the last process: crun 1.8.1 crashes then */
		*ret_n = 0;
		return 0;
	}
	runc_driver_describe(driver, r, &own);
	return runtime_fail(driver->task, RUNTIME_UNKNOWN, "%s", own.text);
}

int runc_pids(struct runtime_task *task, pid_t *pids, size_t max, size_t *ret_n)
{
	const char *folder = runc_cgroup_folder(task);
	struct runc_driver driver;
	int r = runc_driver_init_beside(&driver, task);

	if (r != 0)
		return r;
	if (folder && runc_driver_is_known(&driver) && cgroup_procs(folder, pids, max, ret_n) == 0)
		return 0;
	return ask(&driver, pids, max, ret_n);
}
