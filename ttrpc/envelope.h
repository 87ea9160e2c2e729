/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TTRPC_ENVELOPE_H
#define TTRPC_ENVELOPE_H
/*
 * The envelope: the Request and Response messages that wrap an application's message. They are read
 * in place (what was parsed is slices of the frame) and written straight into the frame that is
 * sent, with the application's message packed behind them, so it is never copied.
 */
#include "ttrpc/ttrpc.h"
#include "ttrpc/wire.h"

struct envelope_request {
	struct slice service, method, payload;
	int64_t timeout; /* nanoseconds; 0: none; negative: it is too late already */
	size_t n_metadata, metadata_size; /* entries; bytes of keys and values */
	struct slice envelope;            /* the whole, for envelope_metadata() */
};

struct envelope_response {
	int32_t code;
	struct slice text, payload;
	struct slice status; /* the whole of it, for its details */
	bool has_payload;
};

/* -EBADMSG: malformed; -E2BIG: more than metadata_max entries. */
int envelope_request_parse(struct slice envelope, size_t metadata_max,
			   struct envelope_request *ret_request);
int envelope_response_parse(struct slice envelope, struct envelope_response *ret_response);

/* The first value of key, whose case doesn't matter. */
bool envelope_metadata(const struct envelope_request *request, const char *key,
		       struct slice *ret_value);

/* The next pair of what is left of a parsed envelope; false: there is none. */
bool envelope_metadata_next(struct slice *rest, struct slice *ret_key, struct slice *ret_value);

/* What a client wants to send; strings are not copied. */
struct envelope_call {
	const char *service, *method;
	const struct ttrpc_pair *metadata;
	size_t n_metadata;
	int64_t timeout;
	size_t payload_size;
};

/* The size of the envelope, payload included; and all of it but the payload's own bytes. */
size_t envelope_request_size(const struct envelope_call *call);
uint8_t *envelope_request_write(uint8_t *at, const struct envelope_call *call,
				uint8_t **ret_payload);

/* What of it comes before the payload's bytes, and behind them. */
uint8_t *envelope_request_head(uint8_t *at, const struct envelope_call *call);
uint8_t *envelope_request_tail(uint8_t *at, const struct envelope_call *call);

/* An answer that is OK; the payload's own bytes belong where the return value points. */
size_t envelope_reply_size(size_t payload_size);
uint8_t *envelope_reply_write(uint8_t *at, size_t payload_size);

/* An answer that is a status; the text's own bytes belong where the return value points. */
size_t envelope_status_size(enum ttrpc_code code, size_t text_size);
uint8_t *envelope_status_write(uint8_t *at, enum ttrpc_code code, size_t text_size);

#endif
