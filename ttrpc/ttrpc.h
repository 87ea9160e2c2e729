/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TTRPC_TTRPC_H
#define TTRPC_TTRPC_H
/*
 * ttrpc: remote calls with protobuf messages over one stream socket, as containerd speaks it.
 *
 * Everything here runs on the thread of the loop that it was made with: no function of a server,
 * call or client may be called from another one, and callbacks and handlers run there. Several
 * threads with a loop and a server each may listen on one socket. Nothing blocks but the functions
 * whose name ends in _sync, and ttrpc_client_connect().
 *
 * Functions that return int return 0 or a negative errno unless they say otherwise; outputs (ret_x)
 * are untouched on failure, and what was to be taken stays the caller's. What x_new() gives is the
 * caller's, who ends it with x_free(). Strings and tables that are said to be "not copied" must
 * outlive the object. Times are nanoseconds: points of CLOCK_MONOTONIC; timeouts count from the
 * call, and are at most INT64_MAX.
 *
 * Names, in the order of use:
 *
 *   service   a const table that protoc-gen-ttrpc-c makes from a .proto
 *   server    listeners, connections, registered services
 *   call      one request under way on the server, to be answered exactly once
 *   client    one connection, and the calls that wait on it
 *   status    how a call ended: a code, a text and details
 *
 * and beside this file: stream.h for calls with many messages, metadata.h for what goes with a
 * request, policy.h for who may connect, limits.h for the numbers, intercept.h for code around
 * every call, loop.h for the loop.
 */
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "ttrpc/limits.h"
#include "ttrpc/loop.h"
#include "ttrpc/policy.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- status ---- */
enum ttrpc_code {
	TTRPC_OK = 0,
	TTRPC_CANCELLED = 1,
	TTRPC_UNKNOWN = 2,
	TTRPC_INVALID_ARGUMENT = 3,
	TTRPC_DEADLINE_EXCEEDED = 4,
	TTRPC_NOT_FOUND = 5,
	TTRPC_ALREADY_EXISTS = 6,
	TTRPC_PERMISSION_DENIED = 7,
	TTRPC_RESOURCE_EXHAUSTED = 8,
	TTRPC_FAILED_PRECONDITION = 9,
	TTRPC_ABORTED = 10,
	TTRPC_OUT_OF_RANGE = 11,
	TTRPC_UNIMPLEMENTED = 12,
	TTRPC_INTERNAL = 13,
	TTRPC_UNAVAILABLE = 14,
	TTRPC_DATA_LOSS = 15,
	TTRPC_UNAUTHENTICATED = 16,
};

/*
 * What a handler's -errno is answered with: -ENOENT is NOT_FOUND, ...; UNKNOWN if there is no
 * match.
 */
enum ttrpc_code ttrpc_code_from_errno(int negative_errno);

/* ---- services: const tables, made by the generator ---- */
struct ttrpc_call;
struct ttrpc_stream;
struct ttrpc_streams;

/* The part of the library that serves streams: linked in if a table names it. */
extern const struct ttrpc_streams ttrpc_streams;

enum ttrpc_method_flags {
	TTRPC_CLIENT_STREAM = 1,
	TTRPC_SERVER_STREAM = 2,
};

struct ttrpc_method {
	const char *name; /* the proto's own spelling */
	const ProtobufCMessageDescriptor *input;
	const ProtobufCMessageDescriptor *output;
	uint32_t flags;
	/* Calls the typed handler; -ENOSYS where handlers has NULL there. Unary methods. */
	int (*dispatch)(const void *handlers, struct ttrpc_call *call,
			const ProtobufCMessage *request);
	/* The same for streams; request is NULL where the client streams. See stream.h. */
	int (*open)(const void *handlers, struct ttrpc_stream *stream,
		    const ProtobufCMessage *request);
	const struct ttrpc_streams *streams; /* &ttrpc_streams */
};

struct ttrpc_service {
	const char *name; /* the proto's full name: package.Service */
	size_t n_methods;
	const struct ttrpc_method *methods;
};

/* ---- server ---- */
struct ttrpc_server;

/*
 * The loop must outlive the server. policy is copied; same_user compares with the ids that this
 * process has now. Who is refused is disconnected before a byte is read. free(): closes listeners
 * and connections, cancels the calls; also from within a handler.
 */
int ttrpc_server_new(struct ttrpc_loop *loop, const struct ttrpc_policy *policy,
		     struct ttrpc_server **ret_server);
