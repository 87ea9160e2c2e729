/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limit SOCKET raw|epoll SIZE
 *
 * What sockets allow: a server of one connection that answers each request of bench.Bench/Echo of
 * SIZE bytes with as many bytes as an answer has, and looks at none of them. raw reads and writes,
 * blocking; epoll waits for the descriptor in an epoll, receives and sends as an event loop does.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "test/bench-ttrpc/frames.h"

struct limit {
	int fd, epoll;
	uint8_t *input, *answer;
	size_t request_size, answer_size;
};

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(1);
}

static int accept_one(const char *path)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;

	strncpy(name.sun_path, path, sizeof(name.sun_path) - 1);
	if (listener < 0 || bind(listener, (const struct sockaddr *)&name, sizeof(name)) < 0 ||
	    listen(listener, 1) < 0)
		die(path);
	puts("ready");
	fflush(stdout);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		die("accept");
	close(listener);
	return fd;
}

static bool serve_raw(struct limit *limit)
{
	size_t n = 0;

	while (n < limit->request_size) {
		ssize_t got = read(limit->fd, limit->input, limit->request_size - n);

		if (got <= 0)
			return false;
		n += (size_t)got;
	}
	for (n = 0; n < limit->answer_size;) {
		ssize_t sent = write(limit->fd, limit->answer + n, limit->answer_size - n);

		if (sent <= 0)
			return false;
		n += (size_t)sent;
	}
	return true;
}

static bool wait_for(struct limit *limit, uint32_t events)
{
	struct epoll_event event = {.events = events};

	/* The interest changes only where a message is larger than the socket's buffer. */
	if (events != EPOLLIN && epoll_ctl(limit->epoll, EPOLL_CTL_MOD, limit->fd, &event) < 0)
		return false;
	if (epoll_wait(limit->epoll, &event, 1, -1) != 1)
		return false;
	event.events = EPOLLIN;
	return events == EPOLLIN || epoll_ctl(limit->epoll, EPOLL_CTL_MOD, limit->fd, &event) == 0;
}

static bool serve_epoll(struct limit *limit)
{
	size_t n = 0;

	while (n < limit->request_size) {
		ssize_t got;

		if (!wait_for(limit, EPOLLIN))
			return false;
		got = recv(limit->fd, limit->input, limit->request_size - n, MSG_DONTWAIT);
		if (got <= 0)
			return false;
		n += (size_t)got;
	}
	for (n = 0; n < limit->answer_size;) {
		struct iovec piece = {limit->answer + n, limit->answer_size - n};
		const struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
		ssize_t sent = sendmsg(limit->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent < 0 && (errno != EAGAIN || !wait_for(limit, EPOLLOUT)))
			return false;
		n += sent > 0 ? (size_t)sent : 0;
	}
	return true;
}

int main(int argc, char **argv)
{
	struct epoll_event event = {.events = EPOLLIN};
	struct limit limit = {.epoll = epoll_create1(EPOLL_CLOEXEC)};
	size_t size;
	bool (*serve)(struct limit * limit);

	if (argc != 4) {
		fprintf(stderr, "limit SOCKET raw|epoll SIZE\n");
		return 2;
	}
	size = strtoul(argv[3], NULL, 10);
	serve = strcmp(argv[2], "raw") == 0 ? serve_raw : serve_epoll;
	limit.input = malloc(size + FRAMES_OVERHEAD);
	limit.answer = malloc(size + FRAMES_OVERHEAD);
	if (!limit.input || !limit.answer)
		die("malloc");
	limit.request_size = (size_t)(frames_echo(limit.input, 1, size) - limit.input);
	limit.answer_size = (size_t)(frames_answer(limit.answer, 1, size) - limit.answer);
	limit.fd = accept_one(argv[1]);
	if (epoll_ctl(limit.epoll, EPOLL_CTL_ADD, limit.fd, &event) < 0)
		die("epoll_ctl");
	while (serve(&limit))
		;
	free(limit.input);
	free(limit.answer);
	return 0;
}
