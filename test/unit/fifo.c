/* SPDX-License-Identifier: Apache-2.0 */
/*
 * containerd's FIFOs with real ones: who waits for whom, and what a keeper keeps.
 */
#include "shim/fifo.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "test/test.h"

static char folder[] = "/tmp/mote-fifo-XXXXXX";
static struct failure failure;

static void enter_folder(void)
{
	ASSERT(mkdtemp(folder));
	ASSERT_EQ(chdir(folder), 0);
	signal(SIGPIPE, SIG_IGN);
}

static void leave_folder(void)
{
	unlink("fifo");
	unlink("file");
	unlink("moved");
	ASSERT_EQ(chdir("/"), 0);
	ASSERT_EQ(rmdir(folder), 0);
}

static bool close_on_exec(int fd)
{
	return fcntl(fd, F_GETFD) & FD_CLOEXEC;
}

/* Whether the process has a descriptor of this very file. */
static bool has_open(pid_t pid, const struct stat *file)
{
	char name[64];
	struct stat status;

	for (int fd = 0; fd < 64; fd++) {
		snprintf(name, sizeof(name), "/proc/%d/fd/%d", pid, fd);
		if (stat(name, &status) == 0 && status.st_ino == file->st_ino &&
		    status.st_dev == file->st_dev)
			return true;
	}
	return false;
}

/* A child that opens the FIFO as an output and writes; returns when it waits for a reader. */
static pid_t begin_writer(enum fifo_stream stream)
{
	static const struct timespec moment = {.tv_nsec = 1000 * 1000};
	struct fifo_ends ends;
	struct stat file;
	pid_t child = fork();

	if (child == 0) {
		ASSERT_EQ(fifo_open("fifo", stream, fifo_deadline(), &ends, &failure), 0);
		ASSERT_EQ(write(ends.fd, "late", 4), 4);
		_exit(0);
	}
	ASSERT_EQ(stat("fifo", &file), 0);
	while (!has_open(child, &file))
		nanosleep(&moment, NULL);
	return child;
}

