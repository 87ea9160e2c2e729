/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A console socket: see console.h.
 *
 * The path of a socket has at most 107 bytes, and a bundle's is often longer, so the folder is a
 * temporary one. The worker may be killed at any moment; therefore a second process, the cleaner, waits
 * for its end and removes the folder. It does so in the ordinary case too.
 */
#include "shim/console.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define NAME "/pty.sock"

/* ---- the folder, the socket and the cleaner ---- */

/* Returns 0, or a negative errno: this place does not do. */
static int folder_make(struct console *console, const char *place)
{
	int n = snprintf(console->path, sizeof(console->path), "%s/pty.XXXXXX", place);
	if (n < 0 || (size_t)n + sizeof(NAME) > sizeof(console->path))
		return -ENAMETOOLONG;
	return mkdtemp(console->path) ? 0 : -errno;
}

static int folder_find(struct console *console)
{
	const char *const places[] = {getenv("XDG_RUNTIME_DIR"), getenv("TMPDIR"), "/tmp"};
	int result = -ENOENT;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && result < 0; i++)
		if (places[i] && places[i][0] == '/')
			result = folder_make(console, places[i]);
	return result;
}

static void folder_remove(const char *folder)
{
	char path[sizeof(((struct console *)NULL)->path) + sizeof(NAME)];
	snprintf(path, sizeof(path), "%s" NAME, folder);
	unlink(path);
	rmdir(folder);
}

static _Noreturn void cleaner_run(int fd, const char *folder)
{
	char byte;
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	/* it may outlive the worker: what it inherited must end with that. Since 5.9 */
	fd = dup2(fd, 0);
	syscall(SYS_close_range, 1u, ~0u, 0u);
	while (read(fd, &byte, 1) < 0 && errno == EINTR)
		;
	folder_remove(folder);
	_exit(0);
}

/* The worker's PDEATHSIG is not inherited by it. */
static int cleaner_start(struct console *console)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	pid_t pid = fork();
	if (pid == 0)
		cleaner_run(ends[0], console->path);
	int result = pid < 0 ? -errno : 0;
	close(ends[0]);
	if (pid < 0) {
		close(ends[1]);
		return result;
	}
	console->cleaner_fd = ends[1];
	console->cleaner_pid = pid;
	return 0;
}

