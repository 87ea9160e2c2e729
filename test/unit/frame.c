/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frame reader: every way to cut a stream of frames into pieces, and steps that end early.
 */
#include "ttrpc/frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "test/test.h"

#define SCRATCH 64
#define LIMIT 1000

static const uint32_t lengths[] = {0, 1, 53, 54, 55, 0, 200, 1001, 64, 1000, 5000, 3};
#define N_FRAMES (sizeof(lengths) / sizeof(lengths[0]))

static uint8_t stream[10000];
static size_t stream_size;

static void stream_build(void)
{
	stream_size = 0;
	for (size_t i = 0; i < N_FRAMES; i++) {
		const struct frame frame = {
			.length = lengths[i], .id = (uint32_t)i, .type = (uint8_t)i};

		frame_header_write(stream + stream_size, &frame);
		memset(stream + stream_size + FRAME_HEADER_SIZE, (int)i + 1, lengths[i]);
		stream_size += FRAME_HEADER_SIZE + lengths[i];
	}
}

static void check_frame(const struct frame *frame, size_t i)
{
	ASSERT(i < N_FRAMES);
	ASSERT_EQ(frame->length, lengths[i]);
	ASSERT_EQ(frame->id, i);
	ASSERT_EQ(frame->type, i);
	ASSERT_EQ(frame->oversize, lengths[i] > LIMIT);
	for (uint32_t k = 0; k < lengths[i] && !frame->oversize; k++)
		ASSERT_EQ(frame->data[k], i + 1);
}

/* Copies from the stream what the reader has room for, at most size bytes. */
static size_t feed(struct frame_reader *reader, uint8_t *scratch, size_t at, size_t size)
{
	struct iovec space[2];
	int n = frame_reader_space(reader, scratch, SCRATCH, space);
	size_t fed = 0;

	if (size > stream_size - at)
		size = stream_size - at;
	for (int i = 0; i < n; i++) {
		size_t part = space[i].iov_len < size - fed ? space[i].iov_len : size - fed;

		ASSERT(i > 0 || space[i].iov_len > 0);
		memcpy(space[i].iov_base, stream + at + fed, part);
		fed += part;
	}
	frame_reader_fed(reader, fed);
	return fed;
}

/* feeds: how often the step is fed; frames: how many frames it takes before it ends. */
static void run(size_t piece, int feeds, size_t frames)
{
	struct frame_reader reader;
	uint8_t scratch[SCRATCH];
	struct frame frame;
	size_t at = 0, seen = 0;

	frame_reader_init(&reader, LIMIT);
	for (int steps = 0; seen < N_FRAMES; steps++) {
		size_t taken = 0;

		ASSERT(steps < 50000);
		frame_reader_begin(&reader, scratch);
		for (int i = 0; i <= feeds && taken < frames; i++) {
			while (taken < frames && frame_reader_next(&reader, SCRATCH, &frame) > 0) {
				check_frame(&frame, seen++);
				taken++;
			}
			if (taken < frames && i < feeds)
				at += feed(&reader, scratch, at, piece);
		}
		ASSERT_EQ(frame_reader_end(&reader), 0);
		/* Nothing may be left in the scratch buffer, which others use now. */
		memset(scratch, 0xee, sizeof(scratch));
	}
	ASSERT_EQ(at, stream_size);
	ASSERT(!frame_reader_partial(&reader));
	frame_reader_deinit(&reader);
}

TEST(frames_come_whole_from_pieces_of_any_size)
{
	stream_build();
	for (size_t piece = 1; piece <= 130; piece++)
		run(piece, 1, SIZE_MAX);
	run(1000, 1, SIZE_MAX);
	run(SIZE_MAX, 1, SIZE_MAX);
}

TEST(frames_come_whole_from_several_pieces_in_a_step)
{
	stream_build();
	for (size_t piece = 1; piece <= 130; piece += 3)
		for (int feeds = 2; feeds < 5; feeds++)
			run(piece, feeds, SIZE_MAX);
}

TEST(frames_not_asked_for_are_kept)
{
	stream_build();
	for (size_t piece = 1; piece <= 130; piece += 3)
		for (size_t frames = 1; frames < 4; frames++)
			run(piece, 2, frames);
}

TEST(reader_knows_when_a_frame_is_incomplete)
{
	struct frame_reader reader;
	uint8_t scratch[SCRATCH];
	struct frame frame;

	stream_build();
	for (size_t cut = 0; cut < 2 * FRAME_HEADER_SIZE + 1; cut++) {
		int whole = 0;

		frame_reader_init(&reader, LIMIT);
		frame_reader_begin(&reader, scratch);
		ASSERT_EQ(feed(&reader, scratch, 0, cut), cut);
		while (frame_reader_next(&reader, SCRATCH, &frame) > 0)
			whole++;
		ASSERT_EQ(frame_reader_end(&reader), 0);
		ASSERT_EQ(whole, cut >= FRAME_HEADER_SIZE);
		ASSERT_EQ(frame_reader_partial(&reader), cut != 0 && cut != FRAME_HEADER_SIZE);
		frame_reader_deinit(&reader);
	}
}

/* A peer says 4 GiB and sends them: nothing is kept, and the next frame is found. */
TEST(largest_length_is_thrown_away_exactly)
{
	const struct frame large = {.length = UINT32_MAX, .id = 1, .type = 1};
	struct frame_reader reader;
	uint8_t scratch[SCRATCH];
	struct frame frame;
	uint64_t rest = UINT32_MAX;

	frame_reader_init(&reader, LIMIT);
	frame_reader_begin(&reader, scratch);
	frame_header_write(scratch, &large);
	frame_reader_fed(&reader, FRAME_HEADER_SIZE);
	ASSERT_EQ(frame_reader_next(&reader, SCRATCH, &frame), 0);
	/* Told of, not copied: the reader doesn't look at what it throws away. */
	while (rest > 0) {
		size_t part = rest < UINT32_MAX / 7 ? (size_t)rest : UINT32_MAX / 7;

		reader.bytes = scratch;
		frame_reader_fed(&reader, part);
		rest -= part;
		ASSERT_EQ(frame_reader_next(&reader, SCRATCH, &frame), rest == 0);
	}
	ASSERT(frame.oversize);
	ASSERT_EQ(frame.length, UINT32_MAX);
	ASSERT(!frame_reader_partial(&reader));
	frame_reader_deinit(&reader);
}
