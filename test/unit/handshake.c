/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies and handshakes, on the server and for a client.
 */
#include <sys/epoll.h>

#include "test/unit/client_fixture.h"

static const struct ucred nobody = {.uid = (uid_t)-1, .gid = (gid_t)-1};

static bool allowed(const struct ttrpc_policy *policy, uid_t uid, gid_t gid)
{
	const struct ucred peer = {.uid = uid, .gid = gid};

	return !policy->allow || policy->allow(policy, &peer);
}

TEST(policies)
{
	const uid_t any_uid = (uid_t)-1;
	const gid_t any_gid = (gid_t)-1;
	struct ttrpc_policy ids = {.allow = ttrpc_allow_ids, .uid = 5, .gid = any_gid};

	ASSERT(allowed(TTRPC_POLICY_ROOT, 0, 0));
	ASSERT(!allowed(TTRPC_POLICY_ROOT, 0, 1));
	ASSERT(!allowed(TTRPC_POLICY_ROOT, 1, 0));
	ASSERT(allowed(&ids, 5, 7));
	ASSERT(!allowed(&ids, 6, 7));
	ids = (struct ttrpc_policy){.allow = ttrpc_allow_ids, .uid = any_uid, .gid = 7};
	ASSERT(allowed(&ids, 6, 7));
	ASSERT(!allowed(&ids, 6, 8));
	ids.gid = any_gid;
	ASSERT(allowed(&ids, 6, 8));
	/* Any user isn't nobody. */
	ASSERT(!allowed(&ids, nobody.uid, nobody.gid));
	ASSERT(allowed(TTRPC_POLICY_NONE, nobody.uid, nobody.gid));
}

/* A handshake that waits for one byte: 'y' lets in. */
struct waits {
	struct ttrpc_watch watch;
	struct ttrpc_handshake *handshake;
};

static int n_released, n_cancelled;

static void released(void *data)
{
	ASSERT_STR(data, "data");
	n_released++;
}

static void waits_readable(struct ttrpc_watch *watch, uint32_t events)
{
	struct waits *waits = container_of(watch, struct waits, watch);
	struct ttrpc_handshake *handshake = waits->handshake;
	char answer = 'n';

	(void)events;
	ASSERT(recv(watch->fd, &answer, 1, 0) <= 1);
	ttrpc_watch_remove(watch);
	free(waits);
	if (answer == 'y')
		ttrpc_handshake_done(handshake, -1, "data", released);
	else
		ttrpc_handshake_fail(handshake);
}

static void waits_begin(struct ttrpc_handshake *handshake)
{
	struct waits *waits = calloc(1, sizeof(*waits));

	waits->handshake = handshake;
	ttrpc_handshake_set_state(handshake, waits);
	ASSERT_EQ(ttrpc_handshake_peer(handshake).uid, geteuid());
	ASSERT_EQ(ttrpc_watch_add(ttrpc_handshake_loop(handshake), &waits->watch,
				  ttrpc_handshake_fd(handshake), EPOLLIN, waits_readable),
		  0);
}

static void waits_cancelled(struct ttrpc_handshake *handshake)
{
	struct waits *waits = ttrpc_handshake_state(handshake);

	n_cancelled++;
	ttrpc_watch_remove(&waits->watch);
	free(waits);
}

static const struct ttrpc_policy waiting_policy = {
	.allow = ttrpc_allow_same_user,
	.handshake = waits_begin,
	.cancelled = waits_cancelled,
	.timeout = 500000000,
};

static int on_data(const void *handlers, struct ttrpc_call *call, const ProtobufCMessage *request)
{
	(void)handlers;
	ASSERT_STR(ttrpc_call_connection_data(call), "data");
	return ttrpc_reply(call, request);
}

static const struct ttrpc_method data_method[] = {ANY_METHOD("Call", 0, on_data)};
static const struct ttrpc_service data_service = {
	.name = "test.Data", .n_methods = 1, .methods = data_method};

static void waiting_init(struct fixture *fixture, const struct ttrpc_policy *policy)
{
	n_released = n_cancelled = 0;
	memset(fixture, 0, sizeof(*fixture));
	ASSERT_EQ(ttrpc_loop_init(&fixture->loop), 0);
	ASSERT_EQ(ttrpc_server_new(&fixture->loop, policy, &fixture->server), 0);
	ASSERT_EQ(ttrpc_server_register(fixture->server, &data_service, NULL, NULL), 0);
	ASSERT_EQ(ttrpc_server_register(fixture->server, &echo_service, NULL, fixture), 0);
	ASSERT_EQ(ttrpc_server_listen(fixture->server, fixture_listener(fixture)), 0);
}

TEST(handshake_attaches_data)
{
	uint8_t bytes[256];
	struct fixture fixture;
	int fd;

	waiting_init(&fixture, &waiting_policy);
	fd = raw_connect(&fixture);
	ASSERT_EQ(ttrpc_server_connections(fixture.server), 0);
	raw_send(fd, "y", 1);
	settle(&fixture);
	ASSERT_EQ(ttrpc_server_connections(fixture.server), 1);
	raw_send(fd, bytes, request_build(bytes, 1, "test.Data", "Call", "", "", 0));
	settle(&fixture);
	raw_expect(fd, 1, TTRPC_OK);
	close(fd);
	settle(&fixture);
	ASSERT_EQ(n_released, 1);
	fixture_deinit(&fixture);
}

