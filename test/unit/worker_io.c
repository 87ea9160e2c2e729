/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a process's output goes to: terminals, files, logging programs, nowhere. Loggers are shell
 * scripts: /bin/sh with the arguments -c and the script.
 */
#include <sys/ioctl.h>

#include "shim/logger.h"
#include "test/unit/terminal.h"
#include "test/unit/worker_fixture.h"

/* ---- a runtime ---- */

static void speak(void)
{
	if (write(STDOUT_FILENO, "out\n", 4) != 4 || write(STDERR_FILENO, "err\n", 4) != 4)
		_exit(1);
}

static void speak_much(void)
{
	char bytes[4096];
	memset(bytes, 'm', sizeof(bytes));
	for (int i = 0; i < 100; i++)
		if (write(STDOUT_FILENO, bytes, sizeof(bytes)) != sizeof(bytes))
			_exit(1);
}

static int speaking(struct runtime_task *task, pid_t *ret_pid)
{
	worker_note(task);
	return worker_process(task, speak, ret_pid);
}

static int speaking_much(struct runtime_task *task, pid_t *ret_pid)
{
	return worker_process(task, speak_much, ret_pid);
}

static int failing(struct runtime_task *task, pid_t *ret_pid)
{
	(void)ret_pid;
	worker_note(task);
	return runtime_fail(task, RUNTIME_UNKNOWN, "no");
}

/* Sends the master; the process has the terminal for its stdio and says what comes in. */
static int with_terminal(struct runtime_task *task, pid_t *ret_pid)
{
	int master, slave;
	char byte;
	worker_note(task);
	terminal_open(&master, &slave);
	terminal_send(task->console_socket, 1, &master, 1);
	close(master);
	pid_t pid = fork();
	if (pid == 0) {
		task->stdio[0] = task->stdio[1] = task->stdio[2] = slave;
		runtime_child_init(task, slave);
		speak();
		while (read(STDIN_FILENO, &byte, 1) == 1 && byte != 'q')
			if (write(STDOUT_FILENO, &byte, 1) != 1)
				break;
		_exit(0);
	}
	close(slave);
	*ret_pid = worker_seen->pid = pid;
	return 0;
}

static int removing(struct runtime_task *task, bool force)
{
	(void)task;
	worker_seen->removed += force;
	return 0;
}

/* ---- requests ---- */

typedef Containerd__Task__V2__CreateTaskRequest create_request;

static char *writable(const char *text)
{
	return (char *)(uintptr_t)text;
}

static void request_init(create_request *request, const struct worker_fixture *fixture)
{
	containerd__task__v2__create_task_request__init(request);
	request->id = writable("one");
	request->bundle = writable(fixture->bundle);
}

static uint32_t create(struct worker_fixture *fixture, create_request *request)
{
	return worker_do(fixture, VERB_CREATE, "", &request->base);
}

static void begin(struct worker_fixture *fixture, create_request *request,
		  int (*create_fn)(struct runtime_task *task, pid_t *ret_pid))
{
	worker_init(fixture);
	setenv("XDG_RUNTIME_DIR", fixture->root, 1);
	fixture->runtime = (struct runtime){.create = create_fn, .remove = removing};
	request_init(request, fixture);
}

static char *uri(const char *scheme, const char *script)
{
	static char text[4096];
	char *to = text + sprintf(text, "%s:///bin/sh?-c=", scheme);
	for (; *script; script++)
		to += sprintf(to, "%%%02x", (unsigned char)*script);
	return text;
}

static void expect_file(const struct worker_fixture *fixture, const char *name, const char *text)
{
	char got[512] = "";
	int fd = open(worker_file(fixture, name), O_RDONLY | O_CLOEXEC);
	ASSERT(fd >= 0);
	ASSERT(read(fd, got, sizeof(got) - 1) >= 0);
	ASSERT_STR(got, text);
	close(fd);
}

static int wait_for(pid_t pid)
{
	int status;
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	return status;
}

/* Of its streams. */
static uint32_t roles(const struct worker_fixture *fixture)
{
	return fixture->message.report.roles & ~(1u << ROLE_OOM_EVENT | 1u << ROLE_OOM_FILE);
}

