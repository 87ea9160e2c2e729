/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An envelope, read as a request and as a response. What was read lies in the envelope, and a
 * request that is written anew from what was read says the same when it is read again.
 */
#include "ttrpc/envelope.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "test/fuzz/input.h"

#define METADATA_MAX 16

static void check_inside(struct slice part, struct slice whole)
{
	CHECK(part.size == 0 || (part.data >= whole.data && part.size <= whole.size &&
				 part.data + part.size <= whole.data + whole.size));
}

static bool same(struct slice a, struct slice b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* Keys are written in lower case. */
static bool same_key(struct slice a, struct slice b)
{
	return a.size == b.size && (a.size == 0 || strncasecmp((const char *)a.data,
							       (const char *)b.data, a.size) == 0);
}

/* As strings, which a NUL would end: such an envelope isn't written again. */
static char *string(struct slice slice)
{
	char *text = slice.size > 0 ? strndup((const char *)slice.data, slice.size) : strdup("");

	CHECK(text);
	return text;
}

static bool has_nul(struct slice slice)
{
	return slice.size > 0 && memchr(slice.data, 0, slice.size);
}

static void compare(const struct envelope_request *request, struct slice envelope)
{
	struct slice rest = request->envelope, key, value, again, again_key, again_value;
	struct envelope_request read;

	CHECK(envelope_request_parse(envelope, METADATA_MAX, &read) == 0);
	CHECK(same(read.service, request->service) && same(read.method, request->method));
	CHECK(same(read.payload, request->payload) && read.timeout == request->timeout);
	CHECK(read.n_metadata == request->n_metadata);
	again = read.envelope;
	while (envelope_metadata_next(&rest, &key, &value)) {
		CHECK(envelope_metadata_next(&again, &again_key, &again_value));
		CHECK(same_key(key, again_key) && same(value, again_value));
	}
	CHECK(!envelope_metadata_next(&again, &key, &value));
}

static void write_again(const struct envelope_request *request, const struct ttrpc_pair *pairs)
{
	char *service = string(request->service), *method = string(request->method);
	const struct envelope_call call = {
		.service = service,
		.method = method,
		.metadata = pairs,
		.n_metadata = request->n_metadata,
		.timeout = request->timeout,
		.payload_size = request->payload.size,
	};
	size_t size = envelope_request_size(&call);
	uint8_t *bytes = malloc(size + 1), *payload;

	CHECK(bytes && envelope_request_write(bytes, &call, &payload) <= bytes + size);
	CHECK(payload + request->payload.size <= bytes + size);
	if (request->payload.size > 0)
		memcpy(payload, request->payload.data, request->payload.size);
	compare(request, (struct slice){bytes, size});
	free(bytes);
	free(service);
	free(method);
}

static void check_request(struct slice envelope)
{
	struct ttrpc_pair pairs[METADATA_MAX];
	struct envelope_request request;
	struct slice rest, key, value;
	bool nul;
	size_t n = 0;

	if (envelope_request_parse(envelope, METADATA_MAX, &request) < 0)
		return;
	check_inside(request.service, envelope);
	check_inside(request.method, envelope);
	check_inside(request.payload, envelope);
	nul = has_nul(request.service) || has_nul(request.method);
	for (rest = request.envelope; envelope_metadata_next(&rest, &key, &value); n++) {
		CHECK(n < request.n_metadata);
		check_inside(key, envelope);
		check_inside(value, envelope);
		nul = nul || has_nul(key) || has_nul(value);
		pairs[n].key = string(key);
		pairs[n].value = string(value);
	}
	CHECK(n == request.n_metadata);
	if (n > 0 && !nul)
		CHECK(envelope_metadata(&request, pairs[0].key, &value) &&
		      value.size == strlen(pairs[0].value));
	if (!nul)
		write_again(&request, pairs);
	while (n-- > 0) {
		free((void *)(uintptr_t)pairs[n].key);
		free((void *)(uintptr_t)pairs[n].value);
	}
}

static void check_response(struct slice envelope)
{
	struct envelope_response response;
	struct ttrpc_status status = {.code = TTRPC_OK};
	const void *value;
	char type[16];
	size_t size;

	if (envelope_response_parse(envelope, &response) < 0)
		return;
	check_inside(response.text, envelope);
	check_inside(response.payload, envelope);
	check_inside(response.status, envelope);
	CHECK(response.has_payload || response.payload.size == 0);
	status.details = response.status.data;
	status.details_size = response.status.size;
	for (size_t n = 0; ttrpc_status_detail(&status, n, type, sizeof(type), &value, &size);
	     n++) {
		check_inside((struct slice){value, size}, envelope);
		CHECK(strnlen(type, sizeof(type)) < sizeof(type));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_request((struct slice){data, size});
	check_response((struct slice){data, size});
	return 0;
}
