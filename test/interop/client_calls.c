/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our client on somebody's server: unary calls.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test/interop/client.h"
#include "ttrpc/metadata.h"

TEST(unary)
{
	struct peer peer;

	client_open(&peer);
	for (uint32_t seq = 0; seq < 100; seq++)
		ask_expect(&peer, interop_probe_echo_sync, NULL, seq, "h\xc3\xa9llo", seq + 1,
			   "h\xc3\xa9llo");
	peer_close(&peer);
}

TEST(empty_messages)
{
	struct peer peer;

	client_open(&peer);
	ask_expect(&peer, interop_probe_nothing_sync, NULL, 1, "full", 0, "");
	ask_expect(&peer, interop_probe_echo_sync, NULL, 0, "", 1, "");
	ask_expect(&peer, interop_probe_echo_sync, NULL, UINT32_MAX, "", 0, "");
	ask_expect(&peer, interop_probe_nothing_sync, NULL, 0, "", 0, "");
	peer_close(&peer);
}

/* A call of a method that the server doesn't have. */
static enum ttrpc_code code_of_missing(struct peer *peer, const char *service_name,
				       const char *method_name)
{
	struct ttrpc_service service = {.name = service_name, .n_methods = 1};
	struct ttrpc_method method = {.name = method_name,
				      .input = &interop__item__descriptor,
				      .output = &interop__item__descriptor};
	Interop__Item request = item(1, NULL);
	ProtobufCMessage *response = NULL;
	struct ttrpc_status status;

	service.methods = &method;
	ASSERT_EQ(ttrpc_client_call_sync(peer->client, &service, &method, NULL, &request.base,
					 &response, &status),
		  0);
	ASSERT(!response);
	return status.code;
}

TEST(status)
{
	const struct kind *kind = kind_get();
	struct peer peer;

	client_open(&peer);
	for (uint32_t code = 1; code <= 16; code++) {
		struct answer answer;

		ASSERT(!ask(&peer, interop_probe_fail_sync, NULL, code, "this failed", &answer));
		ASSERT_EQ(answer.status.error, 0);
		ASSERT_EQ(answer.status.code, code);
		ASSERT_STR(answer.status.text, "this failed");
	}
	ASSERT_EQ(code_of_missing(&peer, "interop.Probe", "Missing"), kind->no_method);
	ASSERT_EQ(code_of_missing(&peer, "interop.Missing", "Echo"), kind->no_service);
	expect_alive(&peer);
	peer_close(&peer);
}

TEST(metadata)
{
	struct ttrpc_metadata *metadata;
	struct ttrpc_options options;
	struct peer peer;

	client_open(&peer);
	metadata = metadata_new(&options);
	ask_expect(&peer, interop_probe_metadata_sync, &options, 0, "mixed-case", 3,
		   "one,two,three");
	ask_expect(&peer, interop_probe_metadata_sync, &options, 0, "other", 1, "");
	ask_expect(&peer, interop_probe_metadata_sync, NULL, 0, "other", 0, "");
	ttrpc_metadata_free(metadata);
	peer_close(&peer);
}

TEST(deadline_seen)
{
	const struct ttrpc_options options = {.timeout = 600000 * MILLISECOND};
	struct answer answer;
	struct peer peer;

	client_open(&peer);
	ASSERT(ask(&peer, interop_probe_deadline_sync, &options, 0, NULL, &answer));
	ASSERT(answer.seq > 0 && answer.seq <= 600000);
	ask_expect(&peer, interop_probe_deadline_sync, NULL, 0, NULL, 0, "");
	peer_close(&peer);
}

TEST(deadline_passed)
{
	const struct ttrpc_options options = {.timeout = 100 * MILLISECOND};
	struct answer answer;
	struct counts since;
	struct peer peer;

	client_open(&peer);
	since = counts_get(&peer);
	ASSERT(!ask(&peer, interop_probe_wait_sync, &options, FOREVER, NULL, &answer));
	ASSERT_EQ(answer.status.code, TTRPC_DEADLINE_EXCEEDED);
	counts_await(&peer, since, 1, 1);
	peer_close(&peer);
}

