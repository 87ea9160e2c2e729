/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What both ends of a stream do alike. A message is handed to the handler straight from the frame
 * where nothing waits before it; otherwise it is copied to the stream's queue, and the wake timer,
 * due at once, delivers from there in the loop's next turn. Nothing is called back from within a
 * function of the user's but ended.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ttrpc/stream_state.h"
#include "ttrpc/view.h"

struct stream_pool *stream_pool_new(struct conn *conn, struct ttrpc_loop *loop, struct arena *arena,
				    const struct ttrpc_limits *limits,
				    struct ttrpc_statistics *statistics, conn_drained_fn drained)
{
	struct stream_pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return NULL;
	pool->conn = conn;
	pool->loop = loop;
	pool->arena = arena;
	pool->limits = limits;
	pool->statistics = statistics;
	pool->drained = drained;
	list_init(&pool->streams);
	list_init(&pool->writers);
	return pool;
}

void stream_init(struct ttrpc_stream *stream, const struct stream_side *side,
		 struct stream_pool *pool, const struct ttrpc_method *method, uint32_t id)
{
	memset(stream, 0, offsetof(struct ttrpc_stream, status));
	stream->side = side;
	stream->pool = pool;
	stream->method = method;
	stream->id = id;
	list_init(&stream->writer_link);
	list_append(&pool->streams, &stream->link);
	pool->n_streams++;
	if (pool->statistics)
		pool->statistics->streams++;
}

struct ttrpc_stream *stream_pool_first(const struct stream_pool *pool)
{
	const struct list *link;

	for (link = pool->streams.next; link != &pool->streams; link = link->next) {
		struct ttrpc_stream *stream = container_of(link, struct ttrpc_stream, link);

		if (!stream->over)
			return stream;
	}
	return NULL;
}

void stream_forget(struct stream_pool *pool, uint32_t id)
{
	pool->ended[pool->n_ended++ % STREAM_ENDED_KEPT] = id;
}

bool stream_forgotten(const struct stream_pool *pool, uint32_t id)
{
	for (unsigned i = 0; i < STREAM_ENDED_KEPT; i++)
		if (pool->ended[i] == id)
			return true;
	return false;
}

/* ---- the end ---- */

static void stream_destroy(struct ttrpc_stream *stream)
{
	struct stream_pool *pool = stream->pool;
	void *details;

	ttrpc_timer_clear(&stream->wake);
	stream_queue_drop(stream);
	list_remove(&stream->writer_link);
	if (pool->turn == stream) {
		pool->turn = NULL;
		stream_pool_pass(pool);
	}
	if (stream->events && stream->events->ended)
		stream->events->ended(stream, &stream->status);
	list_remove(&stream->link);
	pool->n_streams--;
	details = stream->details;
	stream->side->free(stream);
	free(details);
}

/* What the status points at goes with the frame; the stream may stay for longer. */
static void stream_set_status(struct ttrpc_stream *stream, const struct ttrpc_status *status)
{
	stream->status = *status;
	stream->status.details = NULL;
	stream->status.details_size = 0;
	if (status->details_size == 0)
		return;
	stream->details = malloc(status->details_size);
	if (!stream->details)
		return;
	memcpy(stream->details, status->details, status->details_size);
	stream->status.details = stream->details;
	stream->status.details_size = status->details_size;
}

void stream_begin(struct ttrpc_stream *stream)
{
	stream->running = true;
}

void stream_finish(struct ttrpc_stream *stream)
{
	stream->running = false;
	if (stream->over)
		stream_destroy(stream);
}

void stream_end(struct ttrpc_stream *stream, const struct ttrpc_status *status)
{
	if (stream->over)
		return;
	if (!stream->ending)
		stream_set_status(stream, status);
	stream->over = true;
	stream_queue_drop(stream);
	if (!stream->running)
		stream_destroy(stream);
}

void stream_abort(struct ttrpc_stream *stream, enum ttrpc_code code, int error, const char *format,
		  ...)
{
	struct ttrpc_status status = {.details = NULL};
	va_list arguments;

	if (stream->over)
		return;
	va_start(arguments, format);
	status_vformat(&status, code, error, format, arguments);
	va_end(arguments);
	if (stream->ending)
		stream_set_status(stream, &status);
	else
		stream->side->abort(stream, &status);
	stream_end(stream, &status);
}

