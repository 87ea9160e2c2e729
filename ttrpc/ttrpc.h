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
 * call.
 *
 * Names, in the order of use:
 *
 *   service   a const table that protoc-gen-ttrpc-c makes from a .proto
 *   server    listeners, connections, registered services
 *   call      one request under way on the server, to be answered exactly once
 *   client    one connection, and the calls that wait on it
 *   status    how a call ended: a code and a text
 */
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "ttrpc/loop.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- limits: each a number that a peer can reach, with what happens there ---- */
#define TTRPC_MESSAGE_MAX (4u << 20) /* data of a frame; above: drained, RESOURCE_EXHAUSTED */
#define TTRPC_DECODED_MAX (8u << 20) /* memory of one decoded message; above: RESOURCE_EXHAUSTED */
#define TTRPC_CALLS_MAX 4096u /* calls under way on a connection; above: RESOURCE_EXHAUSTED */
#define TTRPC_CONNECTIONS_MAX 16384u     /* connections of a server; above: accept stops */
#define TTRPC_WRITE_QUEUE_MAX (1u << 20) /* queued bytes; above: the connection is not read */
#define TTRPC_CLIENT_QUEUE_MAX                                                                     \
	(16u << 20)                 /* bytes queued by a client; above: new calls get -ENOBUFS */
#define TTRPC_METADATA_MAX 128u     /* entries of a request; above: RESOURCE_EXHAUSTED */
#define TTRPC_STATUS_TEXT_MAX 4096u /* bytes of a status text that we send; above: cut */

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

enum ttrpc_method_flags {
	TTRPC_CLIENT_STREAM = 1,
	TTRPC_SERVER_STREAM = 2,
};

struct ttrpc_method {
	const char *name; /* the proto's own spelling */
	const ProtobufCMessageDescriptor *input;
	const ProtobufCMessageDescriptor *output;
	uint32_t flags;
	/* Calls the typed handler; -ENOSYS where handlers has NULL there. */
	int (*dispatch)(const void *handlers, struct ttrpc_call *call,
			const ProtobufCMessage *request);
};

struct ttrpc_service {
	const char *name; /* the proto's full name: package.Service */
	size_t n_methods;
	const struct ttrpc_method *methods;
};

/* ---- who may connect ---- */
enum ttrpc_policy {
	TTRPC_POLICY_SAME_USER = 1, /* SO_PEERCRED: effective uid and gid equal ours */
	TTRPC_POLICY_NONE,          /* anybody; for sockets whose folder is the guard */
};

/* ---- server ---- */
struct ttrpc_server;

/*
 * The loop must outlive the server. The policy compares with the ids that this process has now; who
 * is refused is disconnected before a byte is read. free(): closes listeners and connections,
 * cancels the calls; also from within a handler.
 */
int ttrpc_server_new(struct ttrpc_loop *loop, enum ttrpc_policy policy,
		     struct ttrpc_server **ret_server);
struct ttrpc_server *ttrpc_server_free(struct ttrpc_server *server); /* returns NULL; takes NULL */

/*
 * handlers: the generated struct of this service (or of one with the same methods in the same
 * order). service and handlers are not copied; userdata is handed to the handlers as it is, see
 * ttrpc_call_userdata(). -EEXIST if the name is registered, -ENOMEM.
 */
int ttrpc_server_register(struct ttrpc_server *server, const struct ttrpc_service *service,
			  const void *handlers, void *userdata);

/* Takes fd, a listening socket, on success; made non-blocking. Several may be added. */
int ttrpc_server_listen(struct ttrpc_server *server, int fd);
void ttrpc_server_stop_listening(struct ttrpc_server *server); /* closes them; connections stay */

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
 * once and stays the caller's; one above TTRPC_MESSAGE_MAX is answered RESOURCE_EXHAUSTED instead.
 * A text is cut at TTRPC_STATUS_TEXT_MAX, and made valid UTF-8. A code of TTRPC_OK becomes UNKNOWN.
 */
int ttrpc_reply(struct ttrpc_call *call, const ProtobufCMessage *response);
int ttrpc_fail(struct ttrpc_call *call, enum ttrpc_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * cancelled runs when nobody can hear the answer any more (peer gone, server freed) or when the
 * request's deadline passed: then DEADLINE_EXCEEDED has been sent for it. NULL: silently.
 */
void ttrpc_call_take(struct ttrpc_call *call, ttrpc_cancel_fn cancelled, void *userdata);

void *ttrpc_call_userdata(const struct ttrpc_call *call); /* of ttrpc_server_register() */
const struct ttrpc_method *ttrpc_call_method(const struct ttrpc_call *call);
uint64_t ttrpc_call_deadline(const struct ttrpc_call *call); /* of ttrpc_now(); 0: none */
struct ucred ttrpc_call_peer(const struct ttrpc_call *call); /* as it was when it connected */

/* The encoded request as it came; valid until the handler returns, NULL afterwards. */
const void *ttrpc_call_payload(const struct ttrpc_call *call, size_t *ret_size);

/* The first value of key (case-insensitive) or NULL; valid until the handler returns. */
const char *ttrpc_call_metadata(const struct ttrpc_call *call, const char *key);

/* ---- client ---- */
struct ttrpc_client;

struct ttrpc_pair {
	const char *key, *value;
};

struct ttrpc_options {
	uint64_t timeout;                  /* nanoseconds; 0: none */
	const struct ttrpc_pair *metadata; /* n_metadata entries */
	size_t n_metadata;
};

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
};

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
 * Blocks until connected, at most timeout (0: for ever). address: a path, or "unix://" + path, or
 * "@" + abstract name. -ETIMEDOUT; -ENOENT, -ECONNREFUSED, ... as connect(2) has them; -EINVAL or
 * -ENAMETOOLONG for what is no address. It waits only where the listener's backlog is full.
 */
int ttrpc_client_connect(struct ttrpc_loop *loop, const char *address, uint64_t timeout,
			 struct ttrpc_client **ret_client);

/*
 * Called in the loop once, when the connection ended for whatever reason but ttrpc_client_free(),
 * after its calls were ended. error: -EPIPE the peer closed, -ECONNABORTED it did in the middle of
 * a frame.
 */
void ttrpc_client_on_close(struct ttrpc_client *client, void (*callback)(void *userdata, int error),
			   void *userdata);

/*
 * Sends request; done runs exactly once, later, from the loop (or from ttrpc_client_free), if 0 was
 * returned. options may be NULL. After the connection's end: the error that ended it. The generated
 * functions call these two.
 */
int ttrpc_client_call(struct ttrpc_client *client, const struct ttrpc_service *service,
		      const struct ttrpc_method *method, const struct ttrpc_options *options,
		      const ProtobufCMessage *request, ttrpc_done_fn done, void *userdata);

/*
 * ret_response is the caller's, to be freed with protobuf_c_message_free_unpacked(x, NULL), and is
 * set if the code is OK. Returns 0 if an answer came (see ret_status->code), else the negative
 * errno that is also in it. A client with a loop handles its other calls' answers meanwhile. Not
 * from a callback of the same client: -EBUSY.
 */
int ttrpc_client_call_sync(struct ttrpc_client *client, const struct ttrpc_service *service,
			   const struct ttrpc_method *method, const struct ttrpc_options *options,
			   const ProtobufCMessage *request, ProtobufCMessage **ret_response,
			   struct ttrpc_status *ret_status);

#ifdef __cplusplus
}
#endif
#endif
