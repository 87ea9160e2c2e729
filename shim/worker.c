/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker: one operation of the runtime, in a process of its own that was forked from the monitor. It
 * blocks, allocates and leaves descriptors open as it likes; it ends when it has reported.
 *
 * What comes in a payload is what a client sent and the server passed on, and is parsed here as
 * hostile: it can name mounts, FIFOs and a runtime, as containerd can, but not another bundle.
 *
 * A create that fails at any step undoes the steps before it, so that nothing is left and the id can
 * be used again.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/failure.h"
#include "shim/log.h"
#include "shim/pair.h"
#include "shim/unmount.h"
#include "shim/worker_change.h"
#include "shim/worker_create.h"
#include "shim/worker_exec.h"
#include "shim/worker_io.h"
#include "shim/worker_process.h"
#include "shim/worker_stats.h"
#include "ttrpc/ttrpc.h"

#define UNDO_SECONDS 10         /* for a runtime that may hang in remove as it did in create */
#define LOGGER_PATIENCE_MS 2000 /* from SIGTERM to SIGKILL */

static int unimplemented(struct runtime_task *task)
{
	return runtime_fail(task, RUNTIME_UNIMPLEMENTED, "not implemented");
}

/*
 * Standard input begins to flow with start, not with create as in the stock shim: a client that writes
 * all it has at once may want to call CloseIO before it has create's answer, cannot, and the end of
 * input is lost (`echo hi | ctr run ... cat` hangs now and then).
 */
static int input_open(const struct job *job, struct runtime_task *task,
		      struct report_message *message)
{
	char path[PATH_MAX];
	if (job->payload_fd < 0)
		return 0;
	ssize_t size = pread(job->payload_fd, path, sizeof(path) - 1, 0);
	if (size < 0)
		return -errno;
	path[size] = 0;
	return worker_io_input(task, message, path);
}

static int work_start(const struct job *job, struct runtime_task *task,
		      struct report_message *message)
{
	int result = input_open(job, task, message);
	return result == 0 ? job->config->runtime->start(task) : result;
}

static int work_kill(const struct job *job, struct runtime_task *task,
		     struct report_message *message)
{
	(void)message;
	return job->config->runtime->kill(task, (int)job->verb->signal, job->verb->all);
}

static int work_delete(const struct job *job, struct runtime_task *task,
		       struct report_message *message)
{
	struct failure failure;
	(void)message;
	int pidfd = worker_process_open(job->pid);
	int result = job->config->runtime->remove(task, false);
	/* an exit has to be there before the report of the delete, so the process has to be dead */
	if (result == 0)
		result = worker_process_end(pidfd);
	if (result != 0)
		return result;
	result = unmount_tree("rootfs", NULL, &failure);
	if (result == FAILURE_REFUSED)
		return runtime_fail(task, RUNTIME_UNKNOWN, "failed rootfs umount: %s",
				    failure.text);
	return result;
}

static int work_pids(const struct job *job, struct runtime_task *task,
		     struct report_message *message)
{
	size_t n = 0;
	if (!job->config->runtime->pids)
		return unimplemented(task);
	pid_t *pids = calloc(RUNTIME_PIDS_MAX, sizeof(*pids));
	if (!pids)
		return -ENOMEM;
	int result = job->config->runtime->pids(task, pids, RUNTIME_PIDS_MAX, &n);
	if (result != 0)
		return result;
	return report_put_result(message, pids, n * sizeof(*pids));
}

/*
 * The worker of a create died: it was cancelled, or crashed. This one undoes what there may be of its
 * work, whatever step it was at, and answers in its place.
 */
static int work_undo(const struct job *job, struct runtime_task *task,
		     struct report_message *message)
{
	struct failure failure;
	(void)message;
	signal(SIGALRM, SIG_DFL);
	alarm(UNDO_SECONDS);
	int result = job->config->runtime->remove(task, true);
	if (result != 0)
		shim_log(task, SHIM_LOG_WARNING, "what the create left is not removed: %s",
			 *task->error ? task->error : failure_errno(-result));
	result = unmount_tree("rootfs", NULL, &failure);
	if (result != 0)
		shim_log(task, SHIM_LOG_WARNING, "failed rootfs umount: %s",
			 result < 0 ? failure_errno(-result) : failure.text);
	return runtime_fail(task, RUNTIME_UNKNOWN, "the shim's worker ended without an answer");
}

static int work_end_logger(const struct job *job, struct runtime_task *task,
			   struct report_message *message)
{
	(void)task;
	(void)message;
	return worker_process_end_gently(job->logger_pid, LOGGER_PATIENCE_MS);
}

typedef int (*work_fn)(const struct job *job, struct runtime_task *task,
		       struct report_message *message);

