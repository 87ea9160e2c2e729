/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads the filter as the server does, in a forked child for each attempt, and makes the calls that a
 * server which was taken over would make. A blocked one ends the child with HARDEN_STATUS and leaves
 * a line in the pipe that stands for the shim's log, with the name of the call.
 *
 * The arguments are such that a call which gets through does no harm.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/harden.h"
#include "test/test.h"

#define THROUGH 77 /* status of a child whose call was not blocked */

struct attempt {
	const char *call;
	long number;
	long arguments[6];
};

#define ATTEMPT(call, ...)                                                                         \
	{                                                                                          \
#call, SYS_##call,                                                                 \
		{                                                                                  \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}

/* Calls that the headers may not know yet: the numbers are the same on all architectures. */
#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif
#ifndef SYS_process_mrelease
#define SYS_process_mrelease 448
#endif

/* Calls that newer architectures do not have. */
#ifndef SYS_open
#define SYS_open -1
#define SYS_creat -1
#define SYS_unlink -1
#define SYS_mkdir -1
#define SYS_rename -1
#define SYS_readlink -1
#define SYS_stat -1
#define SYS_access -1
#define SYS_fork -1
#define SYS_vfork -1
#endif

/* Runs attempt in a hardened child; returns how the child ended, and what it logged. */
static int make_attempt(const struct attempt *attempt, char *ret_log, size_t size)
{
	const long *arguments = attempt->arguments;
	int log[2], status;

	ASSERT(pipe2(log, O_CLOEXEC) == 0);
	pid_t child = fork();
	ASSERT(child >= 0);
	if (child == 0) {
		if (harden_server(log[1]) < 0)
			_exit(1);
		syscall(attempt->number, arguments[0], arguments[1], arguments[2], arguments[3],
			arguments[4], arguments[5]);
		_exit(THROUGH);
	}
	close(log[1]);
	ssize_t length = read(log[0], ret_log, size - 1);
	ASSERT(length >= 0);
	ret_log[length] = '\0';
	close(log[0]);
	ASSERT(waitpid(child, &status, 0) == child);
	return status;
}

static void check_blocked(const struct attempt *attempts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char line[512], expected[192];

		if (attempts[i].number < 0)
			continue;
		int status = make_attempt(&attempts[i], line, sizeof(line));

		if (!WIFEXITED(status) || WEXITSTATUS(status) != HARDEN_STATUS)
			test_fail(__FILE__, __LINE__, "%s (attempt %zu): status %#x",
				  attempts[i].call, i, (unsigned int)status);
		snprintf(expected, sizeof(expected),
			 "level=error msg=\"server: blocked system call\" call=%s number=%ld "
			 "arguments=0x%lx,0x%lx,0x%lx\n",
			 attempts[i].call, attempts[i].number, attempts[i].arguments[0],
			 attempts[i].arguments[1], attempts[i].arguments[2]);
		ASSERT_STR(line, expected);
	}
}

#define CHECK_BLOCKED(...)                                                                         \
	do {                                                                                       \
		const struct attempt attempts[] = {__VA_ARGS__};                                   \
		check_blocked(attempts, sizeof(attempts) / sizeof(*attempts));                     \
	} while (0)

static char nowhere[] = "/nonexistent/of-the-filter-test";

TEST(programs_and_processes)
{
	char *const none[] = {NULL};
	struct {
		uint64_t flags[8];
	} clone_arguments = {{0}};

	CHECK_BLOCKED(ATTEMPT(execve, (long)nowhere, (long)none, (long)none),
		      ATTEMPT(execveat, AT_FDCWD, (long)nowhere, (long)none, (long)none),
		      ATTEMPT(clone, SIGCHLD),
		      ATTEMPT(clone3, (long)&clone_arguments, sizeof(clone_arguments)),
		      ATTEMPT(fork, 0), ATTEMPT(vfork, 0), ATTEMPT(unshare, 0), ATTEMPT(setns, -1),
		      ATTEMPT(wait4, -1), ATTEMPT(waitid, P_ALL));
}

