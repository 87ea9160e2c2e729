/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TTRPC_STREAM_H
#define TTRPC_STREAM_H
/*
 * Streams: calls in which one end or both send any number of messages, in strict order.
 *
 *                 client opens with   client sends   server sends   server ends with
 *   client stream nothing             0 ... n, end   -              one response, or a failure
 *   server stream one request         -              0 ... n        the end, or a failure
 *   bidirectional nothing             0 ... n, end   0 ... n        the end, or a failure
 *
 * Each end of a stream has a struct ttrpc_stream; what can happen to it:
 *
 *   state         client                             server
 *   open          send, close_send, cancel           send, close, reply, fail
 *   half-closed   client closed: only receives       events->half_closed was called; sends on
 *   ended         events->ended was called, once; the stream is no more
 *
 * The server ends a stream, the client may leave it (cancel) at any time; the end of a connection
 * and a deadline end it too. Messages that came before the end are given to events->message first,
 * except after an end of our own making, or by the deadline.
 *
 * Callbacks run in the loop, one at a time for a stream, never from within a function called on it;
 * ended alone may also run from ttrpc_client_free() and the like, and from close, reply, fail and
 * cancel called outside of the stream's callbacks. In a callback of the stream itself those put
 * ended off until the callback returned.
 *
 * All of it runs on the thread of the loop, as in ttrpc.h. Nothing blocks. A sender that is ahead of its peer gets -EAGAIN and, later, writable. A receiver
 * that isn't ready returns -EAGAIN from message, or pauses the stream: what comes meanwhile waits in
 * a queue whose limits stand in ttrpc/limits.h.
 *
 * An echo of every message, with all of that, is:
 *
 *     static int echo(struct ttrpc_stream *stream, const ProtobufCMessage *message)
 *     {
 *             return ttrpc_stream_send(stream, message);
 *     }
 */
#include <stdarg.h>

#include "ttrpc/ttrpc.h"

