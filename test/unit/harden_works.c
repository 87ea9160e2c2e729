/* SPDX-License-Identifier: Apache-2.0 */
/*
 * That what the server does all day still works after harden_server(): each piece in a child of its
 * own, with descriptors that were open before, as the server has them from the monitor. A blocked
 * call shows as a line in the pipe that stands for the log.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shim/harden.h"
#include "test/test.h"

/* It looks after its stacks with system calls that the server has no use for. */
#ifndef __has_feature
#define __has_feature(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define SKIP_SANITIZER() SKIP("the sanitizer makes system calls of its own")
#else
#define SKIP_SANITIZER() (void)0
#endif

/* Runs work, which finds what it needs open already, in a hardened child. */
static void check_works(void (*work)(void *given), void *given)
{
	int log[2], status;
	char line[512];

	SKIP_SANITIZER();
	ASSERT_EQ(pipe2(log, O_CLOEXEC), 0);
	pid_t pid = fork();
	ASSERT(pid >= 0);
	if (pid == 0) {
		ASSERT_EQ(harden_server(log[1]), 0);
		work(given);
		_exit(0);
	}
	close(log[1]);
	ssize_t length = read(log[0], line, sizeof(line) - 1);
	close(log[0]);
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	ASSERT(length >= 0);
	line[length] = '\0';
	ASSERT_STR(line, "");
	ASSERT_EQ(status, 0);
}

static void use_memory(void *given)
{
	char *volatile block = malloc(100000);

	(void)given;
	ASSERT(block);
	for (size_t size = 200000; size < 10000000; size *= 2) {
		block = realloc(block, size);
		ASSERT(block);
		memset(block, 1, size);
	}
	free(block);
	char *page = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT(page != MAP_FAILED);
	ASSERT_EQ(mprotect(page, 8192, PROT_READ | PROT_WRITE), 0);
	page[1] = 2;
	ASSERT_EQ(madvise(page, 8192, MADV_DONTNEED), 0);
	ASSERT_EQ(page[1], 0);
	ASSERT_EQ(munmap(page, 8192), 0);
}

TEST(memory_works)
{
	check_works(use_memory, NULL);
}

/* What carries the variable part of a verb. */
static void use_memfd(void *given)
{
	struct stat status;
	char bytes[4];
	int fd = memfd_create("verb", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	(void)given;
	ASSERT(fd >= 0);
	ASSERT_EQ(write(fd, "verb", 4), 4);
	ASSERT_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW),
		  0);
	ASSERT(fcntl(fd, F_GET_SEALS) & F_SEAL_WRITE);
	ASSERT_EQ(pread(fd, bytes, 4, 0), 4);
	ASSERT_EQ(syscall(SYS_fstat, fd, &status), 0);
	ASSERT_EQ(status.st_size, 4);
	ASSERT_MEM(bytes, "verb", 4);
	ASSERT_EQ(close(fd), 0);
}

TEST(memfd_works)
{
	check_works(use_memfd, NULL);
}

struct given {
	int pipes[2][2];
	int epoll, listener, peer, channel[2], terminal;
	uid_t user;
};

static void use_pipes(void *given)
{
	struct given *descriptors = given;
	int(*pipes)[2] = descriptors->pipes, waiting;
	char bytes[5];

	ASSERT_EQ(fcntl(pipes[0][0], F_SETFL, fcntl(pipes[0][0], F_GETFL) | O_NONBLOCK), 0);
	ASSERT(fcntl(pipes[0][0], F_GETPIPE_SZ) >= 4096);
	ASSERT_EQ(write(pipes[0][1], "bytes", 5), 5);
	ASSERT_EQ(ioctl(pipes[0][0], FIONREAD, &waiting), 0);
	ASSERT_EQ(waiting, 5);
	ASSERT_EQ(splice(pipes[0][0], NULL, pipes[1][1], NULL, 100, SPLICE_F_NONBLOCK), 5);
	ASSERT_EQ(read(pipes[1][0], bytes, 5), 5);
	ASSERT_MEM(bytes, "bytes", 5);
}

static void use_terminal(void *given)
{
	struct given *descriptors = given;
	const struct winsize size = {.ws_row = 25, .ws_col = 80};

	ASSERT_EQ(ioctl(descriptors->terminal, TIOCSWINSZ, &size), 0);
}

