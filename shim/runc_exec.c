/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One more process in a container. The runtime reads what to run from a file. It is in the bundle,
 * not in a folder for temporary files: if we are killed, it goes with the bundle. Nobody else may read
 * it, since environments hold secrets.
 *
 * Several of these run at the same time: the names of their files begin with the process's, which is
 * unique in a container. An id of an exec begins with a letter or a digit, so that no file of the
 * shim's that begins with a dot is meant; but "init.pid" is the container's.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shim/file.h"
#include "shim/runc.h"
#include "shim/runc_driver.h"
#include "shim/runc_json.h"

struct exec_files {
	char spec_name[NAME_MAX + 1];
	char spec[PATH_MAX];
	char pid[PATH_MAX];
};

static int name_files(struct runtime_task *task, struct exec_files *files)
{
	bool is_init = strcmp(task->exec_id, "init") == 0;
	int name =
		snprintf(files->spec_name, sizeof(files->spec_name), ".%s.process", task->exec_id);
	int spec =
		snprintf(files->spec, sizeof(files->spec), "%s/%s", task->bundle, files->spec_name);
	int pid = snprintf(files->pid, sizeof(files->pid), "%s/%s%s.pid", task->bundle,
			   is_init ? ".exec-" : "", task->exec_id);

	if (name < (int)sizeof(files->spec_name) && spec < PATH_MAX && pid < PATH_MAX &&
	    !strchr(task->exec_id, '/'))
		return 0;
	return runtime_fail(task, RUNTIME_INVALID_ARGUMENT,
			    "exec id \"%s\" can't be a file's name: invalid argument",
			    task->exec_id);
}

/* Whether it has a terminal is the request's to say, not the process's. */
static int write_spec(struct runtime_task *task, const struct exec_files *files)
{
	struct failure refused;
	char *json = NULL;
	size_t size;
	int r = runc_json_check("process", task->json, task->json_size, &refused);

	if (r == FAILURE_REFUSED)
		return runtime_fail(task, RUNTIME_INVALID_ARGUMENT, "%s: invalid argument",
				    refused.text);
	if (r == 0)
		r = runc_json_set(task->json, task->json_size, "terminal", *task->console_socket,
				  &json, &size);
	if (r < 0)
		return r;
	r = file_replace(task->bundle, files->spec_name, json, size, 0600);
	free(json);
	return r == 0 ? 0
		      : runtime_fail(task, RUNTIME_UNKNOWN, "OCI runtime exec failed: open %s: %s",
				     files->spec, failure_errno(-r));
}

int runc_exec(struct runtime_task *task, pid_t *ret_pid)
{
	struct runc_driver driver;
	struct exec_files files;
	int r = name_files(task, &files);

	if (r == 0)
		r = runc_driver_init_beside(&driver, task);
	if (r == 0)
		r = write_spec(task, &files);
	if (r != 0)
		return r;
	runc_driver_add(&driver, "exec", "--process", files.spec, NULL);
	if (*task->console_socket)
		runc_driver_add(&driver, "--console-socket", task->console_socket, NULL);
	runc_driver_add(&driver, "--detach", "--pid-file", files.pid, task->id, NULL);
	r = runc_driver_make(&driver, files.pid, "OCI runtime exec failed", ret_pid);
	unlink(files.spec);
	unlink(files.pid);
	return r;
}
