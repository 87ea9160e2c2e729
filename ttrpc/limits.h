/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TTRPC_LIMITS_H
#define TTRPC_LIMITS_H
/*
 * Every number that a peer can reach, with what happens there, and what can be counted.
 *
 * Both ends take a struct ttrpc_limits. Fill it with ttrpc_limits_init(), change members, then set
 * it before the server listens or right after the client was made: connections have the limits that
 * held when they began.
 */
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TTRPC_MESSAGE_MAX (4u << 20)           /* what all implementations take */
#define TTRPC_MESSAGE_CEILING ((1u << 24) - 1) /* a larger length isn't of this protocol */
#define TTRPC_DECODED_MAX (8u << 20)
#define TTRPC_CALLS_MAX 4096u
#define TTRPC_STREAMS_MAX 4096u
#define TTRPC_CONNECTIONS_MAX 16384u
#define TTRPC_WRITE_QUEUE_MAX (1u << 20)
#define TTRPC_CLIENT_QUEUE_MAX (16u << 20)
#define TTRPC_STREAM_SEND_MAX (256u << 10)
#define TTRPC_STREAM_BYTES_MAX (4u << 20)
#define TTRPC_STREAM_MESSAGES_MAX 4096u
#define TTRPC_QUEUED_BYTES_MAX (16u << 20)
#define TTRPC_METADATA_MAX 128u
#define TTRPC_METADATA_BYTES_MAX (64u << 10)
#define TTRPC_STATUS_TEXT_MAX 4096u /* bytes of a status text that we send; above: cut */
#define TTRPC_FRAME_TIME_MAX 60000000000u
#define TTRPC_BLOCKED_TIME_MAX 120000000000u

struct ttrpc_limits {
	/*
	 * Bytes of data in a frame, at most TTRPC_MESSAGE_CEILING. Above: what comes is thrown away
	 * and answered RESOURCE_EXHAUSTED, what is to be sent fails like that; the connection goes
	 * on.
	 */
	uint32_t message;
	uint32_t calls;               /* on a connection, streams too; above: RESOURCE_EXHAUSTED */
	uint32_t streams;             /* on a connection; above: RESOURCE_EXHAUSTED */
	uint32_t connections;         /* of a server; above: accept stops until one closes */
	uint32_t connections_per_uid; /* 0: not limited; above: closed right after accept */

	/*
	 * Memory of one decoded message; above: RESOURCE_EXHAUSTED. The bytes of a message and
	 * twice that for what holds them should fit.
	 */
	size_t decoded;

	/*
	 * Bytes that wait for a peer that doesn't read. A server's connection is not read above it;
	 * a client's new calls get -ENOBUFS. From send_queue on streams wait for writable.
	 */
	size_t write_queue;
	size_t send_queue;

	/*
	 * What was received for a stream whose handler doesn't take it. Above the first two that
	 * stream fails, above the third the connection's fullest one: RESOURCE_EXHAUSTED. No other
	 * stream or call waits for a slow one.
	 */
	size_t stream_bytes;
	uint32_t stream_messages;
	size_t queued_bytes; /* of all streams of a connection */

	uint32_t metadata;     /* entries of a request; above: RESOURCE_EXHAUSTED */
	size_t metadata_bytes; /* keys and values of a request; above: RESOURCE_EXHAUSTED */

	/*
	 * Nanoseconds, 0: for ever. Above: the connection is closed. Servers only: a client's calls
	 * have deadlines.
	 */
	uint64_t first_byte;    /* from accept to the first frame */
	uint64_t frame_time;    /* from the begin of a frame to its end */
	uint64_t blocked_write; /* without the peer taking a byte */
};

void ttrpc_limits_init(struct ttrpc_limits *limits);

/*
 * Counters of a server or a client. They belong to the program: zero one, hand it to
 * ttrpc_server_count() or ttrpc_client_count(), read it whenever the loop isn't in a callback that
 * changes it. One may serve several servers of the same thread.
 */
struct ttrpc_statistics {
	uint64_t connections;         /* admitted */
	uint64_t connections_refused; /* by policy, handshake or limit */
	uint64_t connections_now;
	uint64_t calls[17];                        /* ended, by code; streams, too */
	uint64_t streams;                          /* opened */
	uint64_t messages_received, messages_sent; /* on streams */
	uint64_t bytes_received, bytes_sent;
	uint64_t late;            /* answers and frames for what had ended: dropped */
	uint64_t write_queue_max; /* the most bytes that waited on one connection */
	uint64_t queued_max;      /* the same of what streams hadn't taken */
};

#ifdef __cplusplus
}
#endif
#endif
