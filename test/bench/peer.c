/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What containerd does with a shim, step by step, without containerd.
 *
 *     start verb   SHIM flags start, in the bundle, stdout and stderr one pipe, read to EOF
 *     connect      the socket that the answer names, then Connect
 *     create, start, wait, kill, delete, shutdown    one request each
 *     delete verb  SHIM flags -bundle BUNDLE delete
 *
 * The legacy form of the start verb (up to 2.2) gets an Any with the runtime's options and answers
 * with an address; the newer one gets BootstrapParams and answers with BootstrapResult.
 */
#include "test/bench/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/bench/sink.h"

#define DAEMON_PATH "/usr/bin/containerd" /* only handed on: neither verb runs it */
#define ENVIRONMENT_MAX 256

int peer_fail(struct peer_task *task, const char *format, ...)
{
	va_list arguments;
	int used;

	used = snprintf(task->error, sizeof(task->error), "%s, %s: ", task->peer->label, task->id);
	if (used > 0 && (size_t)used < sizeof(task->error)) {
		va_start(arguments, format);
		vsnprintf(task->error + used, sizeof(task->error) - (size_t)used, format,
			  arguments);
		va_end(arguments);
	}
	return -1;
}

int peer_begin(struct peer_task *task, const struct peer_host *host, const struct peer *peer,
	       const char *id, const struct bundle_spec *spec)
{
	int error;

	task->host = host;
	task->peer = peer;
	task->wire = WIRE_NULL;
	task->error[0] = '\0';
	snprintf(task->id, sizeof(task->id), "%s", id);
	error = bundle_init(&task->bundle, host->base, id, spec);
	if (error < 0)
		return peer_fail(task, "bundle: %s", strerror(-error));
	error = sink_swallow(task->bundle.fifos[BUNDLE_LOG]);
	if (error < 0) {
		bundle_deinit(&task->bundle);
		return peer_fail(task, "%s: %s", task->bundle.fifos[BUNDLE_LOG], strerror(-error));
	}
	return 0;
}

void peer_end(struct peer_task *task)
{
	wire_deinit(&task->wire);
	bundle_deinit(&task->bundle);
}

/* The Any with runc's options, which the start verb and Create both get. */
static void put_options(const struct peer_task *task, struct wire_message *message,
			unsigned int field)
{
	struct wire_message options = {.size = 0};

	wire_put_string(&options, 6, task->host->runtime);
	wire_put_string(&options, 7, task->host->runtime_root);
	wire_put_any(message, field, "containerd.runc.v1.Options", &options);
}

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
	put_options(task, &extension, 1);
	wire_put_message(ret_input, 8, &extension);
}

/* ---- verbs ---- */

