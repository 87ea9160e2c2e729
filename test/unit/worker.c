/* SPDX-License-Identifier: Apache-2.0 */
/* Workers of exec, restore, update and the like: what the runtime gets, what the report says. */
#include "test/unit/worker_fixture.h"

typedef Containerd__Task__V2__CreateTaskRequest create_request;

/* ---- a runtime ---- */

static void copy_input(void)
{
	char bytes[256];
	ssize_t n;
	while ((n = read(STDIN_FILENO, bytes, sizeof(bytes))) > 0)
		if (write(STDOUT_FILENO, bytes, (size_t)n) != n)
			_exit(1);
	if (write(STDERR_FILENO, "bye", 3) != 3)
		_exit(1);
}

static void sleep_on(void)
{
	for (;;)
		pause();
}

static int copying(struct runtime_task *task, pid_t *ret_pid)
{
	worker_note(task);
	return worker_process(task, copy_input, ret_pid);
}

static int sleeping(struct runtime_task *task, pid_t *ret_pid)
{
	worker_note(task);
	return worker_process(task, sleep_on, ret_pid);
}

static int refusing(struct runtime_task *task, pid_t *ret_pid)
{
	(void)ret_pid;
	return runtime_fail(task, RUNTIME_NOT_FOUND, "no such program: not found");
}

/* The test itself is nothing that a worker has made. */
static int lying(struct runtime_task *task, pid_t *ret_pid)
{
	(void)task;
	*ret_pid = getppid();
	return 0;
}

static int remembering(struct runtime_task *task, pid_t *ret_pid)
{
	worker_note(task);
	task->state_size = 1;
	*ret_pid = 0;
	return 0;
}

static int noting(struct runtime_task *task)
{
	worker_note(task);
	return 0;
}

static int removing(struct runtime_task *task, bool force)
{
	(void)task;
	worker_seen->removed += force;
	return 0;
}

/* ---- requests ---- */

struct exec {
	Containerd__Task__V2__ExecProcessRequest request;
	Google__Protobuf__Any spec;
};

static void exec_init(struct exec *exec, const char *json)
{
	containerd__task__v2__exec_process_request__init(&exec->request);
	google__protobuf__any__init(&exec->spec);
	exec->request.id = (char *)(uintptr_t) "one";
	exec->request.exec_id = (char *)(uintptr_t) "more";
	exec->request.spec = &exec->spec;
	exec->spec.value.data = (uint8_t *)(uintptr_t)json;
	exec->spec.value.len = strlen(json);
}

static void create_init(create_request *request, const struct worker_fixture *fixture)
{
	containerd__task__v2__create_task_request__init(request);
	request->id = (char *)(uintptr_t) "one";
	request->bundle = (char *)(uintptr_t)fixture->bundle;
}

static char *writable(const char *path)
{
	return (char *)(uintptr_t)path;
}

/* Of its streams. */
static uint32_t roles(const struct worker_fixture *fixture)
{
	return fixture->message.report.roles & ~(1u << ROLE_OOM_EVENT | 1u << ROLE_OOM_FILE);
}

static uint32_t bits(enum report_role first, enum report_role last)
{
	uint32_t mask = 0;
	for (unsigned role = first; role <= last; role++)
		mask |= 1u << role;
	return mask;
}

/* ---- exec ---- */

