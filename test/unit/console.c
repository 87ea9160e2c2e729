/* SPDX-License-Identifier: Apache-2.0 */
/* A console socket: one terminal comes through it, nothing else does, and nothing is left of it. */
#include "shim/console.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "test/unit/terminal.h"

static char folder[] = "/tmp/mote-console-XXXXXX";
static struct failure failure;

static void begin(struct console *console)
{
	ASSERT(mkdtemp(folder));
	setenv("XDG_RUNTIME_DIR", folder, 1);
	ASSERT_EQ(console_open(console, &failure), 0);
	ASSERT_MEM(console->path, folder, strlen(folder));
}

/* The folder has to be empty. */
static void end(struct console *console)
{
	console_close(console);
	ASSERT_EQ(rmdir(folder), 0);
}

static void refused(struct console *console, const char *text)
{
	char expected[256];
	int master = -1;
	snprintf(expected, sizeof(expected), "failed to retrieve console master: %s", text);
	ASSERT_EQ(console_receive(console, 1, &master, &failure), FAILURE_REFUSED);
	ASSERT_STR(failure.text, expected);
	ASSERT_EQ(master, -1);
}

TEST(terminal_comes_through)
{
	struct console console;
	int master, slave, got = -1;
	char text[8] = "";
	begin(&console);
	terminal_open(&master, &slave);
	terminal_send(console.path, 1, &master, 1);
	close(master);
	ASSERT_EQ(console_receive(&console, 1, &got, &failure), 0);
	ASSERT(fcntl(got, F_GETFL) & O_NONBLOCK);
	ASSERT(fcntl(got, F_GETFD) & FD_CLOEXEC);
	ASSERT_EQ(write(slave, "hello", 5), 5);
	ASSERT_EQ(read(got, text, sizeof(text)), 5);
	ASSERT_STR(text, "hello");
	close(slave);
	close(got);
	end(&console);
}

/* The longest name that is allowed, as crun and runc send theirs: 1 and up to 4095 bytes. */
TEST(length_of_the_name)
{
	struct console console;
	int master, slave, got = -1;
	begin(&console);
	terminal_open(&master, &slave);
	terminal_send(console.path, CONSOLE_NAME_SIZE - 1, &master, 1);
	ASSERT_EQ(console_receive(&console, 1, &got, &failure), 0);
	close(got);
	terminal_send(console.path, CONSOLE_NAME_SIZE, &master, 1);
	refused(&console, "the message is too long");
	close(master);
	close(slave);
	end(&console);
}

TEST(other_things_are_refused)
{
	struct console console;
	int fds[16], pipe_fds[2];
	begin(&console);
	ASSERT_EQ(pipe2(pipe_fds, O_CLOEXEC), 0);
	for (int i = 0; i < 16; i++)
		fds[i] = pipe_fds[0];
	terminal_send(console.path, 1, fds, 1);
	refused(&console, "what came is not a terminal: inappropriate ioctl for device");
	terminal_send(console.path, 1, NULL, 0);
	refused(&console, "no descriptor came");
	terminal_send(console.path, 1, fds, 2);
	refused(&console, "more than one descriptor came");
	terminal_send(console.path, 1, fds, 16);
	refused(&console, "more than one descriptor came");
	close(terminal_connect(console.path));
	refused(&console, "no descriptor came");
	/* they were closed again: nobody can read what the pipe's other end writes */
	close(pipe_fds[0]);
	signal(SIGPIPE, SIG_IGN);
	ASSERT_EQ(write(pipe_fds[1], "x", 1), -1);
	ASSERT_EQ(errno, EPIPE);
	close(pipe_fds[1]);
	end(&console);
}

TEST(nobody_comes)
{
	struct console console;
	begin(&console);
	refused(&console, "nobody connected in time: context deadline exceeded");
	int fd = terminal_connect(console.path);
	refused(&console, "no message came in time: context deadline exceeded");
	close(fd);
	end(&console);
}

/* A worker is killed: nobody closes anything. */
TEST(folder_goes_with_its_owner)
{
	struct console console;
	int pipe_fds[2];
	char byte;
	ASSERT(mkdtemp(folder));
	setenv("XDG_RUNTIME_DIR", folder, 1);
	ASSERT_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	ASSERT_EQ(pipe2(pipe_fds, O_CLOEXEC), 0);
	pid_t child = fork();
	if (child == 0) {
		ASSERT_EQ(console_open(&console, &failure), 0);
		ASSERT_EQ(access(console.path, F_OK), 0);
		ASSERT_EQ(write(pipe_fds[1], "", 1), 1);
		for (;;)
			pause();
	}
	close(pipe_fds[1]);
	ASSERT_EQ(read(pipe_fds[0], &byte, 1), 1);
	ASSERT_EQ(rmdir(folder), -1);
	ASSERT_EQ(errno, ENOTEMPTY);
	ASSERT_EQ(kill(child, SIGKILL), 0);
	while (waitpid(-1, NULL, 0) > 0) /* it, and its cleaner */
		;
	ASSERT_EQ(rmdir(folder), 0);
	close(pipe_fds[0]);
}

/* A folder that does not do is passed over. */
TEST(place_of_the_folder)
{
	struct console console;
	char deep[160];
	memset(deep, 'x', sizeof(deep) - 1);
	deep[0] = '/';
	deep[sizeof(deep) - 1] = 0;
	setenv("XDG_RUNTIME_DIR", deep, 1);
	setenv("TMPDIR", "relative", 1);
	ASSERT_EQ(console_open(&console, &failure), 0);
	ASSERT_MEM(console.path, "/tmp/pty.", 9);
	struct stat status;
	ASSERT_EQ(stat(console.path, &status), 0);
	ASSERT(S_ISSOCK(status.st_mode) && status.st_mode & S_ISVTX);
	char path[sizeof(console.path)];
	strcpy(path, console.path);
	console_close(&console);
	*strrchr(path, '/') = 0;
	ASSERT_EQ(access(path, F_OK), -1);
	console_close(&console); /* once more */
}
