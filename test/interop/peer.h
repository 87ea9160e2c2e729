/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_INTEROP_PEER_H
#define TEST_INTEROP_PEER_H
/*
 * A connection to a server, and streams on it, for programs that do one thing after the other: every
 * function here turns the loop until what it waits for has happened, or PEER_PATIENCE is over.
 *
 * An exchange is one stream; it ends with exchange_leave(), which may be its variable's cleanup:
 *
 *     exchange_cleanup struct exchange exchange = {.take = mine};
 *     exchange_open(&exchange, &peer, &service, "Talk", NULL, NULL) && exchange_send(...) && ...
 */
#include "ttrpc/ttrpc.h"

#define PEER_PATIENCE 60000000000u /* ns */

struct peer {
	struct ttrpc_loop loop;
	struct ttrpc_client *client; /* NULL: closed */
};

int peer_open(struct peer *peer, const char *socket); /* negative errno: nothing is to be closed */
void peer_close(struct peer *peer);

/* Turns the loop until *counter is at least goal; false: it took too long. */
bool peer_wait(struct peer *peer, const size_t *counter, size_t goal);

struct exchange {
	struct peer *peer;
	struct ttrpc_stream *stream; /* NULL: ended, or never begun */
	size_t n_messages, n_writable, n_ended;
	struct ttrpc_status status; /* once it has ended */
	/* What to do with a message; the exchange's own members are for that. NULL: it is counted. */
	void (*take)(struct exchange *exchange, const ProtobufCMessage *message);
	uint32_t seq;
	uint32_t sum;
	size_t size;
	char msg[64];
};

#define exchange_cleanup __attribute__((cleanup(exchange_leave)))

/* request is NULL where the client streams. */
bool exchange_open(struct exchange *exchange, struct peer *peer,
		   const struct ttrpc_service *service, const char *method,
		   const struct ttrpc_options *options, const ProtobufCMessage *request);
void exchange_leave(struct exchange *exchange); /* cancels what hasn't ended */

bool exchange_send(struct exchange *exchange, const ProtobufCMessage *message);

/* Until n messages came in all; false: the stream ended before. */
bool exchange_await(struct exchange *exchange, size_t n);

/* Until the stream has ended, with that code. */
bool exchange_ended(struct exchange *exchange, enum ttrpc_code code);

/* Half-closes, and wants the end and OK. */
bool exchange_finish(struct exchange *exchange);

#endif
