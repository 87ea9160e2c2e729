/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What changes a running container: pause, resume, update. Always by the runtime: with systemd's
 * cgroups it tells systemd of it too.
 */
#include <stddef.h>

#include "shim/runc.h"
#include "shim/runc_driver.h"
#include "shim/runc_json.h"

static int run_plain(struct runtime_task *task, const char *command, const char *prefix)
{
	struct runc_driver driver;
	int r = runc_driver_init(&driver, task);

	if (r != 0)
		return r;
	runc_driver_add(&driver, command, task->id, NULL);
	r = runc_driver_run(&driver, NULL);
	return runc_driver_failed(&driver, r) ? runc_driver_fail(&driver, r, prefix) : 0;
}

int runc_pause(struct runtime_task *task)
{
	return run_plain(task, "pause", "OCI runtime pause failed");
}

int runc_resume(struct runtime_task *task)
{
	return run_plain(task, "resume", "OCI runtime resume failed");
}

/* The stock shim doesn't look into the log for this one. */
static int update_failed(struct runc_driver *driver, int result)
{
	struct failure own;

	if (result < 0)
		return result;
	runc_driver_describe(driver, result, &own);
	return runtime_fail(driver->task, RUNTIME_UNKNOWN, "%s", own.text);
}

int runc_update(struct runtime_task *task)
{
	struct runc_driver driver;
	struct failure refused;
	int r = runc_json_check("resources", task->json, task->json_size, &refused);

	if (r == FAILURE_REFUSED)
		return runtime_fail(task, RUNTIME_INVALID_ARGUMENT, "%s: invalid argument",
				    refused.text);
	if (r == 0)
		r = runc_driver_init(&driver, task);
	if (r != 0)
		return r;
	runc_driver_add(&driver, "update", "--resources=-", task->id, NULL);
	driver.input = task->json;
	driver.input_size = task->json_size;
	r = runc_driver_run(&driver, NULL);
	return runc_driver_failed(&driver, r) ? update_failed(&driver, r) : 0;
}
