/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statuses with details, all codes, and the codes of errnos.
 */
#include <pthread.h>

#include "test/unit/stream_fixture.h"

static const struct ttrpc_detail two[] = {
	{"type.example/one", "first", 5},
	{"type.example/two", "", 0},
};

static int on_detail(const void *handlers, struct ttrpc_call *call, const ProtobufCMessage *request)
{
	(void)handlers;
	return ttrpc_fail_details(call, (enum ttrpc_code)any_number(request), "it failed", two, 2);
}

static const struct ttrpc_method detail_method[] = {ANY_METHOD("Call", 0, on_detail)};
static const struct ttrpc_service detail_service = {
	.name = "test.Detail", .n_methods = 1, .methods = detail_method};

static void details_check(const struct ttrpc_status *status)
{
	char type[32], small[5];
	const void *value;
	size_t size;

	ASSERT_STR(status->text, "it failed");
	ASSERT(ttrpc_status_detail(status, 0, type, sizeof(type), &value, &size));
	ASSERT_STR(type, "type.example/one");
	ASSERT_EQ(size, 5);
	ASSERT_EQ(memcmp(value, "first", 5), 0);
	ASSERT(ttrpc_status_detail(status, 1, small, sizeof(small), &value, &size));
	ASSERT_STR(small, "type");
	ASSERT_EQ(size, 0);
	ASSERT(!ttrpc_status_detail(status, 2, type, sizeof(type), &value, &size));
}

static int n_checked;

static void detail_done(void *userdata, const struct ttrpc_status *status,
			const ProtobufCMessage *response)
{
	ASSERT(!response);
	ASSERT_EQ(status->code, *(const int *)userdata);
	details_check(status);
	n_checked++;
}

TEST(every_code_with_details)
{
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	struct ttrpc_client *client;
	struct fixture fixture;
	char text[8];

	fixture_init(&fixture);
	ASSERT_EQ(ttrpc_server_register(fixture.server, &detail_service, NULL, NULL), 0);
	client = connect_client(&fixture);
	for (int code = 1; code <= TTRPC_UNAUTHENTICATED; code++) {
		any.value.len = (size_t)snprintf(text, sizeof(text), "%d", code);
		any.value.data = (uint8_t *)text;
		ASSERT_EQ(ttrpc_client_call(client, &detail_service, detail_method, NULL, &any.base,
					    detail_done, &code),
			  0);
		settle(&fixture);
		ASSERT_EQ(n_checked, code);
	}
	ttrpc_client_free(client);
	fixture_deinit(&fixture);
}

/* ---- streams: one that has sent something fails in its handler, or later ---- */

static size_t n_ended, n_without;
static struct ttrpc_stream *kept;

static void on_stream_ended(struct ttrpc_stream *stream, const struct ttrpc_status *status)
{
	(void)stream;
	ASSERT_EQ(status->code, TTRPC_ABORTED);
	ASSERT_EQ(status->error, 0);
	ASSERT_STR(status->text, "it failed");
	n_ended++;
}

static const struct ttrpc_stream_events failing_events = {.ended = on_stream_ended};

static int on_failing(const void *handlers, struct ttrpc_stream *stream,
		      const ProtobufCMessage *request)
{
	(void)handlers;
	ttrpc_stream_accept(stream, &failing_events, NULL, NULL);
	ASSERT_EQ(number_send(stream, 1, 0), 0);
	if (any_number(request) == 0)
		return ttrpc_stream_fail_details(stream, TTRPC_ABORTED, "it failed", two, 2);
	kept = stream;
	return 0;
}

static const struct ttrpc_method failing_method[] = {
	STREAM_METHOD("Fail", TTRPC_SERVER_STREAM, on_failing)};
static const struct ttrpc_service failing_service = {
	.name = "test.Failing", .n_methods = 1, .methods = failing_method};

static void stream_failed(struct ttrpc_stream *stream, const struct ttrpc_status *status)
{
	char type[32];
	const void *value;
	size_t size;

	(void)stream;
	ASSERT_EQ(status->code, TTRPC_ABORTED);
	ASSERT_STR(status->text, "it failed");
	if (!ttrpc_status_detail(status, 0, type, sizeof(type), &value, &size)) {
		n_without++;
		return;
	}
	details_check(status);
	n_checked++;
}

static void failing_open(struct ttrpc_client *client, const char *value)
{
	static const struct ttrpc_stream_events events = {.ended = stream_failed};
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	struct ttrpc_stream *stream;

	any.value.data = (uint8_t *)(uintptr_t)value;
	any.value.len = strlen(value);
	ASSERT_EQ(ttrpc_stream_open(client, &failing_service, failing_method, NULL, &any.base,
				    &events, NULL, NULL, &stream),
		  0);
}

