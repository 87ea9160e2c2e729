/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of a connection: cut into frames, and each frame read as a request and as a response. The
 * first byte of the input says in pieces of which size they come.
 */
#include "ttrpc/frame.h"

#include <string.h>
#include <sys/uio.h>

#include "test/fuzz/fuzz.h"
#include "ttrpc/envelope.h"

#define SCRATCH 256
#define LIMIT 2000
#define METADATA_MAX 8

static void parse(const struct frame *frame)
{
	struct slice envelope = {frame->data, frame->length}, value;
	struct envelope_request request;
	struct envelope_response response;

	if (frame->oversize)
		return;
	if (envelope_request_parse(envelope, METADATA_MAX, &request) == 0)
		envelope_metadata(&request, "key", &value);
	envelope_response_parse(envelope, &response);
}

/* Copies what there is room for, at most size bytes; returns how many. */
static size_t feed(struct frame_reader *reader, uint8_t *scratch, const uint8_t *data, size_t size)
{
	struct iovec space[2];
	int n = frame_reader_space(reader, scratch, SCRATCH, space);
	size_t fed = 0;

	for (int i = 0; i < n; i++) {
		size_t part = space[i].iov_len < size - fed ? space[i].iov_len : size - fed;

		memcpy(space[i].iov_base, data + fed, part);
		fed += part;
	}
	frame_reader_fed(reader, fed);
	return fed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t piece = size > 0 ? data[0] + 1u : 1, at = 1;
	struct frame_reader reader;
	uint8_t scratch[SCRATCH];
	struct frame frame;

	frame_reader_init(&reader, LIMIT);
	while (at < size) {
		frame_reader_begin(&reader, scratch);
		while (frame_reader_next(&reader, SCRATCH, &frame) == 1)
			parse(&frame);
		at += feed(&reader, scratch, data + at, piece < size - at ? piece : size - at);
		while (frame_reader_next(&reader, SCRATCH, &frame) == 1)
			parse(&frame);
		frame_reader_end(&reader);
	}
	frame_reader_deinit(&reader);
	return 0;
}
