/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_UNIT_FIXTURE_H
#define TEST_UNIT_FIXTURE_H
/*
 * For the tests of the ttrpc library: a server with one service in a loop of the test's own
 * process, and raw frames for talking to it. Nothing is ever waited for by time: a unix socket
 * delivers at once, so settle() turns the loop until it has nothing left to do.
 *
 * The service, test.Echo, takes and answers google.protobuf.Any:
 *     Echo    the request        Empty   an empty message       Size  value's text: answer's size
 *     Fail    value's text is the code, type_url the text       Errno -value's text is returned
 *     Park    taken; parked[] holds it                          Silent returns 0 without an answer
 *     Null    has no handler     Twice   answers twice          Stream is a streaming method
 *     Meta    the metadata value of the key that type_url names, and the caller's uid in value
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/google/protobuf/any.pb-c.h"
#include "test/test.h"
#include "ttrpc/envelope.h"
#include "ttrpc/frame.h"
#include "ttrpc/server.h"
#include "ttrpc/ttrpc.h"

#define PARKED_MAX 8192

struct fixture {
	struct ttrpc_loop loop;
	struct ttrpc_server *server;
	struct sockaddr_un name;
	socklen_t name_size;
	struct ttrpc_call *parked[PARKED_MAX];
	size_t n_parked, n_cancelled, n_handled;
};

static inline const Google__Protobuf__Any *any_of(const ProtobufCMessage *message)
{
	return (const Google__Protobuf__Any *)(const void *)message;
}

static inline long any_number(const ProtobufCMessage *message)
{
	const Google__Protobuf__Any *any = any_of(message);
	char text[32] = "";

	ASSERT(any->value.len < sizeof(text));
	if (any->value.len > 0)
		memcpy(text, any->value.data, any->value.len);
	return strtol(text, NULL, 10);
}

static inline int on_echo(const void *handlers, struct ttrpc_call *call,
			  const ProtobufCMessage *request)
{
	struct fixture *fixture = ttrpc_call_userdata(call);

	(void)handlers;
	fixture->n_handled++;
	return ttrpc_reply(call, request);
}

static inline int on_empty(const void *handlers, struct ttrpc_call *call,
			   const ProtobufCMessage *request)
{
	Google__Protobuf__Any answer = GOOGLE__PROTOBUF__ANY__INIT;

	(void)handlers;
	(void)request;
	return ttrpc_reply(call, &answer.base);
}

static inline int on_size(const void *handlers, struct ttrpc_call *call,
			  const ProtobufCMessage *request)
{
	Google__Protobuf__Any answer = GOOGLE__PROTOBUF__ANY__INIT;
	size_t size = (size_t)any_number(request);

	(void)handlers;
	answer.value.len = size;
	answer.value.data = calloc(1, size);
	ASSERT(answer.value.data);
	ttrpc_reply(call, &answer.base);
	free(answer.value.data);
	return 0;
}

static inline int on_fail(const void *handlers, struct ttrpc_call *call,
			  const ProtobufCMessage *request)
{
	(void)handlers;
	return ttrpc_fail(call, (enum ttrpc_code)any_number(request), "%s",
			  any_of(request)->type_url);
}

static inline int on_errno(const void *handlers, struct ttrpc_call *call,
			   const ProtobufCMessage *request)
{
	(void)handlers;
	(void)call;
	return (int)-any_number(request);
}

static inline void on_parked_cancelled(struct ttrpc_call *call, void *userdata)
{
	struct fixture *fixture = userdata;
	Google__Protobuf__Any answer = GOOGLE__PROTOBUF__ANY__INIT;

	fixture->n_cancelled++;
	for (size_t i = 0; i < fixture->n_parked; i++)
		if (fixture->parked[i] == call)
			fixture->parked[i] = NULL;
	/* Too late, and to be ignored. */
	ttrpc_reply(call, &answer.base);
}

static inline int on_park(const void *handlers, struct ttrpc_call *call,
			  const ProtobufCMessage *request)
{
	struct fixture *fixture = ttrpc_call_userdata(call);

	(void)handlers;
	(void)request;
	ASSERT(fixture->n_parked < PARKED_MAX);
	fixture->parked[fixture->n_parked++] = call;
	ttrpc_call_take(call, on_parked_cancelled, fixture);
	return 0;
}

