/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may connect, and what happens when nobody can: credentials, used-up descriptors, the limit of
 * connections, closed listeners.
 */
#include <grp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "test/unit/fixture.h"

/* Connects and sends a request as somebody else, who then waits for the end of the connection. */
static pid_t foreign_peer(struct fixture *fixture, uid_t uid, gid_t gid)
{
	pid_t pid = fork();
	uint8_t bytes[256];
	size_t size;
	int fd;

	ASSERT(pid >= 0);
	if (pid > 0)
		return pid;
	ASSERT_EQ(setgroups(0, NULL), 0);
	ASSERT_EQ(setresgid(gid, gid, gid), 0);
	ASSERT_EQ(setresuid(uid, uid, uid), 0);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	ASSERT_EQ(connect(fd, (struct sockaddr *)&fixture->name, fixture->name_size), 0);
	size = request_build(bytes, 1, "test.Echo", "Echo", "", "x", 0);
	/* Refused before or after this: either way it isn't read. */
	send(fd, bytes, size, MSG_NOSIGNAL);
	_exit(recv(fd, bytes, 1, 0) <= 0 ? 0 : 1);
}

static void refuse(uid_t uid, gid_t gid)
{
	struct fixture fixture;
	int status = 0;
	pid_t pid;
	int fd;

	if (geteuid() != 0)
		SKIP("needs root to be somebody else");
	fixture_init(&fixture);
	pid = foreign_peer(&fixture, uid, gid);
	while (waitpid(pid, &status, WNOHANG) == 0)
		ASSERT_EQ(ttrpc_loop_dispatch(&fixture.loop, 10), 0);
	ASSERT_EQ(status, 0);
	ASSERT_EQ(ttrpc_server_connections(fixture.server), 0);
	ASSERT_EQ(fixture.n_handled, 0);
	fd = raw_connect(&fixture);
	raw_request(&fixture, fd, 1, "Echo", "x");
	raw_expect(fd, 1, TTRPC_OK);
	close(fd);
	fixture_deinit(&fixture);
}

TEST(peer_of_another_user_is_refused)
{
	refuse(65534, 65534);
}

TEST(peer_of_another_group_is_refused)
{
	refuse(0, 65534);
}

TEST(policy_none_admits_everybody)
{
	struct fixture fixture;
	int status = 0;
	pid_t pid;

	if (geteuid() != 0)
		SKIP("needs root to be somebody else");
	fixture_init(&fixture);
	fixture.server->policy = *TTRPC_POLICY_NONE;
	pid = foreign_peer(&fixture, 65534, 65534);
	while (waitpid(pid, &status, WNOHANG) == 0)
		ASSERT_EQ(ttrpc_loop_dispatch(&fixture.loop, 10), 0);
	ASSERT_EQ(WEXITSTATUS(status), 1);
	ASSERT_EQ(fixture.n_handled, 1);
	fixture_deinit(&fixture);
}

TEST(policy_has_to_be_one)
{
	struct ttrpc_server *server = NULL;
	struct ttrpc_loop loop;

	ASSERT_EQ(ttrpc_loop_init(&loop), 0);
	ASSERT_EQ(ttrpc_server_new(&loop, NULL, &server), -EINVAL);
	ASSERT(!server);
	ASSERT(!ttrpc_server_free(NULL));
	ttrpc_loop_deinit(&loop);
}

static int plain_connect(struct fixture *fixture)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	ASSERT(fd >= 0);
	ASSERT_EQ(connect(fd, (struct sockaddr *)&fixture->name, fixture->name_size), 0);
	return fd;
}

#define VALGRINDS_LIMIT                                                                            \
	"it looks at the limit of descriptors after accepting, and the connection is lost"

TEST(used_up_descriptors_do_not_spin_and_recover)
{
	struct rlimit limit, low;
	struct fixture fixture;
	struct pollfd item;
	int one, two, spare;

	SKIP_UNDER_VALGRIND(VALGRINDS_LIMIT);
	fixture_init(&fixture);
	one = raw_connect(&fixture);
	two = plain_connect(&fixture);
	ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	spare = dup(two);
	low = (struct rlimit){.rlim_cur = (rlim_t)spare, .rlim_max = limit.rlim_max};
	close(spare);
	ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);

	settle(&fixture);
	ASSERT_EQ(ttrpc_server_connections(fixture.server), 1);
	ASSERT(fixture.server->accept_paused);
	/* Nothing to do before the retry, though a connection waits. */
	ASSERT(ttrpc_loop_timeout(&fixture.loop) > 0);
	item = (struct pollfd){.fd = ttrpc_loop_fd(&fixture.loop), .events = POLLIN};
	ASSERT_EQ(poll(&item, 1, 0), 0);
	/* The connection that there is goes on. */
	raw_request(&fixture, one, 1, "Echo", "x");
	raw_expect(one, 1, TTRPC_OK);

	/* It ends: its descriptor serves the one that waits. */
	close(one);
	settle(&fixture);
	ASSERT_EQ(ttrpc_server_connections(fixture.server), 1);
	ASSERT(!fixture.server->accept_paused);
	raw_request(&fixture, two, 1, "Echo", "x");
	raw_expect(two, 1, TTRPC_OK);
	ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	close(two);
	fixture_deinit(&fixture);
}