struct ttrpc_server *ttrpc_server_free(struct ttrpc_server *server); /* returns NULL; takes NULL */

/*
 * handlers: the generated struct of this service (or of one with the same methods in the same
 * order). service and handlers are not copied; userdata is handed to the handlers as it is, see
 * ttrpc_call_userdata(). -EEXIST if the name is registered, -ENOMEM.
 */
int ttrpc_server_register(struct ttrpc_server *server, const struct ttrpc_service *service,
			  const void *handlers, void *userdata);

/* For connections that begin from now on. -EINVAL: message is above TTRPC_MESSAGE_CEILING. */
int ttrpc_server_set_limits(struct ttrpc_server *server, const struct ttrpc_limits *limits);
void ttrpc_server_count(struct ttrpc_server *server, struct ttrpc_statistics *statistics);

/*
 * By default a call whose deadline passes is answered DEADLINE_EXCEEDED by the server itself. false:
 * only its cancel callback runs, and the handler answers. It runs again if nobody can hear the
 * answer any more before that came: then the call is gone.
 */
void ttrpc_server_enforce_deadlines(struct ttrpc_server *server, bool enforce);

/*
 * Takes fd, a listening socket, on success; made non-blocking. Several may be added. shared: for one
 * socket that several servers listen on, each in a loop and a thread of its own and with a dup() of
 * the descriptor: a connection wakes one of them, not all.
 */
int ttrpc_server_listen(struct ttrpc_server *server, int fd);
int ttrpc_server_listen_shared(struct ttrpc_server *server, int fd);
void ttrpc_server_stop_listening(struct ttrpc_server *server); /* closes them; connections stay */

/*
 * Makes a listening socket for an address as of ttrpc_client_connect() and listens on it, with the
 * longest backlog that the system allows. A unix path must not exist. -EINVAL, -EADDRINUSE, ...
 */
int ttrpc_server_listen_on(struct ttrpc_server *server, const char *address);

/*
 * Takes fd, a connected socket, also on failure; the policy is not asked. For what was accepted, or
 * made by socketpair(2), elsewhere.
 */
int ttrpc_server_adopt(struct ttrpc_server *server, int fd);

/*
 * Stops listening, answers new calls UNAVAILABLE, waits until every call and stream has ended and
 * every answer was taken, closes the connections, then calls done with 0. After timeout (ns) done is
 * called with -ETIMEDOUT, and nothing more was closed: ttrpc_server_free() does that. Handlers are
 * not told: what they have under way is waited for. done may be NULL and may free the server.
 * -EALREADY: a shutdown is under way; -ENOMEM.
 */
int ttrpc_server_shutdown(struct ttrpc_server *server, uint64_t timeout,
			  void (*done)(void *userdata, int error), void *userdata);

size_t ttrpc_server_connections(const struct ttrpc_server *server);

/* Bytes that wait in write queues, and calls not yet answered: zero means nothing is owed. */
bool ttrpc_server_idle(const struct ttrpc_server *server);

/* Called in the loop whenever the number of connections has fallen to zero; NULL unsets. */
void ttrpc_server_on_last_close(struct ttrpc_server *server, void (*callback)(void *userdata),
				void *userdata);

/* ---- a call on the server ----
 * A handler gets the call and the decoded request; the request is valid until the handler returns.
 * It ends in one of four ways:
 *   return ttrpc_reply(call, &response.base);        answered now
 *   return ttrpc_fail(call, CODE, "text %s", x);     answered now, with an error
 *   return -errno;                                   answered for it, the code from the errno
 *   ttrpc_call_take(call, cancelled, mine); return 0;   answered later, by reply or fail
 * A handler that returns 0 and did none of these has its call answered UNKNOWN.
 * After its answer, and after its cancel callback ran, a call no longer exists; within the handler
 * and the callback a second answer does nothing.
 */
typedef void (*ttrpc_cancel_fn)(struct ttrpc_call *call, void *userdata);

/*
 * Both return 0 always; whether the peer still reads is not theirs to tell. response is encoded at
 * once and stays the caller's; one above limits.message is answered RESOURCE_EXHAUSTED instead.
 * A text is cut at TTRPC_STATUS_TEXT_MAX, and made valid UTF-8. A code of TTRPC_OK becomes UNKNOWN.
 */