TEST(exec_with_all_streams)
{
	struct worker_fixture fixture;
	struct exec exec;
	worker_init(&fixture);
	fixture.runtime.exec = copying;
	exec_init(&exec, "{\"args\": [\"cat\"]}");
	ASSERT_EQ(mkfifo(worker_file(&fixture, "in"), 0600), 0);
	int output = worker_fifo(&fixture, "out"), error = worker_fifo(&fixture, "err");
	exec.request.stdin = writable(worker_file(&fixture, "in"));
	exec.request.stdout = writable(worker_file(&fixture, "out"));
	exec.request.stderr = writable(worker_file(&fixture, "err"));

	ASSERT_EQ(worker_do(&fixture, VERB_EXEC, "more", &exec.request.base), TTRPC_OK);
	const int *fds = fixture.message.fds;
	ASSERT_EQ(fixture.message.report.pid, worker_seen->pid);
	ASSERT_EQ(roles(&fixture), bits(ROLE_STDIN_SOURCE, ROLE_STDERR_KEEPER));
	ASSERT_STR(worker_seen->json, "{\"args\": [\"cat\"]}");
	ASSERT_EQ(worker_seen->json_size, 17);
	ASSERT_STR(worker_seen->exec_id, "more");
	ASSERT_STR(worker_seen->console, "");

	ASSERT_EQ(write(fds[ROLE_STDIN_KEEPER], "to", 2), 2);
	worker_expect(fds[ROLE_STDIN_SOURCE], "to");
	ASSERT_EQ(write(fds[ROLE_STDIN_SINK], "fro", 3), 3);
	worker_expect(fds[ROLE_STDOUT_SOURCE], "fro");
	ASSERT_EQ(write(fds[ROLE_STDOUT_SINK], "fro", 3), 3);
	worker_expect(output, "fro");
	close(fixture.message.fds[ROLE_STDIN_SINK]);
	fixture.message.fds[ROLE_STDIN_SINK] = -1;
	/* the worker has left no end of the process's pipes open */
	worker_expect(fds[ROLE_STDERR_SOURCE], "bye");
	char byte;
	ASSERT_EQ(worker_read(fds[ROLE_STDERR_SOURCE], &byte, 1), 0);
	ASSERT_EQ(worker_read(fds[ROLE_STDOUT_SOURCE], &byte, 1), 0);
	close(output);
	close(error);
	worker_deinit(&fixture);
}

TEST(exec_without_streams)
{
	struct worker_fixture fixture;
	struct exec exec;
	worker_init(&fixture);
	fixture.runtime.exec = copying;
	exec_init(&exec, "{}");
	ASSERT_EQ(worker_do(&fixture, VERB_EXEC, "more", &exec.request.base), TTRPC_OK);
	ASSERT_EQ(roles(&fixture), 0);
	worker_deinit(&fixture);
}

static void exec_refused(struct worker_fixture *fixture, struct exec *exec, const char *text)
{
	ASSERT_EQ(worker_do(fixture, VERB_EXEC, "more", &exec->request.base),
		  TTRPC_INVALID_ARGUMENT);
	ASSERT_STR(fixture->text, text);
	ASSERT_EQ(worker_seen->called, 0);
}

TEST(exec_needs_a_json_object)
{
	struct worker_fixture fixture;
	struct exec exec;
	worker_init(&fixture);
	fixture.runtime.exec = copying;
	exec_init(&exec, "");
	exec_refused(&fixture, &exec, "exec spec is missing: invalid argument");
	exec_init(&exec, "[]");
	exec_refused(&fixture, &exec, "exec spec is no JSON object: invalid argument");
	exec_init(&exec, "{\"args\"");
	exec_refused(&fixture, &exec, "exec spec ':' expected near end of file: invalid argument");
	exec_init(&exec, "{}");
	exec.spec.value.len = 3; /* with its NUL */
	exec_refused(&fixture, &exec,
		     "exec spec end of file expected near end of file: invalid argument");
	exec.request.spec = NULL;
	exec_refused(&fixture, &exec, "exec spec is missing: invalid argument");
	worker_deinit(&fixture);
}

TEST(exec_of_another_process_than_the_verb_says)
{
	struct worker_fixture fixture;
	struct exec exec;
	worker_init(&fixture);
	fixture.runtime.exec = copying;
	exec_init(&exec, "{}");
	exec.request.id = writable("two");
	ASSERT(worker_do(&fixture, VERB_EXEC, "more", &exec.request.base) != TTRPC_OK);
	exec_init(&exec, "{}");
	exec.request.exec_id = writable("less");
	ASSERT(worker_do(&fixture, VERB_EXEC, "more", &exec.request.base) != TTRPC_OK);
	exec.request.exec_id = writable("");
	ASSERT(worker_do(&fixture, VERB_EXEC, "", &exec.request.base) != TTRPC_OK);
	ASSERT(worker_do(&fixture, VERB_EXEC, "more", NULL) != TTRPC_OK);
	ASSERT_EQ(worker_seen->called, 0);
	worker_deinit(&fixture);
}