TEST(output_with_a_reader)
{
	struct fifo_ends ends;
	char buffer[8] = {0};
	int reader;

	enter_folder();
	ASSERT_EQ(mkfifo("fifo", 0600), 0);
	reader = open("fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ASSERT_EQ(fifo_open("fifo", FIFO_STDOUT, fifo_deadline(), &ends, &failure), 0);
	ASSERT(close_on_exec(ends.fd) && close_on_exec(ends.keeper));
	ASSERT(fcntl(ends.fd, F_GETFL) & O_NONBLOCK);
	ASSERT_EQ(fcntl(ends.fd, F_GETFL) & O_ACCMODE, O_WRONLY);
	ASSERT_EQ(write(ends.fd, "hello", 5), 5);
	ASSERT_EQ(read(reader, buffer, sizeof(buffer)), 5);
	ASSERT_STR(buffer, "hello");
	close(reader);
	/* The client is gone: no EPIPE, and another one finds what was written meanwhile. */
	ASSERT_EQ(write(ends.fd, "again", 5), 5);
	reader = open("fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ASSERT_EQ(read(reader, buffer, sizeof(buffer)), 5);
	close(reader);
	fifo_close(&ends);
	ASSERT_EQ(ends.fd, -1);
	leave_folder();
}

TEST(output_waits_for_a_reader)
{
	int status, reader;
	char buffer[8];
	pid_t child;

	enter_folder();
	ASSERT_EQ(mkfifo("fifo", 0600), 0);
	child = begin_writer(FIFO_STDERR);
	ASSERT_EQ(waitpid(child, &status, WNOHANG), 0);
	reader = open("fifo", O_RDONLY | O_CLOEXEC); /* blocks until the child has it open */
	ASSERT_EQ(read(reader, buffer, sizeof(buffer)), 4);
	ASSERT_EQ(waitpid(child, &status, 0), child);
	ASSERT_EQ(status, 0);
	close(reader);
	leave_folder();
}

/* The time is up already, as for a second FIFO whose first one has taken it all. */
TEST(output_that_nobody_reads_in_time)
{
	struct fifo_ends ends = FIFO_ENDS_NULL;
	int reader;

	enter_folder();
	ASSERT_EQ(mkfifo("fifo", 0600), 0);
	ASSERT_EQ(fifo_open("fifo", FIFO_STDERR, 0, &ends, &failure), FAILURE_REFUSED);
	ASSERT_STR(failure.text,
		   "failed to start io pipe copy: unable to copy pipes: containerd-shim: opening "
		   "w/o fifo \"fifo\" failed: nobody read from it within 30 s: context deadline "
		   "exceeded");
	ASSERT_EQ(ends.fd, -1);
	/* one that is read needs no time */
	reader = open("fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ASSERT_EQ(fifo_open("fifo", FIFO_STDERR, 0, &ends, &failure), 0);
	fifo_close(&ends);
	close(reader);
	leave_folder();
}

TEST(input_needs_nobody)
{
	struct fifo_ends ends;
	char buffer[8];
	int writer;

	enter_folder();
	ASSERT_EQ(mkfifo("fifo", 0600), 0);
	ASSERT_EQ(fifo_open("fifo", FIFO_STDIN, fifo_deadline(), &ends, &failure), 0);
	ASSERT_EQ(fcntl(ends.fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	writer = open("fifo", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	ASSERT_EQ(write(writer, "in", 2), 2);
	close(writer);
	ASSERT_EQ(read(ends.fd, buffer, sizeof(buffer)), 2);
	/* The client is gone, but the keeper says that it is not the end. */
	ASSERT_EQ(read(ends.fd, buffer, sizeof(buffer)), -1);
	ASSERT_EQ(errno, EAGAIN);
	close(ends.keeper);
	ends.keeper = -1;
	ASSERT_EQ(read(ends.fd, buffer, sizeof(buffer)), 0);
	fifo_close(&ends);
	leave_folder();
}

TEST(file_is_appended_to)
{
	struct fifo_ends ends;
	struct stat status;
	int fd;

	enter_folder();
	fd = open("file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_EQ(write(fd, "old", 3), 3);
	close(fd);
	ASSERT_EQ(fifo_open("file", FIFO_STDOUT, fifo_deadline(), &ends, &failure), 0);
	ASSERT_EQ(ends.keeper, -1);
	ASSERT_EQ(write(ends.fd, "new", 3), 3);
	fifo_close(&ends);
	ASSERT_EQ(stat("file", &status), 0);
	ASSERT_EQ(status.st_size, 6);
	leave_folder();
}

TEST(missing_is_refused_and_not_made)
{
	struct fifo_ends ends = FIFO_ENDS_NULL;

	enter_folder();
	ASSERT_EQ(fifo_open("fifo", FIFO_STDOUT, fifo_deadline(), &ends, &failure),
		  FAILURE_REFUSED);
	ASSERT_STR(failure.text,
		   "failed to start io pipe copy: unable to copy pipes: containerd-shim: opening "
		   "file \"fifo\" failed: open fifo: no such file or directory");
	ASSERT_EQ(access("fifo", F_OK), -1);
	ASSERT_EQ(ends.fd, -1);
	leave_folder();
}

/* Whoever may write into the folder of a FIFO could else have any file opened. */
TEST(link_is_not_followed)
{
	static const enum fifo_stream streams[] = {FIFO_STDIN, FIFO_STDOUT, FIFO_STDERR};
	struct fifo_ends ends;

	enter_folder();
	ASSERT_EQ(mkfifo("fifo", 0600), 0);
	ASSERT_EQ(symlink("fifo", "moved"), 0);
	for (int i = 0; i < 3; i++) {
		int result = fifo_open("moved", streams[i], fifo_deadline(), &ends, &failure);
		ASSERT_EQ(result, FAILURE_REFUSED);
		ASSERT(strstr(failure.text, "open moved: too many levels of symbolic links"));
	}
	leave_folder();
}

/* While the opener waits the name is moved away: the client still has the same FIFO. */
TEST(the_inode_counts_not_the_name)
{
	int status, reader;
	char buffer[8];
	pid_t child;

	enter_folder();
	ASSERT_EQ(mkfifo("fifo", 0600), 0);
	child = begin_writer(FIFO_STDOUT);
	ASSERT_EQ(rename("fifo", "moved"), 0);
	reader = open("moved", O_RDONLY | O_CLOEXEC);
	ASSERT_EQ(read(reader, buffer, sizeof(buffer)), 4);
	ASSERT_EQ(waitpid(child, &status, 0), child);
	ASSERT_EQ(status, 0);
	close(reader);
	leave_folder();
}
