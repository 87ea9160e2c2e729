/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TTRPC_INTERCEPT_H
#define TTRPC_INTERCEPT_H
/*
 * Interceptors: code around every call and stream of a server or a client, for tracing, metering,
 * checking. They form a chain, the first one added being the outermost: begin and what comes in run
 * from the first to the last, what goes out and end from the last to the first.
 *
 * Each has some bytes of state for each call, zeroed before begin. They run on the thread of the loop,
 * and may call what a handler may, but must not free the server or client in begin.
 */
#include "ttrpc/metadata.h"
#include "ttrpc/ttrpc.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A call as interceptors see it. */
struct ttrpc_intercepted {
	const char *service;
	const struct ttrpc_method *method;

	/* May be changed in begin; what a handler, or the server, will get. */
	struct ttrpc_metadata *metadata;
	uint64_t timeout; /* nanoseconds; 0: none */

	/*
	 * The server's call, NULL on the client. begin may answer a unary one with ttrpc_reply(),
	 * and any with ttrpc_fail(): its handler isn't called then, nor the interceptors inside.
	 * Afterwards a stream's can't be answered by these.
	 */
	struct ttrpc_call *call;
};

/* Members may be NULL. */
struct ttrpc_interceptor {
	size_t state_size;
	void *userdata;

	/*
	 * A call begins: before the handler, or before it is sent. A negative errno ends it there,
	 * with the code of that errno; end is called for those that had begun.
	 */
	int (*begin)(const struct ttrpc_interceptor *interceptor, void *state,
		     struct ttrpc_intercepted *call);

	/* Each message, of unary calls too, before it is handed on. */
	void (*message_in)(const struct ttrpc_interceptor *interceptor, void *state,
			   const struct ttrpc_intercepted *call, const ProtobufCMessage *message);
	void (*message_out)(const struct ttrpc_interceptor *interceptor, void *state,
			    const struct ttrpc_intercepted *call, const ProtobufCMessage *message);

	/* Once for each begin that returned 0. text and details are the client's only. */
	void (*end)(const struct ttrpc_interceptor *interceptor, void *state,
		    const struct ttrpc_intercepted *call, const struct ttrpc_status *status);
};

/*
 * Adds one behind (inside) those that there are, for calls that begin from now on; not copied.
 * -ENOMEM.
 */
int ttrpc_server_intercept(struct ttrpc_server *server,
			   const struct ttrpc_interceptor *interceptor);
int ttrpc_client_intercept(struct ttrpc_client *client,
			   const struct ttrpc_interceptor *interceptor);

#ifdef __cplusplus
}
#endif
#endif