int ttrpc_reply(struct ttrpc_call *call, const ProtobufCMessage *response);
int ttrpc_fail(struct ttrpc_call *call, enum ttrpc_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* An Any that goes with a status. size bytes at value. */
struct ttrpc_detail {
	const char *type_url;
	const void *value;
	size_t size;
};

/* As ttrpc_fail(), with details for the client. Above the limit of a message they are left out. */
int ttrpc_fail_details(struct ttrpc_call *call, enum ttrpc_code code, const char *text,
		       const struct ttrpc_detail *details, size_t n_details);

/*
 * cancelled runs when nobody can hear the answer any more (peer gone, server freed) or when the
 * request's deadline passed: then DEADLINE_EXCEEDED has been sent for it. NULL: silently.
 * ttrpc_call_error() says in it which: -ETIMEDOUT, -ECANCELED (freed), else the connection's error.
 */
int ttrpc_call_error(const struct ttrpc_call *call);
void ttrpc_call_take(struct ttrpc_call *call, ttrpc_cancel_fn cancelled, void *userdata);

void *ttrpc_call_userdata(const struct ttrpc_call *call); /* of ttrpc_server_register() */
const struct ttrpc_method *ttrpc_call_method(const struct ttrpc_call *call);
uint64_t ttrpc_call_deadline(const struct ttrpc_call *call); /* of ttrpc_now(); 0: none */
struct ucred ttrpc_call_peer(const struct ttrpc_call *call); /* as it was when it connected */

/* What a handshake, or a handler, has put on the connection; release is called at its end. */
void *ttrpc_call_connection_data(const struct ttrpc_call *call);
void ttrpc_call_set_connection_data(struct ttrpc_call *call, void *data,
				    void (*release)(void *data));

/* The encoded request as it came; valid until the handler returns, NULL afterwards. */
const void *ttrpc_call_payload(const struct ttrpc_call *call, size_t *ret_size);

/* The first value of key (case-insensitive) or NULL; valid until the handler returns. */
const char *ttrpc_call_metadata(const struct ttrpc_call *call, const char *key);

/* ---- client ---- */
struct ttrpc_client;

/*
 * Sent as they are, but for keys, which are made lower case. Both must be UTF-8, or the peer refuses the
 * call; ttrpc_metadata_set() checks that, nothing does here.
 */
struct ttrpc_pair {
	const char *key, *value;
};

/* A handle on one call under way, or on none; embedded in what is the caller's. */
struct ttrpc_cancel {
	void *call; /* NULL: none */
};

struct ttrpc_options {
	uint64_t timeout; /* nanoseconds; 0: none. Covers queueing, a blocked write and waiting */
	const struct ttrpc_pair *metadata; /* n_metadata entries, not kept; see also metadata.h */
	size_t n_metadata;
	/* Set to the call that is made, until it ends. NULL: it can't be cancelled. Not for streams. */
	struct ttrpc_cancel *cancel;
	/*
	 * For _sync calls: the response is lent by the client. It may be looked at, and be part of
	 * the next request, until anything else is done with the client; it must not be freed. A
	 * client that is warm allocates nothing for it, nor copies a large field of bytes.
	 */
	bool lend;
};

/* Ends the call, if there still is one, with CANCELLED and -ECANCELED; a late answer is dropped. */
void ttrpc_client_cancel(struct ttrpc_cancel *cancel);

/*
 * How a call ended, on the client. error is 0 if the code is the server's; else no answer came and
 * it says why: UNAVAILABLE with -EPIPE, -ECONNRESET, -ECANCELED ... when the connection's end cut
 * the call off, and with -EOVERFLOW when ids ran out (a new connection helps); DEADLINE_EXCEEDED
 * with -ETIMEDOUT; RESOURCE_EXHAUSTED with -EMSGSIZE, a message too large either way; INTERNAL with
 * -EBADMSG, an answer that can't be decoded, or -EPROTO, something that is no answer.
 */
struct ttrpc_status {
	enum ttrpc_code code;
	int error;
	char text[256];
	/*
	 * For ttrpc_status_detail(). Valid as long as a response would be; after a _sync call until
	 * the client's next one.
	 */
	const void *details;
	size_t details_size;
};

/*
 * The index-th detail, its type_url copied to *ret_type_url (size bytes, cut). False: there are
 * fewer.
 */
bool ttrpc_status_detail(const struct ttrpc_status *status, size_t index, char *ret_type_url,
			 size_t size, const void **ret_value, size_t *ret_value_size);

/* response is NULL unless code is OK; valid until the callback returns. */
typedef void (*ttrpc_done_fn)(void *userdata, const struct ttrpc_status *status,
			      const ProtobufCMessage *response);

/*
 * Takes fd, a connected stream socket, on success. loop NULL: for _sync calls only. A client isn't
 * bound by TTRPC_WRITE_QUEUE_MAX: it always reads, so that the two ends can't wait for each other.
 * free(): closes the connection and ends its calls with -ECANCELED before it returns; also from
 * within a callback. Returns NULL; takes NULL.
 */
int ttrpc_client_new(struct ttrpc_loop *loop, int fd, struct ttrpc_client **ret_client);
struct ttrpc_client *ttrpc_client_free(struct ttrpc_client *client);

/*
 * Blocks until connected, at most timeout (ns; 0: for ever). address: a path, or "unix://" + path, or
 * "@" + abstract name (a "@" at its end stands for a NUL, which old Go programs put there),
 * "tcp://host:port" with a numeric host ("[::1]"), "vsock://cid:port". -ETIMEDOUT; -ENOENT,
 * -ECONNREFUSED, ... as connect(2) has them; -EINVAL or -ENAMETOOLONG for what is no address.
 */
int ttrpc_client_connect(struct ttrpc_loop *loop, const char *address, uint64_t timeout,
			 struct ttrpc_client **ret_client);

/* The connected socket alone. */
int ttrpc_connect(const char *address, uint64_t timeout, int *ret_fd);

/* As for the server, but right after ttrpc_client_new(). */
int ttrpc_client_set_limits(struct ttrpc_client *client, const struct ttrpc_limits *limits);
void ttrpc_client_count(struct ttrpc_client *client, struct ttrpc_statistics *statistics);

/* Ends the connection and its calls as ttrpc_client_free() does, then tells on_close. */
void ttrpc_client_close(struct ttrpc_client *client);

/*
 * Why the connection ended: error as for on_close, -ECANCELED if we closed it; 0: it hasn't. middle:
 * inside a frame.
 */
struct ttrpc_close {
	int error;
	bool local, middle;
};

struct ttrpc_close ttrpc_client_closed(const struct ttrpc_client *client);

/*
 * Blocks until the connection has ended and on_close has returned. timeout: ns, 0: for ever.
 * -ETIMEDOUT. A client with a loop handles its calls' answers meanwhile. -EBUSY in its callbacks.
 */
int ttrpc_client_wait(struct ttrpc_client *client, uint64_t timeout);

/*
 * Called in the loop once, when the connection ended for whatever reason but ttrpc_client_free(),
 * after its calls were ended. error: -EPIPE the peer closed, -ECONNABORTED it did in the middle of
 * a frame.
 */
void ttrpc_client_on_close(struct ttrpc_client *client, void (*callback)(void *userdata, int error),
			   void *userdata);

/*
 * Sends request; done runs exactly once, later, from the loop (or from ttrpc_client_free), if 0 was
 * returned. options may be NULL. -ENOBUFS: limits.write_queue bytes wait already; -ENOMEM; -EINVAL: the
 * client has no loop; after the connection's end the error that ended it. What can't be sent for
 * another reason ends by done. The generated functions call these three.
 */
int ttrpc_client_call(struct ttrpc_client *client, const struct ttrpc_service *service,
		      const struct ttrpc_method *method, const struct ttrpc_options *options,
		      const ProtobufCMessage *request, ttrpc_done_fn done, void *userdata);

/*
 * The same for a done whose response has a type of its own: complete, of the general type, is called
 * with done to call it.
 */
typedef void (*ttrpc_complete_fn)(void (*done)(void), void *userdata,
				  const struct ttrpc_status *status,
				  const ProtobufCMessage *response);

int ttrpc_client_call_typed(struct ttrpc_client *client, const struct ttrpc_service *service,
			    const struct ttrpc_method *method, const struct ttrpc_options *options,
			    const ProtobufCMessage *request, ttrpc_complete_fn complete,
			    void (*done)(void), void *userdata);

/*
 * ret_response is set if the code is OK. It is the caller's, to be freed with
 * protobuf_c_message_free_unpacked(x, NULL), unless options->lend. Returns 0 if an answer came (see
 * ret_status->code), else the negative errno that is also in it. A client with a loop handles its
 * other calls' answers meanwhile. Not from a callback of the same client: -EBUSY.
 */
int ttrpc_client_call_sync(struct ttrpc_client *client, const struct ttrpc_service *service,
			   const struct ttrpc_method *method, const struct ttrpc_options *options,
			   const ProtobufCMessage *request, ProtobufCMessage **ret_response,
			   struct ttrpc_status *ret_status);

#ifdef __cplusplus
}
#endif

#include "ttrpc/stream.h"

#endif
