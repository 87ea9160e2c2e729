/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A shutdown that cuts nothing off. It waits for an exact count: no call or stream under way on any
 * connection, no byte in any write queue, no handshake. Whoever changes one of those tells it
 * (progress), wherever in the library that is, so it only sets a timer that is due at once, and looks
 * from there.
 *
 * When nothing is owed, what a client may have sent by then is still read, and refused; only a
 * connection on which nothing was left is closed.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "ttrpc/server.h"

struct shutdown {
	struct server_shutdown base;
	struct ttrpc_server *server;
	struct ttrpc_timer look, deadline;
	void (*done)(void *userdata, int error);
	void *userdata;
};

static void shutdown_free(struct server_shutdown *base)
{
	struct shutdown *shutdown = container_of(base, struct shutdown, base);

	ttrpc_timer_clear(&shutdown->look);
	ttrpc_timer_clear(&shutdown->deadline);
	free(shutdown);
}

/* New calls are refused for as long as the server lives: it keeps its shutdown. */
static void shutdown_end(struct shutdown *shutdown, int error)
{
	void (*done)(void *userdata, int error) = shutdown->done;

	ttrpc_timer_clear(&shutdown->look);
	ttrpc_timer_clear(&shutdown->deadline);
	shutdown->done = NULL;
	shutdown->base.progress = NULL;
	if (done)
		done(shutdown->userdata, error);
}

static void shutdown_expired(struct ttrpc_timer *timer)
{
	struct shutdown *shutdown = container_of(timer, struct shutdown, deadline);
	struct ttrpc_server *server = shutdown->server;

	server_enter(server);
	shutdown_end(shutdown, -ETIMEDOUT);
	server_leave(server);
}

static bool connection_owes(const struct connection *connection)
{
	return connection->n_calls > 0 || conn_waiting(&connection->conn) > 0 ||
	       frame_reader_partial(&connection->conn.reader);
}

/* Reads what is there, once more, and closes the connections where that made no difference. */
static void shutdown_close(struct ttrpc_server *server)
{
	struct list *link, *next;

	for (link = server->connections.next; link != &server->connections; link = next) {
		struct connection *connection = container_of(link, struct connection, link);

		next = link->next;
		if (!connection->conn.error && !connection->conn.paused)
			conn_step(&connection->conn, EPOLLIN);
		if (connection->conn.error || !connection_owes(connection))
			connection_free(connection);
	}
}

static void shutdown_look(struct ttrpc_timer *timer)
{
	struct shutdown *shutdown = container_of(timer, struct shutdown, look);
	struct ttrpc_server *server = shutdown->server;

	server_enter(server);
	if (ttrpc_server_idle(server) && server->n_admissions == 0)
		shutdown_close(server);
	if (!server->doomed && server->n_connections == 0 && server->n_admissions == 0)
		shutdown_end(shutdown, 0);
	server_leave(server);
}

static void shutdown_progress(struct server_shutdown *base)
{
	struct shutdown *shutdown = container_of(base, struct shutdown, base);

	if (!shutdown->look.loop)
		ttrpc_timer_set(shutdown->server->loop, &shutdown->look, ttrpc_now(),
				shutdown_look);
}

int ttrpc_server_shutdown(struct ttrpc_server *server, uint64_t timeout,
			  void (*done)(void *userdata, int error), void *userdata)
{
	struct shutdown *shutdown;

	if (server->shutdown)
		return -EALREADY;
	shutdown = calloc(1, sizeof(*shutdown));
	if (!shutdown)
		return -ENOMEM;
	*shutdown = (struct shutdown){
		.base = {shutdown_progress, shutdown_free},
		.server = server,
		.done = done,
		.userdata = userdata,
	};
	server->shutdown = &shutdown->base;
	ttrpc_server_stop_listening(server);
	ttrpc_timer_set(server->loop, &shutdown->deadline, ttrpc_now() + timeout, shutdown_expired);
	shutdown_progress(&shutdown->base);
	return 0;
}