TEST(exec_that_the_runtime_refuses_or_lacks)
{
	struct worker_fixture fixture;
	struct exec exec;
	worker_init(&fixture);
	exec_init(&exec, "{}");
	ASSERT_EQ(worker_do(&fixture, VERB_EXEC, "more", &exec.request.base), TTRPC_UNIMPLEMENTED);
	fixture.runtime.exec = refusing;
	ASSERT_EQ(worker_do(&fixture, VERB_EXEC, "more", &exec.request.base), TTRPC_NOT_FOUND);
	ASSERT_STR(fixture.text, "no such program: not found");
	fixture.runtime.exec = lying;
	ASSERT_EQ(worker_do(&fixture, VERB_EXEC, "more", &exec.request.base), TTRPC_UNKNOWN);
	ASSERT(strstr(fixture.text, "the runtime made no process with pid"));
	ASSERT_EQ(fixture.message.report.pid, 0);
	worker_deinit(&fixture);
}

/* Its parent ends, and the test reaps it at once, as the monitor does, while the worker looks at it. */
static int leaving(struct runtime_task *task, pid_t *ret_pid)
{
	int ends[2];
	(void)task;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	pid_t parent = fork();
	if (parent == 0) {
		pid_t pid = fork();
		if (pid > 0 && write(ends[1], &pid, sizeof(pid)) != sizeof(pid))
			_exit(1);
		_exit(0);
	}
	ASSERT_EQ(read(ends[0], ret_pid, sizeof(*ret_pid)), sizeof(*ret_pid));
	ASSERT_EQ(waitpid(parent, NULL, 0), parent);
	return 0;
}

TEST(exec_of_a_process_that_ends_at_once)
{
	struct worker_fixture fixture;
	struct exec exec;
	worker_init(&fixture);
	fixture.runtime.exec = leaving;
	exec_init(&exec, "{}");
	for (int i = 0; i < 500; i++) {
		bool worker_lives = true;
		pid_t worker = worker_begin(&fixture, VERB_EXEC, "more", &exec.request.base);
		while (worker_lives)
			worker_lives = waitpid(-1, NULL, 0) != worker;
		worker_receive(&fixture);
		ASSERT_EQ(fixture.message.report.code, TTRPC_OK);
		report_deinit(&fixture.message);
	}
	worker_deinit(&fixture);
}

/* Its output has nowhere to go: the process that runs already is killed. */
TEST(exec_that_fails_is_undone)
{
	struct worker_fixture fixture;
	struct exec exec;
	int status;
	worker_init(&fixture);
	fixture.runtime.exec = sleeping;
	exec_init(&exec, "{}");
	exec.request.stdout = writable(worker_file(&fixture, "missing"));
	ASSERT_EQ(worker_do(&fixture, VERB_EXEC, "more", &exec.request.base), TTRPC_UNKNOWN);
	ASSERT(strstr(fixture.text, "no such file or directory"));
	ASSERT_EQ(fixture.message.report.pid, 0);
	ASSERT_EQ(roles(&fixture), 0);
	ASSERT_EQ(waitpid(worker_seen->pid, &status, 0), worker_seen->pid);
	ASSERT_EQ(WTERMSIG(status), SIGKILL);
	worker_deinit(&fixture);
}

/* Two bytes each on the wire, and some forty times that in memory. */
TEST(create_that_grows_when_it_is_decoded)
{
	enum { MOUNTS = 2 << 20 };
	struct worker_fixture fixture;
	create_request request;
	Containerd__Types__Mount mount = CONTAINERD__TYPES__MOUNT__INIT;
	Containerd__Types__Mount **mounts = calloc(MOUNTS, sizeof(*mounts));
	worker_init(&fixture);
	fixture.runtime = (struct runtime){.create = remembering, .remove = removing};
	for (size_t i = 0; i < MOUNTS; i++)
		mounts[i] = &mount;
	create_init(&request, &fixture);
	request.rootfs = mounts;
	request.n_rootfs = MOUNTS - 64; /* what the server takes off the wire */
	ASSERT_EQ(worker_do(&fixture, VERB_CREATE, "", &request.base), TTRPC_RESOURCE_EXHAUSTED);
	ASSERT_STR(fixture.text,
		   "decoded message is above the limit of 8388608 bytes, or too deep");
	ASSERT_EQ(worker_seen->called, 0);
	free(mounts);
	worker_deinit(&fixture);
}

