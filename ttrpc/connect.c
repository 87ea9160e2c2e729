/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connecting to a unix socket by the addresses that containerd's world writes down: a path,
 * "unix://" and a path, or "@" and an abstract name (also behind "unix://"). An abstract name has
 * no NUL at its end.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "ttrpc/ttrpc.h"

static int address_parse(const char *address, struct sockaddr_un *ret_name, socklen_t *ret_size)
{
	static const char scheme[] = "unix://";
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	size_t length;

	if (strncmp(address, scheme, sizeof(scheme) - 1) == 0)
		address += sizeof(scheme) - 1;
	length = strlen(address);
	if (length == 0)
		return -EINVAL;
	/* A path ends with a NUL, so it is shorter by one than an abstract name may be. */
	if (length >= sizeof(name.sun_path) + (address[0] == '@'))
		return -ENAMETOOLONG;
	memcpy(name.sun_path, address, length);
	*ret_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	if (address[0] == '@')
		name.sun_path[0] = '\0';
	else
		++*ret_size;
	*ret_name = name;
	return 0;
}

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
static int connect_within(int fd, const struct sockaddr_un *name, socklen_t size, uint64_t timeout)
{
	uint64_t end = ttrpc_now() + timeout;
	int error = set_send_timeout(fd, timeout);

	while (error == 0 && connect(fd, (const struct sockaddr *)name, size) < 0) {
		uint64_t now = ttrpc_now();

		if (errno == EAGAIN)
			error = -ETIMEDOUT;
		else if (errno != EINTR)
			error = -errno;
		else if (timeout > 0)
			error = now < end ? set_send_timeout(fd, end - now) : -ETIMEDOUT;
	}
	return error < 0 ? error : set_send_timeout(fd, 0);
}

int ttrpc_client_connect(struct ttrpc_loop *loop, const char *address, uint64_t timeout,
			 struct ttrpc_client **ret_client)
{
	struct sockaddr_un name;
	socklen_t size;
	int error = address_parse(address, &name, &size);
	int fd;

	if (error < 0)
		return error;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	error = connect_within(fd, &name, size, timeout);
	if (error == 0)
		error = ttrpc_client_new(loop, fd, ret_client);
	if (error < 0)
		close(fd);
	return error;
}
