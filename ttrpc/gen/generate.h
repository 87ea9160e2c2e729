/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TTRPC_GEN_GENERATE_H
#define TTRPC_GEN_GENERATE_H
/*
 * The whole generator without its process.
 */
#include <stdbool.h>

#include "ttrpc/gen/pool.h"

/* An encoded Response of plugin.proto; the bytes are the pool's. */
struct generated {
	unsigned char *bytes;
	size_t size;
};

/* bytes: an encoded Request. false: it is none. */
bool generate(struct pool *pool, const unsigned char *bytes, size_t size,
	      struct generated *ret_generated);

#endif
