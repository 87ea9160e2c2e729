/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listening sockets from addresses, for servers that aren't handed one.
 */
#include <errno.h>
#include <limits.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ttrpc/address.h"
#include "ttrpc/ttrpc.h"

static int bind_and_listen(int fd, const struct address *address)
{
	int on = 1;

	/* A port whose last connections linger is not in use. */
	if (address->name.ss_family != AF_UNIX &&
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)&address->name, address->size) < 0)
		return -errno;
	/* The kernel cuts it to what the system allows. */
	return listen(fd, INT_MAX) < 0 ? -errno : 0;
}

int ttrpc_server_listen_on(struct ttrpc_server *server, const char *text)
{
	struct address address;
	int fd, error = address_parse(text, &address);

	if (error == 0)
		error = address_socket(&address, SOCK_NONBLOCK, &fd);
	if (error < 0)
		return error;
	error = bind_and_listen(fd, &address);
	if (error == 0)
		error = ttrpc_server_listen(server, fd);
	if (error < 0)
		close(fd);
	return error;
}
