/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connecting, with a time limit.
 */
#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "ttrpc/address.h"
#include "ttrpc/ttrpc.h"

static int set_send_timeout(int fd, uint64_t timeout)
{
	struct timeval time = {
		.tv_sec = (time_t)(timeout / 1000000000u),
		.tv_usec = (suseconds_t)(timeout % 1000000000u / 1000),
	};

	/* 0 would mean: for ever. */
	if (timeout > 0 && time.tv_sec == 0 && time.tv_usec == 0)
		time.tv_usec = 1;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time)) < 0)
		return -errno;
	return 0;
}

/*
 * A unix socket connects at once unless the listener's backlog is full, and then neither poll nor
 * epoll tell when it no longer is: only a blocking connect waits, for as long as a send would.
 */
static int connect_within(int fd, const struct address *address, uint64_t timeout)
{
	uint64_t end = ttrpc_now() + timeout;
	int error = set_send_timeout(fd, timeout);

	while (error == 0 &&
	       connect(fd, (const struct sockaddr *)&address->name, address->size) < 0) {
		uint64_t now = ttrpc_now();

		if (errno == EISCONN)
			break;
		/* A unix socket says the one when its time is over, the others the other. */
		if (errno == EAGAIN || errno == EINPROGRESS)
			error = -ETIMEDOUT;
		else if (errno != EINTR)
			error = -errno;
		else if (timeout > 0)
			error = now < end ? set_send_timeout(fd, end - now) : -ETIMEDOUT;
	}
	return error < 0 ? error : set_send_timeout(fd, 0);
}

int ttrpc_connect(const char *text, uint64_t timeout, int *ret_fd)
{
	struct address address;
	int fd, error = address_parse(text, &address);

	if (error == 0)
		error = address_socket(&address, 0, &fd);
	if (error < 0)
		return error;
	error = connect_within(fd, &address, timeout);
	if (error < 0)
		close(fd);
	else
		*ret_fd = fd;
	return error;
}

int ttrpc_client_connect(struct ttrpc_loop *loop, const char *address, uint64_t timeout,
			 struct ttrpc_client **ret_client)
{
	int fd, error = ttrpc_connect(address, timeout, &fd);

	if (error < 0)
		return error;
	error = ttrpc_client_new(loop, fd, ret_client);
	if (error < 0)
		close(fd);
	return error;
}
