/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls that are interrupted, would block, or move a few bytes only: every call and stream
 * still gets what it would have got. The linker leads the library's calls through the functions here.
 */
#include <sys/epoll.h>
#include <sys/uio.h>

#include "test/unit/stream_fixture.h"

ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __real_recvmsg(int fd, struct msghdr *message, int flags);
int __real_accept4(int fd, struct sockaddr *name, socklen_t *size, int flags);
int __real_epoll_pwait(int fd, struct epoll_event *events, int max, int timeout,
		       const sigset_t *mask);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags);
int __wrap_accept4(int fd, struct sockaddr *name, socklen_t *size, int flags);
int __wrap_epoll_pwait(int fd, struct epoll_event *events, int max, int timeout,
		       const sigset_t *mask);

static bool injecting;
static unsigned seed, n_injected;
static size_t piece; /* bytes that one call moves at most */

/* The errno of this call, 0: none. The sequence is the same in every run. */
static int fault(void)
{
	if (!injecting)
		return 0;
	seed = seed * 1103515245 + 12345;
	switch (seed >> 16 & 7) {
	case 0:
		n_injected++;
		return EINTR;
	case 1:
		n_injected++;
		return EAGAIN;
	default:
		return 0;
	}
}

static struct msghdr cut(const struct msghdr *message, struct iovec *first)
{
	struct msghdr shorter = *message;

	if (!injecting || message->msg_iovlen == 0)
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
	struct msghdr shorter = cut(message, &first);

	errno = fault();
	return errno ? -1 : __real_sendmsg(fd, &shorter, flags);
}

ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags)
{
	struct iovec first;
	struct msghdr shorter = cut(message, &first);

	errno = fault();
	return errno ? -1 : __real_recvmsg(fd, &shorter, flags);
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

static void calls_under_faults(size_t bytes, unsigned first_seed)
{
	struct outcome outcomes[50];
	struct heard heard = {.in_order = true}, sum = {.answer = 0};
	struct ttrpc_client *client;
	struct fixture fixture;

	memset(outcomes, 0, sizeof(outcomes));
	piece = bytes;
	seed = first_seed;
	stream_fixture_init(&fixture);
	client = connect_client(&fixture);
	injecting = true;
	ASSERT_EQ(stream_start(client, "Talk", NULL, 0, &heard), 0);
	ASSERT_EQ(stream_start(client, "Sum", NULL, 0, &sum), 0);
	for (int i = 0; i < 50; i++) {
		ASSERT_EQ(start(client, i % 5 ? "Echo" : "Fail", "x", i % 5 ? "yyyyyyyy" : "5", 0,
				&outcomes[i]),
			  0);
		ASSERT_EQ(number_send(heard.stream, i, 40), 0);
		ASSERT_EQ(number_send(sum.stream, i, 0), 0);
	}
	ttrpc_stream_close_send(heard.stream);
	ttrpc_stream_close_send(sum.stream);
	while (heard.n_ended == 0 || sum.n_ended == 0 || outcomes[49].n == 0)
		ASSERT_EQ(ttrpc_loop_dispatch(&fixture.loop, -1), 0);
	for (int i = 0; i < 50; i++) {
		ASSERT_EQ(outcomes[i].n, 1);
		ASSERT_EQ(outcomes[i].status.code, i % 5 ? TTRPC_OK : TTRPC_NOT_FOUND);
	}
	ASSERT_EQ(heard.n_messages, 50);
	ASSERT_EQ(heard.status.code, TTRPC_OK);
	ASSERT_EQ(sum.status.code, TTRPC_OK);
	ASSERT(n_injected > 0);
	injecting = false;
	ttrpc_client_free(client);
	fixture_deinit(&fixture);
}

TEST(one_byte_at_a_time)
{
	calls_under_faults(1, 1);
}

TEST(odd_pieces)
{
	for (size_t bytes = 2; bytes < 40; bytes += 3)
		calls_under_faults(bytes, (unsigned)bytes);
}

TEST(large_pieces)
{
	for (unsigned i = 0; i < 20; i++)
		calls_under_faults(5000, 77 + i);
}

TEST(connects_are_accepted)
{
	struct ttrpc_client *clients[20];
	struct outcome outcomes[20];
	struct fixture fixture;

	memset(outcomes, 0, sizeof(outcomes));
	piece = 100;
	fixture_init(&fixture);
	injecting = true;
	for (int i = 0; i < 20; i++) {
		clients[i] = connect_client(&fixture);
		ASSERT_EQ(start(clients[i], "Echo", "x", "y", 0, &outcomes[i]), 0);
	}
	for (int i = 0; i < 20; i++)
		settle_until(&fixture, &outcomes[i], 1);
	injecting = false;
	for (int i = 0; i < 20; i++)
		ttrpc_client_free(clients[i]);
	fixture_deinit(&fixture);
}
