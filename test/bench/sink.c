/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon, reduced to what a shim sees of it: somebody who accepts connections and says OK to
 * Forward, and reads the log. Without it a shim would spend the run on reconnecting, each in its own
 * way, or stop when the FIFO of its log is full.
 *
 * One detached thread, one epoll, blocking reads of whole frames. A shim that stops in the middle of one
 * keeps the others waiting, but not for long: its connection is closed.
 */
#include "test/bench/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "test/bench/wire.h"

#define TYPE_RESPONSE 2
#define STOP_SECONDS 1

struct sink {
	int epoll_fd, listener;
};

static struct sink sink = {.epoll_fd = -1, .listener = -1};

/* In an event's data it stands above the descriptor. */
enum kind { LISTENER, CONNECTION, LOG };

static int watch(int fd, enum kind kind)
{
	struct epoll_event event = {.events = EPOLLIN,
				    .data.u64 = (uint64_t)kind << 32 | (uint32_t)fd};

	return epoll_ctl(sink.epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static void welcome(void)
{
	int fd = accept4(sink.listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	wire_limit(fd, STOP_SECONDS);
	if (watch(fd, CONNECTION) < 0)
		close(fd);
}

/*
 * The other thread may have a child between fork and exec, which holds the file, too: then the epoll
 * would go on to report it, by a number that is another's by now.
 */
static void dismiss(int fd)
{
	epoll_ctl(sink.epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	close(fd);
}

static void answer(int fd)
{
	unsigned char body[WIRE_MESSAGE_MAX];
	uint32_t stream;
	uint8_t type;
	size_t size;

	if (wire_receive(fd, &stream, &type, body, &size) < 0 ||
	    wire_send(fd, stream, TYPE_RESPONSE, NULL, 0) < 0)
		dismiss(fd);
}

static void swallow(int fd)
{
	char bytes[4096];
	ssize_t got = read(fd, bytes, sizeof(bytes));

	if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
		dismiss(fd);
}

static void handle(uint64_t data)
{
	int fd = (int)(uint32_t)data;

	switch ((enum kind)(data >> 32)) {
	case LISTENER:
		welcome();
		break;
	case CONNECTION:
		answer(fd);
		break;
	case LOG:
		swallow(fd);
		break;
	}
}

static void *run(void *unused)
{
	struct epoll_event events[16];

	(void)unused;
	for (;;) {
		int n = epoll_wait(sink.epoll_fd, events, 16, -1);

		if (n < 0 && errno != EINTR)
			return NULL;
		for (int i = 0; i < n; i++)
			handle(events[i].data.u64);
	}
}

static int open_listener(const char *path)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(name.sun_path))
		return -ENAMETOOLONG;
	strcpy(name.sun_path, path);
	sink.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sink.listener < 0)
		return -errno;
	if (bind(sink.listener, (const struct sockaddr *)&name, sizeof(name)) < 0 ||
	    listen(sink.listener, 256) < 0)
		return -errno;
	return 0;
}

int sink_start(const char *path)
{
	pthread_t thread;
	int error;

	error = open_listener(path);
	if (error < 0)
		return error;
	sink.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (sink.epoll_fd < 0)
		return -errno;
	error = watch(sink.listener, LISTENER);
	if (error < 0)
		return error;
	error = pthread_create(&thread, NULL, run, NULL);
	if (error)
		return -error;
	pthread_detach(thread);
	return 0;
}

int sink_swallow(const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), error;

	if (fd < 0)
		return -errno;
	error = watch(fd, LOG);
	if (error < 0)
		close(fd);
	return error;
}
