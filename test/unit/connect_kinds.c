/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every kind of address, from listening to a call; and sockets that are shared by loops in threads,
 * or loops that are part of another.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include "test/unit/client_fixture.h"
#include "ttrpc/address.h"

static void call_over(const char *listen_on, const char *connect_to)
{
	struct outcome outcome = {.n = 0};
	struct ttrpc_client *client;
	struct fixture fixture;

	memset(&fixture, 0, sizeof(fixture));
	ASSERT_EQ(ttrpc_loop_init(&fixture.loop), 0);
	ASSERT_EQ(ttrpc_server_new(&fixture.loop, TTRPC_POLICY_NONE, &fixture.server), 0);
	ASSERT_EQ(ttrpc_server_register(fixture.server, &echo_service, NULL, &fixture), 0);
	ASSERT_EQ(ttrpc_server_listen_on(fixture.server, listen_on), 0);
	ASSERT_EQ(ttrpc_server_listen_on(fixture.server, listen_on), -EADDRINUSE);
	ASSERT_EQ(ttrpc_client_connect(&fixture.loop, connect_to, 1000000000, &client), 0);
	ASSERT_EQ(start(client, "Echo", "x", "y", 0, &outcome), 0);
	settle_until(&fixture, &outcome, 1);
	ASSERT_EQ(outcome.status.code, TTRPC_OK);
	if (strncmp(listen_on, "tcp", 3) == 0) {
		const struct connection *connection =
			container_of(fixture.server->connections.next, struct connection, link);
		int on = 0;
		socklen_t size = sizeof(on);

		ASSERT_EQ(getsockopt(connection->conn.fd, IPPROTO_TCP, TCP_NODELAY, &on, &size), 0);
		ASSERT(on);
		on = 0;
		ASSERT_EQ(getsockopt(client->conn.fd, IPPROTO_TCP, TCP_NODELAY, &on, &size), 0);
		ASSERT(on);
	}
	ttrpc_client_free(client);
	fixture_deinit(&fixture);
}

