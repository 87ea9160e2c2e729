/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verb `delete`: takes away what is left of a container and says how it ended. containerd runs it
 * after every end of a connection, so mostly there is nothing left: then it runs no program and prints
 * nothing but the answer. It may be repeated, and may run while the shim lives on for other
 * containers.
 *
 * It never removes the bundle: containerd does, when it has understood the answer. A step that fails
 * is a warning on standard error and does not keep the next from being done.
 *
 * What it knows of the container is what the monitor wrote into the bundle (state.h). A pid there
 * counts only with its start time, so nothing is ever sent to a process that got the number later.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "proto/task.pb-c.h"
#include "shim/address.h"
#include "shim/bootstrap.h"
#include "shim/endpoint.h"
#include "shim/log.h"
#include "shim/main.h"
#include "shim/pair.h"
#include "shim/state.h"
#include "shim/unmount.h"

#define KILLED_STATUS (128 + SIGKILL) /* what is said of a container whose end nobody recorded */
#define DEATH_WAIT_MS 2000 /* for a process that was sent SIGKILL; containerd waits 5 s */

struct delete
{
	const struct shim_config *config;
	char bundle[BUNDLE_SIZE];
	struct state state;
	pid_t pid;                /* of the init, for the answer; nothing is sent to it */
	struct runtime_task task; /* its pid stays 0: what lived was killed before */
	struct failure failure;
};

