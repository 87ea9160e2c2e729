/* SPDX-License-Identifier: Apache-2.0 */
/* Signals: who sends them, to whom, and what is told of those that have ended. */
#include <signal.h>

#include "test/unit/runc_fixture.h"

#define FINISHED "process already finished: not found"

static pid_t sleeper(void)
{
	pid_t pid = fork();

	ASSERT(pid >= 0);
	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

static int ended_by(pid_t pid)
{
	int status;

	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	ASSERT(WIFSIGNALED(status));
	return WTERMSIG(status);
}

static void failed(int signal, bool all, enum runtime_code code, const char *text)
{
	fixture_shared->signal = signal;
	fixture_shared->all = all;
	fixture_failed(fixture_kill, code, text);
}

static const char *const known[] = {"runc", "crun"};

TEST(init_of_runc_and_crun)
{
	for (size_t i = 0; i < 2; i++) {
		fixture_begin(known[i], "");
		fixture_task.pid = sleeper();
		ASSERT_EQ(fixture_send_signal(0, false), 0);
		ASSERT_EQ(fixture_send_signal(SIGUSR1, false), 0);
		ASSERT_EQ(ended_by(fixture_task.pid), SIGUSR1);
		failed(SIGUSR1, false, RUNTIME_NOT_FOUND, FINISHED); /* the pid is nobody's now */
		fixture_task.pid = 0;
		failed(SIGKILL, false, RUNTIME_NOT_FOUND, FINISHED);
		failed(0, false, RUNTIME_NOT_FOUND, FINISHED);
		ASSERT(!fixture_exists("argv"));
		fixture_end();
	}
}

/* One that has ended and was not waited for is there still, as for runc. */
TEST(init_that_is_a_zombie)
{
	siginfo_t info;

	fixture_begin("runc", "");
	fixture_task.pid = sleeper();
	ASSERT_EQ(fixture_send_signal(SIGKILL, false), 0);
	ASSERT_EQ(waitid(P_PID, (id_t)fixture_task.pid, &info, WEXITED | WNOWAIT), 0);
	ASSERT_EQ(fixture_send_signal(SIGKILL, false), 0);
	ASSERT_EQ(ended_by(fixture_task.pid), SIGKILL);
	fixture_end();
}

/* With `all` too; and no runtime is asked, whichever it is. */
TEST(exec)
{
	fixture_begin("other", "");
	fixture_task.exec_id = "e1";
	fixture_task.pid = sleeper();
	ASSERT_EQ(fixture_send_signal(0, false), 0);
	ASSERT_EQ(fixture_send_signal(SIGTERM, true), 0);
	ASSERT_EQ(ended_by(fixture_task.pid), SIGTERM);
	failed(SIGTERM, false, RUNTIME_NOT_FOUND, FINISHED);
	fixture_task.pid = 0;
	failed(SIGTERM, false, RUNTIME_NOT_FOUND, FINISHED);
	ASSERT(!fixture_exists("argv"));
	fixture_end();
}

TEST(exec_that_may_not_be_killed)
{
	if (getuid() != 0)
		SKIP("only root can become another user");
	fixture_begin("runc", "");
	fixture_task.exec_id = "e1";
	fixture_task.pid = sleeper();
	pid_t pid = fork();
	if (pid == 0) {
		ASSERT_EQ(setuid(1000), 0);
		ASSERT(runc_kill(&fixture_task, SIGKILL, false) < 0);
		_exit(0);
	}
	ASSERT_EQ(waitpid(pid, NULL, 0), pid);
	ASSERT_EQ(fixture_task.error_code, RUNTIME_UNKNOWN);
	ASSERT_STR(fixture_task.error,
		   "exec kill error: unknown error after kill: operation not permitted");
	ASSERT_EQ(kill(fixture_task.pid, SIGKILL), 0);
	ASSERT_EQ(ended_by(fixture_task.pid), SIGKILL);
	fixture_end();
}

/* Its pid may stand for something else: it is asked, with the number. */
TEST(init_of_another_runtime)
{
	fixture_begin("other", "");
	fixture_task.pid = sleeper();
	ASSERT_EQ(fixture_send_signal(SIGTERM, false), 0);
	fixture_expect_words("kill one 15");
	ASSERT_EQ(fixture_send_signal(0, false), 0);
	fixture_expect_words("kill one 0");
	ASSERT_EQ(kill(fixture_task.pid, SIGKILL), 0);
	ASSERT_EQ(ended_by(fixture_task.pid), SIGKILL);
	fixture_end();
}

TEST(all_processes)
{
	fixture_begin("runc", "");
	fixture_task.pid = 0; /* also when the init has ended: others may live on */
	ASSERT_EQ(fixture_send_signal(SIGKILL, true), 0);
	fixture_expect_words("kill --all one 9");
	fixture_end();
}

static const struct {
	const char *printed;
	enum runtime_code code;
	const char *text;
} answers[] = {
	{"container not running", RUNTIME_NOT_FOUND, FINISHED},
	{"kill container: No such process", RUNTIME_NOT_FOUND, FINISHED},
	{"container `one` is not running", RUNTIME_NOT_FOUND, FINISHED},
	{"os: process already finished", RUNTIME_NOT_FOUND, FINISHED},
	{"container does not exist", RUNTIME_NOT_FOUND, "no such container: not found"},
	{"something else", RUNTIME_UNKNOWN, NULL},
};

TEST(answers_of_runtimes)
{
	char script[128], text[256];

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		snprintf(script, sizeof(script), "echo '%s' >&2; exit 1", answers[i].printed);
		fixture_begin("other", script);
		snprintf(text, sizeof(text),
			 "unknown error after kill: %s/other did not terminate successfully: exit "
			 "status 1: something else",
			 fixture_top);
		failed(SIGTERM, false, answers[i].code, answers[i].text ? answers[i].text : text);
		fixture_end();
	}
}

TEST(numbers_that_are_none)
{
	fixture_begin("other", "");
	failed(65, false, RUNTIME_INVALID_ARGUMENT, "signal 65 is none: invalid argument");
	failed(-1, true, RUNTIME_INVALID_ARGUMENT, "signal -1 is none: invalid argument");
	ASSERT(!fixture_exists("argv"));
	fixture_end();
}
