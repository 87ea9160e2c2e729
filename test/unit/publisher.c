/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The events publisher against a daemon that answers, refuses, hangs, dies and comes back: our own
 * server, in the same loop, which notes what it is sent.
 */
#include "api/publisher.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "proto/events.pb-c.h"
#include "proto/events_service.ttrpc.h"
#include "test/test.h"

#define MILLISECOND 1000000u
#define NOTES_MAX 256

struct fixture {
	struct ttrpc_loop loop;
	struct ttrpc_server *server; /* NULL: the daemon is away */
	struct sockaddr_un address;
	socklen_t address_length;
	struct api_publisher publisher;

	int n_refused_connects; /* so many more wanted() are answered by failed() */
	bool answer_later;      /* wanted() is answered by nobody */
	int n_hang;             /* so many more calls get no answer */
	const char *refused;    /* calls for this container get INVALID_ARGUMENT */
	bool die_on_call;       /* the daemon goes away instead of answering, and comes back */
	int stop_at;            /* stops the loop at so many calls; 0: when all is delivered */

	struct ttrpc_timer death;
	int n_wanted, n_calls, n_idle, n_dropped;
	uint64_t wanted_at[NOTES_MAX];
	char calls[NOTES_MAX][32]; /* topic:container */
	char dropped_topic[32], reason[256];
};

/* ---- the daemon ---- */

static int forward(struct ttrpc_call *call,
		   const Containerd__Services__Events__Ttrpc__V1__ForwardRequest *request);

static const struct containerd_services_events_ttrpc_v1_events_handlers handlers = {
	.forward = forward,
};

static void daemon_start(struct fixture *fixture)
{
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t length = fixture->address_length ? fixture->address_length : sizeof(sa_family_t);

	/* The first time without a name: the kernel chooses an abstract one. */
	fixture->address.sun_family = AF_UNIX;
	ASSERT_EQ(bind(listener, (struct sockaddr *)&fixture->address, length), 0);
	length = sizeof(fixture->address);
	ASSERT_EQ(getsockname(listener, (struct sockaddr *)&fixture->address, &length), 0);
	fixture->address_length = length;
	ASSERT_EQ(listen(listener, 8), 0);
	ASSERT_EQ(ttrpc_server_new(&fixture->loop, TTRPC_POLICY_SAME_USER, &fixture->server), 0);
	ASSERT_EQ(containerd_services_events_ttrpc_v1_events_register(fixture->server, &handlers,
								      fixture),
		  0);
	ASSERT_EQ(ttrpc_server_listen(fixture->server, listener), 0);
}

static void daemon_restart(struct ttrpc_timer *timer)
{
	struct fixture *fixture =
		(struct fixture *)((char *)timer - offsetof(struct fixture, death));

	fixture->server = ttrpc_server_free(fixture->server);
	daemon_start(fixture);
}

static void note(struct fixture *fixture,
		 const Containerd__Services__Events__Ttrpc__V1__Envelope *envelope)
{
	Containerd__Events__TaskStart *event;

	ASSERT(fixture->n_calls < NOTES_MAX);
	ASSERT_STR(envelope->event->type_url, "containerd.events.TaskStart");
	event = containerd__events__task_start__unpack(NULL, envelope->event->value.len,
						       envelope->event->value.data);
	ASSERT(event);
	snprintf(fixture->calls[fixture->n_calls], sizeof(fixture->calls[0]), "%s:%s",
		 envelope->topic, event->container_id);
	fixture->n_calls++;
	containerd__events__task_start__free_unpacked(event, NULL);
}

