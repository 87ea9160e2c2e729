/* SPDX-License-Identifier: Apache-2.0 */
#include "test/interop/peer.h"

#include <errno.h>
#include <string.h>

int peer_open(struct peer *peer, const char *socket)
{
	int error = ttrpc_loop_init(&peer->loop);

	if (error)
		return error;
	error = ttrpc_client_connect(&peer->loop, socket, PEER_PATIENCE, &peer->client);
	if (error)
		ttrpc_loop_deinit(&peer->loop);
	return error;
}

void peer_close(struct peer *peer)
{
	peer->client = ttrpc_client_free(peer->client);
	ttrpc_loop_deinit(&peer->loop);
}

bool peer_wait(struct peer *peer, const size_t *counter, size_t goal)
{
	uint64_t limit = ttrpc_now() + PEER_PATIENCE;

	while (*counter < goal)
		if (ttrpc_now() > limit || ttrpc_loop_dispatch(&peer->loop, 100) < 0)
			return false;
	return true;
}

/* ---- streams ---- */
static int exchange_message(struct ttrpc_stream *stream, const ProtobufCMessage *message)
{
	struct exchange *exchange = ttrpc_stream_userdata(stream);

	exchange->n_messages++;
	if (exchange->take)
		exchange->take(exchange, message);
	return 0;
}

static void exchange_writable(struct ttrpc_stream *stream)
{
	struct exchange *exchange = ttrpc_stream_userdata(stream);

	exchange->n_writable++;
}

static void exchange_over(struct ttrpc_stream *stream, const struct ttrpc_status *status)
{
	struct exchange *exchange = ttrpc_stream_userdata(stream);

	exchange->status = *status;
	exchange->stream = NULL;
	exchange->n_ended++;
}

static const struct ttrpc_stream_events exchange_events = {
	.message = exchange_message,
	.writable = exchange_writable,
	.ended = exchange_over,
};

static const struct ttrpc_method *find_method(const struct ttrpc_service *service, const char *name)
{
	for (size_t i = 0; i < service->n_methods; i++)
		if (strcmp(service->methods[i].name, name) == 0)
			return &service->methods[i];
	return NULL;
}

bool exchange_open(struct exchange *exchange, struct peer *peer,
		   const struct ttrpc_service *service, const char *method,
		   const struct ttrpc_options *options, const ProtobufCMessage *request)
{
	exchange->peer = peer;
	return ttrpc_stream_open(peer->client, service, find_method(service, method), options,
				 request, &exchange_events, NULL, exchange, &exchange->stream) == 0;
}

void exchange_leave(struct exchange *exchange)
{
	if (exchange->stream)
		ttrpc_stream_cancel(exchange->stream);
}

bool exchange_send(struct exchange *exchange, const ProtobufCMessage *message)
{
	while (exchange->stream) {
		size_t n_writable = exchange->n_writable;
		int error = ttrpc_stream_send(exchange->stream, message);

		if (error != -EAGAIN)
			return error == 0;
		while (exchange->stream && exchange->n_writable == n_writable)
			if (ttrpc_loop_dispatch(&exchange->peer->loop, -1) < 0)
				return false;
	}
	return false;
}

bool exchange_await(struct exchange *exchange, size_t n)
{
	uint64_t limit = ttrpc_now() + PEER_PATIENCE;

	while (exchange->n_messages < n && exchange->stream && ttrpc_now() < limit)
		if (ttrpc_loop_dispatch(&exchange->peer->loop, 100) < 0)
			return false;
	return exchange->n_messages >= n;
}

bool exchange_ended(struct exchange *exchange, enum ttrpc_code code)
{
	return peer_wait(exchange->peer, &exchange->n_ended, 1) && exchange->status.code == code;
}

bool exchange_finish(struct exchange *exchange)
{
	return exchange->stream && ttrpc_stream_close_send(exchange->stream) == 0 &&
	       exchange_ended(exchange, TTRPC_OK);
}
