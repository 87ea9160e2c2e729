/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The limits that hold where a program sets none.
 */
#include "ttrpc/limits.h"

void ttrpc_limits_init(struct ttrpc_limits *limits)
{
	*limits = (struct ttrpc_limits){
		.message = TTRPC_MESSAGE_MAX,
		.calls = TTRPC_CALLS_MAX,
		.streams = TTRPC_STREAMS_MAX,
		.connections = TTRPC_CONNECTIONS_MAX,
		.decoded = TTRPC_DECODED_MAX,
		.write_queue = TTRPC_WRITE_QUEUE_MAX,
		.send_queue = TTRPC_STREAM_SEND_MAX,
		.stream_bytes = TTRPC_STREAM_BYTES_MAX,
		.stream_messages = TTRPC_STREAM_MESSAGES_MAX,
		.queued_bytes = TTRPC_QUEUED_BYTES_MAX,
		.metadata = TTRPC_METADATA_MAX,
		.metadata_bytes = TTRPC_METADATA_BYTES_MAX,
		.frame_time = TTRPC_FRAME_TIME_MAX,
		.blocked_write = TTRPC_BLOCKED_TIME_MAX,
	};
}