static int forward(struct ttrpc_call *call,
		   const Containerd__Services__Events__Ttrpc__V1__ForwardRequest *request)
{
	const Containerd__Services__Events__Ttrpc__V1__Envelope *envelope = request->envelope;
	struct fixture *fixture = ttrpc_call_userdata(call);
	Google__Protobuf__Empty empty = GOOGLE__PROTOBUF__EMPTY__INIT;

	ASSERT_STR(envelope->namespace_, "somewhere");
	ASSERT_STR(ttrpc_call_metadata(call, "containerd-namespace-ttrpc"), "somewhere");
	ASSERT(envelope->timestamp->seconds > 1500000000);
	note(fixture, envelope);
	if (fixture->n_calls == fixture->stop_at)
		ttrpc_loop_stop(&fixture->loop, 0);
	if (fixture->die_on_call) {
		fixture->die_on_call = false;
		ttrpc_timer_set(&fixture->loop, &fixture->death, ttrpc_now(), daemon_restart);
		ttrpc_call_take(call, NULL, NULL);
		return 0;
	}
	if (fixture->n_hang) {
		fixture->n_hang--;
		ttrpc_call_take(call, NULL, NULL);
		return 0;
	}
	if (fixture->refused && strstr(fixture->calls[fixture->n_calls - 1], fixture->refused))
		return ttrpc_fail(call, TTRPC_INVALID_ARGUMENT, "no %s", fixture->refused);
	return ttrpc_reply(call, &empty.base);
}

/* ---- the owner ---- */

static int dial(struct fixture *fixture)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	ASSERT_EQ(connect(fd, (struct sockaddr *)&fixture->address, fixture->address_length), 0);
	return fd;
}

static void wanted(void *userdata)
{
	struct fixture *fixture = userdata;

	ASSERT(fixture->n_wanted < NOTES_MAX);
	fixture->wanted_at[fixture->n_wanted++] = ttrpc_now();
	if (fixture->answer_later)
		return;
	if (fixture->n_refused_connects) {
		fixture->n_refused_connects--;
		api_publisher_failed(&fixture->publisher, -ECONNREFUSED);
		return;
	}
	api_publisher_attach(&fixture->publisher, dial(fixture));
}

static void idle(void *userdata)
{
	struct fixture *fixture = userdata;

	ASSERT(api_publisher_idle(&fixture->publisher));
	fixture->n_idle++;
	if (!fixture->stop_at)
		ttrpc_loop_stop(&fixture->loop, 0);
}

static void dropped(void *userdata, const char *topic, const char *reason, uint64_t total)
{
	struct fixture *fixture = userdata;

	fixture->n_dropped++;
	ASSERT_EQ(total, fixture->n_dropped);
	snprintf(fixture->dropped_topic, sizeof(fixture->dropped_topic), "%s", topic);
	snprintf(fixture->reason, sizeof(fixture->reason), "%s", reason);
}

static void setup(struct fixture *fixture)
{
	*fixture = (struct fixture){.loop = TTRPC_LOOP_NULL};
	ASSERT_EQ(ttrpc_loop_init(&fixture->loop), 0);
	daemon_start(fixture);
	ASSERT_EQ(api_publisher_init(&fixture->publisher, &fixture->loop, "somewhere", wanted,
				     fixture),
		  0);
	api_publisher_on_idle(&fixture->publisher, idle);
	api_publisher_on_drop(&fixture->publisher, dropped);
}

static void teardown(struct fixture *fixture)
{
	ttrpc_timer_clear(&fixture->death);
	api_publisher_deinit(&fixture->publisher);
	fixture->server = ttrpc_server_free(fixture->server);
	ttrpc_loop_deinit(&fixture->loop);
}

static void publish(struct fixture *fixture, const char *topic, const char *id)
{
	Containerd__Events__TaskStart event = CONTAINERD__EVENTS__TASK_START__INIT;
	char copy[32];

	snprintf(copy, sizeof(copy), "%s", id);
	event.container_id = copy;
	event.pid = 1;
	ASSERT_EQ(api_publisher_publish(&fixture->publisher, topic, &event.base), 0);
	memset(copy, '-', sizeof(copy) - 1); /* what was published does not depend on it */
}

static void run(struct fixture *fixture)
{
	ASSERT_EQ(ttrpc_loop_run(&fixture->loop), 0);
}

/* ---- tests ---- */

