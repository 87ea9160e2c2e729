/* SPDX-License-Identifier: Apache-2.0 */
/*
 * harden_server() as the kernel shows it from outside, and the status that a blocked call leaves.
 * That the server still works is the subject of harden_works.c, and what must not of test/filter.
 */
#include "shim/harden.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/test.h"

#define NOBODY 65534

/* It looks after its stacks with system calls that the server has no use for. */
#ifndef __has_feature
#define __has_feature(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define SKIP_SANITIZER() SKIP("the sanitizer makes system calls of its own")
#else
#define SKIP_SANITIZER() (void)0
#endif

/* A child that has hardened itself and waits to be looked at. */
struct hardened {
	pid_t pid;
	int release; /* closing it ends the child */
};

static struct hardened start_hardened(void (*before)(void))
{
	int ready[2], release[2];
	char byte;

	ASSERT(pipe2(ready, O_CLOEXEC) == 0 && pipe2(release, O_CLOEXEC) == 0);
	pid_t pid = fork();
	ASSERT(pid >= 0);
	if (pid == 0) {
		close(release[1]);
		if (before)
			before();
		ASSERT_EQ(harden_server(-1), 0);
		ASSERT_EQ(write(ready[1], "x", 1), 1);
		ASSERT_EQ(read(release[0], &byte, 1), 0);
		_exit(0);
	}
	close(ready[1]);
	close(release[0]);
	ssize_t length = read(ready[0], &byte, 1);
	close(ready[0]);
	ASSERT_EQ(length, 1);
	return (struct hardened){.pid = pid, .release = release[1]};
}

static void stop_hardened(const struct hardened *hardened)
{
	int status;

	close(hardened->release);
	ASSERT_EQ(waitpid(hardened->pid, &status, 0), hardened->pid);
	ASSERT_EQ(status, 0);
}

/* The value of a line of /proc/PID/status. */
static void read_status(pid_t pid, const char *key, char *ret_value, size_t size)
{
	char path[64], line[512];
	size_t length = strlen(key);
	bool found = false;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	FILE *file = fopen(path, "re");
	ASSERT(file);
	while (!found && fgets(line, sizeof(line), file)) {
		found = strncmp(line, key, length) == 0 && line[length] == ':';
		if (found)
			snprintf(ret_value, size, "%s", line + length + 2);
	}
	fclose(file);
	ASSERT(found);
	ret_value[strcspn(ret_value, "\n")] = '\0';
}

static void check_status(pid_t pid, const char *key, const char *expected)
{
	char value[128];

	read_status(pid, key, value, sizeof(value));
	ASSERT_STR(value, expected);
}

#define NO_CAPABILITY "0000000000000000"

static void check_without_rights(pid_t pid)
{
	check_status(pid, "CapInh", NO_CAPABILITY);
	check_status(pid, "CapPrm", NO_CAPABILITY);
	check_status(pid, "CapEff", NO_CAPABILITY);
	check_status(pid, "CapAmb", NO_CAPABILITY);
	check_status(pid, "NoNewPrivs", "1");
	check_status(pid, "Seccomp", "2");
}

static bool may_drop_bounding_set(void)
{
	char value[128];

	read_status(getpid(), "CapEff", value, sizeof(value));
	return strtoull(value, NULL, 16) & (1ull << 8); /* CAP_SETPCAP */
}

TEST(nothing_is_left)
{
	SKIP_SANITIZER();
	struct hardened hardened = start_hardened(NULL);

	check_without_rights(hardened.pid);
	check_status(hardened.pid, "Threads", "1");
	if (may_drop_bounding_set())
		check_status(hardened.pid, "CapBnd", NO_CAPABILITY);
	stop_hardened(&hardened);
}

static void become_nobody(void)
{
	if (geteuid() == 0)
		ASSERT(setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
		       setresuid(NOBODY, NOBODY, NOBODY) == 0);
	/* Changing the user cleared the flag already; the server has not changed its. */
	ASSERT_EQ(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), 0);
}

/* The /proc entries of a process that is not dumpable belong to root, whoever it runs as. */
TEST(ordinary_user)
{
	SKIP_SANITIZER();
	struct hardened hardened = start_hardened(become_nobody);
	struct stat stat_of;
	char path[64];

	check_without_rights(hardened.pid);
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)hardened.pid);
	ASSERT_EQ(stat(path, &stat_of), 0);
	ASSERT_EQ(stat_of.st_uid, 0);
	stop_hardened(&hardened);
}

static void enter_user_namespace(void)
{
	ASSERT_EQ(unshare(CLONE_NEWUSER), 0);
}

static bool has_user_namespaces(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(unshare(CLONE_NEWUSER) < 0);
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	return status == 0;
}

TEST(user_namespace)
{
	SKIP_SANITIZER();
	if (!has_user_namespaces())
		SKIP("this user may not make user namespaces");
	struct hardened hardened = start_hardened(enter_user_namespace);

	check_without_rights(hardened.pid);
	check_status(hardened.pid, "CapBnd", NO_CAPABILITY);
	stop_hardened(&hardened);
}

static int status_of_blocked(int log_fd, void (*before)(void))
{
	int status;

	SKIP_SANITIZER();
	pid_t pid = fork();
	ASSERT(pid >= 0);
	if (pid == 0) {
		if (before)
			before();
		ASSERT_EQ(harden_server(log_fd), 0);
		syscall(SYS_openat, -1, "", 0);
		_exit(0);
	}
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	ASSERT(WIFEXITED(status));
	return WEXITSTATUS(status);
}

TEST(status_without_a_log)
{
	ASSERT_EQ(status_of_blocked(-1, NULL), HARDEN_STATUS);
}

/* Where nobody reads the log the process must end all the same, and not wait. */
TEST(status_with_a_full_log)
{
	char bytes[4096] = {0};
	int log[2];

	ASSERT_EQ(pipe2(log, O_CLOEXEC | O_NONBLOCK), 0);
	while (write(log[1], bytes, sizeof(bytes)) > 0)
		;
	ASSERT_EQ(errno, EAGAIN);
	ASSERT_EQ(status_of_blocked(log[1], NULL), HARDEN_STATUS);
	close(log[0]);
	close(log[1]);
}

static void block_all_signals(void)
{
	sigset_t all;

	sigfillset(&all);
	ASSERT_EQ(sigprocmask(SIG_SETMASK, &all, NULL), 0);
}

TEST(status_with_signals_blocked)
{
	ASSERT_EQ(status_of_blocked(-1, block_all_signals), HARDEN_STATUS);
}

static void ignore_sigsys(void)
{
	signal(SIGSYS, SIG_IGN);
}

TEST(status_with_sigsys_ignored)
{
	ASSERT_EQ(status_of_blocked(-1, ignore_sigsys), HARDEN_STATUS);
}