/* ---- nowhere, and unknown places ---- */

TEST(no_streams_at_all)
{
	struct worker_fixture fixture;
	create_request request;
	begin(&fixture, &request, speaking);
	ASSERT_EQ(create(&fixture, &request), TTRPC_OK);
	ASSERT_EQ(roles(&fixture), 0);
	ASSERT_EQ(wait_for(worker_seen->pid), 0); /* it could write */
	worker_deinit(&fixture);
}

TEST(one_stream_of_two)
{
	struct worker_fixture fixture;
	create_request request;
	begin(&fixture, &request, speaking);
	int error = worker_fifo(&fixture, "err");
	request.stderr = writable(worker_file(&fixture, "err"));
	ASSERT_EQ(create(&fixture, &request), TTRPC_OK);
	ASSERT_EQ(roles(&fixture),
		  1u << ROLE_STDERR_SOURCE | 1u << ROLE_STDERR_SINK | 1u << ROLE_STDERR_KEEPER);
	worker_expect(fixture.message.fds[ROLE_STDERR_SOURCE], "err\n");
	ASSERT_EQ(wait_for(worker_seen->pid), 0);
	close(error);
	worker_deinit(&fixture);
}

TEST(fifo_scheme_is_a_path)
{
	struct worker_fixture fixture;
	create_request request;
	char path[160];
	begin(&fixture, &request, speaking);
	int output = worker_fifo(&fixture, "out");
	snprintf(path, sizeof(path), "fifo://%s", worker_file(&fixture, "out"));
	request.stdout = path;
	ASSERT_EQ(create(&fixture, &request), TTRPC_OK);
	worker_expect(fixture.message.fds[ROLE_STDOUT_SOURCE], "out\n");
	close(output);
	worker_deinit(&fixture);
}

TEST(unknown_scheme)
{
	struct worker_fixture fixture;
	create_request request;
	begin(&fixture, &request, speaking);
	request.stdout = writable("pipe:///x");
	ASSERT_EQ(create(&fixture, &request), TTRPC_UNKNOWN);
	ASSERT_STR(fixture.text, "unknown STDIO scheme pipe");
	request.stdout = writable("fifoo:///x");
	ASSERT_EQ(create(&fixture, &request), TTRPC_UNKNOWN);
	ASSERT_STR(fixture.text, "unknown STDIO scheme fifoo");
	ASSERT_EQ(worker_seen->called, 0);
	worker_deinit(&fixture);
}

/* ---- files ---- */

TEST(file_gets_both_outputs)
{
	struct worker_fixture fixture;
	create_request request;
	struct stat file, folder;
	char path[200];
	begin(&fixture, &request, speaking);
	umask(0);
	snprintf(path, sizeof(path), "file://%s", worker_file(&fixture, "a/b%20c/log%2etxt"));
	request.stdout = path;
	request.stderr = writable("/nowhere/at/all");
	ASSERT_EQ(create(&fixture, &request), TTRPC_OK);
	const int *fds = fixture.message.fds;
	ASSERT_EQ(roles(&fixture), 1u << ROLE_STDOUT_SOURCE | 1u << ROLE_STDOUT_SINK |
					   1u << ROLE_STDERR_SOURCE | 1u << ROLE_STDERR_SINK);
	worker_expect(fds[ROLE_STDOUT_SOURCE], "out\n");
	worker_expect(fds[ROLE_STDERR_SOURCE], "err\n");
	ASSERT_EQ(write(fds[ROLE_STDOUT_SINK], "1", 1), 1);
	ASSERT_EQ(write(fds[ROLE_STDERR_SINK], "2", 1), 1);
	ASSERT_EQ(write(fds[ROLE_STDOUT_SINK], "3", 1), 1);
	expect_file(&fixture, "a/b c/log.txt", "123");
	ASSERT_EQ(stat(worker_file(&fixture, "a/b c/log.txt"), &file), 0);
	ASSERT_EQ(stat(worker_file(&fixture, "a/b c"), &folder), 0);
	ASSERT_EQ(file.st_mode & 07777, 0644);
	ASSERT_EQ(folder.st_mode & 07777, 0755);
	/* a second process adds to it */
	ASSERT_EQ(create(&fixture, &request), TTRPC_OK);
	ASSERT_EQ(write(fds[ROLE_STDERR_SINK], "4", 1), 1);
	expect_file(&fixture, "a/b c/log.txt", "1234");
	worker_deinit(&fixture);
}

