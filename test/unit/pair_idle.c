/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a shim that nobody needs: no container, no connection, for a minute. The minute is made
 * short here, by its length: no other time of the server is as long.
 */
#include "test/unit/pair_events.h"

#define IDLE_TIME (60 * SECOND) /* as in shim/server.c */
#define SHORT_TIME (SECOND / 10)

void __real_ttrpc_timer_set(struct ttrpc_loop *loop, struct ttrpc_timer *timer, uint64_t deadline,
			    ttrpc_timer_fn fn);
void __wrap_ttrpc_timer_set(struct ttrpc_loop *loop, struct ttrpc_timer *timer, uint64_t deadline,
			    ttrpc_timer_fn fn);

void __wrap_ttrpc_timer_set(struct ttrpc_loop *loop, struct ttrpc_timer *timer, uint64_t deadline,
			    ttrpc_timer_fn fn)
{
	uint64_t now = ttrpc_now();
	if (deadline <= now + IDLE_TIME && deadline > now + IDLE_TIME - 10 * SECOND)
		deadline = now + SHORT_TIME;
	__real_ttrpc_timer_set(loop, timer, deadline, fn);
}

static void disconnect(struct pair *pair)
{
	pair->client = ttrpc_client_free(pair->client);
}

/* Several times as long as it takes an idle shim to go. */
static void longer(void)
{
	const struct timespec time = {.tv_nsec = 5 * SHORT_TIME};
	nanosleep(&time, NULL);
}

static void ends(struct pair *pair)
{
	ASSERT_EQ(pair_await_end(pair), 0);
	ASSERT(access(pair->socket, F_OK) < 0);
	pair_clean(pair);
}

TEST(nobody_ever_came)
{
	struct pair pair = {0};

	signal(SIGPIPE, SIG_IGN);
	ASSERT_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	pair_folders(&pair);
	pair_launch(&pair);
	ASSERT_EQ(ttrpc_loop_init(&pair.loop), 0);
	ends(&pair);
}

TEST(as_long_as_one_is_connected)
{
	struct pair pair = {0};

	pair_init(&pair);
	for (int i = 0; i < 2; i++) {
		longer();
		call_ok(&pair, "Connect", "one");
	}
	disconnect(&pair);
	ends(&pair);
}

/* Whether it runs or not; also one that is deleted by a client who then goes away. */
TEST(as_long_as_there_is_a_container)
{
	struct pair pair = {0};
	static const char *const methods[] = {"Create", "Start", "Kill", "Wait"};

	pair_init(&pair);
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		call_ok(&pair, methods[i], "one");
		disconnect(&pair);
		longer();
		pair.client = pair_connect(&pair);
	}
	ASSERT_EQ(pair_status(&pair, "one"), 3);
	call_ok(&pair, "Delete", "one");
	disconnect(&pair);
	ends(&pair);
}

/* The client goes away while its Create runs: what was made is taken away again, and then the shim. */
TEST(after_a_create_without_a_client)
{
	struct pair pair = {0};
	struct call call;

	pair_init(&pair);
	pair_put(&pair, "one", "hold-create", "");
	call_begin(&pair, &call, "Create", "one");
	UNTIL(pair_exists(&pair, "one", "in-create"));
	disconnect(&pair);
	longer();
	ASSERT_EQ(access(pair.socket, F_OK), 0);
	pair_remove(&pair, "one", "hold-create");
	ends(&pair);
}