TEST(slow_handshake_delays_nobody)
{
	struct fixture fixture;
	int slow, quick;

	waiting_init(&fixture, &waiting_policy);
	slow = raw_connect(&fixture);
	quick = raw_connect(&fixture);
	raw_send(quick, "y", 1);
	settle(&fixture);
	raw_request(&fixture, quick, 1, "Echo", "x");
	raw_expect(quick, 1, TTRPC_OK);
	while (n_cancelled == 0)
		ASSERT_EQ(ttrpc_loop_dispatch(&fixture.loop, -1), 0);
	raw_expect_closed(slow);
	ASSERT_EQ(ttrpc_server_connections(fixture.server), 1);
	close(slow);
	close(quick);
	fixture_deinit(&fixture);
	ASSERT_EQ(n_released, 1);
}

TEST(handshake_that_fails_closes)
{
	struct ttrpc_statistics statistics = {.late = 0};
	struct fixture fixture;
	int fd;

	waiting_init(&fixture, &waiting_policy);
	ttrpc_server_count(fixture.server, &statistics);
	fd = raw_connect(&fixture);
	raw_send(fd, "n", 1);
	settle(&fixture);
	raw_expect_closed(fd);
	ASSERT_EQ(statistics.connections_refused, 1);
	close(fd);
	fixture_deinit(&fixture);
}

TEST(server_freed_with_a_handshake_under_way)
{
	struct fixture fixture;
	int fd;

	waiting_init(&fixture, &waiting_policy);
	fd = raw_connect(&fixture);
	fixture_deinit(&fixture);
	ASSERT_EQ(n_cancelled, 1);
	close(fd);
}

TEST(handshakes_count_as_connections)
{
	struct fixture fixture;
	int one, two;

	waiting_init(&fixture, &waiting_policy);
	fixture.server->limits.connections = 1;
	one = raw_connect(&fixture);
	two = raw_connect(&fixture);
	ASSERT_EQ(fixture.server->n_admissions, 1);
	raw_send(one, "n", 1);
	settle(&fixture);
	ASSERT_EQ(fixture.server->n_admissions, 1);
	raw_send(two, "y", 1);
	settle(&fixture);
	ASSERT_EQ(ttrpc_server_connections(fixture.server), 1);
	close(one);
	close(two);
	fixture_deinit(&fixture);
}

/* One that hands back another descriptor, and is done at once. */
static int replacement = -1;

static void replaces(struct ttrpc_handshake *handshake)
{
	ttrpc_handshake_done(handshake, replacement, "data", released);
}

TEST(handshake_may_replace_the_descriptor)
{
	static const struct ttrpc_policy policy = {.handshake = replaces};
	struct fixture fixture;
	int fds[2], fd;

	ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	replacement = fds[0];
	waiting_init(&fixture, &policy);
	fd = raw_connect(&fixture);
	raw_expect_closed(fd);
	raw_request(&fixture, fds[1], 1, "Echo", "x");
	raw_expect(fds[1], 1, TTRPC_OK);
	close(fd);
	close(fds[1]);
	fixture_deinit(&fixture);
	ASSERT_EQ(n_released, 1);
}

struct result {
	int n, error, fd;
};

static void run_done(void *userdata, int error, int fd, void *data, void (*release)(void *data))
{
	struct result *result = userdata;

	(void)data;
	(void)release;
	result->n++;
	result->error = error;
	result->fd = fd;
}

TEST(client_runs_a_handshake)
{
	struct ttrpc_policy refuses = {.allow = ttrpc_allow_ids, .uid = 4711, .gid = 4711};
	struct result result = {.n = 0};
	struct ttrpc_loop loop;
	int fds[2];

	ASSERT_EQ(ttrpc_loop_init(&loop), 0);
	ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	ttrpc_handshake_run(&loop, fds[0], &waiting_policy, run_done, &result);
	ASSERT_EQ(result.n, 0);
	ASSERT_EQ(send(fds[1], "y", 1, 0), 1);
	ASSERT_EQ(ttrpc_loop_dispatch(&loop, -1), 0);
	ASSERT_EQ(result.n, 1);
	ASSERT_EQ(result.error, 0);
	ASSERT_EQ(result.fd, fds[0]);
	ttrpc_handshake_run(&loop, fds[0], &waiting_policy, run_done, &result);
	while (result.n < 2)
		ASSERT_EQ(ttrpc_loop_dispatch(&loop, -1), 0);
	ASSERT_EQ(result.error, -ETIMEDOUT);
	ttrpc_handshake_run(&loop, fds[1], &refuses, run_done, &result);
	ASSERT_EQ(result.n, 3);
	ASSERT_EQ(result.error, -EACCES);
	ttrpc_loop_deinit(&loop);
}