TEST(file_that_cannot_be)
{
	struct worker_fixture fixture;
	create_request request;
	char path[200];
	begin(&fixture, &request, speaking);
	close(worker_fifo(&fixture, "fifo"));
	snprintf(path, sizeof(path), "file://%s", worker_file(&fixture, "fifo/log"));
	request.stdout = path;
	ASSERT_EQ(create(&fixture, &request), TTRPC_UNKNOWN);
	ASSERT(strstr(fixture.text, "not a directory"));
	request.stdout = writable("file:///a%zz");
	ASSERT_EQ(create(&fixture, &request), TTRPC_UNKNOWN);
	ASSERT_STR(fixture.text, "unable to parse stdout uri file:///a%zz");
	request.stdout = writable("file:///a%00b");
	ASSERT_EQ(create(&fixture, &request), TTRPC_UNKNOWN);
	ASSERT_EQ(worker_seen->called, 0);
	worker_deinit(&fixture);
}

/* ---- loggers ---- */

/* What it is given: arguments, environment, descriptors; and that it sees the end of both pipes. */
TEST(logger_gets_all_that_it_is_promised)
{
	struct worker_fixture fixture;
	create_request request;
	char script[512];
	begin(&fixture, &request, speaking);
	/* $0 and $1 are the query's second pair; a query's plus sign is a space */
	snprintf(script, sizeof(script),
		 "cd %s; for n in $(seq 0 30); do [ -e /proc/$$/fd/$n ] && fds=$fds$n; done; "
		 "echo $fds >descriptors; echo \"$0 $1\" >arguments; "
		 "tr '\\0' '\\n' </proc/$$/environ >environment; exec 5>&-; cat <&3 >out; cat <&4 "
		 ">err",
		 fixture.root);
	request.stdout = strcat(uri("binary", script), "&key=a+%26b&-c=again&c;d=e&%zz=x&last");
	ASSERT_EQ(create(&fixture, &request), TTRPC_OK);
	ASSERT_EQ(roles(&fixture), 0);
	ASSERT(fixture.message.report.logger_pid > 0);
	ASSERT_EQ(wait_for(worker_seen->pid), 0);
	ASSERT_EQ(wait_for(fixture.message.report.logger_pid), 0);
	expect_file(&fixture, "out", "out\n");
	expect_file(&fixture, "err", "err\n");
	expect_file(&fixture, "arguments", "key a &b\n");
	expect_file(&fixture, "environment", "CONTAINER_ID=one\nCONTAINER_NAMESPACE=ns\n");
	expect_file(&fixture, "descriptors", "012345\n");
	worker_deinit(&fixture);
}

/* The process has exited and the worker too, long before the last byte was read. */
TEST(slow_logger_loses_nothing)
{
	struct worker_fixture fixture;
	create_request request;
	char script[256];
	struct stat file;
	begin(&fixture, &request, speaking_much);
	snprintf(
		script, sizeof(script),
		"echo ready >&5; exec 5>&-; sleep 0.2; dd bs=1000 count=1 <&3 >%s/out 2>/dev/null; "
		"sleep 0.1; cat <&3 >>%s/out",
		fixture.root, fixture.root);
	request.stdout = uri("binary-v2", script);
	ASSERT_EQ(create(&fixture, &request), TTRPC_OK);
	ASSERT_EQ(wait_for(worker_seen->pid), 0);
	ASSERT_EQ(wait_for(fixture.message.report.logger_pid), 0);
	ASSERT_EQ(stat(worker_file(&fixture, "out"), &file), 0);
	ASSERT_EQ(file.st_size, 100 * 4096);
	worker_deinit(&fixture);
}

