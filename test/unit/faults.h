/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_UNIT_FAULTS_H
#define TEST_UNIT_FAULTS_H
/*
 * System calls that are interrupted, would block, or move a few bytes only. A test program that
 * includes this is linked with the flags of inject.ldflags, which lead the library's calls through
 * the functions here; what the test itself calls (sendto, send and recv that may block) is left alone.
 *
 * While faults are on, one call in four fails with EINTR or EAGAIN, and none moves more than a piece.
 * The sequence is the same in every run.
 */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/uio.h>

#include "test/unit/fixture.h"

#define FAULTS_TURNS_MAX 10000000 /* of the loop, before it is said to spin */

ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __real_recvmsg(int fd, struct msghdr *message, int flags);
int __real_accept4(int fd, struct sockaddr *name, socklen_t *size, int flags);
int __real_epoll_pwait(int fd, struct epoll_event *events, int max, int timeout,
		       const sigset_t *mask);
ssize_t __real_send(int fd, const void *data, size_t size, int flags);
ssize_t __real_recv(int fd, void *data, size_t size, int flags);
ssize_t __wrap_send(int fd, const void *data, size_t size, int flags);
ssize_t __wrap_recv(int fd, void *data, size_t size, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags);
int __wrap_accept4(int fd, struct sockaddr *name, socklen_t *size, int flags);
int __wrap_epoll_pwait(int fd, struct epoll_event *events, int max, int timeout,
		       const sigset_t *mask);

static struct {
	bool on;
	unsigned seed, n;
	size_t received, sent; /* bytes that one call moves at most */
} faults;

/*
 * Where nobody reads meanwhile, sent must not be tiny: a unix socket that holds 70 pieces, whatever
 * their size, is not reported writable.
 */
static inline void faults_begin(size_t received, size_t sent, unsigned seed)
{
	faults.on = true;
	faults.seed = seed;
	faults.received = received;
	faults.sent = sent;
}

static inline void faults_end(void)
{
	faults.on = false;
}

/* The errno of this call, 0: none. */
static inline int fault(void)
{
	if (!faults.on)
		return 0;
	faults.seed = faults.seed * 1103515245 + 12345;
	switch (faults.seed >> 16 & 7) {
	case 0:
		faults.n++;
		return EINTR;
	case 1:
		faults.n++;
		return EAGAIN;
	default:
		return 0;
	}
}

static inline struct msghdr cut(const struct msghdr *message, struct iovec *first, size_t piece)
{
	struct msghdr shorter = *message;

	if (!faults.on || message->msg_iovlen == 0)
		return shorter;
	*first = message->msg_iov[0];
	if (first->iov_len > piece)
		first->iov_len = piece;
	shorter.msg_iov = first;
	shorter.msg_iovlen = 1;
	return shorter;
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
	struct iovec first;
	struct msghdr shorter = cut(message, &first, faults.sent);

	errno = fault();
	return errno ? -1 : __real_sendmsg(fd, &shorter, flags);
}

ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags)
{
	struct iovec first;
	struct msghdr shorter = cut(message, &first, faults.received);

	errno = fault();
	return errno ? -1 : __real_recvmsg(fd, &shorter, flags);
}

static inline size_t cut_size(size_t size, size_t piece)
{
	return faults.on && size > piece ? piece : size;
}

ssize_t __wrap_send(int fd, const void *data, size_t size, int flags)
{
	if (!(flags & MSG_DONTWAIT))
		return __real_send(fd, data, size, flags);
	errno = fault();
	return errno ? -1 : __real_send(fd, data, cut_size(size, faults.sent), flags);
}

ssize_t __wrap_recv(int fd, void *data, size_t size, int flags)
{
	if (!(flags & MSG_DONTWAIT))
		return __real_recv(fd, data, size, flags);
	errno = fault();
	return errno ? -1 : __real_recv(fd, data, cut_size(size, faults.received), flags);
}

int __wrap_accept4(int fd, struct sockaddr *name, socklen_t *size, int flags)
{
	errno = fault();
	return errno ? -1 : __real_accept4(fd, name, size, flags);
}

int __wrap_epoll_pwait(int fd, struct epoll_event *events, int max, int timeout,
		       const sigset_t *mask)
{
	errno = fault() == EINTR ? EINTR : 0;
	return errno ? -1 : __real_epoll_pwait(fd, events, max, timeout, mask);
}

/*
 * Turns the loop until nothing is left to be done: no descriptor is ready, no timer due. A call that
 * failed with EAGAIN comes again, since epoll tells the state and not its changes.
 */
static inline void settle_all(struct ttrpc_loop *loop)
{
	struct pollfd ready = {.fd = ttrpc_loop_fd(loop), .events = POLLIN};

	for (int i = 0; poll(&ready, 1, 0) > 0 || ttrpc_loop_timeout(loop) == 0; i++) {
		ASSERT(i < FAULTS_TURNS_MAX);
		ASSERT_EQ(ttrpc_loop_dispatch(loop, 0), 0);
	}
}

#endif