static void use_listener(void *given)
{
	struct given *descriptors = given;
	struct ucred peer;
	socklen_t size = sizeof(peer);
	int error, fd = accept4(descriptors->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	ASSERT(fd >= 0);
	ASSERT_EQ(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size), 0);
	ASSERT_EQ(peer.uid, descriptors->user);
	size = sizeof(error);
	ASSERT_EQ(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size), 0);
	ASSERT_EQ(read(fd, &error, 1), -1);
	ASSERT_EQ(errno, EAGAIN);
	ASSERT_EQ(close(fd), 0);
}

/* Descriptors go to the monitor and come back. */
static void use_channel(void *given)
{
	struct given *descriptors = given;
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)),
				.cmsg_level = SOL_SOCKET,
				.cmsg_type = SCM_RIGHTS}};
	char byte = 'x';
	struct iovec part = {.iov_base = &byte, .iov_len = 1};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control.space)};

	memcpy(CMSG_DATA(&control.header), &descriptors->listener, sizeof(int));
	ASSERT_EQ(sendmsg(descriptors->channel[0], &message, MSG_NOSIGNAL), 1);
	ASSERT_EQ(recvmsg(descriptors->channel[1], &message, MSG_CMSG_CLOEXEC), 1);
	ASSERT_EQ(message.msg_flags & MSG_CTRUNC, 0);
	ASSERT_EQ(control.header.cmsg_type, SCM_RIGHTS);
}

static void use_loop(void *given)
{
	struct given *descriptors = given;
	struct epoll_event event = {.events = EPOLLIN};
	int fd = descriptors->pipes[0][0];

	ASSERT_EQ(epoll_ctl(descriptors->epoll, EPOLL_CTL_ADD, fd, &event), 0);
	ASSERT_EQ(epoll_wait(descriptors->epoll, &event, 1, 1), 0);
	ASSERT_EQ(write(descriptors->pipes[0][1], "x", 1), 1);
	ASSERT_EQ(epoll_pwait(descriptors->epoll, &event, 1, -1, NULL), 1);
	ASSERT_EQ(epoll_ctl(descriptors->epoll, EPOLL_CTL_MOD, fd, &event), 0);
	ASSERT_EQ(epoll_ctl(descriptors->epoll, EPOLL_CTL_DEL, fd, NULL), 0);
}

/* An abstract address, so that no file is left; the kernel chooses it. */
static void open_listener(struct given *ret_given)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t size = sizeof(address.sun_family);

	ret_given->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ret_given->peer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ASSERT(ret_given->listener >= 0 && ret_given->peer >= 0);
	ASSERT_EQ(bind(ret_given->listener, (struct sockaddr *)&address, size), 0);
	ASSERT_EQ(listen(ret_given->listener, 1), 0);
	size = sizeof(address);
	ASSERT_EQ(getsockname(ret_given->listener, (struct sockaddr *)&address, &size), 0);
	ASSERT_EQ(connect(ret_given->peer, (struct sockaddr *)&address, size), 0);
}

static void open_given(struct given *ret_given)
{
	ASSERT_EQ(pipe2(ret_given->pipes[0], O_CLOEXEC), 0);
	ASSERT_EQ(pipe2(ret_given->pipes[1], O_CLOEXEC), 0);
	ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret_given->channel), 0);
	ret_given->epoll = epoll_create1(EPOLL_CLOEXEC);
	ret_given->terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	ASSERT(ret_given->epoll >= 0 && ret_given->terminal >= 0);
	open_listener(ret_given);
	ret_given->user = geteuid();
}

static void close_given(const struct given *given)
{
	for (int i = 0; i < 2; i++) {
		close(given->pipes[i][0]);
		close(given->pipes[i][1]);
		close(given->channel[i]);
	}
	close(given->epoll);
	close(given->listener);
	close(given->peer);
	close(given->terminal);
}

TEST(descriptors_work)
{
	struct given given;

	open_given(&given);
	check_works(use_pipes, &given);
	check_works(use_terminal, &given);
	check_works(use_listener, &given);
	check_works(use_channel, &given);
	check_works(use_loop, &given);
	close_given(&given);
}

static void use_time(void *given)
{
	struct timespec now;

	(void)given;
	ASSERT_EQ(clock_gettime(CLOCK_MONOTONIC, &now), 0);
	ASSERT_EQ(syscall(SYS_clock_gettime, CLOCK_REALTIME, &now), 0);
	exit(0); /* with what the C library does at the end */
}

TEST(time_and_the_end_work)
{
	check_works(use_time, NULL);
}
