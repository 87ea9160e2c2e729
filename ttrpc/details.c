/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Details of statuses: Any messages behind the code and the text, written by the server and read in
 * place by the client.
 */
#include <string.h>

#include "ttrpc/server.h"
#include "ttrpc/text.h"

enum { RESPONSE_STATUS = 1 };
enum { STATUS_CODE = 1, STATUS_TEXT = 2, STATUS_DETAILS = 3 };
enum { ANY_TYPE = 1, ANY_VALUE = 2 };

/* ---- the server ---- */

static size_t detail_size(const struct ttrpc_detail *detail)
{
	return wire_bytes_size(ANY_TYPE, strlen(detail->type_url)) +
	       wire_bytes_size(ANY_VALUE, detail->size);
}

static uint8_t *detail_write(uint8_t *at, const struct ttrpc_detail *detail)
{
	at = wire_tag_write(at, STATUS_DETAILS, WIRE_BYTES);
	at = wire_varint_write(at, detail_size(detail));
	at = wire_bytes_write(at, ANY_TYPE, detail->type_url, strlen(detail->type_url));
	return wire_bytes_write(at, ANY_VALUE, detail->value, detail->size);
}

static size_t status_size(enum ttrpc_code code, size_t text_size,
			  const struct ttrpc_detail *details, size_t n_details)
{
	size_t size =
		1 + wire_varint_size((uint64_t)code) + wire_bytes_size(STATUS_TEXT, text_size);

	for (size_t i = 0; i < n_details; i++)
		size += wire_bytes_size(STATUS_DETAILS, detail_size(&details[i]));
	return size;
}

static void status_write(uint8_t *at, enum ttrpc_code code, const char *text, size_t text_size,
			 const struct ttrpc_detail *details, size_t n_details)
{
	at = wire_tag_write(at, RESPONSE_STATUS, WIRE_BYTES);
	at = wire_varint_write(at, status_size(code, text_size, details, n_details));
	at = wire_tag_write(at, STATUS_CODE, WIRE_VARINT);
	at = wire_varint_write(at, (uint64_t)code);
	at = wire_bytes_write(at, STATUS_TEXT, text, text_size);
	text_repair_utf8((char *)at - text_size, text_size);
	for (size_t i = 0; i < n_details; i++)
		at = detail_write(at, &details[i]);
}

bool answer_details(struct connection *connection, uint32_t id, enum ttrpc_code code,
		    const char *text, const struct ttrpc_detail *details, size_t n_details)
{
	size_t text_size = strnlen(text, TTRPC_STATUS_TEXT_MAX), size;
	struct frame frame = {.id = id, .type = FRAME_RESPONSE};
	uint8_t *start;

	size = status_size(code, text_size, details, n_details);
	size = wire_bytes_size(RESPONSE_STATUS, size);
	if (size > connection->server->limits.message)
		return false;
	answer_count(connection, code);
	frame.length = (uint32_t)size;
	start = conn_reserve(&connection->conn, FRAME_HEADER_SIZE + size);
	if (start) {
		frame_header_write(start, &frame);
		status_write(start + FRAME_HEADER_SIZE, code, text, text_size, details, n_details);
		conn_commit(&connection->conn, FRAME_HEADER_SIZE + size);
	}
	return true;
}

int ttrpc_fail_details(struct ttrpc_call *call, enum ttrpc_code code, const char *text,
		       const struct ttrpc_detail *details, size_t n_details)
{
	if (call->done || call->barred)
		return 0;
	if (code == TTRPC_OK)
		code = TTRPC_UNKNOWN;
	if (!answer_details(call->connection, call->id, code, text, details, n_details))
		return call_fail(call, code, "%s", text);
	call->code = code;
	return call_answered(call);
}

/* ---- the client ---- */

static bool detail_parse(struct slice message, char *ret_type_url, size_t size,
			 const void **ret_value, size_t *ret_value_size)
{
	struct slice type = {NULL, 0}, value = {NULL, 0};
	struct wire_field field;

	while (wire_next(&message, &field) > 0) {
		if (field.type == WIRE_BYTES && field.number == ANY_TYPE)
			type = field.bytes;
		if (field.type == WIRE_BYTES && field.number == ANY_VALUE)
			value = field.bytes;
	}
	if (size > 0) {
		size_t length = type.size < size ? type.size : size - 1;

		if (length > 0)
			memcpy(ret_type_url, type.data, length);
		ret_type_url[length] = '\0';
	}
	*ret_value = value.data;
	*ret_value_size = value.size;
	return true;
}

bool ttrpc_status_detail(const struct ttrpc_status *status, size_t index, char *ret_type_url,
			 size_t size, const void **ret_value, size_t *ret_value_size)
{
	struct slice rest = {status->details, status->details_size};
	struct wire_field field;

	while (wire_next(&rest, &field) > 0)
		if (field.type == WIRE_BYTES && field.number == STATUS_DETAILS && index-- == 0)
			return detail_parse(field.bytes, ret_type_url, size, ret_value,
					    ret_value_size);
	return false;
}
