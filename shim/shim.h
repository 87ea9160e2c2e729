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
 * Every function of it is plain blocking C. Each call runs in a process of its own (a worker), which
 * is forked for it and ends after it: heap, descriptors, environment and working directory may be
 * left as they are. A worker dies with the shim (PDEATHSIG), so nothing finishes behind its back.
 * What has to outlive the worker goes into task->keep (descriptors) and task->state (bytes).
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

/* A google.protobuf.Any as the client sent it. type_url "" and size 0: none was sent. */
struct runtime_any {
	const char *type_url;
	const void *value;
	size_t size;
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

	struct runtime_any options; /* create: the runtime's options */
	int stdio[3];               /* create: the descriptors to be the process's 0, 1 and 2; never -1 */

	/* Kept from one call to the next; a function that changes them and returns 0 has them kept. */
	int keep[RUNTIME_KEEP_MAX];             /* -1: none. A new one becomes the shim's */
	unsigned char state[RUNTIME_STATE_MAX]; /* also kept, in the bundle, when the shim was killed */
	size_t state_size;

	int log_fd; /* see shim_log() */

	enum runtime_code {
		RUNTIME_UNKNOWN = 2,
		RUNTIME_INVALID_ARGUMENT = 3,
		RUNTIME_NOT_FOUND = 5,
		RUNTIME_ALREADY_EXISTS = 6,
		RUNTIME_FAILED_PRECONDITION = 9,
		RUNTIME_UNIMPLEMENTED = 12,
		RUNTIME_INTERNAL = 13,
	} error_code; /* set by runtime_fail() */
	char error[RUNTIME_ERROR_MAX];
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
	 * process must be a descendant of the caller. If create fails nothing of the container may be
	 * left; the shim calls remove with force afterwards all the same.
	 */
	int (*create)(struct runtime_task *task, pid_t *ret_pid);

	/* Lets the user's program run. */
	int (*start)(struct runtime_task *task);

	/* all: every process of the container. */
	int (*kill)(struct runtime_task *task, int signal, bool all);

	/*
	 * Undoes create. The init process has exited, or was never started and is to be killed. force:
	 * whatever the state is, also when no create ever ran or the shim was killed (the delete verb);
	 * a container that does not exist is success.
	 */
	int (*remove)(struct runtime_task *task, bool force);

	/* The pids of the container's processes, init's included. At most max. */
	int (*pids)(struct runtime_task *task, pid_t *pids, size_t max, size_t *ret_n);

	/* Writes JSON of the OCI runtime's features to fd, for -info; task has options only. */
	int (*features)(struct runtime_task *task, int fd);
};

/* Sets the error that the client sees; returns a value for the caller to return. */
int runtime_fail(struct runtime_task *task, enum runtime_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* One logfmt line to the shim's log, which containerd copies into its own. Never blocks: drops. */
enum shim_log_level { SHIM_LOG_DEBUG, SHIM_LOG_INFO, SHIM_LOG_WARNING, SHIM_LOG_ERROR };
void shim_log(const struct runtime_task *task, enum shim_log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* ---- for runtimes whose containers are plain child processes; see shim/skeleton.c ---- */

/* What config.json says of the process to run. The lists end with NULL; args has one entry at least. */
struct runtime_process {
	const char *root; /* of its file system: absolute, or relative to the bundle */
	const char *cwd;  /* inside root */
	char **args, **env;
};

int runtime_process_read(struct runtime_task *task, struct runtime_process *ret_process);

/*
 * In a forked child: makes the task's stdio its 0, 1 and 2, keeps fd (as another number, close-on-exec)
 * and closes all other descriptors, sets signals to their defaults. Returns fd's new number.
 */
int runtime_child_init(const struct runtime_task *task, int fd);

/* Does what the command line says and returns the exit status of the program. */
int shim_main(const struct runtime *runtime, int argc, char **argv);

#ifdef __cplusplus
}
#endif
#endif
