/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoint and restore, which runc and crun leave to criu.
 *
 * criu writes what it has to say to dump.log in its work folder: one that the client named, or else a
 * folder in the bundle's `work`, which is taken away again. So when a checkpoint failed the log is
 * copied to where the error's text says it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/runc.h"
#include "shim/runc_adopt.h"
#include "shim/runc_driver.h"

#define WALK_DESCRIPTORS 16
#define COPY_MAX 0x7ffff000 /* bytes that one sendfile() copies at most */

struct checkpoint {
	Containerd__Runc__V1__CheckpointOptions *options;
	const char *image;
	char work[PATH_MAX];
	bool work_ours; /* to be removed afterwards */
};

static int decode(struct runtime_task *task, Containerd__Runc__V1__CheckpointOptions **ret_options)
{
	static const char name[] = "containerd.runc.v1.CheckpointOptions";
	const char *slash = strrchr(task->options.type_url, '/');
	const char *type = slash ? slash + 1 : task->options.type_url;
	Containerd__Runc__V1__CheckpointOptions *options;

	if (*type && strcmp(type, name) != 0)
		return runtime_fail(task, RUNTIME_INVALID_ARGUMENT,
				    "checkpoint options of type \"%s\" are not understood: "
				    "invalid argument",
				    task->options.type_url);
	options = containerd__runc__v1__checkpoint_options__unpack(NULL, task->options.size,
								   task->options.value);
	if (!options)
		return runtime_fail(task, RUNTIME_INVALID_ARGUMENT,
				    "checkpoint options: not a valid message: invalid argument");
	*ret_options = options;
	return 0;
}

/* The bundle's `work` is a link to a folder on a disk, if containerd made the bundle. */
static int choose_work(struct runtime_task *task, struct checkpoint *checkpoint)
{
	const char *work = checkpoint->options->work_path;
	struct stat status;
	int length;

	checkpoint->work_ours = !*work;
	if (*work)
		length = snprintf(checkpoint->work, PATH_MAX, "%s", work);
	else
		length = snprintf(checkpoint->work, PATH_MAX, "%s%s/criu-work", task->bundle,
				  stat("work", &status) == 0 && S_ISDIR(status.st_mode) ? "/work"
											: "");
	if (length < PATH_MAX)
		return 0;
	return runtime_fail(task, RUNTIME_INVALID_ARGUMENT,
			    "work path is too long: invalid argument");
}

static int prepare(struct runtime_task *task, struct checkpoint *checkpoint)
{
	int r = decode(task, &checkpoint->options);

	if (r != 0)
		return r;
	checkpoint->image = *task->checkpoint ? task->checkpoint : checkpoint->options->image_path;
	if (!*checkpoint->image)
		return runtime_fail(task, RUNTIME_INVALID_ARGUMENT,
				    "no path to write a checkpoint to: invalid argument");
	return choose_work(task, checkpoint);
}

static void add_options(struct runc_driver *driver,
			const Containerd__Runc__V1__CheckpointOptions *options)
{
	if (*options->parent_path)
		runc_driver_add(driver, "--parent-path", options->parent_path, NULL);
	if (options->open_tcp)
		runc_driver_add(driver, "--tcp-established", NULL);
	if (options->external_unix_sockets)
		runc_driver_add(driver, "--ext-unix-sk", NULL);
	if (options->terminal)
		runc_driver_add(driver, "--shell-job", NULL);
	if (options->file_locks)
		runc_driver_add(driver, "--file-locks", NULL);
	if (options->n_empty_namespaces > 0 && runc_driver_is(driver, "crun"))
		shim_log(driver->task, SHIM_LOG_WARNING,
			 "crun checkpoints no empty namespaces: the option is left out");
	else
		for (size_t i = 0; i < options->n_empty_namespaces; i++)
			runc_driver_add(driver, "--empty-ns", options->empty_namespaces[i], NULL);
	if (!options->exit)
		runc_driver_add(driver, "--leave-running", NULL);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
	(void)status;
	(void)kind;
	(void)place;
	remove(path);
	return 0;
}

