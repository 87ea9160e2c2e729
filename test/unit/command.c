/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs run through command_run(), mostly /bin/sh: what they get (descriptors, signals,
 * environment, folder, life span), what comes back (status, output), and the words for those that can't
 * be run, which clients look for.
 */
#include "shim/command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/test.h"

static struct failure failure;

static int run(struct command *command, const char *const *argv, struct command_result *ret_result)
{
	command->argv = argv;
	return command_run(command, ret_result, &failure);
}

/* Runs a shell's script with its output captured. */
static struct command_result shell(const char *script)
{
	const char *const argv[] = {"/bin/sh", "-c", script, NULL};
	struct command command = COMMAND_NULL;
	struct command_result result;

	command.capture = true;
	ASSERT_EQ(run(&command, argv, &result), 0);
	return result;
}

static void refused(const char *program, const char *text)
{
	const char *const argv[] = {program, NULL};
	struct command command = COMMAND_NULL;
	struct command_result result = COMMAND_RESULT_NULL;

	ASSERT_EQ(run(&command, argv, &result), FAILURE_REFUSED);
	ASSERT_STR(failure.text, text);
	ASSERT(!result.output);
}

TEST(status_and_signal)
{
	struct command_result result = shell("exit 7");

	ASSERT_EQ(command_exit_code(&result), 7);
	command_result_deinit(&result);
	result = shell("kill -KILL $$");
	ASSERT(WIFSIGNALED(result.status));
	ASSERT_EQ(command_exit_code(&result), 137);
	command_result_deinit(&result);
}

TEST(output_of_both_in_order)
{
	struct command_result result = shell("echo one; echo two >&2; echo three");

	ASSERT_STR(result.output, "one\ntwo\nthree\n");
	ASSERT_EQ(result.output_size, 14);
	ASSERT(!result.output_cut);
	command_result_deinit(&result);
}

TEST(output_is_bounded)
{
	struct command_result result = shell("yes 0123456789abcde | head -c 3000000; echo end >&2");

	ASSERT_EQ(result.status, 0);
	ASSERT_EQ(result.output_size, COMMAND_OUTPUT_MAX);
	ASSERT(result.output_cut);
	ASSERT_EQ(strlen(result.output), COMMAND_OUTPUT_MAX);
	command_result_deinit(&result);
}

/* What stays behind holds the pipe, but its parent has ended: that is enough. */
TEST(left_behind_does_not_delay)
{
	struct command_result result = shell("sleep 1000 & echo $!");
	pid_t left = (pid_t)strtol(result.output, NULL, 10);

	ASSERT(left > 1);
	ASSERT_EQ(result.status, 0);
	ASSERT_EQ(kill(left, SIGKILL), 0);
	command_result_deinit(&result);
}

/* Nor if it prints for ever: until nobody reads it, that is. */
TEST(left_behind_prints_on)
{
	struct command_result result =
		shell("trap 'exit 0' USR1;"
		      "while yes | head -c 3000000; do kill -USR1 $$; done 2>/dev/null & wait");

	ASSERT_EQ(result.status, 0);
	ASSERT(result.output_cut);
	ASSERT_EQ(result.output_size, COMMAND_OUTPUT_MAX);
	command_result_deinit(&result);
}

TEST(output_without_the_error)
{
	const char *const argv[] = {"/bin/sh", "-c", "echo out; echo err >&2", NULL};
	struct command command = COMMAND_NULL;
	struct command_result result;

	command.capture = true;
	command.output_only = true;
	ASSERT_EQ(run(&command, argv, &result), 0);
	ASSERT_STR(result.output, "out\n");
	command_result_deinit(&result);
}

TEST(input_bytes)
{
	const char *const argv[] = {"/bin/cat", NULL};
	struct command command = COMMAND_NULL;
	struct command_result result;
	char *bytes = malloc(300000);

	memset(bytes, 'x', 300000);
	command.capture = true;
	command.input = bytes;
	command.input_size = 300000;
	ASSERT_EQ(run(&command, argv, &result), 0);
	ASSERT_EQ(result.output_size, 300000);
	ASSERT_MEM(result.output, bytes, 300000);
	command_result_deinit(&result);
	free(bytes);
}