TEST(used_up_descriptors_are_tried_again_after_a_while)
{
	struct rlimit limit, low;
	struct fixture fixture;
	int fd, spare;

	SKIP_UNDER_VALGRIND(VALGRINDS_LIMIT);
	fixture_init(&fixture);
	fd = plain_connect(&fixture);
	ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	spare = dup(fd);
	low = (struct rlimit){.rlim_cur = (rlim_t)spare, .rlim_max = limit.rlim_max};
	close(spare);
	ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
	settle(&fixture);
	ASSERT(fixture.server->accept_paused);
	ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	while (ttrpc_server_connections(fixture.server) == 0)
		ASSERT_EQ(ttrpc_loop_dispatch(&fixture.loop, -1), 0);
	raw_request(&fixture, fd, 1, "Echo", "x");
	raw_expect(fd, 1, TTRPC_OK);
	close(fd);
	fixture_deinit(&fixture);
}

TEST(connections_are_limited)
{
	struct fixture fixture;
	int one, two, three;

	fixture_init(&fixture);
	fixture.server->limits.connections = 2;
	one = raw_connect(&fixture);
	two = raw_connect(&fixture);
	three = raw_connect(&fixture);
	ASSERT_EQ(ttrpc_server_connections(fixture.server), 2);
	ASSERT_EQ(ttrpc_loop_timeout(&fixture.loop), -1);
	raw_request(&fixture, three, 1, "Echo", "x");
	raw_expect_nothing(three);
	close(one);
	settle(&fixture);
	ASSERT_EQ(ttrpc_server_connections(fixture.server), 2);
	raw_expect(three, 1, TTRPC_OK);
	close(two);
	close(three);
	fixture_deinit(&fixture);
}

TEST(listeners_may_be_several_and_stop_alone)
{
	struct fixture fixture;
	int one, two, late;

	fixture_init(&fixture);
	one = raw_connect(&fixture);
	ASSERT_EQ(ttrpc_server_listen(fixture.server, fixture_listener(&fixture)), 0);
	two = raw_connect(&fixture);
	ASSERT_EQ(ttrpc_server_connections(fixture.server), 2);
	ttrpc_server_stop_listening(fixture.server);
	late = socket(AF_UNIX, SOCK_STREAM, 0);
	ASSERT_EQ(connect(late, (struct sockaddr *)&fixture.name, fixture.name_size), -1);
	ASSERT_EQ(errno, ECONNREFUSED);
	raw_request(&fixture, one, 1, "Echo", "x");
	raw_expect(one, 1, TTRPC_OK);
	raw_request(&fixture, two, 1, "Echo", "x");
	raw_expect(two, 1, TTRPC_OK);
	close(one);
	close(two);
	close(late);
	fixture_deinit(&fixture);
}

TEST(listener_that_was_shut_down_is_closed)
{
	struct fixture fixture;
	struct pollfd item;
	int fd;

	fixture_init(&fixture);
	fd = raw_connect(&fixture);
	ASSERT_EQ(shutdown(fixture.server->listeners->watch.fd, SHUT_RDWR), 0);
	settle(&fixture);
	ASSERT(!fixture.server->listeners);
	item = (struct pollfd){.fd = ttrpc_loop_fd(&fixture.loop), .events = POLLIN};
	ASSERT_EQ(poll(&item, 1, 0), 0);
	raw_request(&fixture, fd, 1, "Echo", "x");
	raw_expect(fd, 1, TTRPC_OK);
	close(fd);
	fixture_deinit(&fixture);
}

TEST(listen_refuses_what_is_no_descriptor)
{
	struct fixture fixture;

	fixture_init(&fixture);
	ASSERT_EQ(ttrpc_server_listen(fixture.server, 999), -EBADF);
	fixture_deinit(&fixture);
}

TEST(idle_connection_costs_less_than_half_a_kilobyte)
{
	ASSERT(sizeof(struct connection) < 512);
}

TEST(thousand_connections_come_and_go)
{
	struct fixture fixture;
	int fds[500];

	fixture_init(&fixture);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 500; i++)
			fds[i] = raw_connect(&fixture);
		ASSERT_EQ(ttrpc_server_connections(fixture.server), 500);
		for (int i = 0; i < 500; i++)
			raw_request(&fixture, fds[i], 1, "Echo", "x");
		for (int i = 0; i < 500; i++) {
			raw_expect(fds[i], 1, TTRPC_OK);
			close(fds[i]);
		}
		for (int i = 0; i < 20; i++)
			settle(&fixture);
		ASSERT_EQ(ttrpc_server_connections(fixture.server), 0);
	}
	fixture_deinit(&fixture);
}
