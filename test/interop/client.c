/* SPDX-License-Identifier: Apache-2.0 */
#include "test/interop/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ttrpc/metadata.h"

static const struct kind kinds[] = {
	{"mote", true, false, TTRPC_UNIMPLEMENTED, TTRPC_UNIMPLEMENTED, TTRPC_RESOURCE_EXHAUSTED,
	 TTRPC_RESOURCE_EXHAUSTED},
	{"go", true, true, TTRPC_UNIMPLEMENTED, TTRPC_UNIMPLEMENTED, TTRPC_RESOURCE_EXHAUSTED,
	 TTRPC_RESOURCE_EXHAUSTED},
	{"go-unary", false, false, TTRPC_UNIMPLEMENTED, TTRPC_UNIMPLEMENTED,
	 TTRPC_RESOURCE_EXHAUSTED, TTRPC_OK},
	{"rust-async", true, false, TTRPC_INVALID_ARGUMENT, TTRPC_UNIMPLEMENTED,
	 TTRPC_INVALID_ARGUMENT, TTRPC_UNKNOWN},
	{"rust-sync", false, false, TTRPC_INVALID_ARGUMENT, TTRPC_INVALID_ARGUMENT,
	 TTRPC_INVALID_ARGUMENT, TTRPC_OK},
};

const struct kind *kind_get(void)
{
	const char *name = getenv("INTEROP_PEER");

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(name ? name : "mote", kinds[i].name) == 0)
			return &kinds[i];
	SKIP("INTEROP_PEER is %s", name);
}

void client_open(struct peer *peer)
{
	const char *socket = getenv("INTEROP_SOCKET");

	if (!socket)
		SKIP("INTEROP_SOCKET isn't set");
	ASSERT_EQ(peer_open(peer, socket), 0);
}

Interop__Item item(uint32_t seq, const char *msg)
{
	Interop__Item made = INTEROP__ITEM__INIT;

	made.seq = seq;
	if (msg)
		made.msg = (char *)msg;
	return made;
}

bool ask(struct peer *peer, probe_fn method, const struct ttrpc_options *options, uint32_t seq,
	 const char *msg, struct answer *answer)
{
	Interop__Item request = item(seq, msg), *response = NULL;

	*answer = (struct answer){0};
	method(peer->client, options, &request, &response, &answer->status);
	if (!response)
		return false;
	answer->seq = response->seq;
	answer->size = strlen(response->msg);
	snprintf(answer->msg, sizeof(answer->msg), "%s", response->msg);
	interop__item__free_unpacked(response, NULL);
	return true;
}

void ask_expect(struct peer *peer, probe_fn method, const struct ttrpc_options *options,
		uint32_t seq, const char *msg, uint32_t answer_seq, const char *answer_msg)
{
	struct answer answer;

	if (!ask(peer, method, options, seq, msg, &answer))
		test_fail(__FILE__, __LINE__, "%u \"%.40s\": code %d, error %d, %s", seq,
			  msg ? msg : "", answer.status.code, answer.status.error,
			  answer.status.text);
	ASSERT_EQ(answer.status.code, TTRPC_OK);
	ASSERT_EQ(answer.seq, answer_seq);
	ASSERT_STR(answer.msg, answer_msg);
}

void expect_alive(struct peer *peer)
{
	for (uint32_t seq = 0; seq < 10; seq++)
		ask_expect(peer, interop_probe_echo_sync, NULL, seq, "alive", seq + 1, "alive");
}

struct counts counts_get(struct peer *peer)
{
	struct answer answer;

	ASSERT(ask(peer, interop_probe_cancelled_sync, NULL, 0, NULL, &answer));
	return (struct counts){(uint32_t)strtoul(answer.msg, NULL, 10), answer.seq};
}

void counts_await(struct peer *peer, struct counts since, uint32_t begun, uint32_t cancelled)
{
	uint64_t limit = ttrpc_now() + PEER_PATIENCE / 4;
	struct counts now = counts_get(peer);

	while (now.begun < since.begun + begun || now.cancelled < since.cancelled + cancelled) {
		if (ttrpc_now() > limit)
			test_fail(__FILE__, __LINE__, "%u began and %u were cancelled, not %u, %u",
				  now.begun - since.begun, now.cancelled - since.cancelled, begun,
				  cancelled);
		ASSERT(ttrpc_loop_dispatch(&peer->loop, 10) >= 0);
		now = counts_get(peer);
	}
	ASSERT_EQ(now.begun, since.begun + begun);
	ASSERT_EQ(now.cancelled, since.cancelled + cancelled);
}

struct ttrpc_metadata *metadata_new(struct ttrpc_options *ret_options)
{
	struct ttrpc_metadata *metadata = ttrpc_metadata_new();
	const char *const first[] = {"one", "two"}, *const then[] = {"three"};
	const char *const empty[] = {""};

	ASSERT(metadata);
	ASSERT_EQ(ttrpc_metadata_set(metadata, "Mixed-Case", first, 2), 0);
	ASSERT_EQ(ttrpc_metadata_set(metadata, "other", empty, 1), 0);
	ASSERT_EQ(ttrpc_metadata_append(metadata, "mixed-case", then, 1), 0);
	*ret_options = (struct ttrpc_options){0};
	ret_options->metadata = ttrpc_metadata_pairs(metadata, &ret_options->n_metadata);
	return metadata;
}

void take_item(struct exchange *exchange, const ProtobufCMessage *message)
{
	const Interop__Item *taken = (const Interop__Item *)message;

	exchange->seq = taken->seq;
	exchange->size = strlen(taken->msg);
	snprintf(exchange->msg, sizeof(exchange->msg), "%s", taken->msg);
}