/* What a runtime may leave out is asked for by the work itself: see unimplemented(). */
static const work_fn works[VERB_MAX] = {
	[VERB_CREATE] = worker_create,
	[VERB_START] = work_start,
	[VERB_KILL] = work_kill,
	[VERB_DELETE] = work_delete,
	[VERB_PIDS] = work_pids,
	[VERB_EXEC] = worker_exec,
	[VERB_RESTORE] = worker_restore,
	[VERB_PAUSE] = worker_pause,
	[VERB_RESUME] = worker_resume,
	[VERB_UPDATE] = worker_update,
	[VERB_CHECKPOINT] = worker_checkpoint,
	[VERB_STATS] = worker_stats,
	[VERB_END_LOGGER] = work_end_logger,
};

/* What the runtime may want kept of a work. Create has written its state before it went on. */
static const enum {
	KEEP_NOTHING = 0,
	KEEP_DESCRIPTORS,
	KEEP_STATE
} keeps[VERB_MAX] = {
	[VERB_CREATE] = KEEP_DESCRIPTORS,
	[VERB_START] = KEEP_STATE,
	[VERB_EXEC] = KEEP_DESCRIPTORS,
	[VERB_RESTORE] = KEEP_STATE,
};

static int task_init(struct runtime_task *task, const struct job *job)
{
	memset(task, 0, offsetof(struct runtime_task, state));
	task->namespace_ = job->config->namespace_;
	task->id = job->verb->id;
	task->exec_id = job->verb->exec_id;
	task->bundle = job->bundle;
	task->pid = job->pid;
	task->options.type_url = "";
	task->stdio[0] = task->stdio[1] = task->stdio[2] = -1;
	task->console_socket = task->json = task->checkpoint = task->parent_checkpoint = "";
	memcpy(task->keep, job->keep, sizeof(task->keep));
	task->state_size = 0;
	task->log_fd = log_fd();
	task->error_code = RUNTIME_UNKNOWN;
	task->error[0] = 0;

	/* a link in the bundle's place would lead the work elsewhere */
	int folder = open(job->bundle, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (folder < 0)
		return runtime_fail(task, RUNTIME_INVALID_ARGUMENT,
				    "bundle %s: %s: invalid argument", job->bundle,
				    failure_errno(errno));
	if (fchdir(folder) < 0)
		return -errno;
	/* the delete verb waits for it; stays open until this process ends, whatever ends it */
	if (verb_exclusive(job->verb->type))
		flock(folder, LOCK_SH | LOCK_NB);
	else
		close(folder);
	if (job->verb->type == VERB_CREATE)
		return 0;
	/* asked for often, and no runtime takes part */
	if (job->verb->type == VERB_STATS && !job->config->runtime->stats)
		return 0;
	return state_read_runtime(job->bundle, task->state, &task->state_size);
}

/*
 * What the runtime wants kept. A process that was started runs,
 * whatever becomes of the state: the client is not to hear that it does not.
 */
static void task_keep(const struct job *job, const struct runtime_task *task,
		      struct report_message *message)
{
	/* what runs beside others may hold old ones */
	if (keeps[job->verb->type] == KEEP_NOTHING)
		return;
	for (int i = 0; i < RUNTIME_KEEP_MAX; i++)
		if (task->keep[i] != job->keep[i])
			message->fds[ROLE_KEEP + i] = task->keep[i];
	if (keeps[job->verb->type] == KEEP_DESCRIPTORS)
		return;
	int result = state_write_runtime(job->bundle, task->state, task->state_size);
	if (result < 0)
		shim_log(task, SHIM_LOG_WARNING, "the runtime's state is not kept: %s",
			 failure_errno(-result));
}

static void report_error(struct report_message *message, struct runtime_task *task, int result)
{
	struct report *report = &message->report;
	if (result == -EREMOTEIO && task->error[0] && (int)task->error_code != TTRPC_OK) {
		report->code = task->error_code;
	} else {
		report->code = ttrpc_code_from_errno(result);
		snprintf(task->error, sizeof(task->error), "%s", failure_errno(-result));
	}
	failure_clean(task->error);
	report->text_size = (uint32_t)strlen(task->error);
	memcpy(message->text, task->error, report->text_size);
}

void worker_run(const struct job *job)
{
	struct runtime_task task;
	struct report_message message;
	work_fn work = job->undo ? work_undo : works[job->verb->type];

	char text[RUNTIME_ERROR_MAX];

	message.text = text;
	report_init(&message);
	setrlimit(RLIMIT_NOFILE, job->files);
	int result = task_init(&task, job);
	if (result == 0 && !work)
		result = unimplemented(&task);
	if (result == 0)
		result = work(job, &task, &message);
	if (result == 0)
		task_keep(job, &task, &message);
	if (result != 0) {
		report_init(&message);
		report_error(&message, &task, result);
	}
	message.report.type = REPORT_DONE;
	message.report.tag = job->verb->tag;
	report_send(job->report_fd, &message.report, message.fds, message.text, 0);
}