TEST(delivers_in_order_over_one_connection)
{
	struct fixture fixture;
	char id[32];

	setup(&fixture);
	for (int i = 0; i < 100; i++) {
		snprintf(id, sizeof(id), "%d", i);
		publish(&fixture, "/tasks/start", id);
	}
	run(&fixture);
	ASSERT_EQ(fixture.n_calls, 100);
	for (int i = 0; i < 100; i++) {
		snprintf(id, sizeof(id), "/tasks/start:%d", i);
		ASSERT_STR(fixture.calls[i], id);
	}
	publish(&fixture, "/tasks/start", "later");
	run(&fixture);
	ASSERT_STR(fixture.calls[100], "/tasks/start:later");
	ASSERT_EQ(fixture.n_wanted, 1);
	ASSERT_EQ(fixture.n_idle, 2);
	ASSERT_EQ(ttrpc_server_connections(fixture.server), 1);
	teardown(&fixture);
}

static void run_until_closed(struct fixture *fixture)
{
	while (fixture->publisher.state != API_PUBLISHER_CLOSED)
		ASSERT_EQ(ttrpc_loop_dispatch(&fixture->loop, -1), 0);
	ASSERT(!fixture->publisher.client);
	ASSERT(!fixture->publisher.timer.loop);
}

TEST(closes_and_sleeps_while_nothing_waits)
{
	struct fixture fixture;
	uint64_t before;

	setup(&fixture);
	ASSERT_EQ(fixture.n_wanted, 0);
	ASSERT(api_publisher_idle(&fixture.publisher));
	publish(&fixture, "/tasks/start", "a");
	ASSERT(!api_publisher_idle(&fixture.publisher));
	before = ttrpc_now();
	run(&fixture);
	ASSERT_EQ(fixture.publisher.state, API_PUBLISHER_OPEN);
	run_until_closed(&fixture);
	ASSERT(ttrpc_now() - before >= API_PUBLISHER_LINGER);
	while (ttrpc_server_connections(fixture.server) > 0)
		ASSERT_EQ(ttrpc_loop_dispatch(&fixture.loop, -1), 0);
	ASSERT(!fixture.loop.timers);
	publish(&fixture, "/tasks/exit", "a");
	ASSERT_EQ(fixture.n_wanted, 2);
	run(&fixture);
	ASSERT_STR(fixture.calls[1], "/tasks/exit:a");
	teardown(&fixture);
}

TEST(stays_open_while_a_call_is_under_way)
{
	struct fixture fixture;

	setup(&fixture);
	publish(&fixture, "/tasks/start", "a");
	run(&fixture);
	ASSERT(fixture.publisher.timer.loop);
	fixture.n_hang = 1;
	fixture.publisher.call_timeout = 2 * API_PUBLISHER_LINGER;
	publish(&fixture, "/tasks/exit", "a");
	ASSERT(!fixture.publisher.timer.loop);
	/* hangs for longer than an idle connection is kept: sent twice then, not lost */
	run(&fixture);
	ASSERT_EQ(fixture.n_calls, 3);
	ASSERT_STR(fixture.calls[2], "/tasks/exit:a");
	teardown(&fixture);
}

TEST(asks_again_at_growing_distances)
{
	struct fixture fixture;

	setup(&fixture);
	fixture.n_refused_connects = 3;
	publish(&fixture, "/tasks/start", "a");
	publish(&fixture, "/tasks/start", "b");
	ASSERT_EQ(fixture.publisher.error, -ECONNREFUSED);
	run(&fixture);
	ASSERT_EQ(fixture.n_wanted, 4);
	ASSERT(fixture.wanted_at[1] - fixture.wanted_at[0] >= 100 * MILLISECOND);
	ASSERT(fixture.wanted_at[2] - fixture.wanted_at[1] >= 200 * MILLISECOND);
	ASSERT(fixture.wanted_at[3] - fixture.wanted_at[2] >= 400 * MILLISECOND);
	ASSERT_EQ(fixture.n_calls, 2);
	ASSERT_STR(fixture.calls[0], "/tasks/start:a");
	ASSERT_STR(fixture.calls[1], "/tasks/start:b");
	ASSERT_EQ(fixture.publisher.delay, API_PUBLISHER_DELAY_MIN);
	ASSERT_EQ(fixture.publisher.error, 0);
	teardown(&fixture);
}

