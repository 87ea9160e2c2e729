/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_UNIT_PROTOCOL_TALK_H
#define TEST_UNIT_PROTOCOL_TALK_H
/*
 * For the two programs that hold the exchanges of ttrpc/PROTOCOL.md against the library: bytes that
 * go in pieces, and bytes that are awaited.
 */
#include "test/unit/faults.h"
#include "test/unit/protocol.pb-c.h"
#include "test/unit/protocol_document.h"

#define TURNS_MAX 600 /* of TURN_TIME each, before what is awaited is said to be missing */
#define TURN_TIME 100 /* ms */
#define PIECE_LARGE 65521

#define NOTE_METHOD(method_name, method_flags, method_dispatch, method_open)                       \
	{                                                                                          \
		.name = method_name, .input = &svc__note__descriptor,                              \
		.output = &svc__note__descriptor, .flags = (method_flags),                         \
		.dispatch = (method_dispatch), .open = (method_open),                              \
		.streams = (method_flags) ? &ttrpc_streams : NULL                                  \
	}

static inline const Svc__Note *note_of(const ProtobufCMessage *message)
{
	return (const Svc__Note *)(const void *)message;
}

/* How a run feeds what it feeds. */
struct way {
	size_t step;           /* bytes at a time */
	size_t received, sent; /* under faults; 0: none */
};

static const struct way ways[] = {
	{SIZE_MAX, 0, 0}, {1, 0, 0},  {7, 0, 0},
	{SIZE_MAX, 1, 9}, {5, 3, 11}, {SIZE_MAX, 4096, 4096},
};

static inline void way_begin(const struct way *way, unsigned seed, bool large)
{
	if (way->received > 0)
		faults_begin(large ? way->received + 8192 : way->received,
			     large ? way->sent + 8192 : way->sent, seed);
}

/* Bytes to the library at the other end of fd, as far as it reads them. */
static inline void feed(struct ttrpc_loop *loop, int fd, const uint8_t *bytes, size_t size,
			size_t step)
{
	if (size > 2 * PIECE_LARGE && step < PIECE_LARGE)
		step = PIECE_LARGE;
	for (size_t at = 0; at < size;) {
		size_t want = size - at < step ? size - at : step;
		ssize_t sent = sendto(fd, bytes + at, want, MSG_NOSIGNAL | MSG_DONTWAIT, NULL, 0);

		if (sent < 0 && errno == EPIPE)
			return;
		ASSERT(sent > 0 || (sent < 0 && errno == EAGAIN));
		at += sent > 0 ? (size_t)sent : 0;
		ASSERT_EQ(ttrpc_loop_dispatch(loop, 0), 0);
	}
	settle_all(loop);
}

/* Exactly size bytes from fd. */
static inline void await(struct ttrpc_loop *loop, int fd, uint8_t *bytes, size_t size,
			 const char *title)
{
	size_t at = 0;

	for (int turn = 0; at < size; turn++) {
		ssize_t got = recvfrom(fd, bytes + at, size - at, MSG_DONTWAIT, NULL, NULL);

		if (got == 0 || turn == TURNS_MAX)
			test_fail(__FILE__, __LINE__, "%s: %zu bytes of %zu", title, at, size);
		if (got > 0) {
			at += (size_t)got;
			continue;
		}
		ASSERT_EQ(errno, EAGAIN);
		ASSERT_EQ(ttrpc_loop_dispatch(loop, TURN_TIME), 0);
	}
}

static inline void await_these(struct ttrpc_loop *loop, int fd, const uint8_t *expected,
			       size_t size, const char *title)
{
	static uint8_t bytes[BYTES_MAX];

	await(loop, fd, bytes, size, title);
	for (size_t i = 0; i < size; i++)
		if (bytes[i] != expected[i])
			test_fail(__FILE__, __LINE__, "%s: byte %zu of %zu is %02x and not %02x",
				  title, i, size, bytes[i], expected[i]);
}

static inline void expect_no_more(struct ttrpc_loop *loop, int fd, const char *title)
{
	uint8_t byte;

	settle_all(loop);
	if (recvfrom(fd, &byte, 1, MSG_DONTWAIT, NULL, NULL) >= 0 || errno != EAGAIN)
		test_fail(__FILE__, __LINE__, "%s: more has come, or the end", title);
}

static inline size_t line_bytes(const struct line *line, uint8_t *bytes)
{
	const char *text = line->text;
	size_t size = hex_parse(&text, bytes, BYTES_MAX);

	if (*text)
		test_fail(__FILE__, __LINE__, "no hex: %s", text);
	return size;
}

#endif