struct verb {
	const char *arguments[16];
	char ttrpc[PATH_MAX + 32], grpc[PATH_MAX + 32], namespace_[128];
	const char *environment[ENVIRONMENT_MAX];
	int input, output[2]; /* the child's stdin; a pipe for what it prints */
	int errors; /* its stderr: the same pipe, or a file that is read after a failure */
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

static int read_to_end(int fd, char *bytes, size_t capacity, size_t *ret_size)
{
	size_t size = 0;
	ssize_t got;

	do {
		got = read(fd, bytes + size, capacity - size);
		if (got > 0)
			size += (size_t)got;
	} while ((got > 0 && size < capacity) || (got < 0 && errno == EINTR));
	*ret_size = size;
	return got < 0 ? -errno : 0;
}

/* Runs what is prepared in verb until the pipe is at its end and the program has exited. */
static int finish(struct verb *verb, struct peer_task *task, char *output, size_t capacity,
		  size_t *ret_size)
{
	int error, status;
	pid_t pid;

	error = spawn(verb, task->bundle.path, &pid);
	close(verb->output[1]);
	if (error == 0)
		error = read_to_end(verb->output[0], output, capacity - 1, ret_size);
	close(verb->output[0]);
	if (error < 0)
		return peer_fail(task, "%s: %s", task->peer->path, strerror(-error));
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return peer_fail(task, "waitpid: %s", strerror(errno));
	output[*ret_size] = '\0';
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (*ret_size == 0 && lseek(verb->errors, 0, SEEK_SET) == 0) {
		read_to_end(verb->errors, output, capacity - 1, ret_size);
		output[*ret_size] = '\0';
	}
	return peer_fail(task, "verb ended with wait status 0x%x: %s", (unsigned int)status,
			 output);
}

static int run_verb(struct peer_task *task, const char *name, int input, char *output,
		    size_t capacity, size_t *ret_size)
{
	struct verb verb = {.input = input};
	int result;

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

/* ---- requests ---- */

int peer_call(struct peer_task *task, const char *method, const struct wire_message *request,
	      struct wire_reply *ret_reply)
{
	const char *service =
		task->peer->bootstrap ? "containerd.task.v3.Task" : "containerd.task.v2.Task";
	int error = wire_call(&task->wire, service, method, request, ret_reply);

	if (error < 0)
		return peer_fail(task, "%s: %s", method, strerror(-error));
	if (ret_reply->code != 0)
		return peer_fail(task, "%s: code %u: %s", method, (unsigned int)ret_reply->code,
				 ret_reply->text);
	return 0;
}

int peer_call_id(struct peer_task *task, const char *method, struct wire_reply *ret_reply)
{
	struct wire_message request = {.size = 0};

	wire_put_string(&request, 1, task->id);
	return peer_call(task, method, &request, ret_reply);
}

int peer_connect(struct peer_task *task)
{
	struct wire_reply reply;
	int error = wire_connect(&task->wire, task->address);

	if (error < 0)
		return peer_fail(task, "connect %s: %s", task->address, strerror(-error));
	return peer_call_id(task, "Connect", &reply);
}

int peer_create(struct peer_task *task)
{
	struct wire_message request = {.size = 0};
	struct wire_reply reply;

	wire_put_string(&request, 1, task->id);
	wire_put_string(&request, 2, task->bundle.path);
	wire_put_string(&request, 5, task->bundle.fifos[BUNDLE_STDIN]);
	wire_put_string(&request, 6, task->bundle.fifos[BUNDLE_STDOUT]);
	wire_put_string(&request, 7, task->bundle.fifos[BUNDLE_STDERR]);
	put_options(task, &request, 10);
	return peer_call(task, "Create", &request, &reply);
}

int peer_start(struct peer_task *task)
{
	struct wire_reply reply;

	return peer_call_id(task, "Start", &reply);
}

int peer_wait(struct peer_task *task, unsigned int expected_status)
{
	struct wire_reply reply;
	uint64_t status = 0;

	if (peer_call_id(task, "Wait", &reply) < 0)
		return -1;
	wire_get_number(reply.payload, reply.size, 1, &status);
	if (status != expected_status)
		return peer_fail(task, "exit status %u, not %u", (unsigned int)status,
				 expected_status);
	return 0;
}

int peer_signal(struct peer_task *task, unsigned int number)
{
	struct wire_message request = {.size = 0};
	struct wire_reply reply;

	wire_put_string(&request, 1, task->id);
	wire_put_number(&request, 3, number);
	return peer_call(task, "Kill", &request, &reply);
}

int peer_kill(struct peer_task *task)
{
	return peer_signal(task, SIGKILL);
}

int peer_delete(struct peer_task *task)
{
	struct wire_reply reply;

	return peer_call_id(task, "Delete", &reply);
}

int peer_shutdown(struct peer_task *task)
{
	struct wire_message request = {.size = 0};
	struct wire_reply reply;
	int error;

	wire_put_string(&request, 1, task->id);
	error = wire_call(&task->wire,
			  task->peer->bootstrap ? "containerd.task.v3.Task"
						: "containerd.task.v2.Task",
			  "Shutdown", &request, &reply);
	wire_deinit(&task->wire);
	/* A shim may be gone before its answer is out; to the daemon that is success too. */
	if (error < 0 && error != -EPIPE && error != -ECONNRESET)
		return peer_fail(task, "Shutdown: %s", strerror(-error));
	return 0;
}