TEST(files)
{
	CHECK_BLOCKED(ATTEMPT(open, (long)nowhere), ATTEMPT(creat, (long)nowhere),
		      ATTEMPT(unlink, (long)nowhere), ATTEMPT(mkdir, (long)nowhere),
		      ATTEMPT(rename, (long)nowhere, (long)nowhere),
		      ATTEMPT(readlink, (long)nowhere), ATTEMPT(stat, (long)nowhere),
		      ATTEMPT(access, (long)nowhere), ATTEMPT(openat, AT_FDCWD, (long)nowhere),
		      ATTEMPT(openat2, AT_FDCWD, (long)nowhere), ATTEMPT(open_by_handle_at, -1),
		      ATTEMPT(name_to_handle_at, -1), ATTEMPT(unlinkat, AT_FDCWD, (long)nowhere),
		      ATTEMPT(mkdirat, AT_FDCWD, (long)nowhere),
		      ATTEMPT(symlinkat, (long)nowhere, AT_FDCWD, (long)nowhere),
		      ATTEMPT(linkat, AT_FDCWD, (long)nowhere, AT_FDCWD, (long)nowhere),
		      ATTEMPT(renameat2, AT_FDCWD, (long)nowhere, AT_FDCWD, (long)nowhere),
		      ATTEMPT(mknodat, AT_FDCWD, (long)nowhere),
		      ATTEMPT(fchmodat, AT_FDCWD, (long)nowhere),
		      ATTEMPT(fchownat, AT_FDCWD, (long)nowhere), ATTEMPT(truncate, (long)nowhere),
		      ATTEMPT(getdents64, -1), ATTEMPT(chdir, (long)nowhere), ATTEMPT(fchdir, -1),
		      ATTEMPT(setxattr, (long)nowhere), ATTEMPT(fallocate, -1),
		      ATTEMPT(memfd_secret, 0));
}

TEST(sockets)
{
	CHECK_BLOCKED(ATTEMPT(socket, AF_UNIX, SOCK_STREAM), ATTEMPT(socketpair, -1),
		      ATTEMPT(connect, -1), ATTEMPT(bind, -1), ATTEMPT(listen, -1),
		      ATTEMPT(accept, -1), ATTEMPT(setsockopt, -1), ATTEMPT(getsockname, -1),
		      ATTEMPT(shutdown, -1), ATTEMPT(sendmmsg, -1), ATTEMPT(recvmmsg, -1));
}

TEST(other_processes)
{
	CHECK_BLOCKED(ATTEMPT(kill, getpid()), ATTEMPT(tkill, getpid()),
		      ATTEMPT(tgkill, getpid(), getpid()), ATTEMPT(rt_sigqueueinfo, getpid()),
		      ATTEMPT(rt_tgsigqueueinfo, getpid()), ATTEMPT(pidfd_open, getpid()),
		      ATTEMPT(pidfd_send_signal, -1), ATTEMPT(pidfd_getfd, -1), ATTEMPT(ptrace, -1),
		      ATTEMPT(process_vm_readv, getpid()), ATTEMPT(process_vm_writev, getpid()),
		      ATTEMPT(process_madvise, -1), ATTEMPT(process_mrelease, -1),
		      ATTEMPT(kcmp, getpid(), getpid()), ATTEMPT(prlimit64, 0, -1),
		      ATTEMPT(setpriority, -1), ATTEMPT(sched_setscheduler, -1),
		      ATTEMPT(migrate_pages, -1));
}

TEST(machine)
{
	CHECK_BLOCKED(ATTEMPT(mount, (long)nowhere, (long)nowhere), ATTEMPT(umount2, (long)nowhere),
		      ATTEMPT(pivot_root, (long)nowhere), ATTEMPT(chroot, (long)nowhere),
		      ATTEMPT(open_tree, -1, (long)nowhere), ATTEMPT(move_mount, -1),
		      ATTEMPT(fsopen, (long)nowhere), ATTEMPT(fsmount, -1),
		      ATTEMPT(mount_setattr, -1), ATTEMPT(bpf, -1), ATTEMPT(perf_event_open, 0),
		      ATTEMPT(userfaultfd, -1), ATTEMPT(io_uring_setup, 0),
		      ATTEMPT(io_uring_enter, -1), ATTEMPT(io_uring_register, -1),
		      ATTEMPT(io_setup, 0), ATTEMPT(init_module, 0), ATTEMPT(finit_module, -1),
		      ATTEMPT(kexec_load, -1), ATTEMPT(reboot, 0), ATTEMPT(add_key, 0),
		      ATTEMPT(keyctl, -1), ATTEMPT(sethostname, 0, -1), ATTEMPT(swapon, 0),
		      ATTEMPT(quotactl, -1), ATTEMPT(fanotify_init, -1),
		      ATTEMPT(inotify_init1, -1));
}

TEST(own_rights)
{
	CHECK_BLOCKED(ATTEMPT(setuid, 0), ATTEMPT(setresuid, -1, -1, -1), ATTEMPT(setgroups, -1),
		      ATTEMPT(capset, 0), ATTEMPT(personality, -1), ATTEMPT(seccomp, -1),
		      ATTEMPT(prctl, PR_SET_DUMPABLE, 1), ATTEMPT(rt_sigaction, SIGSYS),
		      ATTEMPT(landlock_create_ruleset, 0));
}

