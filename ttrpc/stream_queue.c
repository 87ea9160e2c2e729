/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages that came while their stream's handler was paused: copies on the heap, in order.
 *
 * There is no flow control on the wire, so there are three ways to treat a peer that sends more than
 * a handler takes: to let the queue grow, to stop reading the connection and with it every other
 * stream and call, or to end the stream. It is the last, at a limit that honest traffic doesn't
 * reach; and at the limit of the connection's sum it is the fullest stream that goes, whosever
 * message came. Only where the handler itself waits for the peer, to take what we sent, is reading
 * stopped: then nobody is delayed but who causes it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ttrpc/stream_state.h"

static size_t message_cost(const struct stream_message *message)
{
	return sizeof(*message) + message->size;
}

void stream_queue_pop(struct ttrpc_stream *stream)
{
	struct stream_message *message = stream->first;

	stream->first = message->next;
	if (!stream->first)
		stream->last = NULL;
	stream->messages--;
	stream->bytes -= message_cost(message);
	stream->pool->bytes -= message_cost(message);
	free(message);
}

void stream_queue_drop(struct ttrpc_stream *stream)
{
	while (stream->first)
		stream_queue_pop(stream);
}

static struct ttrpc_stream *pool_fullest(const struct stream_pool *pool)
{
	struct ttrpc_stream *fullest = NULL;

	for (const struct list *link = pool->streams.next; link != &pool->streams;
	     link = link->next) {
		struct ttrpc_stream *stream = container_of(link, struct ttrpc_stream, link);

		if (!stream->over && (!fullest || stream->bytes > fullest->bytes))
			fullest = stream;
	}
	return fullest;
}

static void queue_append(struct ttrpc_stream *stream, struct stream_message *message)
{
	struct stream_pool *pool = stream->pool;

	if (stream->last)
		stream->last->next = message;
	else
		stream->first = message;
	stream->last = message;
	stream->messages++;
	stream->bytes += message_cost(message);
	pool->bytes += message_cost(message);
	if (pool->statistics && pool->bytes > pool->statistics->queued_max)
		pool->statistics->queued_max = pool->bytes;
}

static bool queue_is_full(const struct ttrpc_stream *stream, size_t cost)
{
	const struct ttrpc_limits *limits = stream->pool->limits;

	/* The first message may be of any size that came. */
	return stream->messages >= limits->stream_messages ||
	       (stream->messages > 0 && stream->bytes + cost > limits->stream_bytes);
}

/* The handler waits for the peer, and the peer sends on. */
static bool queue_asks_for_hold(const struct ttrpc_stream *stream)
{
	const struct stream_pool *pool = stream->pool;

	return !list_empty(&stream->writer_link) && pool->conn->write_max != SIZE_MAX &&
	       (stream->bytes > pool->limits->stream_bytes / 2 ||
		stream->messages > pool->limits->stream_messages / 2 ||
		pool->bytes > pool->limits->queued_bytes / 2);
}

void stream_queue_push(struct ttrpc_stream *stream, const struct slice *payload)
{
	struct stream_pool *pool = stream->pool;
	struct stream_message *message;

	if (queue_is_full(stream, sizeof(*message) + payload->size)) {
		stream_abort(stream, TTRPC_RESOURCE_EXHAUSTED, -ENOBUFS,
			     "stream's queue is full: %u messages, %zu bytes",
			     (unsigned)stream->messages, stream->bytes);
		return;
	}
	message = malloc(sizeof(*message) + payload->size);
	if (!message) {
		stream_abort(stream, TTRPC_RESOURCE_EXHAUSTED, -ENOMEM, "out of memory");
		return;
	}
	message->next = NULL;
	message->size = payload->size;
	if (payload->size > 0)
		memcpy(message->bytes, payload->data, payload->size);
	queue_append(stream, message);
	if (pool->bytes > pool->limits->queued_bytes && pool->bytes > stream->bytes)
		stream_abort(pool_fullest(pool), TTRPC_RESOURCE_EXHAUSTED, -ENOBUFS,
			     "connection's queues are full: %zu bytes", pool->bytes);
	if (!stream->over && queue_asks_for_hold(stream))
		conn_hold(pool->conn);
}
