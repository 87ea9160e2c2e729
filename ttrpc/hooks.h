/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TTRPC_HOOKS_H
#define TTRPC_HOOKS_H
/*
 * Where the library calls interceptors. It knows them by a table of functions that is there once an
 * interceptor was added, so that a program without them has none of their code.
 */
#include "ttrpc/ttrpc.h"

struct intercept; /* of one call */
struct intercept_chain;
struct ttrpc_metadata;

struct intercept_hooks {
	/*
	 * The beginning. metadata: NULL: none. 0, or the errno that a begin, or memory, failed with:
	 * then all has been undone.
	 */
	int (*begin)(struct intercept_chain *chain, const char *service,
		     const struct ttrpc_method *method, struct ttrpc_metadata *metadata,
		     uint64_t timeout, struct ttrpc_call *call, struct intercept **ret_intercept);
	/* What it made of metadata and timeout; the pairs stay until the end. */
	void (*result)(const struct intercept *intercept, struct ttrpc_options *options);
	const char *(*find)(const struct intercept *intercept, const char *key);
	void (*message)(struct intercept *intercept, bool out, const ProtobufCMessage *message);
	void (*end)(struct intercept *intercept, const struct ttrpc_status *status); /* frees it */
	/* Both: from what a request, or a caller, brings. */
	struct ttrpc_metadata *(*of_call)(const struct ttrpc_call *call);
	struct ttrpc_metadata *(*of_options)(const struct ttrpc_options *options);
	void (*free)(struct intercept_chain *chain);
};

#endif
