/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our client and somebody's server, one of which goes away in the middle of calls and streams. The
 * last two need a server each, which is gone after them.
 */
#include <errno.h>

#include "test/interop/client.h"

#define WAITS 9u
#define HOLDS 3u

struct waiting {
	size_t n_ended, n_answered, n_cut; /* cut: by the connection's end */
};

static void waited(void *userdata, const struct ttrpc_status *status, const Interop__Item *response)
{
	struct waiting *waiting = userdata;

	(void)response;
	waiting->n_ended++;
	waiting->n_answered += status->code == TTRPC_OK;
	if (status->code == TTRPC_UNAVAILABLE && status->error < 0)
		waiting->n_cut++;
}

static void begin_waits(struct peer *peer, struct waiting *waiting, uint32_t milliseconds)
{
	Interop__Item request = item(milliseconds, NULL);

	for (uint32_t i = 0; i < WAITS; i++)
		ASSERT_EQ(interop_probe_wait(peer->client, NULL, &request, waited, waiting), 0);
}

/* Calls and streams under way at the server; returns how many. */
static uint32_t begin(struct peer *peer, struct waiting *waiting, struct exchange *holds)
{
	begin_waits(peer, waiting, FOREVER);
	for (uint32_t i = 0; kind_get()->streams && i < HOLDS; i++)
		ASSERT(exchange_open(&holds[i], peer, &interop_flow_service, "Hold", NULL, NULL));
	return WAITS + (kind_get()->streams ? HOLDS : 0);
}

TEST(client_gone)
{
	struct exchange holds[HOLDS] = {0};
	struct waiting waiting = {0};
	struct peer peer, leaving;
	struct counts since;
	uint32_t n;

	client_open(&peer);
	since = counts_get(&peer);
	client_open(&leaving);
	n = begin(&leaving, &waiting, holds);
	expect_alive(&leaving);
	counts_await(&peer, since, n, 0);
	ASSERT_EQ(waiting.n_ended, 0);
	peer_close(&leaving);
	ASSERT_EQ(waiting.n_ended, WAITS);
	counts_await(&peer, since, n, n);
	peer_close(&peer);
}

TEST(server_gone)
{
	struct waiting waiting = {0}, last = {0};
	struct exchange holds[HOLDS] = {0};
	Interop__Item request = item(0, NULL);
	struct answer answer;
	struct counts since;
	struct peer peer;
	uint32_t n;

	client_open(&peer);
	since = counts_get(&peer);
	n = begin(&peer, &waiting, holds);
	counts_await(&peer, since, n, 0);
	ASSERT_EQ(interop_probe_die(peer.client, NULL, &request, waited, &last), 0);
	ASSERT(peer_wait(&peer, &last.n_ended, 1));
	ASSERT(peer_wait(&peer, &waiting.n_ended, WAITS));
	ASSERT_EQ(last.n_cut, 1);
	ASSERT_EQ(waiting.n_cut, WAITS);
	for (uint32_t i = 0; kind_get()->streams && i < HOLDS; i++) {
		ASSERT(exchange_ended(&holds[i], TTRPC_UNAVAILABLE));
		ASSERT(holds[i].status.error < 0);
	}
	ASSERT(!ask(&peer, interop_probe_echo_sync, NULL, 0, NULL, &answer));
	ASSERT(answer.status.error < 0);
	peer_close(&peer);
}

/* What is under way is answered, what comes later is not served, and then the connection ends. */
TEST(server_stops)
{
	struct waiting waiting = {0};
	struct answer answer;
	struct counts since;
	struct peer peer;

	client_open(&peer);
	since = counts_get(&peer);
	begin_waits(&peer, &waiting, 2000);
	counts_await(&peer, since, WAITS, 0);
	ask_expect(&peer, interop_probe_stop_sync, NULL, 0, NULL, 0, "");
	ASSERT(peer_wait(&peer, &waiting.n_ended, WAITS));
	ASSERT_EQ(waiting.n_answered, WAITS);
	ASSERT_EQ(ttrpc_client_wait(peer.client, PEER_PATIENCE), 0);
	ASSERT(!ask(&peer, interop_probe_echo_sync, NULL, 0, NULL, &answer));
	peer_close(&peer);
}