static void warn(const struct delete *delete, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void warn(const struct delete *delete, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	log_write_v(SHIM_LOG_WARNING, delete->config->id, format, arguments);
	va_end(arguments);
}

/* Goes to the bundle, which stands under the container's id and holds what start or containerd wrote. */
static int bundle_enter(struct delete *delete)
{
	const char *bundle = delete->config->bundle;
	struct stat file;

	if (*bundle && chdir(bundle) < 0)
		return main_errno(&delete->failure, "bundle", bundle);
	if (!getcwd(delete->bundle, sizeof(delete->bundle)))
		return main_errno(&delete->failure, "bundle", bundle);
	const char *slash = strrchr(delete->bundle, '/');
	if (!slash || strcmp(slash + 1, delete->config->id) != 0)
		return failure_set(&delete->failure, "bundle %s is not of container %s",
				   delete->bundle, delete->config->id);
	if (lstat("config.json", &file) < 0 && lstat(ADDRESS_FILE, &file) < 0)
		return failure_set(&delete->failure, "%s is no bundle: it has no config.json",
				   delete->bundle);
	return 0;
}

/* The number in a file that a runtime wrote; 0: there is none. */
static pid_t pid_read(const char *name)
{
	char text[32], *end;
	int fd = open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return 0;
	text[n] = 0;
	long pid = strtol(text, &end, 10);
	return end > text && pid > 0 && pid <= INT32_MAX ? (pid_t)pid : 0;
}

static void state_load(struct delete *delete)
{
	int result = state_read(delete->bundle, &delete->state);
	if (result < 0)
		delete->state.n_processes = 0;
	if (result < 0 && result != -ENOENT)
		warn(delete, "cannot read the container's state: %s", failure_errno(-result));
	delete->pid = delete->state.n_processes > 0 ? delete->state.processes[0].pid
						    : pid_read("init.pid");
	result = state_read_runtime(delete->bundle, delete->task.state, &delete->task.state_size);
	if (result < 0)
		warn(delete, "cannot read the runtime's state: %s", failure_errno(-result));
}

/* A descriptor of the process if it is still the one that was recorded; -1: it has ended. */
static int process_open(const struct state_process *process)
{
	uint64_t start_time;
	if (process->exited || process->start_time == 0)
		return -1;
	int fd = (int)syscall(SYS_pidfd_open, process->pid, 0);
	if (fd < 0)
		return -1;
	if (process_start_time(process->pid, &start_time) == 0 && start_time == process->start_time)
		return fd;
	close(fd);
	return -1;
}

static void process_kill(const struct delete *delete, const struct state_process *process)
{
	int fd = process_open(process);
	struct pollfd dead = {.fd = fd, .events = POLLIN};
	if (fd < 0)
		return;
	if (syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
		warn(delete, "cannot kill process %d: %s", process->pid, failure_errno(errno));
	else if (poll(&dead, 1, DEATH_WAIT_MS) == 0)
		warn(delete, "process %d does not die", process->pid);
	close(fd);
}

/* The last first: a container's init may end all others with it, and is waited for once they went. */
static void processes_kill(const struct delete *delete)
{
	for (size_t i = delete->state.n_processes; i > 0; i--)
		process_kill(delete, &delete->state.processes[i - 1]);
}

static void container_remove(struct delete *delete)
{
	struct runtime_task *task = &delete->task;
	int result;

	task->namespace_ = delete->config->namespace_;
	task->id = delete->config->id;
	task->exec_id = "";
	task->bundle = delete->bundle;
	task->options.type_url = "";
	task->log_fd = log_fd();
	for (int i = 0; i < 3; i++)
		task->stdio[i] = -1;
	for (int i = 0; i < RUNTIME_KEEP_MAX; i++)
		task->keep[i] = -1;
	result = delete->config->runtime->remove(task, true);
	if (result != 0)
		warn(delete, "cannot remove the container: %s",
		     *task->error ? task->error : failure_errno(result < 0 ? -result : result));
}

static void rootfs_unmount(struct delete *delete)
{
	/* the runtime was free to go elsewhere */
	int result =
		chdir(delete->bundle) < 0 ? -errno : unmount_tree("rootfs", NULL, &delete->failure);
	if (result == FAILURE_REFUSED)
		warn(delete, "cannot unmount the root file system: %s", delete->failure.text);
	else if (result < 0)
		warn(delete, "cannot unmount the root file system: %s", failure_errno(-result));
}

static void socket_sweep(struct delete *delete)
{
	char path[ADDRESS_PATH_SIZE];
	int result = address_file_read(path);
	if (result == 0)
		result = endpoint_sweep(path);
	if (result < 0 && result != -ENOENT)
		warn(delete, "cannot remove the socket: %s", failure_errno(-result));
}

static int answer(struct delete *delete)
{
	const struct state_process *init = &delete->state.processes[0];
	Containerd__Task__V2__DeleteResponse response = CONTAINERD__TASK__V2__DELETE_RESPONSE__INIT;
	Google__Protobuf__Timestamp exited_at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	struct timespec now;
	size_t size = 0;

	clock_gettime(CLOCK_REALTIME, &now);
	response.pid = (uint32_t) delete->pid;
	response.exited_at = &exited_at;
	response.exit_status = KILLED_STATUS;
	exited_at.seconds = now.tv_sec;
	exited_at.nanos = (int32_t)now.tv_nsec;
	if (delete->state.n_processes > 0 && init->exited) {
		response.exit_status = init->exit_status;
		exited_at.seconds = init->exited_at;
		exited_at.nanos = (int32_t)init->exited_at_nanos;
	}
	void *bytes = bootstrap_pack(&response.base, &size);
	int result = bytes ? main_answer(bytes, size) : -ENOMEM;
	free(bytes);
	return result;
}

static int delete_run(struct delete *delete)
{
	int result = bundle_enter(delete);
	if (result != 0)
		return result;
	log_open(delete->config, STDERR_FILENO, delete->config->debug);
	state_load(delete);
	processes_kill(delete);
	container_remove(delete);
	rootfs_unmount(delete);
	socket_sweep(delete);
	return answer(delete);
}

int delete_main(const struct shim_config *config)
{
	struct delete *delete = calloc(1, sizeof(*delete));
	if (!delete)
		return main_fail(config, "%s", failure_errno(ENOMEM));
	delete->config = config;
	signal(SIGPIPE, SIG_IGN);
	int result = delete_run(delete);
	if (result != 0)
		result = main_report(config, &delete->failure, result);
	free(delete);
	return result;
}
