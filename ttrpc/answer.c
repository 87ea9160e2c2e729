/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers of the server: Response frames, written straight into the buffers of conn. Whoever sends
 * one has taken care that it is the only one for its id.
 */
#include <stdarg.h>
#include <string.h>

#include "ttrpc/server.h"
#include "ttrpc/view.h"

static uint8_t *write_header(uint8_t *at, uint32_t id, size_t length)
{
	const struct frame frame = {
		.length = (uint32_t)length,
		.id = id,
		.type = FRAME_RESPONSE,
	};

	frame_header_write(at, &frame);
	return at + FRAME_HEADER_SIZE;
}

void answer_count(struct connection *connection, enum ttrpc_code code)
{
	struct ttrpc_statistics *statistics = connection->server->statistics;

	if (statistics)
		statistics->calls[(unsigned)code <= TTRPC_UNAUTHENTICATED ? code : TTRPC_UNKNOWN]++;
}

void answer_status(struct connection *connection, uint32_t id, enum ttrpc_code code,
		   text_format_fn format_with, const char *format, va_list arguments)
{
	size_t text_size, size;
	uint8_t *start, *text;
	va_list again;

	va_copy(again, arguments);
	text_size = format_with(NULL, 0, format, again);
	va_end(again);
	if (text_size > TTRPC_STATUS_TEXT_MAX)
		text_size = TTRPC_STATUS_TEXT_MAX;

	answer_count(connection, code);
	size = envelope_status_size(code, text_size);
	/* One more for the formatter's NUL. */
	start = conn_reserve(&connection->conn, FRAME_HEADER_SIZE + size + 1);
	if (!start)
		return;
	text = start + FRAME_HEADER_SIZE + (size - text_size);
	format_with((char *)text, text_size + 1, format, arguments);
	/*
	 * A text that isn't UTF-8, also one that was cut inside a character, would cost the peer
	 * the code.
	 */
	text_repair_utf8((char *)text, text_size);
	write_header(start, id, size);
	envelope_status_write(start + FRAME_HEADER_SIZE, code, text_size);
	conn_commit(&connection->conn, FRAME_HEADER_SIZE + size);
}

static void answer_failure(struct connection *connection, uint32_t id, enum ttrpc_code code,
			   const char *format, ...) __attribute__((format(printf, 4, 5)));

static void answer_failure(struct connection *connection, uint32_t id, enum ttrpc_code code,
			   const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	answer_status(connection, id, code, text_format_own, format, arguments);
	va_end(arguments);
}

/* False: the response has no field that is worth it. */
static bool answer_in_parts(struct connection *connection, uint32_t id,
			    const ProtobufCMessage *response, size_t payload_size)
{
	uint8_t head[FRAME_HEADER_SIZE + 16], *end;
	struct iovec pieces[1 + VIEW_PARTS];
	struct view_parts parts;

	if (!view_pack(response, payload_size, &parts))
		return false;
	end = write_header(head, id, envelope_reply_size(payload_size));
	end = envelope_reply_write(end, payload_size);
	pieces[0] = (struct iovec){head, (size_t)(end - head)};
	memcpy(pieces + 1, parts.pieces, sizeof(parts.pieces));
	conn_write(&connection->conn, pieces, 1 + VIEW_PARTS);
	return true;
}

bool answer_reply(struct connection *connection, uint32_t id, const ProtobufCMessage *response)
{
	size_t payload_size = protobuf_c_message_get_packed_size(response);
	size_t size = envelope_reply_size(payload_size);
	uint32_t limit = connection->server->limits.message;
	uint8_t *start, *payload;

	if (size > limit) {
		answer_failure(connection, id, TTRPC_RESOURCE_EXHAUSTED,
			       "answer of %zu bytes is above the limit of %u", size, limit);
		return false;
	}
	answer_count(connection, TTRPC_OK);
	if (payload_size > VIEW_MIN && answer_in_parts(connection, id, response, payload_size))
		return true;
	start = conn_reserve(&connection->conn, FRAME_HEADER_SIZE + size);
	if (start) {
		payload = write_header(start, id, size);
		payload = envelope_reply_write(payload, payload_size);
		protobuf_c_message_pack(response, payload);
		conn_commit(&connection->conn, FRAME_HEADER_SIZE + size);
	}
	return true;
}
