/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TTRPC_SERVER_H
#define TTRPC_SERVER_H
/*
 * The inside of a server, shared by the files that it is made of:
 *
 *   server.c      the object, its services and what can be asked of it
 *   listener.c    accepting, and waiting when that is not possible
 *   admission.c   what lies between accept and a connection
 *   guard.c       time limits of connections
 *   shutdown.c    the graceful end
 *   connection.c  one peer: its frames, its end
 *   call.c        one request: from its envelope to its answer
 *   answer.c      what goes out for a request
 *   stream_server.c   requests that are streams, if a service has such
 *
 * What happens in a callback may end anything, the server included. So every entry from the loop is
 * between server_enter() and server_leave(); a server freed in between is closed at once, and its
 * memory goes when the outermost entry leaves.
 */
#include <stdarg.h>
#include <sys/types.h>

#include "ttrpc/arena.h"
#include "ttrpc/conn.h"
#include "ttrpc/envelope.h"
#include "ttrpc/hooks.h"
#include "ttrpc/ids.h"
#include "ttrpc/list.h"
#include "ttrpc/text.h"
#include "ttrpc/ttrpc.h"

struct stream_pool;

#define SERVER_ACCEPT_RETRY                                                                        \
	1000000000u                /* ns; after accept failed for want of descriptors or memory */
#define CONNECTION_LIST_MAX 8u     /* calls under way that are found by walking */
#define SERVER_ACCEPT_MAX 16       /* connections taken on one event */
#define SERVER_SPARE_CALLS_MAX 64u /* kept for reuse; the rest is given back */

/* The buffers that a server starts with: together with the struct they are about a page. */
#define SERVER_INPUT_SIZE 1664u
#define SERVER_OUTPUT_SIZE 512u
#define SERVER_ARENA_SIZE 1280u

struct service_entry {
	struct service_entry *next;
	const struct ttrpc_service *service;
	size_t name_size;
	const void *handlers;
	void *userdata;
};

struct listener {
	struct ttrpc_watch watch;
	struct ttrpc_server *server;
	struct listener *next;
	int fd;
	bool shared; /* with other loops */
};

struct connection {
	struct conn conn;
	struct ttrpc_server *server;
	struct list link;
	struct list calls;         /* those not answered yet */
	struct ttrpc_call **table; /* by id; NULL while there are few of them */
	uint32_t table_size;
	uint32_t n_calls;
	struct ids ids; /* of its requests */
	struct ucred peer;
	struct stream_pool *pool; /* NULL: no stream yet */
	const struct ttrpc_streams *streams;
	void *data; /* of the handshake or the handlers */
	struct ttrpc_timer guard;
	uint64_t frame_due, write_due; /* 0: nothing is under way */
	uint32_t frame_mark, write_mark;
	uint32_t n_frames;
	void (*release)(void *data);
};

/* How calls that are streams differ. */
struct ttrpc_streams {
	void (*run)(struct connection *connection, const struct frame *frame,
		    const struct envelope_request *request, const struct service_entry *entry,
		    const struct ttrpc_method *method);
	void (*data)(struct ttrpc_call *call, const struct frame *frame);
	void (*cancel)(struct ttrpc_call *call, enum ttrpc_code code);
	bool (*forgotten)(const struct connection *connection, uint32_t id);
};

/*
 *   running   its handler is being called
 *   taken     to be answered later
 *   done      answered or cancelled; exists only until its handler or cancel callback returns
 */
struct ttrpc_call {
	struct ttrpc_timer timer;
	struct list link;
	struct ttrpc_call *table_next;
	struct connection *connection;
	const struct service_entry *entry;
	const struct ttrpc_method *method;
	const struct envelope_request *request; /* NULL unless running */
	struct intercept *intercept;            /* NULL: nobody looks */
	ttrpc_cancel_fn cancelled;
	void *userdata;
	uint64_t deadline; /* 0: none */
	uint32_t id;
	int error; /* why it was cancelled */
	enum ttrpc_code code;
	bool running, taken, done;
	bool barred; /* a stream that has begun: its own functions end it, not those for calls */
};

/* Told whenever something that was owed isn't any more. */
struct server_shutdown {
	void (*progress)(struct server_shutdown *shutdown);
	void (*free)(struct server_shutdown *shutdown);
};

struct ttrpc_server {
	struct ttrpc_loop *loop;
	struct ttrpc_policy policy;
	struct ttrpc_limits limits;
	struct ttrpc_statistics *statistics; /* NULL: nothing is counted */
	struct service_entry *services;

	struct listener *listeners;
	bool accept_paused;
	struct ttrpc_timer accept_timer;

