/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_SHIM_H
#define SHIM_SHIM_H
/*
 * A containerd shim for a runtime of your own: fill in one struct runtime, call shim_main().
 *
 *     static const struct runtime mine = {
 *             .name = "io.containerd.mine.v2",
 *             .create = mine_create,
 *             .start = mine_start,
 *             .kill = mine_kill,
 *             .remove = mine_remove,
 *     };
 *     int main(int argc, char **argv) { return shim_main(&mine, argc, argv); }
 *
 * Every function of it is plain blocking C. Each call runs in a process of its own (a worker),
 * which is forked for it and ends after it: heap, descriptors, environment and working directory
 * may be left as they are. A worker dies with the shim (PDEATHSIG), so nothing finishes behind its
 * back. What has to outlive the worker goes into task->keep (descriptors) and task->state (bytes).
 *
 * create, start, pause, resume, update, checkpoint, restore and remove of one container never run at
 * the same time; kill, pids, stats and exec may run beside them and beside each other, each in its own
 * process. No call is cut short because the client that asked went away. There is no time limit: what
 * hangs is ended by the delete of its container.
 *
 * The shim does the rest: the command line, the sockets, the task service, events, exits and their
 * order, standard input and output, the root file system's mounts, cleaning up.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RUNTIME_KEEP_MAX 8     /* descriptors kept for a container */
#define RUNTIME_STATE_MAX 4096 /* bytes kept for a container */
#define RUNTIME_ERROR_MAX 2048 /* bytes of an error text; longer ones are cut */
#define RUNTIME_PIDS_MAX 65536 /* pids of a container */

/*
 * A google.protobuf.Any as the client sent it: size bytes at value, which nobody has looked into.
 * type_url "" and size 0: none was sent.
 */
struct runtime_any {
	const char *type_url;
	const void *value;
	size_t size;
};

/* How an operation was refused, for runtime_fail(): codes of ttrpc, as clients know them. */
enum runtime_code {
	RUNTIME_UNKNOWN = 2,
	RUNTIME_INVALID_ARGUMENT = 3,
	RUNTIME_NOT_FOUND = 5,
	RUNTIME_ALREADY_EXISTS = 6,
	RUNTIME_RESOURCE_EXHAUSTED = 8,
	RUNTIME_FAILED_PRECONDITION = 9,
	RUNTIME_UNIMPLEMENTED = 12,
	RUNTIME_INTERNAL = 13,
};

/*
 * What the shim may do by itself, where it comes to the same: then no process is made for it, and a
 * client waits a sixth (Kill) or a third (Pids) of the time.
 */
enum runtime_direct {
	/*
	 * A signal is sent to the process's pid, of the init or an exec. Not to all, and of the init
	 * not SIGKILL: a container that is frozen has to be thawed for that.
	 */
	RUNTIME_DIRECT_KILL = 1,
	/* The pids are those in the cgroup that the init had after create, and below it. */
	RUNTIME_DIRECT_PIDS = 2,
};

/*
 * One process of a container, as a function of struct runtime is given it. All of it belongs to the
 * shim; strings are never NULL. The working directory is the bundle.
 */
struct runtime_task {
	const char *namespace_; /* containerd's namespace */
	const char *id;         /* the container */
	const char *exec_id;    /* "" for the container's init */
	const char *bundle;     /* absolute path of the folder that holds config.json and rootfs */
	pid_t pid;              /* the process; 0 before create, and when it has ended */

	struct runtime_any options; /* create: the runtime's options; checkpoint: those of it */
	/*
	 * create, exec, restore: the descriptors to be the process's 0, 1 and 2; never -1. With a
	 * console_socket they are /dev/null.
	 */
	int stdio[3];
	/*
	 * create, exec, restore: "", or the process is to have a terminal: the path of a unix stream
	 * socket that listens, to which its master is sent by SCM_RIGHTS, as OCI runtimes do it.
	 */
	const char *console_socket;
	/*
	 * exec: the process to run; update: the resources. JSON of the OCI runtime specification as
	 * the client sent it, an object, with a NUL behind its json_size bytes.
	 */
	const char *json;
	size_t json_size;
	/*
	 * checkpoint: the folder to write the image to. restore: the one that holds it, and its
	 * parent or "". create: "", or what restore will be given: then nothing runs yet.
	 */
	const char *checkpoint, *parent_checkpoint;

	unsigned direct; /* create, restore: to be set to what holds of enum runtime_direct; 0 */

	/*
	 * Kept from one call to the next; create, start, exec and restore that change them and return
	 * 0 have them kept.
	 * A kept descriptor can be replaced by another one, but not taken away; the shim closes all
	 * of them when the container is deleted.
	 */
	int keep[RUNTIME_KEEP_MAX]; /* -1: none. A new one becomes the shim's */

	/*
	 * Also kept, in the bundle, when the shim was killed. Those that run beside others leave it as
	 * it is.
	 */
	unsigned char state[RUNTIME_STATE_MAX];
	size_t state_size;

	int log_fd; /* for shim_log(); not to be written to or closed */

	enum runtime_code error_code;  /* with error: set by runtime_fail() */
	char error[RUNTIME_ERROR_MAX]; /* "": no text was set */
};

/*
 * All functions return 0, or a negative errno, or what runtime_fail() returned: then its code and
 * text go to the client as they are. create, start, kill and remove are needed; any other may be
 * NULL, and its method answers UNIMPLEMENTED.
 */
struct runtime {
	const char *name; /* io.containerd.NAME.vN */

