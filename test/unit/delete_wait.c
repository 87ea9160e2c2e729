/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verb `delete` beside an operation on its container that has not ended: whose shim was killed
 * a moment ago, or hangs in a shim that lives on.
 */
#include <sys/file.h>
#include <time.h>

#include "test/unit/program.h"

#define NAME "io.containerd.test.v2"
#define LINE "shim -namespace ns -id one -address /nowhere.sock delete"

/* Notes whether the operation had ended. */
static int remove_note(struct runtime_task *task, bool force)
{
	(void)task;
	(void)force;
	const char *name = access("ended", F_OK) == 0 ? "after" : "beside";
	close(open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	return 0;
}

static const struct runtime noting = {.name = NAME, .remove = remove_note};

static void milliseconds_wait(long n)
{
	nanosleep(&(const struct timespec){.tv_sec = n / 1000, .tv_nsec = n % 1000 * 1000000},
		  NULL);
}

/* Holds the bundle as a worker does, for so long; returns when it does. */
static pid_t worker(long milliseconds)
{
	int ready[2];
	char byte;
	ASSERT_EQ(pipe2(ready, O_CLOEXEC), 0);
	pid_t pid = fork();
	ASSERT(pid >= 0);
	if (pid == 0) {
		int fd = open(program_path("one"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (flock(fd, LOCK_SH) < 0 || write(ready[1], "", 1) != 1)
			_exit(1);
		milliseconds_wait(milliseconds);
		program_file("one/ended", "");
		_exit(0);
	}
	close(ready[1]);
	ASSERT_EQ(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void prepare(struct program *program)
{
	*program = (struct program){.runtime = &noting, .cwd = "one"};
	program_prepare();
	program_bundle("one", "{}");
}

TEST(operation_that_ends)
{
	struct program program;

	prepare(&program);
	pid_t pid = worker(200);
	program_run(&program, LINE);
	ASSERT_EQ(program.status, 0);
	ASSERT_STR(program.err, "");
	ASSERT(program_exists("one/after"));
	ASSERT_EQ(waitpid(pid, NULL, 0), pid);
	program_clean();
}

TEST(operation_that_hangs)
{
	struct program program;

	prepare(&program);
	pid_t pid = worker(60000);
	program_run(&program, LINE);
	ASSERT_EQ(program.status, 0);
	ASSERT(strstr(program.err,
		      "level=warning msg=\"an operation on the container does not end\""));
	ASSERT(program_exists("one/beside"));
	ASSERT_EQ(kill(pid, SIGKILL), 0);
	ASSERT_EQ(waitpid(pid, NULL, 0), pid);
	program_clean();
}