TEST(stdio_is_null_by_default)
{
	const char *const argv[] = {"/bin/sh", "-c", "cat && echo gone", NULL};
	struct command command = COMMAND_NULL;
	struct command_result result;

	ASSERT_EQ(run(&command, argv, &result), 0);
	ASSERT_EQ(result.status, 0);
	ASSERT_STR(result.output, "");
	command_result_deinit(&result);
}

/* 1 and 2 stand for each other: copied one after the other they would be the same. */
TEST(stdio_may_cross)
{
	const char *const argv[] = {"/bin/sh", "-c", "echo out; echo err >&2", NULL};
	struct command command = COMMAND_NULL;
	struct command_result result;
	int out[2], err[2], saved[2] = {dup(1), dup(2)}, status;
	char buffer[16] = {0};

	ASSERT_EQ(pipe2(out, O_CLOEXEC) | pipe2(err, O_CLOEXEC), 0);
	dup2(out[1], 1);
	dup2(err[1], 2);
	command.stdio[1] = 2;
	command.stdio[2] = 1;
	status = run(&command, argv, &result);
	dup2(saved[0], 1);
	dup2(saved[1], 2);
	ASSERT_EQ(status, 0);
	ASSERT_EQ(read(err[0], buffer, sizeof(buffer)), 4);
	ASSERT_STR(buffer, "out\n");
	ASSERT_EQ(read(out[0], buffer, sizeof(buffer)), 4);
	ASSERT_STR(buffer, "err\n");
	command_result_deinit(&result);
	for (int i = 0; i < 2; i++) {
		close(out[i]);
		close(err[i]);
		close(saved[i]);
	}
}

TEST(no_other_descriptor)
{
	int leak = open("/dev/null", O_RDONLY);
	struct command_result result = shell("ls /proc/self/fd | tr '\\n' ' '");

	/* 3 is the folder that ls reads. */
	ASSERT_STR(result.output, "0 1 2 3 ");
	command_result_deinit(&result);
	close(leak);
}

static void no_handler(int signal)
{
	(void)signal;
}

/*
 * Those of /proc/self/status that sigaction(2) can change. 32 and 33 are the C library's own: glibc's
 * posix_spawn ignores them in its child, make's test among them, and no library lets them be set back.
 */
#define OWN_SIGNALS (~(UINT64_C(3) << 31))

static uint64_t signals_in(const char *status, const char *name)
{
	const char *at = strstr(status, name);

	ASSERT(at);
	return strtoull(at + strlen(name), NULL, 16) & OWN_SIGNALS;
}

TEST(signals_are_default)
{
	struct sigaction handled = {.sa_handler = no_handler};
	struct command_result result;
	sigset_t blocked, after;

	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGUSR1, &handled, NULL);
	sigfillset(&blocked);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	result = shell("grep -E '^Sig(Blk|Ign):' /proc/self/status");
	ASSERT_EQ(signals_in(result.output, "SigBlk:"), 0);
	ASSERT_EQ(signals_in(result.output, "SigIgn:"), 0);
	command_result_deinit(&result);
	sigprocmask(SIG_SETMASK, NULL, &after);
	ASSERT_EQ(sigismember(&after, SIGTERM), 1);
}

TEST(environment_and_folder)
{
	const char *const argv[] = {"/bin/sh", "-c", "echo $MOTE_TEST,${NOTIFY_SOCKET-none},$PWD",
				    NULL};
	struct command command = COMMAND_NULL;
	struct command_result result;

	setenv("MOTE_TEST", "kept", 1);
	setenv("NOTIFY_SOCKET", "/run/x", 1);
	command.capture = true;
	command.cwd = "/proc";
	ASSERT_EQ(run(&command, argv, &result), 0);
	ASSERT_STR(result.output, "kept,none,/proc\n");
	command_result_deinit(&result);
}

