/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client object: one connection, and the moment of its end, which comes once. Then every call
 * under way ends with the reason, then on_close is told; new calls get the same reason at once.
 */
#include "ttrpc/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

static void client_frame(struct conn *conn, const struct frame *frame)
{
	client_call_frame(container_of(conn, struct ttrpc_client, conn), frame);
}

static void client_destroy(struct ttrpc_client *client)
{
	conn_deinit(&client->conn);
	client_call_free_spares(client);
	free(client->pool);
	if (client->hooks)
		client->hooks->free(client->chain);
	free(client->details);
	arena_deinit(&client->arena);
	conn_buffers_deinit(&client->buffers);
	free(client);
}

/* What was lent is the client's again. */
static void client_take_back(struct ttrpc_client *client)
{
	client->lends = false;
	cache_free(&client->buffers.cache, client->lent, client->lent_size);
	client->lent = NULL;
	arena_reset(&client->arena);
}

void client_enter(struct ttrpc_client *client)
{
	if (client->busy++ == 0 && client->lends)
		client_take_back(client);
}

void client_leave(struct ttrpc_client *client)
{
	if (--client->busy == 0 && client->doomed)
		client_destroy(client);
}

bool client_is_inside(const struct ttrpc_client *client)
{
	return client->conn.stepping || (client->arena.used > 0 && !client->lends);
}

int client_error(const struct ttrpc_client *client)
{
	return client->conn.error ? client->conn.error : client->conn.write_error;
}

void client_check(struct ttrpc_client *client)
{
	int error = client->conn.error;

	if (!error || client->closed)
		return;
	client->closed = true;
	client->middle = error == -ECONNABORTED || frame_reader_partial(&client->conn.reader);
	ttrpc_watch_remove(&client->conn.watch);
	client_call_end_all(client, error);
	if (client->on_close && !client->doomed)
		client->on_close(client->on_close_userdata, error);
}

static void client_event(struct ttrpc_watch *watch, uint32_t events)
{
	struct conn *conn = container_of(watch, struct conn, watch);
	struct ttrpc_client *client = container_of(conn, struct ttrpc_client, conn);

	client_enter(client);
	conn_step(conn, events);
	client_check(client);
	client_leave(client);
}

int ttrpc_client_new(struct ttrpc_loop *loop, int fd, struct ttrpc_client **ret_client)
{
	struct ttrpc_client *client = malloc(sizeof(*client));
	int error;

	if (!client)
		return -ENOMEM;
	memset(client, 0, offsetof(struct ttrpc_client, arena_bytes));
	client->loop = loop;
	client->next_id = 1;
	ttrpc_limits_init(&client->limits);
	client->limits.write_queue = TTRPC_CLIENT_QUEUE_MAX;
	for (unsigned i = 0; i < CLIENT_BUCKETS; i++)
		list_init(&client->calls[i]);
	list_init(&client->spare_calls);
	arena_init(&client->arena, client->arena_bytes, sizeof(client->arena_bytes),
		   TTRPC_DECODED_MAX);
	conn_buffers_init(&client->buffers, client->input_bytes, sizeof(client->input_bytes),
			  client->output_bytes, sizeof(client->output_bytes));
	client->arena.cache = &client->buffers.cache;
	client->buffers.cache.loop = loop;
	conn_init(&client->conn, &client->buffers, client_frame, fd, TTRPC_MESSAGE_MAX, SIZE_MAX);
	error = loop ? conn_watch(&client->conn, loop, client_event) : 0;
	if (error < 0) {
		free(client);
		return error;
	}
	*ret_client = client;
	return 0;
}

static void client_close(struct ttrpc_client *client)
{
	if (!client->conn.error)
		client->local = true;
	conn_break(&client->conn, -ECANCELED);
	client_check(client);
	/* What is left of them where a callback of the very same end came here. */
	client_call_end_all(client, client->conn.error);
	/* What the peer ended before, and its user hasn't heard of yet. */
	if (client->streams)
		client->streams->free(client);
}

struct ttrpc_client *ttrpc_client_free(struct ttrpc_client *client)
{
	if (!client)
		return NULL;
	client_enter(client);
	client->doomed = true;
	client_close(client);
	client_leave(client);
	return NULL;
}

void ttrpc_client_close(struct ttrpc_client *client)
{
	client_enter(client);
	client_close(client);
	client_leave(client);
}

struct ttrpc_close ttrpc_client_closed(const struct ttrpc_client *client)
{
	return (struct ttrpc_close){
		.error = client->conn.error,
		.local = client->local,
		.middle = client->middle,
	};
}

int ttrpc_client_set_limits(struct ttrpc_client *client, const struct ttrpc_limits *limits)
{
	if (limits->message > TTRPC_MESSAGE_CEILING)
		return -EINVAL;
	client->limits = *limits;
	client->conn.reader.limit = limits->message;
	return 0;
}

void ttrpc_client_count(struct ttrpc_client *client, struct ttrpc_statistics *statistics)
{
	client->statistics = client->buffers.statistics = statistics;
}

void ttrpc_client_on_close(struct ttrpc_client *client, void (*callback)(void *userdata, int error),
			   void *userdata)
{
	client->on_close = callback;
	client->on_close_userdata = userdata;
}