static inline int on_silent(const void *handlers, struct ttrpc_call *call,
			    const ProtobufCMessage *request)
{
	(void)handlers;
	(void)call;
	(void)request;
	return 0;
}

static inline int on_null(const void *handlers, struct ttrpc_call *call,
			  const ProtobufCMessage *request)
{
	(void)handlers;
	(void)call;
	(void)request;
	return -ENOSYS;
}

static inline int on_twice(const void *handlers, struct ttrpc_call *call,
			   const ProtobufCMessage *request)
{
	(void)handlers;
	ttrpc_reply(call, request);
	ttrpc_reply(call, request);
	return ttrpc_fail(call, TTRPC_INTERNAL, "a third answer");
}

static inline int on_meta(const void *handlers, struct ttrpc_call *call,
			  const ProtobufCMessage *request)
{
	Google__Protobuf__Any answer = GOOGLE__PROTOBUF__ANY__INIT;
	const char *value = ttrpc_call_metadata(call, any_of(request)->type_url);
	char uid[16];

	(void)handlers;
	answer.type_url = (char *)(uintptr_t)(value ? value : "(none)");
	answer.value.len = (size_t)snprintf(uid, sizeof(uid), "%u", ttrpc_call_peer(call).uid);
	answer.value.data = (uint8_t *)uid;
	return ttrpc_reply(call, &answer.base);
}

#define ANY_METHOD(method_name, method_flags, method_dispatch)                                     \
	{                                                                                          \
		.name = method_name, .input = &google__protobuf__any__descriptor,                  \
		.output = &google__protobuf__any__descriptor, .flags = (method_flags),             \
		.dispatch = (method_dispatch)                                                      \
	}

static const struct ttrpc_method echo_methods[] = {
	ANY_METHOD("Echo", 0, on_echo),
	ANY_METHOD("Empty", 0, on_empty),
	ANY_METHOD("Size", 0, on_size),
	ANY_METHOD("Fail", 0, on_fail),
	ANY_METHOD("Errno", 0, on_errno),
	ANY_METHOD("Park", 0, on_park),
	ANY_METHOD("Silent", 0, on_silent),
	ANY_METHOD("Null", 0, on_null),
	ANY_METHOD("Twice", 0, on_twice),
	ANY_METHOD("Meta", 0, on_meta),
	ANY_METHOD("Stream", TTRPC_SERVER_STREAM, on_echo),
	/* For clients only: the server must not know it. */
	ANY_METHOD("Unknown", 0, NULL),
};

static const struct ttrpc_service echo_service = {
	.name = "test.Echo",
	.n_methods = sizeof(echo_methods) / sizeof(echo_methods[0]) - 1,
	.methods = echo_methods,
};

static inline const struct ttrpc_method *echo_method(const char *name)
{
	for (size_t i = 0; i <= echo_service.n_methods; i++)
		if (strcmp(echo_methods[i].name, name) == 0)
			return &echo_methods[i];
	test_fail(__FILE__, __LINE__, "no method %s", name);
}

static inline int fixture_listener(struct fixture *fixture)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ASSERT(fd >= 0);
	fixture->name.sun_family = AF_UNIX;
	/* A name of the kernel's choice, in the abstract namespace. */
	ASSERT_EQ(bind(fd, (struct sockaddr *)&fixture->name, sizeof(sa_family_t)), 0);
	ASSERT_EQ(listen(fd, 64), 0);
	fixture->name_size = sizeof(fixture->name);
	ASSERT_EQ(getsockname(fd, (struct sockaddr *)&fixture->name, &fixture->name_size), 0);
	return fd;
}

static inline void fixture_init(struct fixture *fixture)
{
	memset(fixture, 0, sizeof(*fixture));
	ASSERT_EQ(ttrpc_loop_init(&fixture->loop), 0);
	ASSERT_EQ(ttrpc_server_new(&fixture->loop, TTRPC_POLICY_SAME_USER, &fixture->server), 0);
	ASSERT_EQ(ttrpc_server_register(fixture->server, &echo_service, NULL, fixture), 0);
	ASSERT_EQ(ttrpc_server_listen(fixture->server, fixture_listener(fixture)), 0);
}

static inline void fixture_deinit(struct fixture *fixture)
{
	fixture->server = ttrpc_server_free(fixture->server);
	ttrpc_loop_deinit(&fixture->loop);
}

