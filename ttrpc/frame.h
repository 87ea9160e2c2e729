/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TTRPC_FRAME_H
#define TTRPC_FRAME_H
/*
 * Frames: a header of ten bytes (length, stream id, type, flags; big-endian) and length bytes of
 * data. The reader cuts a stream of bytes into frames. It knows no descriptor: it says where bytes
 * are to go and is told how many came.
 *
 * A step, which is what happens on one readable event of a connection, goes
 *
 *     frame_reader_begin           take up the bytes that the last step left
 *       frame_reader_next ...      until it returns 0
 *       frame_reader_space, then receive, then frame_reader_fed, and next again
 *     frame_reader_end             keep on the heap what is not a whole frame yet
 *
 * Between steps nothing of the reader is in the scratch buffer, which many connections share. Small
 * frames are read in place in it; a frame that doesn't fit gets a buffer of its own, which the
 * kernel fills directly. Data above the limit is thrown away, exactly length bytes of it, and then
 * reported as an oversize frame without data.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cache_owner;
struct iovec;

#define FRAME_HEADER_SIZE 10u

enum frame_type {
	FRAME_REQUEST = 1,
	FRAME_RESPONSE = 2,
	FRAME_DATA = 3,
};

enum frame_flags {
	FRAME_REMOTE_CLOSED = 1,
	FRAME_REMOTE_OPEN = 2,
	FRAME_NO_DATA = 4,
};

struct frame {
	uint32_t length;
	uint32_t id;
	uint8_t type;
	uint8_t flags;
	bool oversize; /* length is above the limit, data is NULL */
	uint8_t *data; /* writable; valid until the next call on the reader */
};

struct frame_reader {
	uint32_t limit;

	/* Between steps: bytes from the first of a header on. NULL: none. */
	uint8_t *stash;
	uint32_t stash_size;

	/* The frame whose data goes to body, or (skip > 0) is thrown away. */
	struct frame current;
	uint8_t *body;
	size_t body_size;
	uint32_t received; /* bytes in body */
	uint32_t skip;     /* bytes still to be thrown away */

	/* In a step: the unread bytes in the scratch buffer. */
	uint8_t *bytes;
	size_t n_bytes;

	struct cache_owner *cache; /* for bodies; NULL: none */
};

void frame_reader_init(struct frame_reader *reader, uint32_t limit);
void frame_reader_deinit(struct frame_reader *reader);

void frame_reader_begin(struct frame_reader *reader, uint8_t *scratch);

/*
 * Where the next bytes go: fills one or two of space[2], returns how many. The unread bytes are
 * moved to the front of scratch, which may be another, larger one than before.
 */
int frame_reader_space(struct frame_reader *reader, uint8_t *scratch, size_t scratch_size,
		       struct iovec *space);
void frame_reader_fed(struct frame_reader *reader, size_t size);

/* 1: a frame; 0: more bytes are needed; negative errno. Gives back the frame before. */
int frame_reader_next(struct frame_reader *reader, size_t scratch_size, struct frame *ret_frame);

/*
 * Makes the buffer of the frame that was handed out the caller's, for cache_free(). NULL: it has none
 * of its own, or there is no frame.
 */
void *frame_reader_take(struct frame_reader *reader, size_t *ret_size);

/* Ends the step; whole frames that were not asked for are kept for the next one. */
int frame_reader_end(struct frame_reader *reader);

/* A frame has begun and is not complete. */
bool frame_reader_partial(const struct frame_reader *reader);

/* Writes FRAME_HEADER_SIZE bytes. */
void frame_header_write(uint8_t *at, const struct frame *frame);

#endif
