/* SPDX-License-Identifier: Apache-2.0 */
/* Whose processes a worker believes to be the runtime's, also while they end. */
#include "shim/worker_process.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/test.h"

#define ROUNDS 150

static struct runtime_task task;

static pid_t sleeper(void)
{
	pid_t pid = fork();

	ASSERT(pid >= 0);
	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

static void end(pid_t pid)
{
	ASSERT_EQ(kill(pid, SIGKILL), 0);
	ASSERT_EQ(waitpid(pid, NULL, 0), pid);
}

/* In a worker, whose parent is the monitor. */
static void in_worker(void (*body)(pid_t), pid_t pid)
{
	int status;
	pid_t worker = fork();

	ASSERT(worker >= 0);
	if (worker == 0) {
		body(pid);
		_exit(0);
	}
	ASSERT_EQ(waitpid(worker, &status, 0), worker);
	ASSERT_EQ(status, 0);
}

static void believe(pid_t pid)
{
	ASSERT_EQ(worker_process_check(&task, pid), 0);
}

static void doubt(pid_t pid)
{
	ASSERT(worker_process_check(&task, pid) < 0);
	ASSERT_EQ(task.error_code, RUNTIME_UNKNOWN);
	ASSERT_EQ(strncmp(task.error, "the runtime made no process with pid ", 37), 0);
}

TEST(children_of_the_monitor)
{
	pid_t pid = sleeper();

	in_worker(believe, pid);
	end(pid);
	in_worker(believe, pid); /* reaped: the monitor knows how it ended */
}

TEST(strangers)
{
	in_worker(doubt, 0);
	in_worker(doubt, -1);
	in_worker(doubt, 1);
	in_worker(doubt, getpid());  /* the monitor itself */
	in_worker(doubt, getppid()); /* and what it comes from */
}

/* Looks at it without a break, until it is gone. */
static void believe_to_the_end(pid_t pid)
{
	while (kill(pid, 0) == 0)
		believe(pid);
}

TEST(believed_while_it_is_reaped)
{
	for (int i = 0; i < ROUNDS; i++) {
		pid_t pid = sleeper(), worker = fork();
		int status;

		ASSERT(worker >= 0);
		if (worker == 0) {
			believe_to_the_end(pid);
			_exit(0);
		}
		usleep(100);
		end(pid);
		ASSERT_EQ(waitpid(worker, &status, 0), worker);
		ASSERT_EQ(status, 0);
	}
}