static inline void settle(struct fixture *fixture)
{
	/* Enough turns for any chain of events that a test sets off. */
	for (int i = 0; i < 8; i++)
		ASSERT_EQ(ttrpc_loop_dispatch(&fixture->loop, 0), 0);
}

static inline int raw_connect(struct fixture *fixture)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	ASSERT(fd >= 0);
	ASSERT_EQ(connect(fd, (struct sockaddr *)&fixture->name, fixture->name_size), 0);
	settle(fixture);
	return fd;
}

static inline void raw_send(int fd, const void *data, size_t size)
{
	ASSERT_EQ(send(fd, data, size, MSG_NOSIGNAL), size);
}

/* Builds a frame in at; returns its size. */
static inline size_t frame_build(uint8_t *at, uint32_t id, uint8_t type, uint8_t flags,
				 const void *data, size_t size)
{
	const struct frame frame = {
		.length = (uint32_t)size, .id = id, .type = type, .flags = flags};

	frame_header_write(at, &frame);
	if (size > 0)
		memcpy(at + FRAME_HEADER_SIZE, data, size);
	return FRAME_HEADER_SIZE + size;
}

/* A Request with an Any inside; returns the frame's size. */
static inline size_t request_build(uint8_t *at, uint32_t id, const char *service,
				   const char *method, const char *type_url, const char *value,
				   int64_t timeout)
{
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	struct envelope_call call = {.service = service, .method = method, .timeout = timeout};
	struct frame frame = {.id = id, .type = FRAME_REQUEST};
	uint8_t *payload;

	any.type_url = (char *)(uintptr_t)type_url;
	any.value.data = (uint8_t *)(uintptr_t)value;
	any.value.len = strlen(value);
	call.payload_size = protobuf_c_message_get_packed_size(&any.base);
	frame.length = (uint32_t)envelope_request_size(&call);
	frame_header_write(at, &frame);
	envelope_request_write(at + FRAME_HEADER_SIZE, &call, &payload);
	protobuf_c_message_pack(&any.base, payload);
	return FRAME_HEADER_SIZE + frame.length;
}

static inline void raw_request(struct fixture *fixture, int fd, uint32_t id, const char *method,
			       const char *value)
{
	uint8_t bytes[512];

	raw_send(fd, bytes, request_build(bytes, id, "test.Echo", method, "", value, 0));
	settle(fixture);
}

/* One frame from fd into data; false: none is there. A cut frame is a failure. */
static inline bool raw_receive(int fd, struct frame *ret_frame, uint8_t *data, size_t size)
{
	uint8_t header[FRAME_HEADER_SIZE];
	ssize_t got = recv(fd, header, sizeof(header), 0);

	if (got < 0 && errno == EAGAIN)
		return false;
	if (got == 0)
		return false;
	ASSERT_EQ(got, FRAME_HEADER_SIZE);
	ret_frame->length = (uint32_t)header[0] << 24 | (uint32_t)header[1] << 16 |
			    (uint32_t)header[2] << 8 | header[3];
	ret_frame->id = (uint32_t)header[4] << 24 | (uint32_t)header[5] << 16 |
			(uint32_t)header[6] << 8 | header[7];
	ret_frame->type = header[8];
	ret_frame->flags = header[9];
	ASSERT(ret_frame->length <= size);
	if (ret_frame->length > 0)
		ASSERT_EQ(recv(fd, data, ret_frame->length, 0), ret_frame->length);
	return true;
}

/* The next frame is an answer for id with this code. */
static inline void raw_expect(int fd, uint32_t id, int code)
{
	static uint8_t data[65536];
	struct envelope_response response;
	struct frame frame;

	ASSERT(raw_receive(fd, &frame, data, sizeof(data)));
	ASSERT_EQ(frame.id, id);
	ASSERT_EQ(frame.type, FRAME_RESPONSE);
	ASSERT_EQ(frame.flags, 0);
	ASSERT_EQ(envelope_response_parse((struct slice){data, frame.length}, &response), 0);
	ASSERT_EQ(response.code, code);
}

static inline void raw_expect_nothing(int fd)
{
	uint8_t byte;

	ASSERT_EQ(recv(fd, &byte, 1, MSG_PEEK), -1);
	ASSERT_EQ(errno, EAGAIN);
}

static inline void raw_expect_closed(int fd)
{
	uint8_t byte;
	ssize_t got = recv(fd, &byte, 1, 0);

	ASSERT(got == 0 || (got < 0 && errno == ECONNRESET));
}

#endif
