/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server. Its descriptors are the listening socket and the control, whose other end is the
 * test's: a byte says that it listens, and when the other end is closed the server shuts down, and its exit status says whether everything
 * had come to its end by then.
 */
#include <sys/epoll.h>
#include <unistd.h>

#include "test/soak/soak.h"

struct soak_server {
	struct ttrpc_loop loop;
	struct ttrpc_server *server;
	struct ttrpc_watch control;
	struct ttrpc_statistics statistics;
};

static int on_echo(const void *handlers, struct ttrpc_call *call, const ProtobufCMessage *request)
{
	(void)handlers;
	return ttrpc_reply(call, request);
}

static int on_fail(const void *handlers, struct ttrpc_call *call, const ProtobufCMessage *request)
{
	const struct ttrpc_detail detail = {"type", "value", 5};

	(void)handlers;
	(void)request;
	return ttrpc_fail_details(call, TTRPC_NOT_FOUND, "not found", &detail, 1);
}

static int on_large(const void *handlers, struct ttrpc_call *call, const ProtobufCMessage *request)
{
	static uint8_t bytes[SOAK_MESSAGE_MAX + 1];
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;

	(void)handlers;
	(void)request;
	any.value.data = bytes;
	any.value.len = sizeof(bytes);
	return ttrpc_reply(call, &any.base);
}

static int on_park(const void *handlers, struct ttrpc_call *call, const ProtobufCMessage *request)
{
	(void)handlers;
	(void)request;
	ttrpc_call_take(call, NULL, NULL);
	return 0;
}

static void close_stream(struct ttrpc_stream *stream)
{
	ttrpc_stream_close(stream);
}

static int break_stream(struct ttrpc_stream *stream, const ProtobufCMessage *message)
{
	(void)message;
	return ttrpc_stream_fail(stream, TTRPC_ABORTED, "broken");
}

static void answer_sum(struct ttrpc_stream *stream)
{
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;

	ttrpc_stream_reply(stream, &any.base);
}

static void count_on(struct ttrpc_stream *stream)
{
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	uintptr_t sent = (uintptr_t)ttrpc_stream_userdata(stream);

	for (; sent < SOAK_COUNTED; sent++)
		if (ttrpc_stream_send(stream, &any.base) < 0)
			break;
	if (sent == SOAK_COUNTED)
		ttrpc_stream_close(stream);
	else
		ttrpc_stream_fail(stream, TTRPC_INTERNAL, "a few messages don't fit");
}

static const struct ttrpc_stream_events talk_events = {.message = ttrpc_stream_send,
						       .half_closed = close_stream};
static const struct ttrpc_stream_events sum_events = {.half_closed = answer_sum};
static const struct ttrpc_stream_events count_events = {.writable = NULL};
static const struct ttrpc_stream_events break_events = {.message = break_stream,
							.half_closed = close_stream};

static int on_talk(const void *handlers, struct ttrpc_stream *stream,
		   const ProtobufCMessage *request)
{
	(void)handlers;
	(void)request;
	ttrpc_stream_accept(stream, &talk_events, NULL, NULL);
	return 0;
}

static int on_sum(const void *handlers, struct ttrpc_stream *stream,
		  const ProtobufCMessage *request)
{
	(void)handlers;
	(void)request;
	ttrpc_stream_accept(stream, &sum_events, NULL, NULL);
	return 0;
}

static int on_count(const void *handlers, struct ttrpc_stream *stream,
		    const ProtobufCMessage *request)
{
	(void)handlers;
	(void)request;
	ttrpc_stream_accept(stream, &count_events, NULL, NULL);
	count_on(stream);
	return 0;
}

static int on_break(const void *handlers, struct ttrpc_stream *stream,
		    const ProtobufCMessage *request)
{
	(void)handlers;
	(void)request;
	ttrpc_stream_accept(stream, &break_events, NULL, NULL);
	return 0;
}

#define UNARY(method_name, method_dispatch)                                                        \
	{                                                                                          \
		.name = method_name, .input = &google__protobuf__any__descriptor,                  \
		.output = &google__protobuf__any__descriptor, .dispatch = (method_dispatch)        \
	}
#define STREAM(method_name, method_flags, method_open)                                             \
	{                                                                                          \
		.name = method_name, .input = &google__protobuf__any__descriptor,                  \
		.output = &google__protobuf__any__descriptor, .flags = (method_flags),             \
		.open = (method_open), .streams = &ttrpc_streams                                   \
	}

/* In the order of enum soak_method. */
static const struct ttrpc_method methods[] = {
	UNARY("Echo", on_echo),
	UNARY("Fail", on_fail),
	UNARY("Large", on_large),
	UNARY("Park", on_park),
	STREAM("Talk", TTRPC_CLIENT_STREAM | TTRPC_SERVER_STREAM, on_talk),
	STREAM("Sum", TTRPC_CLIENT_STREAM, on_sum),
	STREAM("Count", TTRPC_SERVER_STREAM, on_count),
	STREAM("Break", TTRPC_CLIENT_STREAM | TTRPC_SERVER_STREAM, on_break),
	UNARY("Unknown", NULL),
};

const struct ttrpc_service soak_service = {"test.Soak", sizeof(methods) / sizeof(methods[0]),
					   methods};

static void on_down(void *userdata, int error)
{
	struct soak_server *self = userdata;

	ttrpc_loop_stop(&self->loop, error);
}

static void on_control(struct ttrpc_watch *watch, uint32_t events)
{
	struct soak_server *self =
		(struct soak_server *)(void *)((char *)watch -
					       offsetof(struct soak_server, control));

	(void)events;
	ttrpc_watch_remove(watch);
	SOAK_CHECK(ttrpc_server_shutdown(self->server, 10000000000u, on_down, self) == 0);
}

int soak_serve(int listener, int control)
{
	static struct soak_server self;
	struct ttrpc_limits limits;

	crowd_is_possible(SOAK_CROWD);
	self.control = TTRPC_WATCH_NULL;
	ttrpc_limits_init(&limits);
	limits.message = SOAK_MESSAGE_MAX;
	SOAK_CHECK(ttrpc_loop_init(&self.loop) == 0);
	SOAK_CHECK(ttrpc_server_new(&self.loop, TTRPC_POLICY_SAME_USER, &self.server) == 0);
	SOAK_CHECK(ttrpc_server_set_limits(self.server, &limits) == 0);
	SOAK_CHECK(ttrpc_server_register(self.server, &soak_service, NULL, NULL) == 0);
	ttrpc_server_count(self.server, &self.statistics);
	SOAK_CHECK(ttrpc_server_listen(self.server, listener) == 0);
	SOAK_CHECK(ttrpc_watch_add(&self.loop, &self.control, control, EPOLLIN, on_control) == 0);
	SOAK_CHECK(write(control, "", 1) == 1);
	SOAK_CHECK(ttrpc_loop_run(&self.loop) == 0);
	SOAK_CHECK(self.statistics.connections_now == 0 && ttrpc_server_idle(self.server));
	ttrpc_server_free(self.server);
	ttrpc_loop_deinit(&self.loop);
	return 0;
}
