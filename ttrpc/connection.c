/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One peer of a server. Frames are judged in the order size, parity of the id, type, id; what is
 * wrong with one is told to the peer as a status on the frame's id, and the connection goes on:
 *
 *   data above the limit             RESOURCE_EXHAUSTED; the id isn't used up
 *   even id, any type                INVALID_ARGUMENT
 *   Request, id not above the last   INVALID_ARGUMENT
 *   Data, whatever the id            INVALID_ARGUMENT: no unary call takes any
 *   Response, or an unknown type     ignored, for what may be invented later
 *
 * A call gets one terminal frame ever. So where such a status goes out on the id of a call that is
 * under way it is that call's answer: the call is cancelled, and what its handler may say later is
 * dropped.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "ttrpc/server.h"

static struct ttrpc_call *connection_find(const struct connection *connection, uint32_t id)
{
	const struct list *link = connection->calls.next;

	for (; link != &connection->calls; link = link->next) {
		struct ttrpc_call *call = container_of(link, struct ttrpc_call, link);

		if (call->id == id)
			return call;
	}
	return NULL;
}

void connection_refuse(struct connection *connection, uint32_t id, enum ttrpc_code code,
		       const char *format, ...)
{
	struct ttrpc_call *call = connection_find(connection, id);
	va_list arguments;

	va_start(arguments, format);
	call_send_status(connection, id, code, format, arguments);
	va_end(arguments);
	if (call)
		call_cancel(call);
}

static void connection_request(struct connection *connection, const struct frame *frame)
{
	const struct ttrpc_limits *limits = &connection->server->limits;

	if (frame->id <= connection->last_id) {
		connection_refuse(connection, frame->id, TTRPC_INVALID_ARGUMENT,
				  "stream id %u is not above %u, the last one", frame->id,
				  connection->last_id);
		return;
	}
	connection->last_id = frame->id;
	if (connection->n_calls >= limits->calls) {
		connection_refuse(connection, frame->id, TTRPC_RESOURCE_EXHAUSTED,
				  "more than %u calls under way", limits->calls);
		return;
	}
	call_run(connection, frame);
}

static void connection_frame(struct conn *conn, const struct frame *frame)
{
	struct connection *connection = container_of(conn, struct connection, conn);

	if (frame->oversize)
		connection_refuse(connection, frame->id, TTRPC_RESOURCE_EXHAUSTED,
				  "message of %u bytes is above the limit of %u", frame->length,
				  conn->reader.limit);
	else if (frame->id % 2 == 0)
		connection_refuse(connection, frame->id, TTRPC_INVALID_ARGUMENT,
				  "stream id %u is even: not a client's", frame->id);
	else if (frame->type == FRAME_REQUEST)
		connection_request(connection, frame);
	else if (frame->type == FRAME_DATA)
		connection_refuse(connection, frame->id, TTRPC_INVALID_ARGUMENT,
				  "stream %u takes no data", frame->id);
}

static void connection_event(struct ttrpc_watch *watch, uint32_t events)
{
	struct conn *conn = container_of(watch, struct conn, watch);
	struct connection *connection = container_of(conn, struct connection, conn);
	struct ttrpc_server *server = connection->server;

	server_enter(server);
	conn_step(conn, events);
	if (conn->error && !server->doomed)
		connection_free(connection);
	server_leave(server);
}

int connection_new(struct ttrpc_server *server, int fd, const struct ucred *peer)
{
	struct connection *connection = malloc(sizeof(*connection));
	int error;

	if (!connection) {
		close(fd);
		return -ENOMEM;
	}
	connection->server = server;
	connection->n_calls = 0;
	connection->last_id = 0;
	connection->peer = *peer;
	list_init(&connection->calls);
	conn_init(&connection->conn, &server->buffers, connection_frame, fd, server->limits.message,
		  server->limits.write_queue);
	error = conn_watch(&connection->conn, server->loop, connection_event);
	if (error < 0) {
		conn_deinit(&connection->conn);
		free(connection);
		return error;
	}
	list_append(&server->connections, &connection->link);
	server->n_connections++;
	return 0;
}

void connection_free(struct connection *connection)
{
	struct ttrpc_server *server = connection->server;

	conn_break(&connection->conn, -ECANCELED);
	list_remove(&connection->link);
	server->n_connections--;
	call_cancel_all(connection);
	conn_deinit(&connection->conn);
	free(connection);
	if (server->doomed)
		return;
	listeners_resume(server);
	if (server->n_connections == 0 && server->on_last_close)
		server->on_last_close(server->on_last_close_userdata);
}
