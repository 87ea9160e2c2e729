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
 *
 * An exit that nobody recorded can still be told on kernels since 6.15, of an init that has exited and
 * is not yet reaped, by whoever is its parent now: a pidfd that was opened by then gives the status
 * afterwards. Of one that was reaped before nothing is left that could be asked.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proto/task.pb-c.h"
#include "shim/address.h"
#include "shim/bootstrap.h"
#include "shim/endpoint.h"
#include "shim/file.h"
#include "shim/log.h"
#include "shim/main.h"
#include "shim/pair.h"
#include "shim/state.h"
#include "shim/unmount.h"
#include "ttrpc/loop.h"

#define KILLED_STATUS (128 + SIGKILL) /* what is said of a container whose end nobody recorded */
/* Nanoseconds. With the unmounting these stay below the 5 s that containerd gives to `delete`. */
#define DEATH_WAIT 1000000000u     /* for processes that were sent SIGKILL */
#define OPERATION_WAIT 1000000000u /* for one on this container that is under way */

/* Of linux/pidfd.h since 6.15, for older headers. */
struct exit_info {
	uint64_t mask, cgroup;
	uint32_t ids[11];
	int32_t wait_status;
};
#define EXIT_INFO_GET _IOWR(0xFF, 11, struct exit_info)
#define EXIT_INFO_STATUS (UINT64_C(1) << 3)

struct delete
{
	const struct shim_config *config;
	char bundle[BUNDLE_SIZE];
	struct state state;
	pid_t pid;                /* of the init, for the answer; nothing is sent to it */
	bool ended;               /* the init, by itself: it was there, but as a zombie */
	uint32_t exit_status;     /* of the init, if nobody recorded it */
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

/*
 * A worker that makes, starts or deletes this container holds a lock on the bundle until it has ended.
 * If the shim was killed a moment ago, its workers may have some milliseconds to live, and what they
 * do then would come after the work of this process.
 */
static void operations_wait(const struct delete *delete)
{
	static const struct timespec step = {.tv_nsec = 1000000};
	uint64_t end = ttrpc_now() + OPERATION_WAIT;
	int folder = open(delete->bundle, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (folder < 0)
		return;
	while (flock(folder, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK) {
		if (ttrpc_now() >= end) {
			warn(delete, "an operation on the container does not end");
			break;
		}
		nanosleep(&step, NULL);
	}
	close(folder);
}

/* NULL: none is recorded. */
static const struct state_process *init_of(const struct state *state)
{
	const struct state_process *first = state->processes;
	return state->n_processes > 0 && !first->logger && !first->exec_id[0] ? first : NULL;
}

static void state_load(struct delete *delete)
{
	int result = state_read(delete->bundle, &delete->state);
	if (result < 0 && result != -ENOENT)
		warn(delete, "cannot read the container's state: %s", failure_errno(-result));
	if (init_of(&delete->state))
		delete->pid = init_of(&delete->state)->pid;
	else
		file_read_pid("init.pid", &delete->pid, &delete->failure); /* 0 if it cannot */
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

static bool dies(int fd, uint64_t end)
{
	struct pollfd dead = {.fd = fd, .events = POLLIN};
	uint64_t now = ttrpc_now();
	int left = now < end ? (int)((end - now) / 1000000) : 0;
	return poll(&dead, 1, left) != 0;
}

/* Returns its descriptor, as above. */
static int process_kill(struct delete *delete, const struct state_process *process)
{
	int fd = process_open(process);

	if (fd >= 0 && process == init_of(&delete->state))
		delete->ended = dies(fd, 0);
	if (fd >= 0 && syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
		warn(delete, "cannot kill process %d: %s", process->pid, failure_errno(errno));
	return fd;
}

/* 1: it has been reaped, and this is how it ended; 0: not yet; or the kernel can't tell. */
static int exit_ask(int fd, int *ret_wait_status)
{
	struct exit_info info = {.mask = EXIT_INFO_STATUS};

	if (syscall(SYS_ioctl, fd, EXIT_INFO_GET, &info) < 0)
		return -errno;
	if (!(info.mask & EXIT_INFO_STATUS))
		return 0;
	*ret_wait_status = info.wait_status;
	return 1;
}

/* One that was killed here is not waited for: how it ended is known but for a hair's breadth. */
static void exit_learn(struct delete *delete, int fd, uint64_t end)
{
	static const struct timespec step = {.tv_nsec = 1000000};
	int status, result;

	while ((result = exit_ask(fd, &status)) == 0 && delete->ended && ttrpc_now() < end)
		nanosleep(&step, NULL);
	if (result == 1)
		delete->exit_status = WIFSIGNALED(status) ? 128u + (uint32_t)WTERMSIG(status)
							  : (uint32_t)WEXITSTATUS(status);
}

static void process_wait(const struct delete *delete, pid_t pid, int fd, uint64_t end)
{
	if (fd >= 0 && !dies(fd, end))
		warn(delete, "process %d does not die", pid);
	if (fd >= 0)
		close(fd);
}

/*
 * The last first: a container's init may end all others with it. One wait is for them all. A logger has
 * its end of input when those that write to it are dead, and the same time to see to it.
 */
static void processes_kill(struct delete *delete)
{
	const struct state *state = &delete->state;
	int *fds = calloc(state->n_processes + 1, sizeof(*fds));

	if (!fds)
		return;
	for (size_t i = state->n_processes; i-- > 0;)
		fds[i] = state->processes[i].logger ? process_open(&state->processes[i])
						    : process_kill(delete, &state->processes[i]);
	uint64_t end = ttrpc_now() + DEATH_WAIT;
	for (size_t i = state->n_processes; i-- > 0;) {
		const struct state_process *process = &state->processes[i];
		if (process->logger && fds[i] >= 0 && !dies(fds[i], end))
			syscall(SYS_pidfd_send_signal, fds[i], SIGKILL, NULL, 0);
		if (fds[i] >= 0 && process == init_of(state) && dies(fds[i], end))
			exit_learn(delete, fds[i], end);
		process_wait(delete, process->pid, fds[i], end);
	}
	free(fds);
}

static void container_remove(struct delete *delete)
{
	struct runtime_task *task = &delete->task;
	int result;

	main_task(delete->config, task);
	task->bundle = delete->bundle;
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
	const struct state_process *init = init_of(&delete->state);
	Containerd__Task__V2__DeleteResponse response = CONTAINERD__TASK__V2__DELETE_RESPONSE__INIT;
	Google__Protobuf__Timestamp exited_at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	struct timespec now;
	size_t size = 0;

	clock_gettime(CLOCK_REALTIME, &now);
	response.pid = (uint32_t) delete->pid;
	response.exited_at = &exited_at;
	response.exit_status = delete->exit_status;
	exited_at.seconds = now.tv_sec;
	exited_at.nanos = (int32_t)now.tv_nsec;
	if (init && init->exited) {
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
	operations_wait(delete);
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
	delete->exit_status = KILLED_STATUS;
	int result = delete_run(delete);
	if (result != 0)
		result = main_report(config, &delete->failure, result);
	state_deinit(&delete->state);
	free(delete);
	return result;
}