#ifdef __cplusplus
extern "C" {
#endif

struct ttrpc_stream;

/* Members may be NULL. */
struct ttrpc_stream_events {
	/*
	 * The next message; valid until this returns. 0: taken. -EAGAIN: not now; the stream is
	 * paused and the same message comes again after writable or ttrpc_stream_resume(). Another
	 * negative errno fails the stream with the code of that errno (the client: leaves it). NULL:
	 * messages are dropped.
	 */
	int (*message)(struct ttrpc_stream *stream, const ProtobufCMessage *message);

	/* Server: the client sends no more; all of its messages were taken. NULL: noted only. */
	void (*half_closed)(struct ttrpc_stream *stream);

	/*
	 * Sending works again, after -EAGAIN. Messages that were put off with -EAGAIN come after it.
	 */
	void (*writable)(struct ttrpc_stream *stream);

	/*
	 * The last thing that happens; free what is yours. status as in struct ttrpc_status; on the
	 * server: OK after close and reply (RESOURCE_EXHAUSTED with -EMSGSIZE after a reply that was
	 * too large), CANCELLED with the cause if the client is gone, DEADLINE_EXCEEDED with
	 * -ETIMEDOUT, and what was given to fail.
	 */
	void (*ended)(struct ttrpc_stream *stream, const struct ttrpc_status *status);
};

/*
 * ---- server ----
 * A handler gets the stream and, where the client doesn't stream, the request. It returns
 *   0             having called ttrpc_stream_accept(), or ended the stream
 *   -errno        the stream fails with the code of that errno
 * A handler that returns 0 and did neither has its stream failed UNKNOWN.
 */
void ttrpc_stream_accept(struct ttrpc_stream *stream, const struct ttrpc_stream_events *events,
			 const void *typed, void *userdata);

/* Each ends the stream, once: later calls do nothing. All return 0. */
int ttrpc_stream_close(struct ttrpc_stream *stream); /* OK; where the server streams */
int ttrpc_stream_reply(struct ttrpc_stream *stream, const ProtobufCMessage *response); /* else */
int ttrpc_stream_fail(struct ttrpc_stream *stream, enum ttrpc_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int ttrpc_stream_vfail(struct ttrpc_stream *stream, enum ttrpc_code code, const char *format,
		       va_list arguments) __attribute__((format(printf, 3, 0)));

/* As ttrpc_fail_details(). */
int ttrpc_stream_fail_details(struct ttrpc_stream *stream, enum ttrpc_code code, const char *text,
			      const struct ttrpc_detail *details, size_t n_details);

/*
 * The call that the stream is, for ttrpc_call_userdata(), _method, _deadline, _peer, _metadata (this
 * one until the handler returns) and _connection_data. ttrpc_reply(), ttrpc_fail() and
 * ttrpc_call_take() do nothing to it: a stream is ended by the functions above. NULL on the client.
 */
struct ttrpc_call *ttrpc_stream_call(struct ttrpc_stream *stream);

/*
 * ---- client ----
 * request: NULL where the client streams. If 0 was returned, ended is called exactly once, later.
 * options may be NULL; a timeout covers the whole life of the stream. The client needs a loop.
 * -EMSGSIZE: request is above the limit; -EOVERFLOW: ids ran out; -ENOBUFS: too much waits, or there
 * are as many streams as limits.streams; -ENOMEM; -EINVAL: no loop; the connection's error after its
 * end; what an interceptor's begin returned.
 */
int ttrpc_stream_open(struct ttrpc_client *client, const struct ttrpc_service *service,
		      const struct ttrpc_method *method, const struct ttrpc_options *options,
		      const ProtobufCMessage *request, const struct ttrpc_stream_events *events,
		      const void *typed, void *userdata, struct ttrpc_stream **ret_stream);

/* No more messages from us; the answers go on. Again: does nothing. 0; -EINVAL: not ours to do. */
int ttrpc_stream_close_send(struct ttrpc_stream *stream);

/*
 * Client: ends the stream here with CANCELLED and -ECANCELED; the server is told that no more
 * messages come. Server: ttrpc_stream_fail() with CANCELLED.
 */
void ttrpc_stream_cancel(struct ttrpc_stream *stream);

/*
 * ---- both ----
 * 0: sent or queued; the message isn't needed any more. -EAGAIN: too much waits already, writable
 * will be called. -EMSGSIZE: above the limit; nothing was sent, the stream goes on. -EPIPE: this
 * end was closed or the stream has ended. -EINVAL: this end of this method sends no messages.
 */
int ttrpc_stream_send(struct ttrpc_stream *stream, const ProtobufCMessage *message);

/* No message or half_closed is delivered until resumed, nor the end that the server sent. */
void ttrpc_stream_pause(struct ttrpc_stream *stream);
void ttrpc_stream_resume(
	struct ttrpc_stream *stream); /* delivery goes on in the loop's next turn */

void *ttrpc_stream_userdata(const struct ttrpc_stream *stream);
const void *ttrpc_stream_typed(const struct ttrpc_stream *stream); /* for generated code */
const struct ttrpc_method *ttrpc_stream_method(const struct ttrpc_stream *stream);
size_t ttrpc_stream_queued(const struct ttrpc_stream *stream, size_t *ret_bytes); /* messages */

/*
 * ---- generated code ----
 * For a method Talk of service pkg.Chat, from and to being its input and output, the generator makes
 * handles that are never defined, as casts of struct ttrpc_stream, so that ends and methods can't be
 * mixed up:
 *
 *     struct pkg_chat_talk_server;
 *     struct pkg_chat_talk_server_events {
 *             int (*message)(struct pkg_chat_talk_server *stream, const Pkg__From *message);
 *             void (*half_closed)(struct pkg_chat_talk_server *stream);
 *             void (*writable)(struct pkg_chat_talk_server *stream);
 *             void (*ended)(struct pkg_chat_talk_server *stream, const struct ttrpc_status *status);
 *     };
 *     void pkg_chat_talk_accept(stream, const struct pkg_chat_talk_server_events *events,
 *                               void *userdata);
 *     int pkg_chat_talk_server_send(stream, const Pkg__To *message);
 *     int pkg_chat_talk_close(stream), pkg_chat_talk_fail(stream, code, format, ...);
 *     void pkg_chat_talk_server_pause(stream), pkg_chat_talk_server_resume(stream);
 *     void *pkg_chat_talk_server_userdata(stream);
 *     struct ttrpc_call *pkg_chat_talk_server_call(stream);
 *     the untyped handle for all else: struct ttrpc_stream *pkg_chat_talk_server_stream(stream);
 *
 *     struct pkg_chat_talk_client and _client_events (messages are Pkg__To; no half_closed),
 *     int pkg_chat_talk_open(client, options, events, userdata, &ret_stream), _client_send,
 *     _close_send, _cancel, _client_pause, _client_resume, _client_userdata, _client_stream.
 *
 *   server stream   handler and open also take const Pkg__From *request; the client has no send and
 *                   no close_send, its events no writable, the server's events no message and no
 *                   half_closed, and it can't pause
 *   client stream   the server has reply(stream, const Pkg__To *) for close, and no send and no
 *                   writable; the client's message is called with the response, at most once,
 *                   before ended
 *
 * Handlers in the service's struct, in which NULL answers UNIMPLEMENTED:
 *
 *     int (*talk)(struct pkg_chat_talk_server *stream);
 *     int (*watch)(struct pkg_chat_watch_server *stream, const Pkg__From *request);
 *
 * In the method's table .open is the thunk that calls the handler (-ENOSYS where it is NULL),
 * .streams is &ttrpc_streams, .dispatch NULL. accept and open pass one const struct
 * ttrpc_stream_events of thunks as events and the typed struct as typed; a thunk is
 *
 *     static int pkg_chat_talk__server_message(struct ttrpc_stream *stream,
 *                                              const ProtobufCMessage *message)
 *     {
 *             const struct pkg_chat_talk_server_events *typed = ttrpc_stream_typed(stream);
 *
 *             return typed->message ? typed->message((struct pkg_chat_talk_server *)stream,
 *                                                    (const Pkg__From *)message) : 0;
 *     }
 */

#ifdef __cplusplus
}
#endif
#endif
