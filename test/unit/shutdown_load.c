/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A shutdown while other processes send as fast as they can. Every call is counted on both sides: as
 * many must have had their answers as handlers were called for, and all others must have failed
 * UNAVAILABLE, whether the server said so or had closed the connection before it read them.
 */
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "test/unit/stream_fixture.h"

enum { CLIENTS = 3, SLOTS = 24, ENOUGH = 6000 };

#define LATER 300000u /* ns, until a call that was taken is answered */

/* Shared by the processes; each client has its own. */
struct counts {
	size_t calls, answered, refused, unheard; /* unary */
	size_t streams, ended_well, ended_otherwise;
};

static struct counts *counts;

/* ---- the server ---- */

struct later {
	struct ttrpc_timer timer;
	struct ttrpc_call *call; /* NULL: free */
};

struct under_load {
	struct fixture fixture;
	struct later later[CLIENTS * SLOTS];
	size_t n_calls, n_streams;
	bool down;
};

static struct under_load server;

static void later_answer(struct ttrpc_timer *timer)
{
	struct later *later = container_of(timer, struct later, timer);
	struct ttrpc_call *call = later->call;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;

	later->call = NULL;
	ttrpc_reply(call, &any.base);
}

static int on_later(const void *handlers, struct ttrpc_call *call, const ProtobufCMessage *request)
{
	size_t i = 0;

	(void)handlers;
	if (server.n_calls++ % 2)
		return ttrpc_reply(call, request);
	while (server.later[i].call)
		ASSERT(++i < CLIENTS * SLOTS);
	server.later[i].call = call;
	ttrpc_call_take(call, NULL, NULL);
	ttrpc_timer_set(&server.fixture.loop, &server.later[i].timer, ttrpc_now() + LATER,
			later_answer);
	return 0;
}

static int on_load_talk(const void *handlers, struct ttrpc_stream *stream,
			const ProtobufCMessage *request)
{
	server.n_streams++;
	return on_talk(handlers, stream, request);
}

static const struct ttrpc_method load_methods[] = {
	ANY_METHOD("Later", 0, on_later),
	STREAM_METHOD("Talk", BIDI, on_load_talk),
};

static const struct ttrpc_service load_service = {"test.Load", 2, load_methods};

static void is_down(void *userdata, int error)
{
	(void)userdata;
	ASSERT_EQ(error, 0);
	server.down = true;
}

/* ---- a client: slots that begin anew with every end ---- */

struct load_client {
	struct ttrpc_loop loop;
	struct ttrpc_client *client;
	struct counts *counts;
	unsigned under_way;
	bool stops; /* with the first refusal; else it goes on until it is closed */
};

static void slot_begin(struct load_client *self, size_t number);

static void slot_done(void *userdata, const struct ttrpc_status *status,
		      const ProtobufCMessage *response)
{
	struct load_client *self = userdata;

	(void)response;
	self->under_way--;
	if (status->code == TTRPC_OK)
		self->counts->answered++;
	else if (status->code == TTRPC_UNAVAILABLE && status->error == 0)
		self->counts->refused++;
	else if (status->code == TTRPC_UNAVAILABLE)
		self->counts->unheard++;
	else
		test_fail(__FILE__, __LINE__, "code %d: %s", status->code, status->text);
	if (status->code == TTRPC_OK || (status->error == 0 && !self->stops))
		slot_begin(self, self->counts->calls);
}

static int slot_message(struct ttrpc_stream *stream, const ProtobufCMessage *message)
{
	(void)message;
	return ttrpc_stream_close_send(stream);
}

static void slot_ended(struct ttrpc_stream *stream, const struct ttrpc_status *status)
{
	struct load_client *self = ttrpc_stream_userdata(stream);

	self->under_way--;
	if (status->code == TTRPC_OK)
		self->counts->ended_well++;
	else
		self->counts->ended_otherwise++;
	if (status->code == TTRPC_OK)
		slot_begin(self, self->counts->calls);
	else
		ASSERT_EQ(status->code, TTRPC_UNAVAILABLE);
}

static const struct ttrpc_stream_events slot_events = {.message = slot_message,
						       .ended = slot_ended};

static void slot_begin(struct load_client *self, size_t number)
{
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	struct ttrpc_stream *stream;
	int error;

	if (number % 8 == 7) {
		error = ttrpc_stream_open(self->client, &load_service, &load_methods[1], NULL, NULL,
					  &slot_events, NULL, self, &stream);
		if (error == 0) {
			ttrpc_stream_send(stream, &any.base);
			self->counts->streams++;
		}
		self->counts->calls++;
	} else {
		error = ttrpc_client_call(self->client, &load_service, &load_methods[0], NULL,
					  &any.base, slot_done, self);
		self->counts->calls += error == 0;
	}
	/* What can't be sent any more isn't a call. */
	if (error == 0)
		self->under_way++;
	else
		ASSERT(error == -EPIPE || error == -ECONNRESET);
}

