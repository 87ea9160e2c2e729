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

#include "ttrpc/address.h"
#include "ttrpc/server.h"

static void listener_event(struct ttrpc_watch *watch, uint32_t events);

/* A descriptor that is watched exclusively can't be changed, only added and removed. */
static int listener_watch(struct listener *listener, bool on)
{
	struct ttrpc_loop *loop = listener->server->loop;

	if (!listener->shared && listener->watch.loop)
		return ttrpc_watch_set(&listener->watch, on ? (uint32_t)EPOLLIN : 0u);
	ttrpc_watch_remove(&listener->watch);
	if (listener->shared)
		return on ? ttrpc_watch_add(loop, &listener->watch, listener->fd,
					    EPOLLIN | EPOLLEXCLUSIVE, listener_event)
			  : 0;
	return ttrpc_watch_add(loop, &listener->watch, listener->fd, on ? (uint32_t)EPOLLIN : 0u,
			       listener_event);
}

static void listeners_watch(struct ttrpc_server *server, bool on)
{
	struct listener *listener;

	for (listener = server->listeners; listener; listener = listener->next)
		listener_watch(listener, on);
}

static void listeners_retry(struct ttrpc_timer *timer)
{
	listeners_resume(container_of(timer, struct ttrpc_server, accept_timer));
}

void listeners_pause(struct ttrpc_server *server, bool retry)
{
	server->accept_paused = true;
	listeners_watch(server, false);
	if (retry && server->listeners)
		ttrpc_timer_set(server->loop, &server->accept_timer,
				ttrpc_now() + SERVER_ACCEPT_RETRY, listeners_retry);
}

void listeners_resume(struct ttrpc_server *server)
{
	if (!server->accept_paused ||
	    server->n_connections + server->n_admissions >= server->limits.connections)
		return;
	server->accept_paused = false;
	ttrpc_timer_clear(&server->accept_timer);
	listeners_watch(server, true);
}

/* Whether it makes sense to accept again at once. */
static bool listener_accept(struct listener *listener)
{
	struct ttrpc_server *server = listener->server;
	int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0) {
		admit(server, fd);
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
	ttrpc_watch_remove(&listener->watch);
	close(listener->fd);
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

static int listener_new(struct ttrpc_server *server, int fd, bool shared)
{
	struct listener *listener;
	int flags = fcntl(fd, F_GETFL);
	int error;

	if (flags < 0 || (!(flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0))
		return -errno;
	listener = malloc(sizeof(*listener));
	if (!listener)
		return -ENOMEM;
	*listener = (struct listener){
		.watch = TTRPC_WATCH_NULL,
		.server = server,
		.next = server->listeners,
		.fd = fd,
		.shared = shared,
	};
	error = listener_watch(listener, !server->accept_paused);
	if (error < 0) {
		free(listener);
		return error;
	}
	/* What is accepted inherits it. */
	address_no_delay(fd);
	server->listeners = listener;
	return 0;
}

int ttrpc_server_listen(struct ttrpc_server *server, int fd)
{
	return listener_new(server, fd, false);
}

int ttrpc_server_listen_shared(struct ttrpc_server *server, int fd)
{
	return listener_new(server, fd, true);
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
