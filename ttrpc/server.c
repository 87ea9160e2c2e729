/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server object. It allocates itself, a few bytes for each service and listener, and a struct
 * for each connection; all buffers are shared by the connections, of which one is worked on at a
 * time.
 */
#include "ttrpc/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ttrpc/credentials.h"

int ttrpc_server_new(struct ttrpc_loop *loop, const struct ttrpc_policy *policy,
		     struct ttrpc_server **ret_server)
{
	struct ttrpc_server *server;

	if (!policy)
		return -EINVAL;
	/* Not cleared: the buffers at its end are touched as far as bytes come. */
	server = malloc(sizeof(*server));
	if (!server)
		return -ENOMEM;
	memset(server, 0, offsetof(struct ttrpc_server, arena_bytes));
	server->loop = loop;
	server->policy = policy_bind(policy);
	ttrpc_limits_init(&server->limits);
	list_init(&server->connections);
	list_init(&server->admissions);
	list_init(&server->spare_calls);
	arena_init(&server->arena, server->arena_bytes, sizeof(server->arena_bytes),
		   TTRPC_DECODED_MAX);
	conn_buffers_init(&server->buffers, server->input_bytes, sizeof(server->input_bytes),
			  server->output_bytes, sizeof(server->output_bytes));
	server->arena.cache = &server->buffers.cache;
	server->buffers.cache.loop = loop;
	*ret_server = server;
	return 0;
}

static void server_destroy(struct ttrpc_server *server)
{
	struct service_entry *entry;
	struct list *link;

	while ((link = server->connections.next) != &server->connections)
		connection_free(container_of(link, struct connection, link));
	while ((link = server->spare_calls.next) != &server->spare_calls) {
		list_remove(link);
		free(container_of(link, struct ttrpc_call, link));
	}
	while ((entry = server->services)) {
		server->services = entry->next;
		free(entry);
	}
	if (server->hooks)
		server->hooks->free(server->chain);
	arena_deinit(&server->arena);
	conn_buffers_deinit(&server->buffers);
	free(server);
}

void server_enter(struct ttrpc_server *server)
{
	server->busy++;
}

void server_leave(struct ttrpc_server *server)
{
	if (--server->busy == 0 && server->doomed)
		server_destroy(server);
}

void server_progress(struct ttrpc_server *server)
{
	if (server->shutdown && server->shutdown->progress)
		server->shutdown->progress(server->shutdown);
}

struct ttrpc_server *ttrpc_server_free(struct ttrpc_server *server)
{
	struct list *link;

	if (!server)
		return NULL;
	server_enter(server);
	server->doomed = true;
	if (server->shutdown)
		server->shutdown->free(server->shutdown);
	server->shutdown = NULL;
	ttrpc_server_stop_listening(server);
	if (!list_empty(&server->admissions))
		admissions_cancel(server);
	for (link = server->connections.next; link != &server->connections; link = link->next) {
		struct connection *connection = container_of(link, struct connection, link);

		conn_break(&connection->conn, -ECANCELED);
		ttrpc_watch_remove(&connection->conn.watch);
		call_cancel_all(connection, -ECANCELED);
	}
	server_leave(server);
	return NULL;
}

int ttrpc_server_register(struct ttrpc_server *server, const struct ttrpc_service *service,
			  const void *handlers, void *userdata)
{
	struct slice name = {(const uint8_t *)service->name, strlen(service->name)};
	struct service_entry *entry;

	if (server_find(server, name))
		return -EEXIST;
	entry = malloc(sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	*entry = (struct service_entry){
		.next = server->services,
		.service = service,
		.name_size = name.size,
		.handlers = handlers,
		.userdata = userdata,
	};
	server->services = entry;
	return 0;
}

const struct service_entry *server_find(const struct ttrpc_server *server, struct slice name)
{
	const struct service_entry *entry;

	for (entry = server->services; entry; entry = entry->next)
		if (entry->name_size == name.size &&
		    (name.size == 0 || memcmp(entry->service->name, name.data, name.size) == 0))
			return entry;
	return NULL;
}

int ttrpc_server_set_limits(struct ttrpc_server *server, const struct ttrpc_limits *limits)
{
	if (limits->message > TTRPC_MESSAGE_CEILING)
		return -EINVAL;
	server->limits = *limits;
	return 0;
}

void ttrpc_server_count(struct ttrpc_server *server, struct ttrpc_statistics *statistics)
{
	server->statistics = server->buffers.statistics = statistics;
}

void ttrpc_server_enforce_deadlines(struct ttrpc_server *server, bool enforce)
{
	server->lenient = !enforce;
}

size_t ttrpc_server_connections(const struct ttrpc_server *server)
{
	return server->n_connections;
}

bool ttrpc_server_idle(const struct ttrpc_server *server)
{
	const struct list *link;

	for (link = server->connections.next; link != &server->connections; link = link->next) {
		const struct connection *connection =
			container_of(link, const struct connection, link);

		if (connection->n_calls > 0 || conn_waiting(&connection->conn) > 0)
			return false;
	}
	return true;
}

void ttrpc_server_on_last_close(struct ttrpc_server *server, void (*callback)(void *userdata),
				void *userdata)
{
	server->on_last_close = callback;
	server->on_last_close_userdata = userdata;
}
