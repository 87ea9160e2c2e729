/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Create, in a worker, step by step; a step that fails undoes those before it:
 *
 *   request    the payload, decoded; its id and bundle are those of the verb
 *   mounts     rootfs, in the request's order
 *   pipes      one for each stream that has a path; /dev/null for the others
 *   runtime    create; its state goes into the bundle
 *   FIFOs      containerd's ends of standard output and error, opened after the runtime's create as
 *              the stock shim does; that of standard input is opened by start, see worker.c
 *   report     the pid, whether the PID namespace is private, all ends that the server pumps
 */
#include "shim/worker_create.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/task.pb-c.h"
#include "shim/config_json.h"
#include "shim/failure.h"
#include "shim/fifo.h"
#include "shim/mount.h"
#include "shim/unmount.h"

struct creation {
	const struct job *job;
	struct runtime_task *task;
	struct report_message *message;
	Containerd__Task__V2__CreateTaskRequest *request;
	struct fifo_paths paths;
};

static const enum report_role source_roles[] = {ROLE_STDIN_SOURCE, ROLE_STDOUT_SOURCE,
						ROLE_STDERR_SOURCE};
static const enum report_role sink_roles[] = {ROLE_STDIN_SINK, ROLE_STDOUT_SINK, ROLE_STDERR_SINK};
static const enum report_role keeper_roles[] = {ROLE_STDIN_KEEPER, ROLE_STDOUT_KEEPER,
						ROLE_STDERR_KEEPER};

static int refuse(struct runtime_task *task, int result, const struct failure *failure)
{
	if (result == FAILURE_REFUSED)
		return runtime_fail(task, RUNTIME_UNKNOWN, "%s", failure->text);
	return result;
}

