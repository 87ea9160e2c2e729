/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TTRPC_METADATA_H
#define TTRPC_METADATA_H
/*
 * Metadata: key and value strings that go with a request, unary or stream. A key may have several
 * values, whose order is kept. Keys are stored in lower case (ASCII) and looked up whatever their
 * case. Strings are copied, and must be UTF-8.
 *
 * An object is one thread's at a time; nothing in the library keeps one.
 */
#include "ttrpc/ttrpc.h"

#ifdef __cplusplus
extern "C" {
#endif

struct ttrpc_metadata;

struct ttrpc_metadata *ttrpc_metadata_new(void);                             /* NULL: no memory */
struct ttrpc_metadata *ttrpc_metadata_free(struct ttrpc_metadata *metadata); /* returns NULL */

/* An independent copy. NULL: no memory, or metadata is NULL. */
struct ttrpc_metadata *ttrpc_metadata_clone(const struct ttrpc_metadata *metadata);

/*
 * The first value, or NULL; the index-th one, or NULL behind the last. Valid until the object is
 * changed.
 */
const char *ttrpc_metadata_get(const struct ttrpc_metadata *metadata, const char *key);
const char *ttrpc_metadata_get_all(const struct ttrpc_metadata *metadata, const char *key,
				   size_t index);

/*
 * set replaces all values of key, n 0 deletes it; append adds behind them. 0, -ENOMEM, or -EINVAL for
 * what isn't UTF-8; on failure nothing has changed.
 */
int ttrpc_metadata_set(struct ttrpc_metadata *metadata, const char *key, const char *const *values,
		       size_t n);
int ttrpc_metadata_append(struct ttrpc_metadata *metadata, const char *key,
			  const char *const *values, size_t n);

/* For struct ttrpc_options; valid until the object is changed. */
const struct ttrpc_pair *ttrpc_metadata_pairs(const struct ttrpc_metadata *metadata, size_t *ret_n);

/* All that came with the request, in its order; only until the handler returns. -ENOMEM. */
int ttrpc_call_metadata_copy(const struct ttrpc_call *call, struct ttrpc_metadata **ret_metadata);

#ifdef __cplusplus
}
#endif
#endif