static int socket_listen(struct console *console)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	console->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (console->listen_fd < 0)
		return -errno;
	strcat(console->path, NAME);
	strcpy(address.sun_path, console->path);
	if (bind(console->listen_fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	/* the sticky bit: those who clean up run-time folders leave it alone */
	chmod(console->path, 0700 | S_ISVTX);
	return listen(console->listen_fd, 1) < 0 ? -errno : 0;
}

static int refuse(struct failure *ret_failure, const char *step, int error)
{
	return failure_set(ret_failure, "failed to create OCI runtime console socket: %s: %s", step,
			   failure_errno(-error));
}

int console_open(struct console *console, struct failure *ret_failure)
{
	*console = CONSOLE_NULL;
	int result = folder_find(console);
	if (result < 0)
		return refuse(ret_failure, "no folder for it", result);
	result = cleaner_start(console);
	if (result < 0) {
		rmdir(console->path);
		return result;
	}
	result = socket_listen(console);
	if (result == 0)
		return 0;
	console_close(console);
	return refuse(ret_failure, "listen", result);
}

/* A byte, since the runtime may have left a process that holds our end of the pair. */
void console_close(struct console *console)
{
	if (console->listen_fd >= 0)
		close(console->listen_fd);
	if (console->cleaner_pid > 0 && send(console->cleaner_fd, "", 1, MSG_NOSIGNAL) == 1)
		while (waitpid(console->cleaner_pid, NULL, 0) < 0 && errno == EINTR)
			;
	if (console->cleaner_fd >= 0)
		close(console->cleaner_fd);
	*console = CONSOLE_NULL;
}

/* ---- the message ---- */

int console_message_read(const struct msghdr *header, size_t size, int fds[CONSOLE_FDS_MAX],
			 size_t *ret_n, struct failure *ret_failure)
{
	const char *control = header->msg_control;
	size_t left = header->msg_controllen, n = 0;
	struct cmsghdr part;

	while (left >= CMSG_LEN(0)) {
		memcpy(&part, control, sizeof(part));
		if (part.cmsg_len < CMSG_LEN(0) || part.cmsg_len > left)
			break;
		size_t here = (part.cmsg_len - CMSG_LEN(0)) / sizeof(int);
		if (part.cmsg_level != SOL_SOCKET || part.cmsg_type != SCM_RIGHTS)
			here = 0;
		for (size_t i = 0; i < here && n < CONSOLE_FDS_MAX; i++)
			memcpy(&fds[n++], control + CMSG_LEN(0) + i * sizeof(int), sizeof(int));
		size_t space = CMSG_ALIGN(part.cmsg_len);
		control += space < left ? space : left;
		left -= space < left ? space : left;
	}
	*ret_n = n;
	if (size >= CONSOLE_NAME_SIZE)
		return failure_set(ret_failure, "the message is too long");
	if (header->msg_flags & MSG_CTRUNC || n > 1)
		return failure_set(ret_failure, "more than one descriptor came");
	if (n == 0)
		return failure_set(ret_failure, "no descriptor came");
	return 0;
}

static int master_check(int fd, struct failure *ret_failure)
{
	struct termios settings;
	if (tcgetattr(fd, &settings) < 0)
		return failure_set(ret_failure, "what came is not a terminal: %s",
				   failure_errno(errno));
	int flags = fcntl(fd, F_GETFL);
	return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

static int message_receive(int connection, int *ret_master, struct failure *ret_failure)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(CONSOLE_FDS_MAX * sizeof(int))];
	} control;
	char name[CONSOLE_NAME_SIZE];
	struct iovec part = {name, sizeof(name)};
	struct msghdr header = {.msg_iov = &part,
				.msg_iovlen = 1,
				.msg_control = control.bytes,
				.msg_controllen = sizeof(control.bytes)};
	int fds[CONSOLE_FDS_MAX];
	size_t n = 0;

	ssize_t size = recvmsg(connection, &header, MSG_CMSG_CLOEXEC);
	if (size < 0)
		return -errno;
	int result = console_message_read(&header, (size_t)size, fds, &n, ret_failure);
	if (result == 0)
		result = master_check(fds[0], ret_failure);
	if (result == 0)
		*ret_master = fds[0];
	for (size_t i = 0; i < n && result != 0; i++)
		close(fds[i]);
	return result;
}

static uint64_t milliseconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Refused: nothing came in time. */
static int readable_wait(int fd, uint64_t deadline, const char *what, struct failure *ret_failure)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	int n;
	do {
		uint64_t now = milliseconds();
		n = poll(&wait, 1, now < deadline ? (int)(deadline - now) : 0);
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		return failure_set(ret_failure, "%s in time: context deadline exceeded", what);
	return n < 0 ? -errno : 0;
}

static int master_receive(const struct console *console, int seconds, int *ret_master,
			  struct failure *ret_failure)
{
	uint64_t deadline = milliseconds() + (uint64_t)seconds * 1000;
	int result = readable_wait(console->listen_fd, deadline, "nobody connected", ret_failure);
	if (result != 0)
		return result;
	int connection = accept4(console->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (connection < 0)
		return -errno;
	result = readable_wait(connection, deadline, "no message came", ret_failure);
	if (result == 0)
		result = message_receive(connection, ret_master, ret_failure);
	close(connection);
	return result;
}

int console_receive(const struct console *console, int seconds, int *ret_master,
		    struct failure *ret_failure)
{
	int result = master_receive(console, seconds, ret_master, ret_failure);
	if (result == FAILURE_REFUSED)
		failure_prefix(ret_failure, "failed to retrieve console master: ");
	return result;
}