static bool same_folder(const char *one, const char *other)
{
	struct stat a, b;
	return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

static int request_read(struct creation *creation)
{
	const struct job *job = creation->job;
	struct stat file;
	void *bytes = NULL;

	if (fstat(job->payload_fd, &file) < 0)
		return -errno;
	if (file.st_size > 0)
		bytes = mmap(NULL, (size_t)file.st_size, PROT_READ, MAP_PRIVATE, job->payload_fd,
			     0);
	if (bytes == MAP_FAILED)
		return -errno;
	Containerd__Task__V2__CreateTaskRequest *request =
		containerd__task__v2__create_task_request__unpack(NULL, (size_t)file.st_size,
								  bytes);
	if (!request)
		return -EBADMSG;
	if (strcmp(request->id, job->verb->id) != 0)
		return -EBADMSG;
	if (!same_folder(request->bundle, job->bundle))
		return runtime_fail(creation->task, RUNTIME_INVALID_ARGUMENT,
				    "bundle %s is not %s: invalid argument", request->bundle,
				    job->bundle);
	creation->request = request;
	if (request->options && request->options->value.len > 0) {
		creation->task->options.type_url = request->options->type_url;
		creation->task->options.value = request->options->value.data;
		creation->task->options.size = request->options->value.len;
	}
	return 0;
}

static int rootfs_mount(struct creation *creation)
{
	const Containerd__Task__V2__CreateTaskRequest *request = creation->request;
	struct failure failure;
	struct mount_entry *entries = calloc(request->n_rootfs + 1, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	for (size_t i = 0; i < request->n_rootfs; i++) {
		const Containerd__Types__Mount *mount = request->rootfs[i];
		entries[i] = (struct mount_entry){.type = mount->type,
						  .source = mount->source,
						  .target = mount->target,
						  .options = mount->options,
						  .n_options = mount->n_options};
	}
	int result = mount_all("rootfs", entries, request->n_rootfs, &failure);
	free(entries);
	return refuse(creation->task, result, &failure);
}

static int fd_nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

/* The container's end blocks, as a program expects; ours is another open file and does not. */
static int pipe_make(struct creation *creation, enum fifo_stream stream)
{
	int ends[2];
	if (!creation->paths.path[stream][0]) {
		creation->task->stdio[stream] = open("/dev/null", O_RDWR | O_CLOEXEC);
		return creation->task->stdio[stream] < 0 ? -errno : 0;
	}
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	bool input = stream == FIFO_STDIN;
	int mine = input ? ends[1] : ends[0];
	creation->task->stdio[stream] = input ? ends[0] : ends[1];
	creation->message->fds[input ? sink_roles[stream] : source_roles[stream]] = mine;
	return fd_nonblock(mine);
}

static int pipes_make(struct creation *creation)
{
	const Containerd__Task__V2__CreateTaskRequest *request = creation->request;
	struct failure failure;
	int result = fifo_paths(request->stdin, request->stdout, request->stderr, &creation->paths,
				&failure);
	for (int stream = FIFO_STDIN; result == 0 && stream <= FIFO_STDERR; stream++)
		result = pipe_make(creation, (enum fifo_stream)stream);
	return refuse(creation->task, result, &failure);
}

/*
 * Whether the runtime named a process that it made: the monitor will send signals to it. The way up
 * from it ends at the monitor, to which orphans come. One that has ended already is the monitor's to
 * judge.
 */
static bool pid_credible(pid_t pid)
{
	pid_t monitor = getppid(), parent = pid;
	if (pid <= 1 || pid == monitor || pid == getpid())
		return false;
	while (parent > 1 && parent != monitor) {
		if (process_parent(parent, &parent) == 0)
			continue;
		if (parent == pid)
			return true;
		parent = pid; /* one on the way has ended: its children have another parent now */
	}
	return parent == monitor;
}

static void pipes_close(struct creation *creation)
{
	for (int stream = 0; stream < 3; stream++) {
		if (creation->task->stdio[stream] >= 0)
			close(creation->task->stdio[stream]);
		creation->task->stdio[stream] = -1;
	}
}

static int fifos_open(struct creation *creation)
{
	for (int stream = FIFO_STDOUT; stream <= FIFO_STDERR; stream++) {
		struct fifo_ends ends = FIFO_ENDS_NULL;
		struct failure failure;
		if (!creation->paths.path[stream][0])
			continue;
		int result = fifo_open(creation->paths.path[stream], (enum fifo_stream)stream,
				       &ends, &failure);
		if (result != 0)
			return refuse(creation->task, result, &failure);
		creation->message->fds[sink_roles[stream]] = ends.fd;
		creation->message->fds[keeper_roles[stream]] = ends.keeper;
	}
	return 0;
}

static bool pids_private(void)
{
	struct config_json config = CONFIG_JSON_NULL;
	struct failure failure;
	bool is_private = config_json_read("config.json", &config, &failure) == 0 &&
			  config.private_pid_namespace;
	config_json_deinit(&config);
	return is_private;
}

/* Undoes what was done, keeping the error that the client is to see. */
static int creation_undo(struct creation *creation, bool runtime_ran, int error)
{
	struct runtime_task kept = *creation->task;
	struct failure failure;

	if (runtime_ran)
		creation->job->config->runtime->remove(creation->task, true);
	pipes_close(creation);
	report_deinit(creation->message);
	if (creation->request && creation->request->n_rootfs > 0)
		unmount_tree("rootfs", NULL, &failure);
	*creation->task = kept;
	return error;
}

int worker_create(const struct job *job, struct runtime_task *task, struct report_message *message)
{
	struct creation creation = {.job = job, .task = task, .message = message};
	pid_t pid = 0;

	int result = request_read(&creation);
	if (result == 0)
		result = rootfs_mount(&creation);
	if (result != 0)
		return result;
	result = pipes_make(&creation);
	if (result != 0)
		return creation_undo(&creation, false, result);
	result = job->config->runtime->create(task, &pid);
	if (result == 0 && !pid_credible(pid))
		result = runtime_fail(task, RUNTIME_UNKNOWN,
				      "the runtime made no process with pid %d", pid);
	if (result == 0) {
		task->pid = pid;
		pipes_close(&creation);
		result = state_write_runtime(job->bundle, task->state, task->state_size);
	}
	if (result == 0)
		result = fifos_open(&creation);
	if (result != 0)
		return creation_undo(&creation, true, result);
	message->report.pid = pid;
	message->report.flags = pids_private() ? REPORT_PRIVATE_PIDS : 0;
	return 0;
}
