/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_FUZZ_TTRPC_FUZZ_H
#define TEST_FUZZ_TTRPC_FUZZ_H
/*
 * For the targets that drive a whole server or client. The input is a program of small steps, each
 * with a few bytes of arguments. One run is the same every time:
 * the clock stands still but for the steps that move it, and all sockets are pairs of this process.
 *
 * What a peer sends and gets is counted frame by frame (struct tally), by the low byte of its id:
 * what comes back has an id that was used, and there is never more than one terminal frame for each
 * frame that was sent. What is left in memory is the sanitizer's to find.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "proto/google/protobuf/any.pb-c.h"
#include "test/fuzz/input.h"
#include "ttrpc/frame.h"
#include "ttrpc/ttrpc.h"

#define SOCKET_BYTES 4096 /* asked for; small, so that it is soon full */
#define TURNS_MAX 64

/* ---- the clock: linked with --wrap=clock_gettime ---- */
static uint64_t fuzz_now;

int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	if (clock != CLOCK_MONOTONIC)
		return __real_clock_gettime(clock, now);
	now->tv_sec = (time_t)(fuzz_now / 1000000000u);
	now->tv_nsec = (long)(fuzz_now % 1000000000u);
	return 0;
}

/* From a nanosecond to some hours. */
static inline uint64_t fuzz_time(uint8_t step)
{
	return (uint64_t)1 << step % 44;
}

/* Few enough of everything that an input of some hundred bytes gets there. */
static inline struct ttrpc_limits fuzz_limits(void)
{
	return (struct ttrpc_limits){
		.message = 2000,
		.calls = 12,
		.streams = 8,
		.connections = 8,
		.decoded = 400,
		.write_queue = 6000,
		.send_queue = 3000,
		.stream_bytes = 500,
		.stream_messages = 6,
		.queued_bytes = 800,
		.metadata = 4,
		.metadata_bytes = 20,
		.first_byte = 1u << 30,
		.frame_time = 1u << 31,
		.blocked_write = 1u << 31,
	};
}

/* ---- frames that were seen going one way ---- */
struct tally {
	uint8_t header[FRAME_HEADER_SIZE];
	size_t have;
	uint32_t left; /* of the data */
	uint32_t frames[256], terminal[256];
};

static inline void tally_frame(struct tally *tally)
{
	uint8_t id = tally->header[7], type = tally->header[8], flags = tally->header[9];

	tally->left = (uint32_t)tally->header[0] << 24 | (uint32_t)tally->header[1] << 16 |
		      (uint32_t)tally->header[2] << 8 | tally->header[3];
	tally->have = 0;
	tally->frames[id]++;
	if (type == FRAME_RESPONSE || (type == FRAME_DATA && flags & FRAME_REMOTE_CLOSED))
		tally->terminal[id]++;
}

static inline void tally_bytes(struct tally *tally, const uint8_t *bytes, size_t size)
{
	while (size > 0) {
		size_t part = size < tally->left ? size : tally->left;

		bytes += part;
		size -= part;
		tally->left -= (uint32_t)part;
		if (size == 0 || tally->left > 0)
			continue;
		tally->header[tally->have++] = *bytes++;
		size--;
		if (tally->have == FRAME_HEADER_SIZE)
			tally_frame(tally);
	}
}

/* ---- the end of a pair of sockets that the target plays ---- */
struct peer {
	int fd; /* -1: closed */
	struct tally sent, got;
};

/* Returns the other end. */
static inline int peer_init(struct peer *peer)
{
	int fds[2], size = SOCKET_BYTES;

	memset(peer, 0, sizeof(*peer));
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
	for (int i = 0; i < 2; i++)
		setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	peer->fd = fds[0];
	return fds[1];
}

static inline void peer_close(struct peer *peer)
{
	if (peer->fd >= 0)
		close(peer->fd);
	peer->fd = -1;
}

/* What doesn't fit is lost, as if a peer had died in the middle of it: the connection is done for. */
static inline void peer_send(struct peer *peer, const uint8_t *bytes, size_t size)
{
	ssize_t sent;

	if (peer->fd < 0 || size == 0)
		return;
	sent = send(peer->fd, bytes, size, MSG_NOSIGNAL);
	if (sent > 0)
		tally_bytes(&peer->sent, bytes, (size_t)sent);
	if (sent != (ssize_t)size)
		peer_close(peer);
}

static inline void peer_send_frame(struct peer *peer, uint32_t id, uint8_t type, uint8_t flags,
				   const uint8_t *data, size_t size)
{
	const struct frame frame = {
		.length = (uint32_t)size, .id = id, .type = type, .flags = flags};
	uint8_t bytes[FRAME_HEADER_SIZE + 4096];

	CHECK(size <= 4096);
	frame_header_write(bytes, &frame);
	if (size > 0)
		memcpy(bytes + FRAME_HEADER_SIZE, data, size);
	peer_send(peer, bytes, FRAME_HEADER_SIZE + size);
}

/* Takes what is there, at most max bytes; false: nothing was. */
static inline bool peer_receive(struct peer *peer, size_t max)
{
	uint8_t bytes[4096];
	ssize_t got = -1;

	if (peer->fd >= 0)
		got = recv(peer->fd, bytes, max < sizeof(bytes) ? max : sizeof(bytes), 0);
	if (got > 0)
		tally_bytes(&peer->got, bytes, (size_t)got);
	else if (got == 0)
		peer_close(peer);
	return got > 0;
}

/* What a server's peer may rely on. */
static inline void peer_check_answers(const struct peer *peer)
{
	for (int id = 0; id < 256; id++) {
		CHECK(peer->got.frames[id] == 0 || peer->sent.frames[id] > 0);
		CHECK(peer->got.terminal[id] <= peer->sent.frames[id]);
	}
}

/* ---- messages ---- */
static inline Google__Protobuf__Any fuzz_any(const uint8_t *bytes, size_t size)
{
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;

	any.value.data = (uint8_t *)(uintptr_t)bytes;
	any.value.len = size;
	return any;
}

/* The index-th byte of its value; 0: there are fewer. */
static inline uint8_t any_byte(const ProtobufCMessage *message, size_t index)
{
	const Google__Protobuf__Any *any = (const Google__Protobuf__Any *)(const void *)message;

	return index < any->value.len ? any->value.data[index] : 0;
}

static inline int any_send(struct ttrpc_stream *stream, size_t size)
{
	static const uint8_t bytes[4096];
	const Google__Protobuf__Any any = fuzz_any(bytes, size);

	return ttrpc_stream_send(stream, &any.base);
}

#endif
