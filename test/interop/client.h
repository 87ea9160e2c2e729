/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_INTEROP_CLIENT_H
#define TEST_INTEROP_CLIENT_H
/*
 * For the tests that are our client on somebody's server: $INTEROP_SOCKET is where it listens,
 * $INTEROP_PEER whose it is, "mote" without. A test gets a connection of its own.
 */
#include "test/interop/peer.h"
#include "test/interop/probe.h"
#include "test/test.h"

#define MILLISECOND UINT64_C(1000000)
#define FOREVER 600000u /* milliseconds of a Wait that is to be cancelled */

/* What implementations answer differently, and all may. */
struct kind {
	const char *name;
	bool streams;
	bool odd_ends; /* interop.Flow/Ends */
	enum ttrpc_code no_service, no_method;
	enum ttrpc_code oversize;        /* of a frame that comes, and of an answer */
	enum ttrpc_code oversize_stream; /* of a stream whose handler sends too much */
};

const struct kind *kind_get(void);

void client_open(struct peer *peer);

struct answer {
	struct ttrpc_status status;
	uint32_t seq;
	size_t size; /* of the text */
	char msg[256];
};

/* A generated function of interop.Probe that blocks. */
typedef int (*probe_fn)(struct ttrpc_client *client, const struct ttrpc_options *options,
			const Interop__Item *request, Interop__Item **ret_response,
			struct ttrpc_status *ret_status);

/* msg may be NULL. False: no answer came; answer->status says why. */
bool ask(struct peer *peer, probe_fn method, const struct ttrpc_options *options, uint32_t seq,
	 const char *msg, struct answer *answer);

/* The same, and fails the test unless that comes. */
void ask_expect(struct peer *peer, probe_fn method, const struct ttrpc_options *options,
		uint32_t seq, const char *msg, uint32_t answer_seq, const char *answer_msg);

/* The connection still serves. */
void expect_alive(struct peer *peer);

/* Fails the test until so many Waits and Holds more have begun and been cancelled than in since. */
struct counts {
	uint32_t begun, cancelled;
};

struct counts counts_get(struct peer *peer);
void counts_await(struct peer *peer, struct counts since, uint32_t begun, uint32_t cancelled);

/* Metadata of key "mixed-case" with the values one, two and three, and of "other" with none. */
struct ttrpc_metadata *metadata_new(struct ttrpc_options *ret_options);

/* For exchanges of Items, and a message to go. */
void take_item(struct exchange *exchange, const ProtobufCMessage *message);
Interop__Item item(uint32_t seq, const char *msg);

#endif