static _Noreturn void load_client_run(const struct sockaddr *name, socklen_t size, int i)
{
	struct load_client self = {.counts = &counts[i], .stops = i % 2};
	int fd = socket(name->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ASSERT(fd >= 0);
	ASSERT_EQ(connect(fd, name, size), 0);
	ASSERT_EQ(ttrpc_loop_init(&self.loop), 0);
	ASSERT_EQ(ttrpc_client_new(&self.loop, fd, &self.client), 0);
	for (size_t k = 0; k < SLOTS; k++)
		slot_begin(&self, k);
	while (self.under_way > 0)
		ASSERT_EQ(ttrpc_loop_dispatch(&self.loop, -1), 0);
	ttrpc_client_free(self.client);
	ttrpc_loop_deinit(&self.loop);
	_exit(0);
}

/* ---- both ---- */

static void check_counts(void)
{
	struct counts sum = {.calls = 0};

	for (int i = 0; i < CLIENTS; i++) {
		sum.answered += counts[i].answered;
		sum.refused += counts[i].refused;
		sum.unheard += counts[i].unheard;
		sum.streams += counts[i].streams;
		sum.ended_well += counts[i].ended_well;
		sum.ended_otherwise += counts[i].ended_otherwise;
	}
	ASSERT_EQ(sum.answered, server.n_calls);
	ASSERT_EQ(sum.ended_well, server.n_streams);
	ASSERT_EQ(sum.ended_well + sum.ended_otherwise, sum.streams);
	ASSERT(sum.refused + sum.unheard > 0);
}

static void shut_down_under_load(const struct sockaddr *name, socklen_t size)
{
	pid_t pids[CLIENTS];
	int status;

	counts = mmap(NULL, CLIENTS * sizeof(*counts), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT(counts != MAP_FAILED);
	for (int i = 0; i < CLIENTS; i++) {
		pids[i] = fork();
		ASSERT(pids[i] >= 0);
		if (pids[i] == 0)
			load_client_run(name, size, i);
	}
	while (server.n_calls < ENOUGH || ttrpc_server_connections(server.fixture.server) < CLIENTS)
		ASSERT_EQ(ttrpc_loop_dispatch(&server.fixture.loop, -1), 0);
	ASSERT_EQ(ttrpc_server_shutdown(server.fixture.server, 60000000000u, is_down, NULL), 0);
	while (!server.down)
		ASSERT_EQ(ttrpc_loop_dispatch(&server.fixture.loop, -1), 0);
	ASSERT_EQ(ttrpc_server_connections(server.fixture.server), 0);
	for (int i = 0; i < CLIENTS; i++) {
		ASSERT_EQ(waitpid(pids[i], &status, 0), pids[i]);
		ASSERT_EQ(status, 0);
	}
	check_counts();
	munmap(counts, CLIENTS * sizeof(*counts));
	fixture_deinit(&server.fixture);
}

TEST(over_a_unix_socket)
{
	stream_fixture_init(&server.fixture);
	ASSERT_EQ(ttrpc_server_register(server.fixture.server, &load_service, NULL, NULL), 0);
	shut_down_under_load((const struct sockaddr *)&server.fixture.name,
			     server.fixture.name_size);
}

TEST(over_tcp)
{
	struct sockaddr_in name = {.sin_family = AF_INET};
	socklen_t size = sizeof(name);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ASSERT(fd >= 0);
	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (const struct sockaddr *)&name, size) < 0)
		SKIP("no TCP here: %s", strerror(errno));
	ASSERT_EQ(listen(fd, 16), 0);
	ASSERT_EQ(getsockname(fd, (struct sockaddr *)&name, &size), 0);
	stream_fixture_init(&server.fixture);
	ttrpc_server_free(server.fixture.server);
	ASSERT_EQ(ttrpc_server_new(&server.fixture.loop, TTRPC_POLICY_NONE, &server.fixture.server),
		  0);
	ASSERT_EQ(ttrpc_server_register(server.fixture.server, &load_service, NULL, NULL), 0);
	ASSERT_EQ(ttrpc_server_listen(server.fixture.server, fd), 0);
	shut_down_under_load((const struct sockaddr *)&name, size);
}