/* The text that makes the frame of a call of Size that large; free() it. */
static char *request_text(size_t frame)
{
	const char *service = interop_probe_service.name;

	return probe_text(frame - (2 + strlen(service)) - (2 + strlen("Size")) - RESPONSE_OVERHEAD -
			  ITEM_OVERHEAD);
}

TEST(request_4194304)
{
	char *text = request_text(LIMIT);
	struct peer peer;

	client_open(&peer);
	for (int i = 0; i < 3; i++)
		ask_expect(&peer, interop_probe_size_sync, NULL, 0, text, (uint32_t)strlen(text),
			   "");
	free(text);
	peer_close(&peer);
}

/* Our own limit keeps it back; with a larger one the server judges. */
TEST(request_4194305)
{
	const struct kind *kind = kind_get();
	char *text = request_text(LIMIT + 1);
	struct ttrpc_limits limits;
	struct answer answer;
	struct peer peer;

	client_open(&peer);
	ASSERT(!ask(&peer, interop_probe_size_sync, NULL, 0, text, &answer));
	ASSERT_EQ(answer.status.code, TTRPC_RESOURCE_EXHAUSTED);
	ASSERT_EQ(answer.status.error, -EMSGSIZE);
	expect_alive(&peer);
	peer_close(&peer);

	client_open(&peer);
	ttrpc_limits_init(&limits);
	limits.message = 2 * LIMIT;
	ASSERT_EQ(ttrpc_client_set_limits(peer.client, &limits), 0);
	ASSERT(!ask(&peer, interop_probe_size_sync, NULL, 0, text, &answer));
	ASSERT_EQ(answer.status.error, 0);
	ASSERT_EQ(answer.status.code, kind->oversize);
	expect_alive(&peer);
	free(text);
	peer_close(&peer);
}

TEST(answer_4194304)
{
	struct answer answer;
	struct peer peer;

	client_open(&peer);
	for (int i = 0; i < 3; i++) {
		ASSERT(ask(&peer, interop_probe_fill_sync, NULL, LIMIT, NULL, &answer));
		ASSERT(answer.size >= LIMIT - 16 && answer.size < LIMIT);
	}
	peer_close(&peer);
}

/* Kept back by the server, or, from one without a limit of its own, thrown away here. */
TEST(answer_4194305)
{
	const struct kind *kind = kind_get();
	struct answer answer;
	struct peer peer;

	client_open(&peer);
	ASSERT(!ask(&peer, interop_probe_fill_sync, NULL, LIMIT + 1, NULL, &answer));
	ASSERT_EQ(answer.status.code, kind->oversize);
	ASSERT(answer.status.error == 0 || answer.status.error == -EMSGSIZE);
	expect_alive(&peer);
	peer_close(&peer);
}

struct meeting {
	size_t n_good, n_ended;
	char texts[MANY][16];
};

struct meeter {
	struct meeting *meeting;
	uint32_t number;
};

static void met(void *userdata, const struct ttrpc_status *status, const Interop__Item *response)
{
	struct meeter *meeter = userdata;

	meeter->meeting->n_ended++;
	if (status->code == TTRPC_OK &&
	    strcmp(response->msg, meeter->meeting->texts[meeter->number]) == 0)
		meeter->meeting->n_good++;
}

TEST(calls_1000)
{
	static struct meeter meeters[MANY];
	static struct meeting meeting;
	struct peer peer;

	client_open(&peer);
	for (uint32_t i = 0; i < MANY; i++) {
		Interop__Item request;

		meeters[i] = (struct meeter){&meeting, i};
		snprintf(meeting.texts[i], sizeof(meeting.texts[i]), "call %u", i);
		request = item(MANY, meeting.texts[i]);
		ASSERT_EQ(interop_probe_meet(peer.client, NULL, &request, met, &meeters[i]), 0);
	}
	ASSERT(peer_wait(&peer, &meeting.n_ended, MANY));
	ASSERT_EQ(meeting.n_good, MANY);
	expect_alive(&peer);
	peer_close(&peer);
}
