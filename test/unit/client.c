/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls of the client to the library's own server: what is sent and what comes back.
 */
#include "test/unit/client_fixture.h"

TEST(call_is_answered_from_the_loop)
{
	struct outcome outcome = {0};
	struct ttrpc_client *client;
	struct fixture fixture;

	fixture_init(&fixture);
	client = connect_client(&fixture);
	ASSERT_EQ(start(client, "Echo", "some type", "bytes", 0, &outcome), 0);
	ASSERT_EQ(outcome.n, 0);
	settle(&fixture);
	ASSERT_EQ(outcome.n, 1);
	ASSERT_EQ(outcome.status.code, TTRPC_OK);
	ASSERT_EQ(outcome.status.error, 0);
	ASSERT_STR(outcome.type_url, "some type");
	ASSERT_EQ(outcome.value_size, 5);
	ttrpc_client_free(client);
	fixture_deinit(&fixture);
	ASSERT_EQ(outcome.n, 1);
}

TEST(answers_of_every_kind)
{
	static const struct {
		const char *method, *type_url, *value;
		int code;
		const char *text;
	} cases[] = {
		{"Empty", "", "", TTRPC_OK, ""},
		{"Fail", "it failed", "16", TTRPC_UNAUTHENTICATED, "it failed"},
		{"Errno", "", "1", TTRPC_PERMISSION_DENIED, NULL},
		{"Null", "", "", TTRPC_UNIMPLEMENTED, "method Null"},
		{"Unknown", "", "", TTRPC_UNIMPLEMENTED, "method Unknown"},
		{"Silent", "", "", TTRPC_UNKNOWN, NULL},
		{"Size", "", "4194298", TTRPC_RESOURCE_EXHAUSTED, NULL},
	};
	struct ttrpc_client *client;
	struct fixture fixture;

	fixture_init(&fixture);
	client = connect_client(&fixture);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct outcome outcome = {0};

		ASSERT_EQ(start(client, cases[i].method, cases[i].type_url, cases[i].value, 0,
				&outcome),
			  0);
		settle(&fixture);
		ASSERT_EQ(outcome.n, 1);
		ASSERT_EQ(outcome.status.code, cases[i].code);
		ASSERT_EQ(outcome.has_response, cases[i].code == TTRPC_OK);
		if (cases[i].text)
			ASSERT_STR(outcome.status.text, cases[i].text);
	}
	ttrpc_client_free(client);
	fixture_deinit(&fixture);
}

TEST(largest_answer_passes)
{
	struct outcome outcome = {0};
	struct ttrpc_client *client;
	struct fixture fixture;
	char value[16];

	fixture_init(&fixture);
	client = connect_client(&fixture);
	for (unsigned size = TTRPC_MESSAGE_MAX - 12; size <= TTRPC_MESSAGE_MAX - 10; size++) {
		snprintf(value, sizeof(value), "%u", size);
		ASSERT_EQ(start(client, "Size", "", value, 0, &outcome), 0);
		settle_until(&fixture, &outcome, outcome.n + 1);
		ASSERT_EQ(outcome.status.code, TTRPC_OK);
		ASSERT_EQ(outcome.value_size, size);
	}
	ASSERT_EQ(start(client, "Size", "", "4194295", 0, &outcome), 0);
	settle_until(&fixture, &outcome, outcome.n + 1);
	ASSERT_EQ(outcome.status.code, TTRPC_RESOURCE_EXHAUSTED);
	ASSERT_STR(outcome.status.text, "answer of 4194305 bytes is above the limit of 4194304");
	ttrpc_client_free(client);
	fixture_deinit(&fixture);
}

static int start_large(struct ttrpc_client *client, size_t value_size, struct outcome *outcome)
{
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	int error;

	any.value.len = value_size;
	any.value.data = calloc(1, value_size);
	ASSERT(any.value.data);
	error = ttrpc_client_call(client, &echo_service, echo_method("Echo"), NULL, &any.base,
				  on_done, outcome);
	free(any.value.data);
	return error;
}

TEST(largest_request_passes_and_a_larger_one_fails_unsent)
{
	struct outcome outcome = {0};
	struct ttrpc_client *client;
	struct fixture fixture;
	/* service and method: 17 bytes; payload and value: 5 each. */
	const size_t most = TTRPC_MESSAGE_MAX - 17 - 10;

	fixture_init(&fixture);
	client = connect_client(&fixture);
	ASSERT_EQ(start_large(client, most, &outcome), 0);
	settle_until(&fixture, &outcome, 1);
	ASSERT_EQ(outcome.status.code, TTRPC_OK);
	ASSERT_EQ(outcome.value_size, most);
	ASSERT_EQ(start_large(client, most + 1, &outcome), 0);
	ASSERT_EQ(outcome.n, 1);
	settle(&fixture);
	ASSERT_EQ(outcome.n, 2);
	ASSERT_EQ(outcome.status.code, TTRPC_RESOURCE_EXHAUSTED);
	ASSERT_EQ(outcome.status.error, -EMSGSIZE);
	ASSERT_STR(outcome.status.text, "request of 4194305 bytes is above the limit of 4194304");
	ASSERT_EQ(client->next_id, 3);
	ASSERT_EQ(fixture.n_handled, 1);
	ttrpc_client_free(client);
	fixture_deinit(&fixture);
}

TEST(many_calls_at_once)
{
	static struct outcome outcomes[1000];
	struct ttrpc_client *client;
	struct fixture fixture;
	char text[32];

	fixture_init(&fixture);
	client = connect_client(&fixture);
	for (int i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "call %d", i);
		ASSERT_EQ(start(client, "Echo", text, "", 0, &outcomes[i]), 0);
	}
	for (int i = 0; i < 20; i++)
		settle(&fixture);
	for (int i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "call %d", i);
		ASSERT_EQ(outcomes[i].n, 1);
		ASSERT_STR(outcomes[i].type_url, text);
	}
	ttrpc_client_free(client);
	fixture_deinit(&fixture);
}

TEST(metadata_is_sent_in_lower_case)
{
	static const struct ttrpc_pair pairs[] = {{"Trace-Parent", "00-Ab"}, {"k", "v"}};
	const struct ttrpc_options options = {.metadata = pairs, .n_metadata = 2};
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	struct outcome outcome = {0};
	struct ttrpc_client *client;
	struct fixture fixture;

	fixture_init(&fixture);
	client = connect_client(&fixture);
	any.type_url = (char *)(uintptr_t) "trace-parent";
	ASSERT_EQ(ttrpc_client_call(client, &echo_service, echo_method("Meta"), &options, &any.base,
				    on_done, &outcome),
		  0);
	settle(&fixture);
	ASSERT_STR(outcome.type_url, "00-Ab");
	ttrpc_client_free(client);
	fixture_deinit(&fixture);
}