TEST(logger_that_crashes)
{
	struct worker_fixture fixture;
	create_request request;
	begin(&fixture, &request, speaking);
	request.stdout = uri("binary-v2", "exit 1");
	ASSERT_EQ(create(&fixture, &request), TTRPC_UNKNOWN);
	ASSERT_STR(fixture.text, "logging binary did not call ready (it may have crashed or exited "
				 "prematurely)");
	ASSERT_EQ(worker_seen->called, 0);
	ASSERT_EQ(fixture.message.report.logger_pid, 0);
	/* the older protocol can't tell that from being ready */
	request.stdout = uri("binary", "exit 1");
	ASSERT_EQ(create(&fixture, &request), TTRPC_OK);
	worker_deinit(&fixture);
}

TEST(logger_that_is_not_there)
{
	struct worker_fixture fixture;
	create_request request;
	begin(&fixture, &request, speaking);
	request.stdout = writable("binary:///no/such/program?a=b");
	ASSERT_EQ(create(&fixture, &request), TTRPC_UNKNOWN);
	ASSERT_STR(fixture.text, "failed to start binary process: fork/exec /no/such/program: no "
				 "such file or directory");
	request.stdout = writable("binary://host-only");
	ASSERT_EQ(create(&fixture, &request), TTRPC_UNKNOWN);
	ASSERT_EQ(worker_seen->called, 0);
	worker_deinit(&fixture);
}

static _Noreturn void start_hanging_logger(void)
{
	struct logger logger = LOGGER_NULL;
	struct failure failure;
	const struct shim_config config = {.namespace_ = "ns"};
	const struct verb verb = {.type = VERB_CREATE, .tag = 7, .id = "one"};
	int reports[2];
	ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, reports), 0);
	const struct job job = {.config = &config, .verb = &verb, .report_fd = reports[1]};
	ASSERT_EQ(logger_start(&job, uri("binary-v2", "trap '' TERM; exec sleep 1000"), 1, &logger,
			       &failure),
		  FAILURE_REFUSED);
	ASSERT_STR(failure.text, "logging binary did not call ready within 1 s: context deadline "
				 "exceeded");
	ASSERT_EQ(logger.pid, 0);
	ASSERT_EQ(waitpid(-1, NULL, WNOHANG), -1); /* it has been reaped */
	ASSERT_EQ(errno, ECHILD);
	_exit(0);
}

TEST(logger_that_hangs_is_killed)
{
	pid_t worker = fork();
	if (worker == 0)
		start_hanging_logger();
	ASSERT_EQ(wait_for(worker), 0);
}

TEST(logger_goes_with_a_create_that_fails)
{
	struct worker_fixture fixture;
	create_request request;
	char script[128];
	begin(&fixture, &request, failing);
	snprintf(script, sizeof(script),
		 "echo $$ >%s/pid; exec 5>&-; trap '' TERM; exec sleep 1000", fixture.root);
	request.stdout = uri("binary", script);
	ASSERT_EQ(create(&fixture, &request), TTRPC_UNKNOWN);
	ASSERT_EQ(worker_seen->called, 1);
	ASSERT_EQ(worker_seen->removed, 1);
	ASSERT_EQ(fixture.message.report.logger_pid, 0);
	FILE *file = fopen(worker_file(&fixture, "pid"), "re");
	int pid = 0;
	ASSERT_EQ(fscanf(file, "%d", &pid), 1);
	fclose(file);
	ASSERT_EQ(kill(pid, 0), -1);
	worker_deinit(&fixture);
}

/* ---- terminals ---- */