/* ---- checkpoints ---- */

TEST(checkpoint_and_restore)
{
	struct worker_fixture fixture;
	create_request request;
	worker_init(&fixture);
	fixture.runtime = (struct runtime){.create = remembering, .restore = copying};
	create_init(&request, &fixture);
	request.checkpoint = writable("/image");
	request.parent_checkpoint = writable("/parent");
	int output = worker_fifo(&fixture, "out");
	request.stdout = writable(worker_file(&fixture, "out"));
	/* nothing runs yet, so nothing has streams */
	ASSERT_EQ(worker_do(&fixture, VERB_CREATE, "", &request.base), TTRPC_OK);
	ASSERT_STR(worker_seen->checkpoint, "/image");
	ASSERT_EQ(fixture.message.report.pid, 0);
	ASSERT_EQ(roles(&fixture), 0);

	ASSERT_EQ(worker_do(&fixture, VERB_RESTORE, "", &request.base), TTRPC_OK);
	ASSERT_STR(worker_seen->parent, "/parent");
	ASSERT_EQ(fixture.message.report.pid, worker_seen->pid);
	ASSERT_EQ(roles(&fixture), bits(ROLE_STDOUT_SOURCE, ROLE_STDOUT_KEEPER));
	close(output);
	worker_deinit(&fixture);
}

TEST(create_from_a_checkpoint_needs_restore)
{
	struct worker_fixture fixture;
	create_request request;
	worker_init(&fixture);
	fixture.runtime = (struct runtime){.create = remembering, .remove = removing};
	create_init(&request, &fixture);
	request.checkpoint = writable("/image");
	ASSERT_EQ(worker_do(&fixture, VERB_CREATE, "", &request.base), TTRPC_UNIMPLEMENTED);
	ASSERT_EQ(worker_seen->called, 0);
	/* a process there is one too many */
	fixture.runtime.restore = copying;
	fixture.runtime.create = lying;
	ASSERT_EQ(worker_do(&fixture, VERB_CREATE, "", &request.base), TTRPC_UNKNOWN);
	ASSERT_EQ(worker_seen->removed, 1);
	worker_deinit(&fixture);
}

TEST(restore_that_fails_is_undone)
{
	struct worker_fixture fixture;
	create_request request;
	int status;
	worker_init(&fixture);
	fixture.runtime.restore = sleeping;
	create_init(&request, &fixture);
	ASSERT(worker_do(&fixture, VERB_RESTORE, "", &request.base) != TTRPC_OK);
	ASSERT_EQ(worker_seen->called, 0);
	request.checkpoint = writable("/image");
	request.stderr = writable(worker_file(&fixture, "missing"));
	ASSERT_EQ(worker_do(&fixture, VERB_RESTORE, "", &request.base), TTRPC_UNKNOWN);
	ASSERT_EQ(waitpid(worker_seen->pid, &status, 0), worker_seen->pid);
	ASSERT_EQ(WTERMSIG(status), SIGKILL);
	worker_deinit(&fixture);
}

TEST(checkpoint_says_where)
{
	struct worker_fixture fixture;
	Containerd__Task__V2__CheckpointTaskRequest request;
	Google__Protobuf__Any options;
	worker_init(&fixture);
	containerd__task__v2__checkpoint_task_request__init(&request);
	google__protobuf__any__init(&options);
	options.type_url = writable("some.Options");
	options.value.data = (uint8_t *)writable("bytes");
	options.value.len = 5;
	request.id = writable("one");
	request.options = &options;
	ASSERT_EQ(worker_do(&fixture, VERB_CHECKPOINT, "", &request.base), TTRPC_UNIMPLEMENTED);
	fixture.runtime.checkpoint = noting;
	ASSERT_EQ(worker_do(&fixture, VERB_CHECKPOINT, "", &request.base), TTRPC_INVALID_ARGUMENT);
	request.path = writable("/image");
	ASSERT_EQ(worker_do(&fixture, VERB_CHECKPOINT, "", &request.base), TTRPC_OK);
	ASSERT_STR(worker_seen->checkpoint, "/image");
	ASSERT_STR(worker_seen->options, "some.Options bytes");
	request.id = writable("two");
	ASSERT(worker_do(&fixture, VERB_CHECKPOINT, "", &request.base) != TTRPC_OK);
	ASSERT_EQ(worker_seen->called, 1);
	worker_deinit(&fixture);
}

