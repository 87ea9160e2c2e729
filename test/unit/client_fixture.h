/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_UNIT_CLIENT_FIXTURE_H
#define TEST_UNIT_CLIENT_FIXTURE_H
/*
 * For the tests of the client: calls whose outcome is noted, to the service of fixture.h.
 */
#include "test/unit/fixture.h"
#include "ttrpc/client.h"

struct outcome {
	int n;
	struct ttrpc_status status;
	char type_url[64];
	size_t value_size;
	bool has_response;
};

static inline void on_done(void *userdata, const struct ttrpc_status *status,
			   const ProtobufCMessage *response)
{
	struct outcome *outcome = userdata;

	outcome->n++;
	outcome->status = *status;
	outcome->has_response = response != NULL;
	if (response) {
		snprintf(outcome->type_url, sizeof(outcome->type_url), "%s",
			 any_of(response)->type_url);
		outcome->value_size = any_of(response)->value.len;
	}
}

static inline int start(struct ttrpc_client *client, const char *method, const char *type_url,
			const char *value, uint64_t timeout, struct outcome *outcome)
{
	const struct ttrpc_options options = {.timeout = timeout};
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;

	any.type_url = (char *)(uintptr_t)type_url;
	any.value.data = (uint8_t *)(uintptr_t)value;
	any.value.len = strlen(value);
	return ttrpc_client_call(client, &echo_service, echo_method(method), &options, &any.base,
				 on_done, outcome);
}

static inline struct ttrpc_client *connect_client(struct fixture *fixture)
{
	struct ttrpc_client *client;
	int fd = raw_connect(fixture);

	ASSERT_EQ(ttrpc_client_new(&fixture->loop, fd, &client), 0);
	return client;
}

static inline void settle_until(struct fixture *fixture, const struct outcome *outcome, int n)
{
	while (outcome->n < n)
		ASSERT_EQ(ttrpc_loop_dispatch(&fixture->loop, -1), 0);
}

/* The payload of an Any with value of n bytes is n + 5, the envelope of an answer 5 more. */
static inline void on_close(void *userdata, int error)
{
	*(int *)userdata = error;
}

#endif