TEST(unix_path)
{
	char folder[] = "/tmp/ttrpc.XXXXXX", path[64], url[80];

	ASSERT(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/s", folder);
	snprintf(url, sizeof(url), "unix://%s/s", folder);
	call_over(path, url);
	ASSERT_EQ(unlink(path), 0);
	call_over(url, path);
	ASSERT_EQ(unlink(path), 0);
	ASSERT_EQ(rmdir(folder), 0);
}

TEST(abstract_names)
{
	char name[64], other[80];

	snprintf(name, sizeof(name), "@ttrpc-test-%d", (int)getpid());
	snprintf(other, sizeof(other), "unix://%s", name);
	call_over(name, other);
	/* With a NUL at its end it is another name. */
	snprintf(other, sizeof(other), "%s@", name);
	call_over(other, other);
	{
		struct address plain, ended;

		ASSERT_EQ(address_parse(name, &plain), 0);
		ASSERT_EQ(address_parse(other, &ended), 0);
		ASSERT_EQ(ended.size, plain.size + 1);
	}
}

TEST(tcp)
{
	char address[64];

	for (int port = 20000 + (int)(getpid() % 20000);; port++) {
		struct address parsed;
		int fd, bound;

		snprintf(address, sizeof(address), "tcp://127.0.0.1:%d", port);
		ASSERT_EQ(address_parse(address, &parsed), 0);
		fd = socket(AF_INET, SOCK_STREAM, 0);
		bound = bind(fd, (struct sockaddr *)&parsed.name, parsed.size);
		close(fd);
		if (bound == 0)
			break;
	}
	call_over(address, address);
}

TEST(addresses_that_are_none)
{
	static const char *const bad[] = {"",
					  "@",
					  "unix://",
					  "tcp://",
					  "tcp://127.0.0.1",
					  "tcp://localhost:80",
					  "tcp://127.0.0.1:65536",
					  "tcp://[::1:80",
					  "tcp://127.0.0.1:",
					  "vsock://3",
					  "vsock://x:3",
					  "vsock://3:y"};
	static const char *const good[] = {"tcp://[::1]:80", "vsock://-1:3", "vsock://2:1024"};
	struct address address;
	int fd;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ASSERT_EQ(ttrpc_connect(bad[i], 1000000, &fd), -EINVAL);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ASSERT_EQ(address_parse(good[i], &address), 0);
}

TEST(connected_socket_is_adopted)
{
	struct fixture fixture;
	int fds[2];

	ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	fixture_init(&fixture);
	ASSERT_EQ(ttrpc_server_adopt(fixture.server, fds[0]), 0);
	raw_request(&fixture, fds[1], 1, "Echo", "x");
	raw_expect(fds[1], 1, TTRPC_OK);
	close(fds[1]);
	fixture_deinit(&fixture);
}

/* ---- several loops on one socket ---- */

enum { THREADS = 3, CLIENTS = 30 };

struct worker {
	pthread_t thread;
	struct fixture fixture;
	int stop[2];
	atomic_int accepted;
};

static void worker_stop(struct ttrpc_watch *watch, uint32_t events)
{
	(void)events;
	ttrpc_loop_stop(watch->loop, 0);
}

static void *worker_run(void *argument)
{
	struct worker *worker = argument;
	struct ttrpc_watch watch;

	ASSERT_EQ(ttrpc_watch_add(&worker->fixture.loop, &watch, worker->stop[0], EPOLLIN,
				  worker_stop),
		  0);
	ASSERT_EQ(ttrpc_loop_run(&worker->fixture.loop), 0);
	ttrpc_watch_remove(&watch);
	fixture_deinit(&worker->fixture);
	return NULL;
}

TEST(loops_in_threads_share_a_listening_socket)
{
	static struct worker workers[THREADS];
	struct ttrpc_client *clients[CLIENTS];
	struct fixture first;
	int listener;

	memset(&first, 0, sizeof(first));
	listener = fixture_listener(&first);
	for (int i = 0; i < THREADS; i++) {
		struct fixture *fixture = &workers[i].fixture;

		ASSERT_EQ(pipe(workers[i].stop), 0);
		ASSERT_EQ(ttrpc_loop_init(&fixture->loop), 0);
		ASSERT_EQ(
			ttrpc_server_new(&fixture->loop, TTRPC_POLICY_SAME_USER, &fixture->server),
			0);
		ASSERT_EQ(ttrpc_server_register(fixture->server, &echo_service, NULL, fixture), 0);
		ASSERT_EQ(ttrpc_server_listen_shared(fixture->server, dup(listener)), 0);
		/* Pausing and going on works for these, too. */
		listeners_pause(fixture->server, false);
		listeners_resume(fixture->server);
		ASSERT_EQ(pthread_create(&workers[i].thread, NULL, worker_run, &workers[i]), 0);
	}
	for (int i = 0; i < CLIENTS; i++) {
		Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
		ProtobufCMessage *response = NULL;
		struct ttrpc_status status;
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

		ASSERT_EQ(connect(fd, (struct sockaddr *)&first.name, first.name_size), 0);
		ASSERT_EQ(ttrpc_client_new(NULL, fd, &clients[i]), 0);
		ASSERT_EQ(ttrpc_client_call_sync(clients[i], &echo_service, echo_method("Echo"),
						 NULL, &any.base, &response, &status),
			  0);
		ASSERT_EQ(status.code, TTRPC_OK);
		protobuf_c_message_free_unpacked(response, NULL);
	}
	for (int i = 0; i < CLIENTS; i++)
		ttrpc_client_free(clients[i]);
	for (int i = 0; i < THREADS; i++) {
		ASSERT_EQ(write(workers[i].stop[1], "", 1), 1);
		ASSERT_EQ(pthread_join(workers[i].thread, NULL), 0);
		close(workers[i].stop[0]);
		close(workers[i].stop[1]);
	}
	close(listener);
}

/* ---- another program's loop ---- */

TEST(library_inside_a_loop_of_poll)
{
	struct outcome outcomes[2] = {{.n = 0}, {.n = 0}};
	struct ttrpc_client *client;
	struct fixture fixture;

	fixture_init(&fixture);
	client = connect_client(&fixture);
	ASSERT_EQ(start(client, "Echo", "x", "", 0, &outcomes[0]), 0);
	ASSERT_EQ(start(client, "Park", "x", "", 20000000, &outcomes[1]), 0);
	while (outcomes[1].n == 0) {
		struct pollfd item = {.fd = ttrpc_loop_fd(&fixture.loop), .events = POLLIN};

		ASSERT(poll(&item, 1, ttrpc_loop_timeout(&fixture.loop)) >= 0);
		ASSERT_EQ(ttrpc_loop_dispatch(&fixture.loop, 0), 0);
	}
	ASSERT_EQ(outcomes[0].status.code, TTRPC_OK);
	ASSERT_EQ(outcomes[1].status.code, TTRPC_DEADLINE_EXCEEDED);
	ttrpc_client_free(client);
	fixture_deinit(&fixture);
}

TEST(library_inside_a_loop_of_epoll)
{
	struct outcome outcome = {.n = 0};
	struct epoll_event event = {.events = EPOLLIN};
	struct ttrpc_client *client;
	struct fixture fixture;
	int outer = epoll_create1(EPOLL_CLOEXEC);

	fixture_init(&fixture);
	client = connect_client(&fixture);
	ASSERT_EQ(epoll_ctl(outer, EPOLL_CTL_ADD, ttrpc_loop_fd(&fixture.loop), &event), 0);
	ASSERT_EQ(start(client, "Echo", "x", "", 0, &outcome), 0);
	while (outcome.n == 0) {
		ASSERT(epoll_wait(outer, &event, 1, ttrpc_loop_timeout(&fixture.loop)) >= 0);
		ASSERT_EQ(ttrpc_loop_dispatch(&fixture.loop, 0), 0);
	}
	ASSERT_EQ(outcome.status.code, TTRPC_OK);
	/* Nothing is left to do: the outer loop would sleep. */
	settle(&fixture);
	ASSERT_EQ(epoll_wait(outer, &event, 1, 0), 0);
	ttrpc_client_free(client);
	close(outer);
	fixture_deinit(&fixture);
}