static void copy_log(const char *work)
{
	char path[PATH_MAX + 16];
	struct stat status;
	int in, out = -1;

	snprintf(path, sizeof(path), "%s/dump.log", work);
	in = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (in >= 0 && fstat(in, &status) == 0 && S_ISREG(status.st_mode)) {
		unlink("criu-dump.log");
		out = open("criu-dump.log", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	}
	while (out >= 0 && sendfile(out, in, NULL, COPY_MAX) > 0)
		;
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
}

/* The first line is what the stock shim shows; the others tell where criu's own log was. */
static int checkpoint_failed(struct runc_driver *driver, int result, const char *work)
{
	struct failure own;

	if (result < 0)
		return result;
	copy_log(work);
	if (result == 0) {
		driver->result.output_size = strcspn(driver->result.output, "\n");
		driver->result.output[driver->result.output_size] = '\0';
	}
	runc_driver_describe(driver, result, &own);
	return runtime_fail(driver->task, RUNTIME_UNKNOWN, "%s path= %s/criu-dump.log", own.text,
			    driver->task->bundle);
}

int runc_checkpoint(struct runtime_task *task)
{
	struct checkpoint checkpoint;
	struct runc_driver driver;
	int r = prepare(task, &checkpoint);

	if (r == 0)
		r = runc_driver_init(&driver, task);
	if (r != 0)
		return r;
	if (checkpoint.work_ours)
		mkdir(checkpoint.work, 0700);
	runc_driver_add(&driver, "checkpoint", "--image-path", checkpoint.image, "--work-path",
			checkpoint.work, NULL);
	add_options(&driver, checkpoint.options);
	runc_driver_add(&driver, task->id, NULL);
	r = runc_driver_run(&driver, NULL);
	r = runc_driver_failed(&driver, r) ? checkpoint_failed(&driver, r, checkpoint.work) : 0;
	if (checkpoint.work_ours)
		nftw(checkpoint.work, remove_one, WALK_DESCRIPTORS, FTW_DEPTH | FTW_PHYS);
	return r;
}

/*
 * runc and crun find the parent by a link in the image, and refuse the option. crun is no subreaper
 * in any case.
 */
static void add_restore(struct runc_driver *driver, const char *work)
{
	const struct runtime_task *task = driver->task;

	runc_driver_add(driver, "restore", "--image-path", task->checkpoint, "--work-path", work,
			NULL);
	if (*task->parent_checkpoint && !runc_driver_is_known(driver))
		runc_driver_add(driver, "--parent-path", task->parent_checkpoint, NULL);
	runc_driver_add(driver, "--detach", "--pid-file", driver->pid_file, NULL);
	if (*task->console_socket)
		runc_driver_add(driver, "--console-socket", task->console_socket, NULL);
	if (driver->options->no_pivot_root && !runc_driver_is(driver, "crun"))
		runc_driver_add(driver, "--no-pivot", NULL);
	if (!runc_driver_is(driver, "crun"))
		runc_driver_add(driver, "-no-subreaper", NULL);
	runc_driver_add(driver, "--bundle", task->bundle, task->id, NULL);
}

/* The container can be restored anew, or deleted; what the client hears is why it could not be now. */
static int restore_failed(struct runtime_task *task, int result)
{
	enum runtime_code code = task->error_code;
	char text[RUNTIME_ERROR_MAX];

	memcpy(text, task->error, sizeof(text));
	runc_remove(task, true);
	memcpy(task->error, text, sizeof(text));
	task->error_code = code;
	return result;
}

int runc_restore(struct runtime_task *task, pid_t *ret_pid)
{
	struct runc_driver driver;
	char work[PATH_MAX];
	pid_t pid = 0;
	int r = runc_driver_init(&driver, task);

	if (r != 0)
		return r;
	if (*driver.options->criu_work_path)
		snprintf(work, sizeof(work), "%s", driver.options->criu_work_path);
	else if (snprintf(work, sizeof(work), "%s/work", task->bundle) >= PATH_MAX)
		return -ENAMETOOLONG;
	add_restore(&driver, work);
	r = runc_driver_make(&driver, driver.pid_file, "OCI runtime restore failed", &pid);
	if (r != 0)
		return restore_failed(task, r);
	if (runc_driver_is_known(&driver))
		task->direct = RUNTIME_DIRECT_KILL;
	runc_adopt(&driver, pid);
	*ret_pid = pid;
	return 0;
}