/* ---- delivery ---- */

static bool stream_is_ready(const struct ttrpc_stream *stream)
{
	return !stream->over && !stream->paused && !stream->stalled;
}

static void stream_failed(struct ttrpc_stream *stream, int error)
{
	if (error == -EMSGSIZE && stream->refused > 0)
		stream_abort(stream, TTRPC_RESOURCE_EXHAUSTED, error,
			     "message of %zu bytes is above the limit of %u", stream->refused,
			     stream->pool->limits->message);
	else
		stream_abort(stream, ttrpc_code_from_errno(error), error, "%s", strerror(-error));
}

static int stream_hand_over(struct ttrpc_stream *stream, const ProtobufCMessage *message)
{
	if (!stream->seen)
		stream->side->see(stream, false, message);
	if (!stream->events || !stream->events->message)
		return 0;
	return stream->events->message(stream, message);
}

/* Gives one message to the handler; false: it has to wait. */
static bool stream_deliver(struct ttrpc_stream *stream, struct slice payload)
{
	struct stream_pool *pool = stream->pool;
	ProtobufCMessage *message;
	int error = 0;

	pool->arena->limit = pool->limits->decoded;
	/* What waited in the queue may be dropped while the handler still looks at it. */
	message = (stream->first ? arena_unpack : view_unpack)(pool->arena, stream->incoming,
							       payload.data, payload.size);
	if (!message && pool->arena->exceeded)
		stream_abort(stream, TTRPC_RESOURCE_EXHAUSTED, -EMSGSIZE,
			     "decoded message is above the limit of %zu bytes, or too deep",
			     pool->limits->decoded);
	else if (!message)
		stream_abort(stream, TTRPC_INTERNAL, -EBADMSG, "unmarshal message: malformed %s",
			     stream->incoming->name);
	else
		error = stream_hand_over(stream, message);
	arena_reset(pool->arena);
	if (error == -EAGAIN && !stream->over) {
		stream->stalled = true;
		stream->seen = true;
		return false;
	}
	stream->seen = false;
	if (pool->statistics)
		pool->statistics->messages_received++;
	if (error < 0)
		stream_failed(stream, error);
	return true;
}

static void stream_wake(struct ttrpc_timer *timer);

static void stream_wake_soon(struct ttrpc_stream *stream)
{
	if (!stream->wake.loop)
		ttrpc_timer_set(stream->pool->loop, &stream->wake, ttrpc_now(), stream_wake);
}

void stream_pool_pass(struct stream_pool *pool)
{
	struct ttrpc_stream *stream;

	if (pool->turn || list_empty(&pool->writers))
		return;
	if (conn_waiting(pool->conn) > pool->limits->send_queue / 2) {
		conn_on_drained(pool->conn, pool->limits->send_queue / 2, pool->drained);
		return;
	}
	stream = container_of(pool->writers.next, struct ttrpc_stream, writer_link);
	list_remove(&stream->writer_link);
	pool->turn = stream;
	stream->writable = true;
	stream_wake_soon(stream);
}

/* Goes on as far as the handler takes it; within stream_begin() and stream_finish(). */
static void stream_run(struct ttrpc_stream *stream)
{
	if (stream->writable && !stream->over) {
		stream->writable = stream->stalled = false;
		if (stream->events && stream->events->writable)
			stream->events->writable(stream);
	}
	for (unsigned n = 0; stream->first && stream_is_ready(stream); n++) {
		struct slice payload = {stream->first->bytes, stream->first->size};

		if (n == STREAM_TURN_MAX) {
			stream_wake_soon(stream);
			return;
		}
		if (!stream_deliver(stream, payload))
			return;
		if (stream->first)
			stream_queue_pop(stream);
	}
	if (!stream_is_ready(stream) || !stream->events)
		return;
	if (stream->remote_closed && !stream->half_told && !stream->ending) {
		stream->half_told = true;
		if (stream->events->half_closed)
			stream->events->half_closed(stream);
	}
	if (stream->ending && stream_is_ready(stream))
		stream->over = true;
}

