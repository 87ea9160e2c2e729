/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes to frames. The reader is in one of three states:
 *
 *   header   the next byte is the first of a frame (body NULL, skip 0)
 *   body     the data of current goes to a buffer of its own (body not NULL)
 *   skip     the data of current is too long and is thrown away (skip > 0)
 *
 * A frame's data is the caller's until the next call. Where it is in body, current.data is set for
 * that long, and body is freed then.
 */
#include "ttrpc/frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "ttrpc/cache.h"

static void put_u32(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static uint32_t get_u32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

void frame_header_write(uint8_t *at, const struct frame *frame)
{
	put_u32(at, frame->length);
	put_u32(at + 4, frame->id);
	at[8] = frame->type;
	at[9] = frame->flags;
}

static struct frame header_read(const uint8_t *at)
{
	return (struct frame){
		.length = get_u32(at),
		.id = get_u32(at + 4),
		.type = at[8],
		.flags = at[9],
	};
}

void frame_reader_init(struct frame_reader *reader, uint32_t limit)
{
	*reader = (struct frame_reader){.limit = limit};
}

void frame_reader_deinit(struct frame_reader *reader)
{
	free(reader->stash);
	cache_free(reader->cache, reader->body, reader->body_size);
	*reader = (struct frame_reader){.limit = reader->limit};
}

void frame_reader_begin(struct frame_reader *reader, uint8_t *scratch)
{
	reader->bytes = scratch;
	reader->n_bytes = reader->stash_size;
	if (!reader->stash)
		return;
	memcpy(scratch, reader->stash, reader->stash_size);
	free(reader->stash);
	reader->stash = NULL;
	reader->stash_size = 0;
}

/* The body of a frame that was handed out is the reader's again. */
static void reader_release(struct frame_reader *reader)
{
	if (!reader->current.data)
		return;
	cache_free(reader->cache, reader->body, reader->body_size);
	reader->body = NULL;
	reader->current.data = NULL;
}

void *frame_reader_take(struct frame_reader *reader, size_t *ret_size)
{
	void *body = reader->current.data ? reader->body : NULL;

	if (!body)
		return NULL;
	*ret_size = reader->body_size;
	reader->body = NULL;
	reader->current.data = NULL;
	return body;
}

int frame_reader_space(struct frame_reader *reader, uint8_t *scratch, size_t scratch_size,
		       struct iovec *space)
{
	int n = 0;

	reader_release(reader);
	if (reader->body) {
		space[n].iov_base = reader->body + reader->received;
		space[n++].iov_len = reader->current.length - reader->received;
	}
	memmove(scratch, reader->bytes, reader->n_bytes);
	reader->bytes = scratch;
	space[n].iov_base = scratch + reader->n_bytes;
	space[n++].iov_len = scratch_size - reader->n_bytes;
	return n;
}

void frame_reader_fed(struct frame_reader *reader, size_t size)
{
	if (reader->body) {
		uint32_t rest = reader->current.length - reader->received;

		if (size < rest)
			rest = (uint32_t)size;
		reader->received += rest;
		size -= rest;
	}
	reader->n_bytes += size;
}

static void reader_consume(struct frame_reader *reader, size_t size)
{
	reader->bytes += size;
	reader->n_bytes -= size;
}

/* The frame at bytes has a header but not all of its data: moves it to a buffer of its own. */
static int reader_move_to_body(struct frame_reader *reader, const struct frame *frame)
{
	uint8_t *body = cache_alloc(reader->cache, frame->length, &reader->body_size);

	if (!body)
		return -ENOMEM;
	reader_consume(reader, FRAME_HEADER_SIZE);
	memcpy(body, reader->bytes, reader->n_bytes);
	reader->body = body;
	reader->received = (uint32_t)reader->n_bytes;
	reader->current = *frame;
	reader_consume(reader, reader->n_bytes);
	return 0;
}

static int reader_next_skip(struct frame_reader *reader, struct frame *ret_frame)
{
	uint32_t size = reader->skip;

	if (reader->n_bytes < size)
		size = (uint32_t)reader->n_bytes;
	reader_consume(reader, size);
	reader->skip -= size;
	if (reader->skip > 0)
		return 0;
	*ret_frame = reader->current;
	return 1;
}

static int reader_next_body(struct frame_reader *reader, struct frame *ret_frame)
{
	if (reader->received < reader->current.length)
		return 0;
	reader->current.data = reader->body;
	*ret_frame = reader->current;
	return 1;
}

static int reader_next_header(struct frame_reader *reader, size_t scratch_size,
			      struct frame *ret_frame)
{
	struct frame frame;

	if (reader->n_bytes < FRAME_HEADER_SIZE)
		return 0;
	frame = header_read(reader->bytes);
	if (frame.length > reader->limit) {
		reader_consume(reader, FRAME_HEADER_SIZE);
		frame.oversize = true;
		reader->current = frame;
		reader->skip = frame.length;
		return reader_next_skip(reader, ret_frame);
	}
	if (reader->n_bytes - FRAME_HEADER_SIZE < frame.length) {
		if (FRAME_HEADER_SIZE + (size_t)frame.length > scratch_size)
			return reader_move_to_body(reader, &frame);
		return 0;
	}
	frame.data = reader->bytes + FRAME_HEADER_SIZE;
	reader_consume(reader, FRAME_HEADER_SIZE + (size_t)frame.length);
	*ret_frame = frame;
	return 1;
}

int frame_reader_next(struct frame_reader *reader, size_t scratch_size, struct frame *ret_frame)
{
	reader_release(reader);
	if (reader->skip)
		return reader_next_skip(reader, ret_frame);
	if (reader->body)
		return reader_next_body(reader, ret_frame);
	return reader_next_header(reader, scratch_size, ret_frame);
}

int frame_reader_end(struct frame_reader *reader)
{
	reader_release(reader);
	if (reader->n_bytes == 0)
		return 0;
	if (!reader->skip && !reader->body && reader->n_bytes >= FRAME_HEADER_SIZE) {
		struct frame frame = header_read(reader->bytes);

		if (frame.length <= reader->limit &&
		    reader->n_bytes - FRAME_HEADER_SIZE < frame.length)
			return reader_move_to_body(reader, &frame);
	}
	reader->stash = malloc(reader->n_bytes);
	if (!reader->stash)
		return -ENOMEM;
	memcpy(reader->stash, reader->bytes, reader->n_bytes);
	reader->stash_size = (uint32_t)reader->n_bytes;
	reader->n_bytes = 0;
	return 0;
}

bool frame_reader_partial(const struct frame_reader *reader)
{
	return reader->skip || reader->n_bytes > 0 || reader->stash ||
	       (reader->body && !reader->current.data);
}
