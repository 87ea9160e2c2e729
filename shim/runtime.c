/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the library does for runtimes whose containers are plain child processes. A worker calls it:
 * it may block, and what it allocates goes with the process.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim/command.h"
#include "shim/config_json.h"
#include "shim/failure.h"
#include "shim/shim.h"

#define CHILD_FD 3       /* where the descriptor that a child keeps goes */
#define CHILD_STATUS 126 /* of one that has no descriptors left, as a shell has it */

int runtime_process_read(struct runtime_task *task, struct runtime_process *ret_process)
{
	struct config_json config;
	struct failure failure;
	int r = config_json_read("config.json", &config, &failure);

	if (r == -ENOENT)
		r = failure_set(&failure, "config.json: no such file");
	else if (r == 0 && !config.args[0])
		r = failure_set(&failure, "config.json: process.args is empty");
	if (r == FAILURE_REFUSED)
		return runtime_fail(task, RUNTIME_INVALID_ARGUMENT, "%s: invalid argument",
				    failure.text);
	if (r < 0)
		return r;
	ret_process->root = config.root ? config.root : "rootfs";
	ret_process->cwd = config.cwd;
	ret_process->args = config.args;
	ret_process->env = config.env;
	return 0;
}

/* Before 5.9 there is no such call; the shim's descriptors are close-on-exec in any case. */
static void close_from(unsigned first)
{
	syscall(SYS_close_range, first, ~0u, 0u);
}

int runtime_child_init(const struct runtime_task *task, int fd)
{
	int stdio[3], kept = fcntl(fd, F_DUPFD, CHILD_FD + 4);
	bool good = kept >= 0;

	for (int i = 0; i < 3; i++)
		stdio[i] = fcntl(task->stdio[i], F_DUPFD, CHILD_FD + 1);
	for (int i = 0; i < 3; i++)
		good &= stdio[i] >= 0 && dup2(stdio[i], i) == i;
	good &= dup2(kept, CHILD_FD) == CHILD_FD;
	if (!good)
		_exit(CHILD_STATUS);
	close_from(CHILD_FD + 1);
	fcntl(CHILD_FD, F_SETFD, FD_CLOEXEC);
	command_reset_signals();
	return CHILD_FD;
}