TEST(looked_up_in_path)
{
	const char *const argv[] = {"true", NULL};
	struct command command = COMMAND_NULL;
	struct command_result result;

	setenv("PATH", "/nowhere:/usr/bin:/bin", 1);
	ASSERT_EQ(run(&command, argv, &result), 0);
	ASSERT_EQ(result.status, 0);
	command_result_deinit(&result);
}

TEST(not_found_in_path)
{
	setenv("PATH", "/nowhere:/usr/bin:/bin", 1);
	refused("no-runc", "exec: \"no-runc\": executable file not found in $PATH");
	unsetenv("PATH");
	refused("true", "exec: \"true\": executable file not found in $PATH");
	setenv("PATH", "/usr", 1);
	refused("bin", "exec: \"bin\": executable file not found in $PATH");
	refused("", "exec: \"\": executable file not found in $PATH");
}

TEST(relative_path_is_refused)
{
	char folder[] = "/tmp/mote-command-XXXXXX";
	int fd;

	ASSERT(mkdtemp(folder));
	ASSERT_EQ(chdir(folder), 0);
	fd = open("tool", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	close(fd);
	setenv("PATH", ":/usr/bin", 1);
	refused("tool",
		"exec: \"tool\": cannot run executable found relative to current directory");
	unlink("tool");
	rmdir(folder);
}

TEST(path_with_slash_as_go_says_it)
{
	refused("/no/such", "fork/exec /no/such: no such file or directory");
	refused("/etc/passwd", "fork/exec /etc/passwd: permission denied");
	refused("/etc", "fork/exec /etc: permission denied");
}

TEST(not_a_program)
{
	char path[] = "/tmp/mote-command-XXXXXX", text[128];
	int fd = mkstemp(path);

	ASSERT_EQ(write(fd, "garbage\n", 8), 8);
	fchmod(fd, 0755);
	close(fd);
	snprintf(text, sizeof(text), "fork/exec %s: exec format error", path);
	refused(path, text);
	unlink(path);
}

TEST(folder_that_is_not)
{
	const char *const argv[] = {"/bin/true", NULL};
	struct command command = COMMAND_NULL;
	struct command_result result;

	command.cwd = "/no/such";
	ASSERT_EQ(run(&command, argv, &result), FAILURE_REFUSED);
	ASSERT_STR(failure.text, "chdir /no/such: no such file or directory");
}

/* Another child that ends first must not be taken for the program. */
TEST(waits_for_its_own_child_only)
{
	pid_t other = fork();
	struct command_result result;
	int status;

	if (other == 0)
		_exit(3);
	result = shell("exit 4");
	ASSERT_EQ(command_exit_code(&result), 4);
	ASSERT_EQ(waitpid(other, &status, 0), other);
	ASSERT_EQ(WEXITSTATUS(status), 3);
	command_result_deinit(&result);
}

TEST(dies_with_its_caller)
{
	struct pollfd end = {.events = POLLIN};
	int pipe_fds[2];
	char byte;
	pid_t caller;

	ASSERT_EQ(pipe2(pipe_fds, O_CLOEXEC), 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	caller = fork();
	if (caller == 0) {
		const char *const argv[] = {"/bin/sh", "-c", "echo; exec sleep 1000", NULL};
		struct command command = COMMAND_NULL;
		struct command_result result;

		command.stdio[1] = pipe_fds[1];
		_exit(run(&command, argv, &result) == 0);
	}
	close(pipe_fds[1]);
	ASSERT_EQ(read(pipe_fds[0], &byte, 1), 1);
	kill(caller, SIGKILL);
	end.fd = pipe_fds[0];
	ASSERT_EQ(poll(&end, 1, 5000), 1);
	ASSERT_EQ(read(pipe_fds[0], &byte, 1), 0);
	close(pipe_fds[0]);
	while (wait(NULL) > 0)
		;
}