static void stream_wake(struct ttrpc_timer *timer)
{
	struct ttrpc_stream *stream = container_of(timer, struct ttrpc_stream, wake);
	const struct stream_side *side = stream->side;
	struct stream_pool *pool = stream->pool;
	struct conn *conn = pool->conn;
	void *owner = side->enter(stream);
	bool corked = conn_cork(conn);

	stream_begin(stream);
	stream_run(stream);
	if (pool->turn == stream) {
		pool->turn = NULL;
		stream_pool_pass(pool);
	}
	stream_finish(stream);
	if (corked)
		conn_uncork(conn);
	side->leave(owner);
}

void stream_input(struct ttrpc_stream *stream, const struct slice *payload, enum stream_then then,
		  const struct ttrpc_status *status)
{
	bool nested = stream->running;

	stream_begin(stream);
	if (then == STREAM_ENDED) {
		stream_set_status(stream, status);
		stream->ending = true;
	}
	if (then != STREAM_MORE)
		stream->remote_closed = true;
	if (payload && (nested || stream->first || stream->writable || !stream->events ||
			!stream_is_ready(stream) || !stream_deliver(stream, *payload)))
		stream_queue_push(stream, payload);
	if (nested)
		return;
	if (!stream->wake.loop)
		stream_run(stream);
	stream_finish(stream);
}

/* ---- sending ---- */

int stream_write(struct ttrpc_stream *stream, uint8_t flags, const ProtobufCMessage *message,
		 size_t size)
{
	struct conn *conn = stream->pool->conn;
	const struct frame frame = {
		.length = (uint32_t)size,
		.id = stream->id,
		.type = FRAME_DATA,
		.flags = flags,
	};
	uint8_t *start = conn_reserve(conn, FRAME_HEADER_SIZE + size);

	if (!start)
		return conn->error ? conn->error : conn->write_error;
	frame_header_write(start, &frame);
	if (size > 0)
		protobuf_c_message_pack(message, start + FRAME_HEADER_SIZE);
	conn_commit(conn, FRAME_HEADER_SIZE + size);
	return 0;
}

/* Those that have waited come first, one after the other, so that each gets its share. */
static bool stream_must_wait(const struct ttrpc_stream *stream)
{
	const struct stream_pool *pool = stream->pool;

	return stream->writable || conn_waiting(pool->conn) >= pool->limits->send_queue ||
	       (!list_empty(&pool->writers) && pool->turn != stream);
}

int ttrpc_stream_send(struct ttrpc_stream *stream, const ProtobufCMessage *message)
{
	struct stream_pool *pool = stream->pool;
	size_t size;

	if (!stream->sends)
		return -EINVAL;
	if (stream->over || stream->ending || stream->local_closed)
		return -EPIPE;
	size = protobuf_c_message_get_packed_size(message);
	if (size > pool->limits->message) {
		stream->refused = size;
		return -EMSGSIZE;
	}
	if (stream_must_wait(stream)) {
		if (!stream->writable && list_empty(&stream->writer_link))
			list_append(&pool->writers, &stream->writer_link);
		if (!pool->turn)
			conn_on_drained(pool->conn, pool->limits->send_queue / 2, pool->drained);
		return -EAGAIN;
	}
	stream->side->see(stream, true, message);
	if (pool->statistics)
		pool->statistics->messages_sent++;
	return stream_write(stream, 0, message, size);
}

/* ---- what is asked and told ---- */

void ttrpc_stream_pause(struct ttrpc_stream *stream)
{
	stream->paused = true;
}

void ttrpc_stream_resume(struct ttrpc_stream *stream)
{
	if (!stream->paused && !stream->stalled)
		return;
	stream->paused = false;
	stream->stalled = false;
	if (!stream->over)
		stream_wake_soon(stream);
}

void ttrpc_stream_cancel(struct ttrpc_stream *stream)
{
	const struct stream_side *side = stream->side;
	void *owner = side->enter(stream);

	stream_abort(stream, TTRPC_CANCELLED, -ECANCELED, "context canceled");
	side->leave(owner);
}

void *ttrpc_stream_userdata(const struct ttrpc_stream *stream)
{
	return stream->userdata;
}

const void *ttrpc_stream_typed(const struct ttrpc_stream *stream)
{
	return stream->typed;
}

const struct ttrpc_method *ttrpc_stream_method(const struct ttrpc_stream *stream)
{
	return stream->method;
}

size_t ttrpc_stream_queued(const struct ttrpc_stream *stream, size_t *ret_bytes)
{
	if (ret_bytes)
		*ret_bytes = stream->bytes;
	return stream->messages;
}
