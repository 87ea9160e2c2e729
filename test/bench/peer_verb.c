/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two verbs that containerd runs a shim's program for.
 *
 *     start verb   SHIM flags start, in the bundle, stdout and stderr one pipe, read to EOF
 *     delete verb  SHIM flags -bundle BUNDLE delete
 *
 * The legacy form of the start verb (up to 2.2) gets an Any with the runtime's options and answers
 * with an address; the newer one gets BootstrapParams and answers with BootstrapResult.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/bench/deadline.h"
#include "test/bench/peer.h"

#define DAEMON_PATH "/usr/bin/containerd" /* only handed on: neither verb runs it */
#define ENVIRONMENT_MAX 256

static void write_input(const struct peer_task *task, struct wire_message *ret_input)
{
	struct wire_message extension = {.size = 0};

	if (!task->peer->bootstrap) {
		struct wire_message options = {.size = 0};

		wire_put_string(&options, 6, task->host->runtime);
		wire_put_string(&options, 7, task->host->runtime_root);
		wire_put_string(ret_input, 1, "containerd.runc.v1.Options");
		wire_put_message(ret_input, 2, &options);
		return;
	}
	wire_put_string(ret_input, 1, task->id);
	wire_put_string(ret_input, 2, task->host->namespace_);
	wire_put_string(ret_input, 4, "2.3.0");
	wire_put_string(ret_input, 5, task->host->ttrpc);
	wire_put_string(ret_input, 6, task->host->grpc);
	wire_put_string(ret_input, 7, DAEMON_PATH);
	peer_put_options(task, &extension, 1);
	wire_put_message(ret_input, 8, &extension);
}

struct verb {
	const char *arguments[16];
	char ttrpc[PATH_MAX + 32], grpc[PATH_MAX + 32], namespace_[128];
	const char *environment[ENVIRONMENT_MAX];
	int input, output[2]; /* the child's stdin; a pipe for what it prints */
	int errors; /* its stderr: the same pipe, or a file that is read after a failure */
	double deadline;
	char name[16]; /* for people */
};

static int add_environment(struct verb *verb, const struct peer_task *task)
{
	size_t n = 0;

	snprintf(verb->ttrpc, sizeof(verb->ttrpc), "TTRPC_ADDRESS=%s", task->host->ttrpc);
	snprintf(verb->grpc, sizeof(verb->grpc), "GRPC_ADDRESS=%s", task->host->grpc);
	snprintf(verb->namespace_, sizeof(verb->namespace_), "NAMESPACE=%s",
		 task->host->namespace_);
	verb->environment[n++] = verb->ttrpc;
	verb->environment[n++] = verb->grpc;
	verb->environment[n++] = verb->namespace_;
	verb->environment[n++] = "MAX_SHIM_VERSION=2";
	verb->environment[n++] = "GOMAXPROCS=2";
	for (char **entry = environ; *entry; entry++) {
		if (n == ENVIRONMENT_MAX - 1)
			return -E2BIG;
		verb->environment[n++] = *entry;
	}
	verb->environment[n] = NULL;
	return 0;
}

static void add_arguments(struct verb *verb, const struct peer_task *task, const char *name)
{
	const char **at = verb->arguments;

	*at++ = task->peer->path;
	*at++ = "-namespace";
	*at++ = task->host->namespace_;
	*at++ = "-address";
	*at++ = task->host->grpc;
	*at++ = "-publish-binary";
	*at++ = DAEMON_PATH;
	*at++ = "-id";
	*at++ = task->id;
	if (strcmp(name, "delete") == 0) {
		*at++ = "-bundle";
		*at++ = task->bundle.path;
	}
	*at++ = name;
	*at = NULL;
}