TEST(the_distance_has_an_end)
{
	struct fixture fixture;

	setup(&fixture);
	fixture.answer_later = true;
	publish(&fixture, "/tasks/start", "a");
	for (int i = 0; i < 20; i++) {
		api_publisher_failed(&fixture.publisher, -ENOENT);
		ASSERT_EQ(fixture.publisher.state, API_PUBLISHER_PAUSED);
		ASSERT(fixture.publisher.timer.deadline <= ttrpc_now() + API_PUBLISHER_DELAY_MAX);
		/* As if the time had passed. */
		ttrpc_timer_set(&fixture.loop, &fixture.publisher.timer, 0,
				fixture.publisher.timer.callback);
		ASSERT_EQ(ttrpc_loop_dispatch(&fixture.loop, 0), 0);
		ASSERT_EQ(fixture.n_wanted, i + 2);
	}
	ASSERT_EQ(fixture.publisher.delay, API_PUBLISHER_DELAY_MAX);
	teardown(&fixture);
}

TEST(nobody_asks_twice_before_the_answer)
{
	struct fixture fixture;

	setup(&fixture);
	fixture.answer_later = true;
	publish(&fixture, "/tasks/start", "a");
	publish(&fixture, "/tasks/start", "b");
	ASSERT_EQ(fixture.n_wanted, 1);
	api_publisher_attach(&fixture.publisher, dial(&fixture));
	/* A second answer is nobody's: its descriptor is closed. */
	api_publisher_attach(&fixture.publisher, dial(&fixture));
	api_publisher_failed(&fixture.publisher, -ENOENT);
	run(&fixture);
	ASSERT_EQ(fixture.n_calls, 2);
	ASSERT_EQ(fixture.n_wanted, 1);
	teardown(&fixture);
}

TEST(sends_again_what_a_dying_daemon_did_not_answer)
{
	struct fixture fixture;

	setup(&fixture);
	fixture.die_on_call = true;
	publish(&fixture, "/tasks/create", "a");
	publish(&fixture, "/tasks/start", "a");
	publish(&fixture, "/tasks/exit", "a");
	run(&fixture);
	ASSERT_EQ(fixture.n_calls, 4);
	ASSERT_STR(fixture.calls[0], "/tasks/create:a");
	ASSERT_STR(fixture.calls[1], "/tasks/create:a");
	ASSERT_STR(fixture.calls[2], "/tasks/start:a");
	ASSERT_STR(fixture.calls[3], "/tasks/exit:a");
	ASSERT_EQ(fixture.n_wanted, 2);
	ASSERT_EQ(fixture.n_dropped, 0);
	teardown(&fixture);
}

TEST(sends_again_what_a_hanging_daemon_did_not_answer)
{
	struct fixture fixture;

	setup(&fixture);
	fixture.n_hang = 1;
	fixture.publisher.call_timeout = 50 * MILLISECOND;
	publish(&fixture, "/tasks/create", "a");
	publish(&fixture, "/tasks/start", "a");
	run(&fixture);
	ASSERT_EQ(fixture.n_calls, 3);
	ASSERT_STR(fixture.calls[0], "/tasks/create:a");
	ASSERT_STR(fixture.calls[1], "/tasks/create:a");
	ASSERT_STR(fixture.calls[2], "/tasks/start:a");
	ASSERT_EQ(fixture.n_wanted, 2);
	teardown(&fixture);
}

TEST(drops_what_the_daemon_refuses)
{
	struct fixture fixture;

	setup(&fixture);
	fixture.refused = "bad";
	publish(&fixture, "/tasks/start", "good");
	publish(&fixture, "/tasks/exit", "bad");
	publish(&fixture, "/tasks/start", "fine");
	run(&fixture);
	ASSERT_EQ(fixture.n_calls, 3);
	ASSERT_STR(fixture.calls[2], "/tasks/start:fine");
	ASSERT_EQ(fixture.n_dropped, 1);
	ASSERT_STR(fixture.dropped_topic, "/tasks/exit");
	ASSERT_STR(fixture.reason, "no bad");
	ASSERT_EQ(fixture.n_wanted, 1);
	teardown(&fixture);
}