/* ---- changes ---- */

TEST(update_carries_resources)
{
	struct worker_fixture fixture;
	Containerd__Task__V2__UpdateTaskRequest request;
	Google__Protobuf__Any resources;
	worker_init(&fixture);
	containerd__task__v2__update_task_request__init(&request);
	google__protobuf__any__init(&resources);
	request.id = writable("one");
	ASSERT_EQ(worker_do(&fixture, VERB_UPDATE, "", &request.base), TTRPC_UNIMPLEMENTED);
	fixture.runtime.update = noting;
	ASSERT_EQ(worker_do(&fixture, VERB_UPDATE, "", &request.base), TTRPC_INVALID_ARGUMENT);
	ASSERT_STR(fixture.text, "update spec is missing: invalid argument");
	request.resources = &resources;
	resources.value.data = (uint8_t *)writable("{\"cpu\":{}}");
	resources.value.len = 10;
	ASSERT_EQ(worker_do(&fixture, VERB_UPDATE, "", &request.base), TTRPC_OK);
	ASSERT_STR(worker_seen->json, "{\"cpu\":{}}");
	ASSERT_EQ(worker_seen->called, 1);
	worker_deinit(&fixture);
}

TEST(pause_and_resume)
{
	struct worker_fixture fixture;
	worker_init(&fixture);
	ASSERT_EQ(worker_do(&fixture, VERB_PAUSE, "", NULL), TTRPC_UNIMPLEMENTED);
	ASSERT_EQ(worker_do(&fixture, VERB_RESUME, "", NULL), TTRPC_UNIMPLEMENTED);
	fixture.runtime.pause = noting;
	ASSERT_EQ(worker_do(&fixture, VERB_PAUSE, "", NULL), TTRPC_OK);
	ASSERT_EQ(worker_seen->called, 1);
	fixture.runtime.resume = noting;
	ASSERT_EQ(worker_do(&fixture, VERB_RESUME, "", NULL), TTRPC_OK);
	ASSERT_EQ(worker_seen->called, 2);
	worker_deinit(&fixture);
}

/* ---- the end of a logger ---- */

static void on_term(int number)
{
	(void)number;
	worker_seen->flag = true;
	_exit(3);
}

static pid_t logger(void (*handler)(int))
{
	int ready[2];
	char byte;
	ASSERT_EQ(pipe2(ready, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		signal(SIGTERM, handler);
		ASSERT_EQ(write(ready[1], "", 1), 1);
		sleep_on();
	}
	ASSERT_EQ(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

TEST(logger_is_asked_first)
{
	struct worker_fixture fixture;
	int status;
	worker_init(&fixture);
	fixture.job.logger_pid = logger(on_term);
	ASSERT_EQ(worker_do(&fixture, VERB_END_LOGGER, "", NULL), TTRPC_OK);
	ASSERT(worker_seen->flag);
	ASSERT_EQ(waitpid(fixture.job.logger_pid, &status, WNOHANG), fixture.job.logger_pid);
	ASSERT_EQ(WEXITSTATUS(status), 3);
	/* it has gone, and been reaped */
	ASSERT_EQ(worker_do(&fixture, VERB_END_LOGGER, "", NULL), TTRPC_OK);
	fixture.job.logger_pid = 0;
	ASSERT_EQ(worker_do(&fixture, VERB_END_LOGGER, "", NULL), TTRPC_OK);
	worker_deinit(&fixture);
}

TEST(logger_that_does_not_hear_is_killed)
{
	struct worker_fixture fixture;
	int status;
	worker_init(&fixture);
	fixture.job.logger_pid = logger(SIG_IGN);
	ASSERT_EQ(worker_do(&fixture, VERB_END_LOGGER, "", NULL), TTRPC_OK);
	ASSERT_EQ(waitpid(fixture.job.logger_pid, &status, WNOHANG), fixture.job.logger_pid);
	ASSERT_EQ(WTERMSIG(status), SIGKILL);
	worker_deinit(&fixture);
}