	struct list connections;
	struct list admissions; /* handshakes under way */
	uint32_t n_connections, n_admissions;
	void (*on_last_close)(void *userdata);
	void *on_last_close_userdata;

	struct list spare_calls;
	uint32_t n_spare_calls;

	const struct intercept_hooks *hooks; /* NULL: no interceptors */
	struct intercept_chain *chain;
	struct server_shutdown *shutdown; /* NULL: none is under way */
	unsigned busy;
	bool doomed;
	bool lenient; /* deadlines are the handlers' affair */

	struct arena arena;
	struct conn_buffers buffers;
	_Alignas(16) uint8_t arena_bytes[SERVER_ARENA_SIZE];
	uint8_t output_bytes[SERVER_OUTPUT_SIZE];
	uint8_t input_bytes[SERVER_INPUT_SIZE];
};

void server_enter(struct ttrpc_server *server);
void server_leave(struct ttrpc_server *server); /* the server may be gone afterwards */
void server_progress(struct ttrpc_server *server);
const struct service_entry *server_find(const struct ttrpc_server *server, struct slice name);

void listeners_pause(struct ttrpc_server *server, bool retry);
void listeners_resume(struct ttrpc_server *server);

/* A handshake under way. */
struct admission {
	struct list link;
	struct ttrpc_server *server;
	struct ttrpc_handshake *handshake; /* NULL: it is just starting */
	struct ucred peer;
};

void admit(struct ttrpc_server *server, int fd); /* takes fd */
void admission_refuse(struct ttrpc_server *server);
void admission_connect(struct ttrpc_server *server, int fd, const struct ucred *peer, void *data,
		       void (*release)(void *data)); /* takes fd and data */

/* In handshake.c; NULL in a program that ends no handshake, where one could let nobody in. */
__attribute__((weak)) void admission_handshake(struct ttrpc_server *server, int fd,
					       const struct ucred *peer);
__attribute__((weak)) void admissions_cancel(struct ttrpc_server *server);

void guard_update(struct connection *connection); /* after everything that may have sent or read */

/* Takes fd, also on failure; data not then. */
int connection_new(struct ttrpc_server *server, int fd, const struct ucred *peer, void *data,
		   void (*release)(void *data));
void connection_free(struct connection *connection); /* cancels its calls */

/* Its calls, by id. */
void connection_insert(struct connection *connection, struct ttrpc_call *call);
void connection_remove(struct connection *connection, struct ttrpc_call *call);

/*
 * Sends a status for id; a call that is under way with that id gets it as its answer and is
 * cancelled.
 */
void connection_refuse(struct connection *connection, uint32_t id, enum ttrpc_code code,
		       const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Runs the request that the frame holds. */
void call_run(struct connection *connection, const struct frame *frame);

/* Ends it without an answer, which has gone out with code or can't any more. */
void call_cancel(struct ttrpc_call *call, enum ttrpc_code code, int error);
void call_cancel_all(struct connection *connection, int error);

/* Parts of call_run() and of the life of a call, for streams. */
ProtobufCMessage *call_decode(struct connection *connection, uint32_t id,
			      const struct ttrpc_method *method, struct slice payload);
void call_init(struct ttrpc_call *call, struct connection *connection, uint32_t id,
	       const struct envelope_request *request, const struct service_entry *entry,
	       const struct ttrpc_method *method);
void call_set_timer(struct ttrpc_call *call);

/* The interceptors' turn, and then what came; false: the call is over, or is to be. */
int call_intercept(struct ttrpc_call *call, const ProtobufCMessage *message);
void call_end_intercept(struct ttrpc_call *call);
void call_see(const struct ttrpc_call *call, bool out, const ProtobufCMessage *message);
/* As ttrpc_fail(), for the library's own texts. */
int call_fail(struct ttrpc_call *call, enum ttrpc_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void call_finish(struct ttrpc_call *call);  /* nothing is owed for it any more */
int call_answered(struct ttrpc_call *call); /* the same, and frees a unary one; returns 0 */

/* ---- answer.c ---- */
void answer_status(struct connection *connection, uint32_t id, enum ttrpc_code code,
		   text_format_fn format_with, const char *format, va_list arguments)
	__attribute__((format(printf, 5, 0)));

/* False: it is too large, a failure that says so went out instead. */
bool answer_reply(struct connection *connection, uint32_t id, const ProtobufCMessage *response);
void answer_count(struct connection *connection, enum ttrpc_code code);

/* False: it is too large, and nothing went out. In details.c. */
bool answer_details(struct connection *connection, uint32_t id, enum ttrpc_code code,
		    const char *text, const struct ttrpc_detail *details, size_t n_details);

#endif
