/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listening sockets. A connection is accepted, its peer's credentials are looked at, and only then
 * is anything allocated for it.
 *
 * A connection that can't be accepted stays in the kernel's backlog and keeps the listener
 * readable, so when descriptors, memory or the limit of connections are used up the listeners
 * aren't watched (paused) until a connection closes or, where somebody else may give back what is
 * missing, the retry timer fires.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ttrpc/credentials.h"
#include "ttrpc/server.h"

static void listeners_watch(struct ttrpc_server *server, uint32_t events)
{
	struct listener *listener;

	for (listener = server->listeners; listener; listener = listener->next)
		ttrpc_watch_set(&listener->watch, events);
}

static void listeners_retry(struct ttrpc_timer *timer)
{
	listeners_resume(container_of(timer, struct ttrpc_server, accept_timer));
}

void listeners_pause(struct ttrpc_server *server, bool retry)
{
	server->accept_paused = true;
	listeners_watch(server, 0);
	if (retry)
		ttrpc_timer_set(server->loop, &server->accept_timer,
				ttrpc_now() + SERVER_ACCEPT_RETRY, listeners_retry);
}

void listeners_resume(struct ttrpc_server *server)
{
	if (!server->accept_paused || server->n_connections >= server->limits.connections)
		return;
	server->accept_paused = false;
	ttrpc_timer_clear(&server->accept_timer);
	listeners_watch(server, EPOLLIN);
}

static void listener_admit(struct ttrpc_server *server, int fd)
{
	struct ucred peer;
	int error;

	if (!policy_admits(&server->policy, fd, &peer)) {
		close(fd);
		return;
	}
	error = connection_new(server, fd, &peer);
	if (error < 0)
		listeners_pause(server, true);
	else if (server->n_connections >= server->limits.connections)
		listeners_pause(server, false);
}

/* Whether it makes sense to accept again at once. */
static bool listener_accept(struct listener *listener)
{
	struct ttrpc_server *server = listener->server;
	int fd = accept4(listener->watch.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0) {
		listener_admit(server, fd);
		return !server->accept_paused;
	}
	switch (errno) {
	case EAGAIN:
		return false;
	case EINTR:
	case ECONNABORTED: /* of the connection, not of the listener, as the network errors are */
	case EPROTO:
	case ENETDOWN:
	case ENETUNREACH:
	case EHOSTDOWN:
	case EHOSTUNREACH:
	case ENONET:
	case ENOPROTOOPT:
	case EOPNOTSUPP:
	case EPERM:
		return true;
	default:
		listeners_pause(server, true);
		return false;
	}
}

/* Closes it; the caller takes it out of the list. */
static void listener_free(struct listener *listener)
{
	int fd = listener->watch.fd;

	ttrpc_watch_remove(&listener->watch);
	close(fd);
	free(listener);
}

/* Somebody shut the socket down: it would report that for ever, and never listen again. */
static void listener_end(struct listener *listener)
{
	struct listener **place = &listener->server->listeners;

	while (*place != listener)
		place = &(*place)->next;
	*place = listener->next;
	listener_free(listener);
}

static void listener_event(struct ttrpc_watch *watch, uint32_t events)
{
	struct listener *listener = container_of(watch, struct listener, watch);
	struct ttrpc_server *server = listener->server;

	if (events & EPOLLHUP) {
		listener_end(listener);
		return;
	}
	server_enter(server);
	for (int i = 0; i < SERVER_ACCEPT_MAX; i++)
		if (!listener_accept(listener))
			break;
	server_leave(server);
}

int ttrpc_server_listen(struct ttrpc_server *server, int fd)
{
	struct listener *listener;
	int flags = fcntl(fd, F_GETFL);
	int error;

	if (flags < 0 || (!(flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0))
		return -errno;
	listener = malloc(sizeof(*listener));
	if (!listener)
		return -ENOMEM;
	listener->server = server;
	error = ttrpc_watch_add(server->loop, &listener->watch, fd,
				server->accept_paused ? 0u : (uint32_t)EPOLLIN, listener_event);
	if (error < 0) {
		free(listener);
		return error;
	}
	listener->next = server->listeners;
	server->listeners = listener;
	return 0;
}

void ttrpc_server_stop_listening(struct ttrpc_server *server)
{
	struct listener *listener;

	while ((listener = server->listeners)) {
		server->listeners = listener->next;
		listener_free(listener);
	}
	ttrpc_timer_clear(&server->accept_timer);
	server->accept_paused = false;
}
