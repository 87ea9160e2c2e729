/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Request { 1 service, 2 method, 3 payload, 4 timeout_nano, 5 repeated KeyValue metadata },
 * KeyValue { 1 key, 2 value }, Response { 1 Status, 2 payload }, Status { 1 code, 2 message,
 * 3 details }. A field of a known number and another wire type is an unknown field; of a field that
 * comes twice the last one counts, as proto3 has it.
 */
#include "ttrpc/envelope.h"

#include <errno.h>
#include <string.h>

#include "ttrpc/text.h"

enum request_field {
	REQUEST_SERVICE = 1,
	REQUEST_METHOD = 2,
	REQUEST_PAYLOAD = 3,
	REQUEST_TIMEOUT = 4,
	REQUEST_METADATA = 5,
};

enum pair_field { PAIR_KEY = 1, PAIR_VALUE = 2 };
enum response_field { RESPONSE_STATUS = 1, RESPONSE_PAYLOAD = 2 };
enum status_field { STATUS_CODE = 1, STATUS_TEXT = 2 };

struct pair {
	struct slice key, value;
};

static bool field_is_bytes(const struct wire_field *field, uint32_t number)
{
	return field->number == number && field->type == WIRE_BYTES;
}

static bool field_is_varint(const struct wire_field *field, uint32_t number)
{
	return field->number == number && field->type == WIRE_VARINT;
}

static int take_string(const struct wire_field *field, struct slice *ret_string)
{
	if (!text_is_utf8(field->bytes.data, field->bytes.size))
		return -EBADMSG;
	*ret_string = field->bytes;
	return 0;
}

static int pair_parse(struct slice message, struct pair *ret_pair)
{
	struct pair pair = {0};
	struct wire_field field;
	int r, error = 0;

	while ((r = wire_next(&message, &field)) > 0) {
		if (field_is_bytes(&field, PAIR_KEY))
			error = take_string(&field, &pair.key);
		else if (field_is_bytes(&field, PAIR_VALUE))
			error = take_string(&field, &pair.value);
		if (error < 0)
			return error;
	}
	if (r == 0)
		*ret_pair = pair;
	return r;
}

static int request_take_field(struct envelope_request *request, const struct wire_field *field)
{
	struct pair pair;

	if (field_is_bytes(field, REQUEST_SERVICE))
		return take_string(field, &request->service);
	if (field_is_bytes(field, REQUEST_METHOD))
		return take_string(field, &request->method);
	if (field_is_bytes(field, REQUEST_PAYLOAD))
		request->payload = field->bytes;
	if (field_is_varint(field, REQUEST_TIMEOUT))
		request->timeout = (int64_t)field->value;
	if (field_is_bytes(field, REQUEST_METADATA)) {
		request->n_metadata++;
		request->metadata_size += field->bytes.size;
		return pair_parse(field->bytes, &pair);
	}
	return 0;
}

int envelope_request_parse(struct slice envelope, size_t metadata_max,
			   struct envelope_request *ret_request)
{
	struct envelope_request request = {.envelope = envelope};
	struct wire_field field;
	int r, error;

	while ((r = wire_next(&envelope, &field)) > 0) {
		error = request_take_field(&request, &field);
		if (error < 0)
			return error;
		if (request.n_metadata > metadata_max)
			return -E2BIG;
	}
	if (r == 0)
		*ret_request = request;
	return r;
}

static char lower(char letter)
{
	return letter >= 'A' && letter <= 'Z' ? (char)(letter - 'A' + 'a') : letter;
}

static bool key_equal(struct slice key, const char *name)
{
	for (size_t i = 0; i < key.size; i++)
		if (!name[i] || lower((char)key.data[i]) != lower(name[i]))
			return false;
	return name[key.size] == '\0';
}

bool envelope_metadata_next(struct slice *rest, struct slice *ret_key, struct slice *ret_value)
{
	struct wire_field field;
	struct pair pair;

	while (wire_next(rest, &field) > 0) {
		if (!field_is_bytes(&field, REQUEST_METADATA) || pair_parse(field.bytes, &pair) < 0)
			continue;
		*ret_key = pair.key;
		*ret_value = pair.value;
		return true;
	}
	return false;
}

bool envelope_metadata(const struct envelope_request *request, const char *key,
		       struct slice *ret_value)
{
	struct slice rest = request->envelope, name, value;

	while (request->n_metadata > 0 && envelope_metadata_next(&rest, &name, &value)) {
		if (!key_equal(name, key))
			continue;
		*ret_value = value;
		return true;
	}
	return false;
}

static int status_parse(struct slice message, struct envelope_response *response)
{
	struct wire_field field;
	int r, error;

	while ((r = wire_next(&message, &field)) > 0) {
		if (field_is_varint(&field, STATUS_CODE))
			response->code = (int32_t)field.value;
		if (field_is_bytes(&field, STATUS_TEXT)) {
			error = take_string(&field, &response->text);
			if (error < 0)
				return error;
		}
	}
	return r;
}

