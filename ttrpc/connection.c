/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One peer of a server. Frames are judged in the order size, parity of the id, type, id; what is
 * wrong with one is told to the peer as a status on the frame's id, and the connection goes on:
 *
 *   data above the limit             RESOURCE_EXHAUSTED; the id isn't used up
 *   even id, any type                INVALID_ARGUMENT
 *   Request, id not above the last   INVALID_ARGUMENT
 *   Data, id of a stream             see stream_server.c
 *   Data, any other id               INVALID_ARGUMENT: no unary call takes any
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

/* ---- its calls, by id ---- */

static struct ttrpc_call **table_place(const struct connection *connection, uint32_t id)
{
	return &connection->table[id / 2 % connection->table_size];
}

static void table_insert(const struct connection *connection, struct ttrpc_call *call)
{
	struct ttrpc_call **place = table_place(connection, call->id);

	call->table_next = *place;
	*place = call;
}

/* Without memory for it, the list goes on to do. */
static void table_grow(struct connection *connection)
{
	uint32_t size = connection->table_size > 0 ? 4 * connection->table_size : 32;
	struct ttrpc_call **table = calloc(size, sizeof(struct ttrpc_call *));
	const struct list *link;

	if (!table)
		return;
	free(connection->table);
	connection->table = table;
	connection->table_size = size;
	for (link = connection->calls.next; link != &connection->calls; link = link->next)
		table_insert(connection, container_of(link, struct ttrpc_call, link));
}

void connection_insert(struct connection *connection, struct ttrpc_call *call)
{
	list_append(&connection->calls, &call->link);
	connection->n_calls++;
	if (connection->table)
		table_insert(connection, call);
	if (connection->n_calls > CONNECTION_LIST_MAX &&
	    connection->n_calls > 2 * connection->table_size)
		table_grow(connection);
}

void connection_remove(struct connection *connection, struct ttrpc_call *call)
{
	list_remove(&call->link);
	connection->n_calls--;
	if (connection->table) {
		struct ttrpc_call **place = table_place(connection, call->id);

		while (*place != call)
			place = &(*place)->table_next;
		*place = call->table_next;
	}
}

static struct ttrpc_call *connection_find(const struct connection *connection, uint32_t id)
{
	const struct list *link = connection->calls.next;
	struct ttrpc_call *call = NULL;

	if (connection->table) {
		for (call = *table_place(connection, id); call && call->id != id;)
			call = call->table_next;
		return call;
	}
	for (; link != &connection->calls; link = link->next) {
		call = container_of(link, struct ttrpc_call, link);
		if (call->id == id)
			return call;
	}
	return NULL;
}

/* ---- frames ---- */

void connection_refuse(struct connection *connection, uint32_t id, enum ttrpc_code code,
		       const char *format, ...)
{
	struct ttrpc_call *call = connection_find(connection, id);
	va_list arguments;

	va_start(arguments, format);
	answer_status(connection, id, code, text_format_own, format, arguments);
	va_end(arguments);
	if (call)
		call_cancel(call, code, code == TTRPC_DEADLINE_EXCEEDED ? -ETIMEDOUT : -EPROTO);
}

static void connection_request(struct connection *connection, const struct frame *frame)
{
	const struct ttrpc_limits *limits = &connection->server->limits;

	if (!ids_use(&connection->ids, frame->id)) {
		connection_refuse(connection, frame->id, TTRPC_INVALID_ARGUMENT,
				  "stream id %u was used before", frame->id);
		return;
	}
	if (connection->n_calls >= limits->calls) {
		connection_refuse(connection, frame->id, TTRPC_RESOURCE_EXHAUSTED,
				  "more than %u calls under way", limits->calls);
		return;
	}
	call_run(connection, frame);
}

static void connection_data(struct connection *connection, const struct frame *frame)
{
	struct ttrpc_call *call = connection_find(connection, frame->id);
	struct ttrpc_statistics *statistics = connection->server->statistics;

	if (call && call->method->streams)
		call->method->streams->data(call, frame);
	else if (!call && connection->pool &&
		 connection->streams->forgotten(connection, frame->id)) {
		if (statistics)
			statistics->late++;
	} else
		connection_refuse(connection, frame->id, TTRPC_INVALID_ARGUMENT,
				  "stream %u takes no data", frame->id);
}

static void connection_frame(struct conn *conn, const struct frame *frame)
{
	struct connection *connection = container_of(conn, struct connection, conn);

	connection->n_frames++;
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
		connection_data(connection, frame);
}

static void connection_event(struct ttrpc_watch *watch, uint32_t events)
{
	struct conn *conn = container_of(watch, struct conn, watch);
	struct connection *connection = container_of(conn, struct connection, conn);
	struct ttrpc_server *server = connection->server;

	server_enter(server);
	conn_step(conn, events);
	if (conn->error && !server->doomed) {
		connection_free(connection);
	} else if (!conn->error) {
		guard_update(connection);
		server_progress(server);
	}
	server_leave(server);
}

int connection_new(struct ttrpc_server *server, int fd, const struct ucred *peer, void *data,
		   void (*release)(void *data))
{
	struct connection *connection = malloc(sizeof(*connection));
	int error;

	if (!connection) {
		close(fd);
		return -ENOMEM;
	}
	*connection = (struct connection){
		.server = server, .peer = *peer, .data = data, .release = release};
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
	if (server->limits.first_byte > 0)
		guard_update(connection);
	if (server->statistics) {
		server->statistics->connections++;
		server->statistics->connections_now++;
	}
	return 0;
}

void connection_free(struct connection *connection)
{
	struct ttrpc_server *server = connection->server;
	int error = connection->conn.error;

	conn_break(&connection->conn, -ECANCELED);
	ttrpc_timer_clear(&connection->guard);
	list_remove(&connection->link);
	server->n_connections--;
	if (server->statistics)
		server->statistics->connections_now--;
	call_cancel_all(connection, error ? error : -ECANCELED);
	if (connection->release)
		connection->release(connection->data);
	conn_deinit(&connection->conn);
	ids_deinit(&connection->ids);
	free(connection->table);
	free(connection->pool);
	free(connection);
	if (server->doomed)
		return;
	listeners_resume(server);
	server_progress(server);
	if (server->n_connections == 0 && server->on_last_close)
		server->on_last_close(server->on_last_close_userdata);
}