TEST(an_idle_connection_may_end)
{
	struct fixture fixture;

	setup(&fixture);
	publish(&fixture, "/tasks/start", "a");
	run(&fixture);
	ttrpc_timer_set(&fixture.loop, &fixture.death, ttrpc_now(), daemon_restart);
	run_until_closed(&fixture);
	ASSERT_EQ(fixture.n_wanted, 1);
	publish(&fixture, "/tasks/start", "b");
	ASSERT_EQ(fixture.n_wanted, 2);
	run(&fixture);
	ASSERT_EQ(fixture.n_calls, 2);
	ASSERT_STR(fixture.calls[1], "/tasks/start:b");
	teardown(&fixture);
}

TEST(keeps_a_bounded_number_of_events)
{
	struct fixture fixture;

	setup(&fixture);
	fixture.answer_later = true;
	publish(&fixture, "/tasks/create", "oldest");
	publish(&fixture, "/tasks/oom", "oom");
	for (unsigned i = 2; i < BACKLOG_EVENTS_MAX; i++)
		publish(&fixture, "/tasks/exit", "filler");
	ASSERT_EQ(fixture.n_dropped, 0);
	publish(&fixture, "/tasks/exit", "one more");
	ASSERT_EQ(fixture.n_dropped, 1);
	ASSERT_STR(fixture.dropped_topic, "/tasks/oom");
	ASSERT_STR(fixture.reason, "too many events wait");
	publish(&fixture, "/tasks/exit", "one more");
	ASSERT_EQ(fixture.n_dropped, 2);
	ASSERT_STR(fixture.dropped_topic, "/tasks/create");
	ASSERT_EQ(fixture.publisher.backlog.n_events, BACKLOG_EVENTS_MAX);
	teardown(&fixture);
}

TEST(sends_what_is_encoded_already)
{
	Containerd__Events__TaskStart event = CONTAINERD__EVENTS__TASK_START__INIT;
	struct fixture fixture;
	uint8_t bytes[64];
	size_t size;

	setup(&fixture);
	event.container_id = (char[]){"packed"};
	size = containerd__events__task_start__pack(&event, bytes);
	publish(&fixture, "/tasks/start", "a");
	ASSERT_EQ(api_publisher_publish_packed(&fixture.publisher, "/tasks/start",
					       event.base.descriptor->name, bytes, size),
		  0);
	run(&fixture);
	ASSERT_EQ(fixture.n_calls, 2);
	ASSERT_STR(fixture.calls[1], "/tasks/start:packed");
	teardown(&fixture);
}

TEST(drops_an_event_that_is_too_large)
{
	static char id[BACKLOG_BYTES_MAX + 1];
	Containerd__Events__TaskStart event = CONTAINERD__EVENTS__TASK_START__INIT;
	struct fixture fixture;

	setup(&fixture);
	memset(id, 'x', sizeof(id) - 1);
	event.container_id = id;
	publish(&fixture, "/tasks/create", "a");
	ASSERT_EQ(api_publisher_publish(&fixture.publisher, "/tasks/start", &event.base), 0);
	ASSERT_EQ(fixture.n_dropped, 1);
	ASSERT_STR(fixture.reason, "too large");
	run(&fixture);
	ASSERT_EQ(fixture.n_calls, 1);
	teardown(&fixture);
}

TEST(may_be_ended_with_a_call_under_way)
{
	struct fixture fixture;

	setup(&fixture);
	fixture.n_hang = 1;
	fixture.stop_at = 1;
	publish(&fixture, "/tasks/start", "a");
	publish(&fixture, "/tasks/start", "b");
	run(&fixture);
	ASSERT(!api_publisher_idle(&fixture.publisher));
	teardown(&fixture);
	ASSERT_EQ(fixture.n_idle, 0);
}