TEST(streams_fail_with_details)
{
	struct ttrpc_client *client;
	struct fixture fixture;

	fixture_init(&fixture);
	ASSERT_EQ(ttrpc_server_register(fixture.server, &failing_service, NULL, NULL), 0);
	client = connect_client(&fixture);
	failing_open(client, "0");
	settle(&fixture);
	ASSERT_EQ(n_checked, 1);
	failing_open(client, "1");
	settle(&fixture);
	ASSERT_EQ(n_checked, 1);
	ASSERT_EQ(ttrpc_stream_fail_details(kept, TTRPC_ABORTED, "it failed", two, 2), 0);
	settle(&fixture);
	ASSERT_EQ(n_checked, 2);
	ASSERT_EQ(n_ended, 2);
	ASSERT_EQ(server_streams(&fixture), 0);
	/* Details above the limit are left out; the code and the text go. */
	fixture.server->limits.message = 20;
	failing_open(client, "1");
	settle(&fixture);
	ASSERT_EQ(ttrpc_stream_fail_details(kept, TTRPC_ABORTED, "it failed", two, 2), 0);
	settle(&fixture);
	ASSERT_EQ(n_ended, 3);
	ASSERT_EQ(n_without, 1);
	ttrpc_client_free(client);
	fixture_deinit(&fixture);
}

/* A server in a thread with a loop of its own, for callers that block. */
struct served {
	struct fixture fixture;
	pthread_t thread;
	int stop[2];
};

static void served_stop(struct ttrpc_watch *watch, uint32_t events)
{
	(void)events;
	ttrpc_loop_stop(watch->loop, 0);
}

static void *served_run(void *argument)
{
	struct served *served = argument;
	struct ttrpc_watch watch;

	ASSERT_EQ(ttrpc_watch_add(&served->fixture.loop, &watch, served->stop[0], 1, served_stop),
		  0);
	ASSERT_EQ(ttrpc_loop_run(&served->fixture.loop), 0);
	ttrpc_watch_remove(&watch);
	return NULL;
}

TEST(details_after_a_call_that_blocks)
{
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	ProtobufCMessage *response = NULL;
	struct ttrpc_client *client;
	struct ttrpc_status status;
	struct served served;
	int fd;

	fixture_init(&served.fixture);
	ASSERT_EQ(ttrpc_server_register(served.fixture.server, &detail_service, NULL, NULL), 0);
	fd = raw_connect(&served.fixture);
	ASSERT_EQ(ttrpc_client_new(NULL, fd, &client), 0);
	ASSERT_EQ(pipe(served.stop), 0);
	ASSERT_EQ(pthread_create(&served.thread, NULL, served_run, &served), 0);
	any.value.len = 1;
	any.value.data = (uint8_t *)(uintptr_t) "9";
	ASSERT_EQ(ttrpc_client_call_sync(client, &detail_service, detail_method, NULL, &any.base,
					 &response, &status),
		  0);
	ASSERT(!response);
	ASSERT_EQ(status.code, TTRPC_FAILED_PRECONDITION);
	details_check(&status);
	ASSERT_EQ(ttrpc_client_wait(client, 10000000), -ETIMEDOUT);
	ASSERT_EQ(write(served.stop[1], "", 1), 1);
	ASSERT_EQ(pthread_join(served.thread, NULL), 0);
	fixture_deinit(&served.fixture);
	ASSERT_EQ(ttrpc_client_wait(client, 0), 0);
	ASSERT_EQ(ttrpc_client_closed(client).error, -EPIPE);
	ASSERT(!ttrpc_client_closed(client).local);
	ttrpc_client_free(client);
	close(served.stop[0]);
	close(served.stop[1]);
}

TEST(closed_says_why)
{
	int fds[2], error = 0;
	struct outcome outcome = {.n = 0};
	struct ttrpc_client *client;
	struct fixture fixture;

	fixture_init(&fixture);
	client = connect_client(&fixture);
	ttrpc_client_on_close(client, on_close, &error);
	ASSERT_EQ(ttrpc_client_closed(client).error, 0);
	ASSERT_EQ(start(client, "Park", "", "", 0, &outcome), 0);
	ttrpc_client_close(client);
	ASSERT_EQ(outcome.status.error, -ECANCELED);
	ASSERT_EQ(error, -ECANCELED);
	ASSERT(ttrpc_client_closed(client).local);
	ASSERT_EQ(start(client, "Echo", "", "", 0, &outcome), -ECANCELED);
	ttrpc_client_free(client);

	ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	ASSERT_EQ(ttrpc_client_new(&fixture.loop, fds[0], &client), 0);
	raw_send(fds[1], "\0\0\0", 3);
	close(fds[1]);
	settle(&fixture);
	ASSERT_EQ(ttrpc_client_closed(client).error, -ECONNABORTED);
	ASSERT(ttrpc_client_closed(client).middle);
	ASSERT(!ttrpc_client_closed(client).local);
	ttrpc_client_free(client);
	fixture_deinit(&fixture);
}

TEST(codes_of_errnos)
{
	static const struct {
		int error;
		enum ttrpc_code code;
	} rows[] = {
		{0, TTRPC_OK},
		{EINVAL, TTRPC_INVALID_ARGUMENT},
		{ECANCELED, TTRPC_CANCELLED},
		{ETIMEDOUT, TTRPC_DEADLINE_EXCEEDED},
		{EEXIST, TTRPC_ALREADY_EXISTS},
		{ENOTEMPTY, TTRPC_ALREADY_EXISTS},
		{ENOENT, TTRPC_NOT_FOUND},
		{EPERM, TTRPC_PERMISSION_DENIED},
		{EACCES, TTRPC_PERMISSION_DENIED},
		{EPIPE, TTRPC_FAILED_PRECONDITION},
		{EMSGSIZE, TTRPC_RESOURCE_EXHAUSTED},
		{EIO, TTRPC_UNKNOWN},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ASSERT_EQ(ttrpc_code_from_errno(-rows[i].error), rows[i].code);
}
