/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_UNIT_TERMINAL_H
#define TEST_UNIT_TERMINAL_H
/* What an OCI runtime does with a console socket: makes a terminal and sends its master there. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "test/test.h"

/* Raw: no echo, and what is written comes out as it is. */
static inline void terminal_open(int *ret_master, int *ret_slave)
{
	struct termios settings;
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
		SKIP("no terminal is to be had here");
	int slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	ASSERT(slave >= 0);
	ASSERT_EQ(tcgetattr(slave, &settings), 0);
	cfmakeraw(&settings);
	ASSERT_EQ(tcsetattr(slave, TCSANOW, &settings), 0);
	*ret_master = master;
	*ret_slave = slave;
}

static inline int terminal_connect(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ASSERT(strlen(path) < sizeof(address.sun_path));
	strcpy(address.sun_path, path);
	ASSERT_EQ(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* One message of size bytes with n descriptors. */
static inline void terminal_send(const char *path, size_t size, const int *fds, size_t n)
{
	static char name[8192];
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(16 * sizeof(int))];
	} control = {.bytes = {0}};
	struct iovec part = {name, size};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	int fd = terminal_connect(path);
	if (n > 0) {
		message.msg_control = control.bytes;
		message.msg_controllen = (socklen_t)CMSG_SPACE(n * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = (socklen_t)CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds, n * sizeof(int));
	}
	ASSERT_EQ(sendmsg(fd, &message, MSG_NOSIGNAL), size);
	close(fd);
}

#endif
