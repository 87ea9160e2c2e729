/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TTRPC_VIEW_H
#define TTRPC_VIEW_H
/*
 * Decoding and encoding without copying what is large. protobuf-c copies each field of bytes; of a
 * mebibyte in one that is a good part of the call's cost.
 */
#include <sys/uio.h>

#include "ttrpc/arena.h"

/*
 * A field of bytes above this size isn't copied. A frame that has one is larger than what several
 * connections share for small ones, so it has a buffer of its own.
 */
#define VIEW_MIN 32768u
#define VIEW_MESSAGE_MAX 512u /* of the struct of a message that is sent in parts */
#define VIEW_PARTS 4
#define VIEW_SMALL_MAX 1024u /* of what such a message has beside its large field, encoded */

/*
 * As arena_unpack(), but one large field of bytes may point into data, which must stay as long as
 * the message does.
 */
ProtobufCMessage *view_unpack(struct arena *arena, const ProtobufCMessageDescriptor *descriptor,
			      const uint8_t *data, size_t size);

/* An encoded message whose large field is where its user has it. */
struct view_parts {
	struct iovec pieces[VIEW_PARTS];
	uint8_t head[16];              /* tag and length of the large field */
	uint8_t small[VIEW_SMALL_MAX]; /* what lies before and behind it */
};

/* size: of message, encoded. False: there is no such field; the message has to be packed. */
bool view_pack(const ProtobufCMessage *message, size_t size, struct view_parts *ret_parts);

#endif
