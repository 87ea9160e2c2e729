/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TTRPC_HOOKS_H
#define TTRPC_HOOKS_H
/*
 * Where the library calls interceptors. It knows them by a table of functions that is there once an
 * interceptor was added, so that a program without them has none of their code.
 */
#include "ttrpc/ttrpc.h"

struct client_call;
struct intercept; /* of one call */
struct intercept_chain;

struct intercept_hooks {
	/*
	 * The beginning of a call on the server, and what came with it; message may be NULL. 0, or
	 * the errno that a begin, or memory, failed with: then all has been undone.
	 */
	int (*begin_call)(struct ttrpc_call *call, const ProtobufCMessage *message);
	/* The same on the client; options become what was made of metadata and timeout. */
	int (*begin_request)(struct client_call *call, const struct ttrpc_service *service,
			     const ProtobufCMessage *request, struct ttrpc_options *options);
	const char *(*find)(const struct intercept *intercept, const char *key);
	void (*message)(struct intercept *intercept, bool out, const ProtobufCMessage *message);
	void (*end)(struct intercept *intercept, const struct ttrpc_status *status); /* frees it */
	/* The same, from how the call ended, or why it wasn't sent. */
	void (*end_call)(struct ttrpc_call *call);
	void (*end_unsent)(struct client_call *call);
	void (*free)(struct intercept_chain *chain);
};

#endif