int envelope_response_parse(struct slice envelope, struct envelope_response *ret_response)
{
	struct envelope_response response = {0};
	struct wire_field field;
	int r, error;

	while ((r = wire_next(&envelope, &field)) > 0) {
		if (field_is_bytes(&field, RESPONSE_STATUS)) {
			response.status = field.bytes;
			error = status_parse(field.bytes, &response);
			if (error < 0)
				return error;
		}
		if (field_is_bytes(&field, RESPONSE_PAYLOAD)) {
			response.payload = field.bytes;
			response.has_payload = true;
		}
	}
	if (r == 0)
		*ret_response = response;
	return r;
}

static size_t pair_size(const struct ttrpc_pair *pair)
{
	return wire_bytes_size(PAIR_KEY, strlen(pair->key)) +
	       wire_bytes_size(PAIR_VALUE, strlen(pair->value));
}

size_t envelope_request_size(const struct envelope_call *call)
{
	size_t size = wire_bytes_size(REQUEST_SERVICE, strlen(call->service)) +
		      wire_bytes_size(REQUEST_METHOD, strlen(call->method));

	if (call->payload_size > 0)
		size += wire_bytes_size(REQUEST_PAYLOAD, call->payload_size);
	if (call->timeout)
		size += 1 + wire_varint_size((uint64_t)call->timeout);
	for (size_t i = 0; i < call->n_metadata; i++)
		size += wire_bytes_size(REQUEST_METADATA, pair_size(&call->metadata[i]));
	return size;
}

static uint8_t *pair_write(uint8_t *at, const struct ttrpc_pair *pair)
{
	uint8_t *key;

	at = wire_tag_write(at, REQUEST_METADATA, WIRE_BYTES);
	at = wire_varint_write(at, pair_size(pair));
	at = wire_bytes_write(at, PAIR_KEY, pair->key, strlen(pair->key));
	for (key = at - strlen(pair->key); key < at; key++)
		*key = (uint8_t)lower((char)*key);
	return wire_bytes_write(at, PAIR_VALUE, pair->value, strlen(pair->value));
}

uint8_t *envelope_request_head(uint8_t *at, const struct envelope_call *call)
{
	at = wire_bytes_write(at, REQUEST_SERVICE, call->service, strlen(call->service));
	at = wire_bytes_write(at, REQUEST_METHOD, call->method, strlen(call->method));
	if (call->payload_size > 0) {
		at = wire_tag_write(at, REQUEST_PAYLOAD, WIRE_BYTES);
		at = wire_varint_write(at, call->payload_size);
	}
	return at;
}

uint8_t *envelope_request_tail(uint8_t *at, const struct envelope_call *call)
{
	if (call->timeout) {
		at = wire_tag_write(at, REQUEST_TIMEOUT, WIRE_VARINT);
		at = wire_varint_write(at, (uint64_t)call->timeout);
	}
	for (size_t i = 0; i < call->n_metadata; i++)
		at = pair_write(at, &call->metadata[i]);
	return at;
}

uint8_t *envelope_request_write(uint8_t *at, const struct envelope_call *call,
				uint8_t **ret_payload)
{
	*ret_payload = envelope_request_head(at, call);
	return envelope_request_tail(*ret_payload + call->payload_size, call);
}

size_t envelope_reply_size(size_t payload_size)
{
	return payload_size > 0 ? wire_bytes_size(RESPONSE_PAYLOAD, payload_size) : 0;
}

uint8_t *envelope_reply_write(uint8_t *at, size_t payload_size)
{
	if (payload_size == 0)
		return at;
	at = wire_tag_write(at, RESPONSE_PAYLOAD, WIRE_BYTES);
	return wire_varint_write(at, payload_size);
}

static size_t status_size(enum ttrpc_code code, size_t text_size)
{
	size_t size = 1 + wire_varint_size((uint64_t)code);

	return text_size > 0 ? size + wire_bytes_size(STATUS_TEXT, text_size) : size;
}

size_t envelope_status_size(enum ttrpc_code code, size_t text_size)
{
	return wire_bytes_size(RESPONSE_STATUS, status_size(code, text_size));
}

uint8_t *envelope_status_write(uint8_t *at, enum ttrpc_code code, size_t text_size)
{
	at = wire_tag_write(at, RESPONSE_STATUS, WIRE_BYTES);
	at = wire_varint_write(at, status_size(code, text_size));
	at = wire_tag_write(at, STATUS_CODE, WIRE_VARINT);
	at = wire_varint_write(at, (uint64_t)code);
	if (text_size == 0)
		return at;
	at = wire_tag_write(at, STATUS_TEXT, WIRE_BYTES);
	return wire_varint_write(at, text_size);
}