TEST(terminal_with_input_and_output)
{
	struct worker_fixture fixture;
	create_request request;
	struct winsize size = {.ws_row = 11, .ws_col = 22}, got;
	begin(&fixture, &request, with_terminal);
	int output = worker_fifo(&fixture, "out");
	ASSERT_EQ(mkfifo(worker_file(&fixture, "in"), 0600), 0);
	request.terminal = true;
	request.stdin = writable(worker_file(&fixture, "in"));
	request.stdout = writable(worker_file(&fixture, "out"));
	request.stderr = writable("/nowhere/at/all"); /* unused */
	ASSERT_EQ(create(&fixture, &request), TTRPC_OK);
	const int *fds = fixture.message.fds;
	/* that of input is opened by start */
	ASSERT_EQ(roles(&fixture), 1u << ROLE_CONSOLE | 1u << ROLE_STDIN_SINK |
					   1u << ROLE_STDOUT_SOURCE | 1u << ROLE_STDOUT_SINK |
					   1u << ROLE_STDOUT_KEEPER);
	ASSERT_EQ(access(worker_seen->console, F_OK), -1);
	worker_expect(fds[ROLE_STDOUT_SOURCE], "out\nerr\n");
	ASSERT_EQ(write(fds[ROLE_STDIN_SINK], "hi", 2), 2);
	worker_expect(fds[ROLE_STDOUT_SOURCE], "hi");
	ASSERT_EQ(ioctl(fds[ROLE_CONSOLE], TIOCSWINSZ, &size), 0);
	ASSERT_EQ(ioctl(fds[ROLE_STDIN_SINK], TIOCGWINSZ, &got), 0);
	ASSERT_EQ(got.ws_col, 22);
	ASSERT_EQ(write(fds[ROLE_STDOUT_SINK], "x", 1), 1);
	worker_expect(output, "x");
	ASSERT_EQ(write(fds[ROLE_STDIN_SINK], "q", 1), 1);
	ASSERT_EQ(wait_for(worker_seen->pid), 0);
	close(output);
	worker_deinit(&fixture);
}

/* Nobody wants its output; it is drained all the same. */
TEST(terminal_without_output)
{
	struct worker_fixture fixture;
	create_request request;
	begin(&fixture, &request, with_terminal);
	request.terminal = true;
	ASSERT_EQ(create(&fixture, &request), TTRPC_OK);
	ASSERT_EQ(roles(&fixture),
		  1u << ROLE_CONSOLE | 1u << ROLE_STDOUT_SOURCE | 1u << ROLE_STDOUT_SINK);
	ASSERT_EQ(write(fixture.message.fds[ROLE_STDOUT_SINK], "x", 1), 1);
	ASSERT_EQ(write(fixture.message.fds[ROLE_CONSOLE], "q", 1), 1);
	ASSERT_EQ(wait_for(worker_seen->pid), 0);
	worker_deinit(&fixture);
}

TEST(terminal_with_a_logger)
{
	struct worker_fixture fixture;
	create_request request;
	char script[256];
	begin(&fixture, &request, with_terminal);
	snprintf(script, sizeof(script), "exec 5>&-; cat <&4 >%s/err; cat <&3 >%s/out",
		 fixture.root, fixture.root);
	request.terminal = true;
	request.stdout = uri("binary", script);
	ASSERT_EQ(create(&fixture, &request), TTRPC_OK);
	int *fds = fixture.message.fds;
	ASSERT_EQ(roles(&fixture),
		  1u << ROLE_CONSOLE | 1u << ROLE_STDOUT_SOURCE | 1u << ROLE_STDOUT_SINK);
	ASSERT(fcntl(fds[ROLE_STDOUT_SINK], F_GETFL) & O_NONBLOCK);
	ASSERT_EQ(write(fds[ROLE_STDOUT_SINK], "pumped", 6), 6);
	close(fds[ROLE_STDOUT_SINK]);
	fds[ROLE_STDOUT_SINK] = -1;
	ASSERT_EQ(wait_for(fixture.message.report.logger_pid), 0);
	expect_file(&fixture, "out", "pumped");
	ASSERT_EQ(write(fds[ROLE_CONSOLE], "q", 1), 1);
	ASSERT_EQ(wait_for(worker_seen->pid), 0);
	worker_deinit(&fixture);
}

TEST(terminal_goes_with_a_create_that_fails)
{
	struct worker_fixture fixture;
	create_request request;
	begin(&fixture, &request, failing);
	request.terminal = true;
	ASSERT_EQ(create(&fixture, &request), TTRPC_UNKNOWN);
	ASSERT_STR(fixture.text, "no");
	ASSERT(*worker_seen->console);
	ASSERT_EQ(access(worker_seen->console, F_OK), -1);
	worker_deinit(&fixture);
}