TEST(descriptors)
{
	CHECK_BLOCKED(ATTEMPT(pipe2, 0, -1), ATTEMPT(dup, -1), ATTEMPT(dup3, -1, -1),
		      ATTEMPT(tee, -1), ATTEMPT(vmsplice, -1), ATTEMPT(sendfile, -1),
		      ATTEMPT(copy_file_range, -1), ATTEMPT(lseek, -1), ATTEMPT(ftruncate, -1),
		      ATTEMPT(pwrite64, -1), ATTEMPT(writev, -1), ATTEMPT(eventfd2, 0, -1),
		      ATTEMPT(signalfd4, -1), ATTEMPT(timerfd_create, -1),
		      ATTEMPT(epoll_create1, -1));
}

TEST(signals_by_fcntl)
{
	CHECK_BLOCKED(ATTEMPT(fcntl, -1, F_SETOWN, getpid()), ATTEMPT(fcntl, -1, F_SETOWN_EX, 0),
		      ATTEMPT(fcntl, -1, F_SETSIG, SIGKILL), ATTEMPT(fcntl, -1, F_NOTIFY, 1),
		      ATTEMPT(fcntl, -1, F_SETLEASE, 0), ATTEMPT(fcntl, -1, F_SETFL, O_ASYNC),
		      ATTEMPT(fcntl, -1, F_SETFL, O_NONBLOCK | O_ASYNC),
		      ATTEMPT(fcntl, -1, F_DUPFD, 0), ATTEMPT(fcntl, -1, F_SETLK, 0));
}

TEST(signals_by_ioctl)
{
	CHECK_BLOCKED(ATTEMPT(ioctl, -1, FIOSETOWN, 0), ATTEMPT(ioctl, -1, SIOCSPGRP, 0),
		      ATTEMPT(ioctl, -1, FIOASYNC, 0), ATTEMPT(ioctl, -1, TIOCSTI, 0),
		      ATTEMPT(ioctl, -1, TIOCSIG, SIGKILL), ATTEMPT(ioctl, -1, TIOCSCTTY, 0),
		      ATTEMPT(ioctl, -1, TIOCSPGRP, 0), ATTEMPT(ioctl, -1, TIOCLINUX, 0),
		      ATTEMPT(ioctl, -1, TIOCGPTPEER, 0), ATTEMPT(ioctl, -1, TIOCSETD, 0));
}

TEST(executable_memory)
{
	const long private = MAP_PRIVATE | MAP_ANONYMOUS;

	CHECK_BLOCKED(ATTEMPT(mmap, 0, 4096, PROT_EXEC, private, -1),
		      ATTEMPT(mmap, 0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, private, -1),
		      ATTEMPT(mmap, 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, -1),
		      ATTEMPT(mmap, 0, 4096, PROT_READ, MAP_PRIVATE, -1),
		      ATTEMPT(mprotect, 0, 4096, PROT_EXEC),
		      ATTEMPT(mprotect, 0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC),
		      ATTEMPT(pkey_mprotect, 0, 4096, PROT_EXEC), ATTEMPT(remap_file_pages, 0),
		      ATTEMPT(shmat, -1));
}

TEST(socket_options)
{
	CHECK_BLOCKED(ATTEMPT(getsockopt, -1, SOL_SOCKET, 77 /* SO_PEERPIDFD */),
		      ATTEMPT(getsockopt, -1, 6, SO_PEERCRED));
}

/* A number that no kernel knows is a blocked call like any other. */
TEST(unknown_number)
{
	CHECK_BLOCKED({"unknown", 1023, {1, 2, 3}});
}

#ifdef __x86_64__
static int i386_getpid(void)
{
	int result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory", "r8", "r9", "r10", "r11");
	return result;
}

static int status_of(bool hardened, bool i386)
{
	int status;
	pid_t child = fork();

	ASSERT(child >= 0);
	if (child == 0) {
		if (hardened && harden_server(-1) < 0)
			_exit(1);
		if (i386)
			i386_getpid();
		else
			syscall(0x40000000 | SYS_read, -1, 0, 0);
		_exit(THROUGH);
	}
	ASSERT(waitpid(child, &status, 0) == child);
	return status;
}

static void check_killed(int status)
{
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
		test_fail(__FILE__, __LINE__, "status %#x, not killed by SIGSYS",
			  (unsigned int)status);
}

TEST(i386_entry)
{
	int status = status_of(false, true);

	if (!WIFEXITED(status) || WEXITSTATUS(status) != THROUGH)
		SKIP("this kernel has no i386 entry");
	check_killed(status_of(true, true));
}

TEST(x32_entry)
{
	check_killed(status_of(true, false));
}
#endif
