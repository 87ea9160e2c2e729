/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TTRPC_STREAM_STATE_H
#define TTRPC_STREAM_STATE_H
/*
 * The inside of streams, shared by
 *
 *   stream.c         what both ends do alike: sending, delivering, the end
 *   stream_queue.c   messages that wait for a handler, and the limits on them
 *   stream_server.c  the end on the server
 *   stream_client.c  the end on the client
 *
 * A stream is part of its end's struct of a call, in whose table its id is. "On the wire" a stream
 * is over when a terminal frame went, came, or never will; its id is forgotten at that moment, so
 * whatever comes afterwards finds nothing. Only the peer's own end waits for messages before it to
 * be delivered:
 *
 *               local         remote             what came is
 *   open        may send      may send           delivered, or queued
 *   closed      sends no more may send           delivered, or queued
 *   half        may send      sends no more      delivered; then half_closed
 *   ending      over on the wire, by the peer    delivered; then ended
 *   over        over on the wire, by us          dropped; ended as soon as no callback runs
 */
#include "ttrpc/arena.h"
#include "ttrpc/conn.h"
#include "ttrpc/list.h"
#include "ttrpc/status.h"
#include "ttrpc/ttrpc.h"
#include "ttrpc/wire.h"

#define STREAM_TURN_MAX 64u   /* queued messages delivered in one turn of the loop */
#define STREAM_ENDED_KEPT 16u /* ids of streams that we ended first, on a connection */

/* What all streams of a connection share; made with its first one. */
struct stream_pool {
	struct conn *conn;
	struct ttrpc_loop *loop;
	struct arena *arena;
	const struct ttrpc_limits *limits;
	struct ttrpc_statistics *statistics;
	struct list streams;
	struct list writers;       /* those that wait for writable, the longest first */
	struct ttrpc_stream *turn; /* was told writable, and may go before them */
	conn_drained_fn drained;   /* calls stream_pool_pass() */
	uint32_t n_streams;
	size_t bytes; /* in their queues */

	/* The peer may not know yet: data for one of these isn't its fault. */
	uint32_t ended[STREAM_ENDED_KEPT];
	uint32_t n_ended;
};

/* What the two ends do each in their way. */
struct stream_side {
	/* Around everything that may call back; returns what leave takes. */
	void *(*enter)(struct ttrpc_stream *stream);
	void (*leave)(void *owner); /* all may be gone afterwards */
	/* Makes the stream over on the wire for a failure of this end's; not over yet. */
	void (*abort)(struct ttrpc_stream *stream, const struct ttrpc_status *status);
	void (*free)(struct ttrpc_stream *stream);
	/* A message is handed on. */
	void (*see)(struct ttrpc_stream *stream, bool out, const ProtobufCMessage *message);
};

struct stream_message {
	struct stream_message *next;
	size_t size;
	uint8_t bytes[];
};

enum stream_then { STREAM_MORE, STREAM_HALF_CLOSED, STREAM_ENDED };

struct ttrpc_stream {
	const struct stream_side *side;
	struct stream_pool *pool;
	const struct ttrpc_method *method;
	const ProtobufCMessageDescriptor *incoming;
	const struct ttrpc_stream_events *events; /* NULL: not accepted yet */
	const void *typed;
	void *userdata;

	struct list link;        /* pool->streams */
	struct list writer_link; /* pool->writers */
	struct ttrpc_timer wake;
	struct stream_message *first, *last;
	size_t bytes;
	uint32_t messages;

	uint32_t id;
	size_t refused;     /* size of a message that was too large to send; 0: none */
	bool sends;         /* this end of the method sends messages */
	bool running;       /* a callback runs */
	bool paused;        /* by its user */
	bool seen;          /* interceptors know the first message */
	bool stalled;       /* message returned -EAGAIN */
	bool writable;      /* to be told */
	bool local_closed;  /* nothing more is sent */
	bool remote_closed; /* nothing more comes */
	bool half_told;     /* half_closed was called */
	bool ending, over;
	void *details;              /* of status, on the heap */
	struct ttrpc_status status; /* valid in ending and over */
};

/* ---- stream.c ---- */
struct stream_pool *stream_pool_new(struct conn *conn, struct ttrpc_loop *loop, struct arena *arena,
				    const struct ttrpc_limits *limits,
				    struct ttrpc_statistics *statistics, conn_drained_fn drained);

/* The first stream that isn't over; NULL: none. */
struct ttrpc_stream *stream_pool_first(const struct stream_pool *pool);

/* The first writer's turn, if the connection has room. */
void stream_pool_pass(struct stream_pool *pool);
void stream_init(struct ttrpc_stream *stream, const struct stream_side *side,
		 struct stream_pool *pool, const struct ttrpc_method *method, uint32_t id);

/*
 * What came from the peer: payload, unless NULL, and what follows it; status for STREAM_ENDED. The
 * stream may be gone afterwards.
 */
void stream_input(struct ttrpc_stream *stream, const struct slice *payload, enum stream_then then,
		  const struct ttrpc_status *status);

/* It is over on the wire, by us; queued messages are dropped. It may be gone afterwards. */
void stream_end(struct ttrpc_stream *stream, const struct ttrpc_status *status);

/* A failure of this end's: tells the peer, then as stream_end(). */
void stream_abort(struct ttrpc_stream *stream, enum ttrpc_code code, int error, const char *format,
		  ...) __attribute__((format(printf, 4, 5)));

/* A handler that is about to be called from outside of stream.c, and has returned. */
void stream_begin(struct ttrpc_stream *stream);
void stream_finish(struct ttrpc_stream *stream);

/* Writes a Data frame. 0, or the connection's error. message NULL: none. */
int stream_write(struct ttrpc_stream *stream, uint8_t flags, const ProtobufCMessage *message,
		 size_t size);
void stream_forget(struct stream_pool *pool, uint32_t id); /* we ended it, the peer hasn't */
bool stream_forgotten(const struct stream_pool *pool, uint32_t id);

/* ---- stream_queue.c ---- */
/* Keeps a copy of payload; over a limit, or out of memory, a stream is aborted, maybe this one. */
void stream_queue_push(struct ttrpc_stream *stream, const struct slice *payload);
void stream_queue_pop(struct ttrpc_stream *stream);
void stream_queue_drop(struct ttrpc_stream *stream);

#endif