	/*
	 * Makes the container and its init process, which waits before the user's program runs. The
	 * process must be a descendant of the caller. If create fails nothing of the container may
	 * be left; the shim calls remove with force afterwards all the same. With task->checkpoint
	 * it only keeps what restore will need, and the pid is 0.
	 */
	int (*create)(struct runtime_task *task, pid_t *ret_pid);

	/*
	 * Lets the user's program run. Not called again after success, nor when the process has
	 * ended.
	 */
	int (*start)(struct runtime_task *task);

	/*
	 * signal: a number, 1 to 64, or 0, which asks whether the process is there. With an exec_id
	 * the process is that one; else it is the init, or with all every process of the container. If it has ended: runtime_fail(task, RUNTIME_NOT_FOUND, "process
	 * already finished: not found"), which is what clients look for. It need not wait for the
	 * end.
	 */
	int (*kill)(struct runtime_task *task, int signal, bool all);

	/*
	 * Undoes create. The init process has exited, or was never started and is to be killed.
	 * force: whatever the state is, also when no create ever ran or the shim was killed (the
	 * delete verb): then task->pid is 0, task->keep is empty, and what lived of the recorded
	 * processes was killed before. A container that does not exist is success.
	 */
	int (*remove)(struct runtime_task *task, bool force);

	/* The pids of the container's processes, init's included: *ret_n of them, at most max. */
	int (*pids)(struct runtime_task *task, pid_t *pids, size_t max, size_t *ret_n);

	/*
	 * Runs one more process in the container: task->exec_id, task->json. The process must be a
	 * descendant of the caller. If it fails nothing of it may be left.
	 */
	int (*exec)(struct runtime_task *task, pid_t *ret_pid);

	/* Freezes all processes of the container; lets them go on. */
	int (*pause)(struct runtime_task *task);
	int (*resume)(struct runtime_task *task);

	/* Changes the resources that the container may use: task->json. */
	int (*update)(struct runtime_task *task);

	/*
	 * Writes an image of the running container to task->checkpoint. task->options: of type
	 * containerd.runc.v1.CheckpointOptions, or none. Whether it ends the container is said there.
	 */
	int (*checkpoint)(struct runtime_task *task);

	/* In start's place after a create with a checkpoint: the process goes on from the image. */
	int (*restore)(struct runtime_task *task, pid_t *ret_pid);

	/*
	 * What the container uses: a google.protobuf.Any of io.containerd.cgroups.v1.Metrics or .v2.
	 * Its strings and bytes live as long as the worker. NULL: the shim reads the cgroup of the
	 * init.
	 */
	int (*stats)(struct runtime_task *task, struct runtime_any *ret_metrics);

	/*
	 * Writes JSON of the OCI runtime's features to fd, for -info; fd stays the caller's. task
	 * has options only, and runs in the short-lived process of -info. If it fails -info answers
	 * without them; RUNTIME_NOT_FOUND or -ENOENT: there is no such runtime, and -info fails.
	 */
	int (*features)(struct runtime_task *task, int fd);

	/*
	 * The cgroup that task->options name for the shim's own processes, below the cgroups' root;
	 * "" if none. It is given options only, and runs in the short-lived process of `start`, where
	 * a failure ends the start. Options of a type that it does not know name none. NULL: of
	 * containerd.runc.v1.Options the shim reads it itself.
	 */
	int (*shim_cgroup)(struct runtime_task *task, const char **ret_path);
};

/*
 * Sets the error that the client sees; returns a negative value for the caller to return. The text
 * is one line without a newline; by custom it ends with the code in words (": not found", ":
 * already exists", ": invalid argument"). What is not UTF-8 in it is replaced before it is sent.
 */
int runtime_fail(struct runtime_task *task, enum runtime_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * One logfmt line to the shim's log, which containerd copies into its own. Never blocks: drops what
 * nobody reads, and SHIM_LOG_DEBUG unless containerd itself logs such. No newline at the end; what
 * is longer than a kilobyte is cut.
 */
enum shim_log_level { SHIM_LOG_DEBUG, SHIM_LOG_INFO, SHIM_LOG_WARNING, SHIM_LOG_ERROR };
void shim_log(const struct runtime_task *task, enum shim_log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* ---- for runtimes whose containers are plain child processes; see shim/skeleton.c ---- */

/*
 * What config.json says of the process to run. The lists end with NULL; args has one entry at
 * least.
 */
struct runtime_process {
	const char *root; /* of its file system: absolute, or relative to the bundle */
	const char *cwd;  /* inside root */
	char **args, **env;
};

/*
 * Reads the bundle's config.json. Returns 0, a negative errno, or what runtime_fail() returned. The
 * strings live as long as the worker; nothing is to be freed.
 */
int runtime_process_read(struct runtime_task *task, struct runtime_process *ret_process);

/*
 * In a forked child, once, before it executes the program: makes the task's stdio its 0, 1 and 2,
 * keeps fd (as another number, close-on-exec) and closes all other descriptors, unblocks all
 * signals and sets them to their defaults. Returns fd's new number. What is wrong with descriptors
 * shows when they are used.
 */
int runtime_child_init(const struct runtime_task *task, int fd);

/*
 * Does what the command line says (start, delete, -v, -info) and returns the exit status of the
 * program; errors have been printed. runtime is used as long as a process of the shim lives. argc
 * and argv are main()'s own: their memory is written over with the title that ps shows.
 */
int shim_main(const struct runtime *runtime, int argc, char **argv);

#ifdef __cplusplus
}
#endif
#endif