static int spawn(const struct verb *verb, const char *folder, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int error;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addchdir_np(&actions, folder);
	posix_spawn_file_actions_adddup2(&actions, verb->input, 0);
	posix_spawn_file_actions_adddup2(&actions, verb->output[1], 1);
	posix_spawn_file_actions_adddup2(&actions, verb->errors, 2);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
	posix_spawnattr_setpgroup(&attributes, 0);
	error = posix_spawn(ret_pid, verb->arguments[0], &actions, &attributes,
			    (char *const *)(uintptr_t)verb->arguments,
			    (char *const *)(uintptr_t)verb->environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return -error;
}

static int read_to_end(int fd, double deadline, char *bytes, size_t capacity, size_t *ret_size)
{
	size_t size = 0;
	ssize_t got;
	int error;

	do {
		error = deadline_poll(fd, deadline);
		if (error < 0)
			return error;
		got = read(fd, bytes + size, capacity - size);
		if (got > 0)
			size += (size_t)got;
	} while ((got > 0 && size < capacity) || (got < 0 && errno == EINTR));
	*ret_size = size;
	return got < 0 ? -errno : 0;
}

/* The program is over when the pipe is at its end and it has exited; it is killed if it never is. */
static int await(struct verb *verb, pid_t pid, char *output, size_t capacity, size_t *ret_size,
		 int *ret_status)
{
	int error = read_to_end(verb->output[0], verb->deadline, output, capacity, ret_size);

	if (error == 0)
		return deadline_wait(pid, verb->deadline, ret_status);
	kill(pid, SIGKILL);
	return error;
}

/* Runs what is prepared in verb. */
static int finish(struct verb *verb, struct peer_task *task, char *output, size_t capacity,
		  size_t *ret_size)
{
	int error, status = 0;
	pid_t pid;

	error = spawn(verb, task->bundle.path, &pid);
	close(verb->output[1]);
	if (error == 0)
		error = await(verb, pid, output, capacity - 1, ret_size, &status);
	close(verb->output[0]);
	if (error < 0)
		return peer_fail_call(task, verb->name, error);
	output[*ret_size] = '\0';
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (*ret_size == 0 && lseek(verb->errors, 0, SEEK_SET) == 0) {
		read_to_end(verb->errors, verb->deadline, output, capacity - 1, ret_size);
		output[*ret_size] = '\0';
	}
	return peer_fail(task, "%s: wait status 0x%x: %s", verb->name, (unsigned int)status,
			 output);
}

static int run_verb(struct peer_task *task, const char *name, int input, char *output,
		    size_t capacity, size_t *ret_size)
{
	struct verb verb = {.input = input, .deadline = deadline_in(task->host->seconds_max)};
	int result;

	snprintf(verb.name, sizeof(verb.name), "%s verb", name);
	add_arguments(&verb, task, name);
	if (add_environment(&verb, task) < 0)
		return peer_fail(task, "environment of more than %d entries", ENVIRONMENT_MAX);
	if (pipe2(verb.output, O_CLOEXEC) < 0)
		return peer_fail(task, "pipe: %s", strerror(errno));
	if (strcmp(name, "start") == 0) {
		verb.errors = verb.output[1];
		return finish(&verb, task, output, capacity, ret_size);
	}
	verb.errors = memfd_create("stderr", MFD_CLOEXEC);
	result = finish(&verb, task, output, capacity, ret_size);
	close(verb.errors);
	return result;
}

static int take_address(struct peer_task *task, char *output, size_t size)
{
	const void *address = output;

	if (task->peer->bootstrap) {
		if (!wire_get_bytes(output, size, 2, &address, &size))
			return peer_fail(task, "start answered no BootstrapResult: %s", output);
	} else {
		size = strcspn(output, "\n");
	}
	if (size == 0 || size >= sizeof(task->address))
		return peer_fail(task, "start answered an address of %zu bytes", size);
	memcpy(task->address, address, size);
	task->address[size] = '\0';
	return 0;
}

int peer_start_verb(struct peer_task *task)
{
	struct wire_message input = {.size = 0};
	char output[PATH_MAX];
	size_t size = 0;
	int pipe_fds[2], result;

	write_input(task, &input);
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return peer_fail(task, "pipe: %s", strerror(errno));
	/* A pipe holds far more than this, so nobody has to write while the shim runs. */
	if (write(pipe_fds[1], input.bytes, input.size) != (ssize_t)input.size) {
		close(pipe_fds[0]);
		close(pipe_fds[1]);
		return peer_fail(task, "write: %s", strerror(errno));
	}
	close(pipe_fds[1]);
	result = run_verb(task, "start", pipe_fds[0], output, sizeof(output), &size);
	close(pipe_fds[0]);
	return result < 0 ? result : take_address(task, output, size);
}

int peer_delete_verb(struct peer_task *task)
{
	char output[PATH_MAX];
	size_t size = 0;
	int null_fd, result;

	null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null_fd < 0)
		return peer_fail(task, "/dev/null: %s", strerror(errno));
	result = run_verb(task, "delete", null_fd, output, sizeof(output), &size);
	close(null_fd);
	if (result == 0 && size == 0)
		return peer_fail(task, "delete printed nothing");
	return result;
}
