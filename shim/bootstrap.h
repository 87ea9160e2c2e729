/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_BOOTSTRAP_H
#define SHIM_BOOTSTRAP_H
/*
 * What containerd writes to the standard input of `start` and `-info`. One of three forms, told apart
 * by what is in them and by nothing else:
 *
 *   nothing           no options (containerd 1.6 to 2.2)
 *   Any               the runtime's options (1.6 to 2.2)
 *   BootstrapParams   everything, options among it (2.3 and later); `start` answers in kind
 *
 * Fields 1 and 2 of the last two have the same wire types. The bytes are BootstrapParams if and only
 * if they hold the id and the namespace that the command line says; without an id they never are.
 */
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

#include "shim/failure.h"
#include "shim/shim.h"
#include "ttrpc/arena.h"

#define BOOTSTRAP_SIZE_MAX (10u << 20)    /* of standard input; above: refused */
#define BOOTSTRAP_DECODED_MAX (64u << 20) /* memory of it decoded; above: refused */

/* Strings are never NULL, "" where nothing was said. All of it lives in the arena. */
struct bootstrap {
	struct arena arena;
	bool params;               /* it was a BootstrapParams */
	bool debug;                /* its level asks for debug lines */
	const char *ttrpc_address; /* containerd's */
	const char *grpc_address;  /* containerd's */
	const char *socket_dir;
	const char *shim_cgroup; /* of the runc options */
	/* The first that were sent, of whatever type; but rather those of a type that names options. */
	struct runtime_any options;
};

void bootstrap_init(struct bootstrap *bootstrap);
void bootstrap_deinit(struct bootstrap *bootstrap);

/*
 * Refused: no protobuf message of these forms. Options of a type that is not runc's are passed over.
 * To be called once.
 */
int bootstrap_parse(struct bootstrap *bootstrap, const void *bytes, size_t size, const char *id,
		    const char *namespace_, struct failure *ret_failure);

/* Reads fd to its end, then as above. */
int bootstrap_read(struct bootstrap *bootstrap, int fd, const char *id, const char *namespace_,
		   struct failure *ret_failure);

/* The message on the heap, packed; NULL: out of memory. */
void *bootstrap_pack(const ProtobufCMessage *message, size_t *ret_size);

/* The answer in kind: a BootstrapResult, packed likewise. */
void *bootstrap_result(const char *address, size_t *ret_size);

#endif
