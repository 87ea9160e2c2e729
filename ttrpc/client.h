/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TTRPC_CLIENT_H
#define TTRPC_CLIENT_H
/*
 * The inside of a client, shared by client.c (the object and its connection), client_call.c (what
 * waits on it), client_sync.c (calls that block) and connect.c.
 *
 * Entries from the loop and from blocking calls are between client_enter() and client_leave(), as
 * a callback may free the client: its calls end at once then, its memory goes with the outermost
 * leave.
 */
#include "ttrpc/arena.h"
#include "ttrpc/conn.h"
#include "ttrpc/envelope.h"
#include "ttrpc/hooks.h"
#include "ttrpc/list.h"
#include "ttrpc/status.h"
#include "ttrpc/ttrpc.h"

struct client_call;
struct stream_pool;

#define CLIENT_BUCKETS 16u
#define CLIENT_SPARE_CALLS_MAX 64u

#define CLIENT_INPUT_SIZE 1024u
#define CLIENT_OUTPUT_SIZE 1024u
#define CLIENT_ARENA_SIZE 512u

/* How calls that are streams differ. */
struct client_streams {
	void (*frame)(struct client_call *call, const struct frame *frame);
	/* The call has left the table. */
	void (*end)(struct client_call *call, const struct ttrpc_status *status);
	void (*free)(struct ttrpc_client *client); /* those that have, and wait for their users */
};

struct client_call {
	struct ttrpc_timer timer; /* the deadline; for a call that failed before it was sent: now */
	struct list link;
	struct ttrpc_client *client;
	const struct ttrpc_method *method;
	const struct client_streams *streams; /* NULL: a unary call */
	struct ttrpc_cancel *cancel;
	struct intercept *intercept; /* NULL: nobody looks */
	arena_unpack_fn unpack;      /* makes the response */
	ttrpc_done_fn done;          /* NULL: complete calls typed */
	ttrpc_complete_fn complete;
	void (*typed)(void);
	void *userdata;
	uint64_t deadline;    /* 0: none */
	size_t size;          /* of the request */
	uint32_t id;          /* 0: not sent */
	enum ttrpc_code code; /* why it was not sent */
	int error;
};

struct ttrpc_client {
	struct conn conn;
	struct ttrpc_loop *loop;           /* NULL: for blocking calls only */
	uint64_t next_id;                  /* above UINT32_MAX: they ran out */
	uint64_t n_late;                   /* frames for calls that had ended */
	struct list calls[CLIENT_BUCKETS]; /* by id */
	struct list spare_calls;
	uint32_t n_spare_calls;
	void (*on_close)(void *userdata, int error);
	void *on_close_userdata;
	struct ttrpc_limits limits;
	struct ttrpc_statistics *statistics;
	struct stream_pool *pool; /* NULL: no stream yet */
	const struct client_streams *streams;
	const struct intercept_hooks *hooks; /* NULL: no interceptors */
	struct intercept_chain *chain;
	void *details; /* of the last call that blocked */
	void *lent;    /* the frame that the arena's message points into; NULL: it has none */
	size_t lent_size;
	unsigned busy;
	bool closed; /* its calls were ended */
	bool local;  /* by us */
	bool middle; /* of a frame */
	bool doomed;
	bool lends;     /* the arena's message is in the hands of the user */
	bool abandoned; /* calls that the server may still answer */
	enum { CLIENT_UNKNOWN, CLIENT_BLOCKS, CLIENT_POLLS } waits; /* for a call that blocks */

	struct arena arena;
	struct conn_buffers buffers;
	_Alignas(16) uint8_t arena_bytes[CLIENT_ARENA_SIZE];
	uint8_t output_bytes[CLIENT_OUTPUT_SIZE];
	uint8_t input_bytes[CLIENT_INPUT_SIZE];
};

void client_enter(struct ttrpc_client *client);
void client_leave(struct ttrpc_client *client); /* the client may be gone afterwards */

/* After a step: ends everything if the connection broke in it. */
void client_check(struct ttrpc_client *client);

/* The error that new calls get; 0: none. */
int client_error(const struct ttrpc_client *client);

/* What comes for a call is being handled: its memory is in use. */
bool client_is_inside(const struct ttrpc_client *client);

/* Sends request, or has it fail later; negative errno: there will be no answer. */
int client_call_start(struct ttrpc_client *client, const struct ttrpc_service *service,
		      const struct ttrpc_method *method, const struct ttrpc_options *options,
		      const ProtobufCMessage *request, arena_unpack_fn unpack, ttrpc_done_fn done,
		      void *userdata, struct client_call **ret_call);

/*
 * Parts of it, for streams. Sends the request of call (NULL: none); call->id is 0 afterwards, and
 * call->error says why, if it can't be.
 */
int client_call_check(const struct ttrpc_client *client);
int client_call_send(struct client_call *call, const struct ttrpc_service *service,
		     const struct ttrpc_options *given, const ProtobufCMessage *request,
		     uint8_t flags);

/* What interceptors see of it. */
void client_call_see(const struct client_call *call, bool out, const ProtobufCMessage *message);
void client_call_end_intercept(struct client_call *call, const struct ttrpc_status *status);

/* Takes the call out of the table; a frame for it that comes later is late. */
void client_call_forget(struct client_call *call);
void client_call_count(struct ttrpc_client *client, enum ttrpc_code code);

/* The status of an answer that isn't OK; the text and the details are the frame's. */
void client_call_status(struct ttrpc_status *status, const struct envelope_response *answer);

void client_call_frame(struct ttrpc_client *client, const struct frame *frame);
void client_call_expire(struct client_call *call);
void client_call_end_all(struct ttrpc_client *client, int error);
void client_call_free_spares(struct ttrpc_client *client);

#endif
