/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interceptors: their order, what they may change, and a tracing one that takes traceparent from
 * call to call.
 */
#include "ttrpc/intercept.h"

#include "test/unit/stream_fixture.h"

static char journal[512];

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void note(const char *format, ...)
{
	size_t length = strlen(journal);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(journal + length, sizeof(journal) - length, format, arguments);
	va_end(arguments);
}

struct noted {
	int n_in, n_out;
};

static int note_begin(const struct ttrpc_interceptor *interceptor, void *state,
		      struct ttrpc_intercepted *call)
{
	struct noted *noted = state;

	ASSERT_EQ(noted->n_in, 0);
	note("%s(%s ", (const char *)interceptor->userdata, call->method->name);
	return 0;
}

static void note_in(const struct ttrpc_interceptor *interceptor, void *state,
		    const struct ttrpc_intercepted *call, const ProtobufCMessage *message)
{
	struct noted *noted = state;

	(void)call;
	ASSERT(message);
	noted->n_in++;
	note("%s< ", (const char *)interceptor->userdata);
}

static void note_out(const struct ttrpc_interceptor *interceptor, void *state,
		     const struct ttrpc_intercepted *call, const ProtobufCMessage *message)
{
	struct noted *noted = state;

	(void)call;
	ASSERT(message);
	noted->n_out++;
	note("%s> ", (const char *)interceptor->userdata);
}

static void note_end(const struct ttrpc_interceptor *interceptor, void *state,
		     const struct ttrpc_intercepted *call, const struct ttrpc_status *status)
{
	struct noted *noted = state;

	(void)call;
	note("%s)%d/%d/%d ", (const char *)interceptor->userdata, status->code, noted->n_in,
	     noted->n_out);
}

#define NOTES(text)                                                                                \
	{                                                                                          \
		.state_size = sizeof(struct noted), .userdata = (text), .begin = note_begin,       \
		.message_in = note_in, .message_out = note_out, .end = note_end                    \
	}

static const struct ttrpc_interceptor a = NOTES("a"), b = NOTES("b");

struct ends {
	struct fixture fixture;
	struct ttrpc_client *client;
};

static void ends_init(struct ends *ends)
{
	journal[0] = '\0';
	stream_fixture_init(&ends->fixture);
	ends->client = connect_client(&ends->fixture);
}

static void ends_deinit(struct ends *ends)
{
	ttrpc_client_free(ends->client);
	fixture_deinit(&ends->fixture);
}

TEST(first_is_outermost_on_the_server)
{
	struct outcome outcome = {.n = 0};
	struct ends ends;

	ends_init(&ends);
	ASSERT_EQ(ttrpc_server_intercept(ends.fixture.server, &a), 0);
	ASSERT_EQ(ttrpc_server_intercept(ends.fixture.server, &b), 0);
	ASSERT_EQ(start(ends.client, "Echo", "x", "", 0, &outcome), 0);
	settle(&ends.fixture);
	ASSERT_EQ(outcome.status.code, TTRPC_OK);
	ASSERT_STR(journal, "a(Echo b(Echo a< b< b> a> b)0/1/1 a)0/1/1 ");
	journal[0] = '\0';
	ASSERT_EQ(start(ends.client, "Fail", "x", "5", 0, &outcome), 0);
	settle(&ends.fixture);
	ASSERT_STR(journal, "a(Fail b(Fail a< b< b)5/1/0 a)5/1/0 ");
	journal[0] = '\0';
	ASSERT_EQ(start(ends.client, "Park", "x", "", 0, &outcome), 0);
	settle(&ends.fixture);
	ASSERT_STR(journal, "a(Park b(Park a< b< ");
	ends.client = ttrpc_client_free(ends.client);
	settle(&ends.fixture);
	ASSERT_STR(journal, "a(Park b(Park a< b< b)1/1/0 a)1/1/0 ");
	ends_deinit(&ends);
}

TEST(first_is_outermost_on_the_client)
{
	struct outcome outcome = {.n = 0};
	struct ends ends;

	ends_init(&ends);
	ASSERT_EQ(ttrpc_client_intercept(ends.client, &a), 0);
	ASSERT_EQ(ttrpc_client_intercept(ends.client, &b), 0);
	ASSERT_EQ(start(ends.client, "Echo", "x", "", 0, &outcome), 0);
	settle(&ends.fixture);
	ASSERT_STR(journal, "a(Echo b(Echo b> a> a< b< b)0/1/1 a)0/1/1 ");
	ends_deinit(&ends);
}

TEST(streams_on_both_ends)
{
	struct heard heard = {.answer = 0};
	struct ends ends;

	ends_init(&ends);
	ASSERT_EQ(ttrpc_server_intercept(ends.fixture.server, &a), 0);
	ASSERT_EQ(ttrpc_client_intercept(ends.client, &b), 0);
	ASSERT_EQ(stream_start(ends.client, "Talk", NULL, 0, &heard), 0);
	settle(&ends.fixture);
	ASSERT_EQ(number_send(heard.stream, 1, 0), 0);
	settle(&ends.fixture);
	ASSERT_EQ(number_send(heard.stream, 2, 0), 0);
	settle(&ends.fixture);
	ttrpc_stream_close_send(heard.stream);
	settle(&ends.fixture);
	ASSERT_STR(journal, "b(Talk a(Talk b> a< a> b< b> a< a> b< a)0/2/2 b)0/2/2 ");
	ends_deinit(&ends);
}

static int refuses(const struct ttrpc_interceptor *interceptor, void *state,
		   struct ttrpc_intercepted *call)
{
	(void)interceptor;
	(void)state;
	(void)call;
	return -EACCES;
}

static const struct ttrpc_interceptor refusing = {.begin = refuses};

TEST(refusal_on_the_server)
{
	struct outcome outcome = {.n = 0};
	struct heard heard = {.answer = 0};
	struct ends ends;

	ends_init(&ends);
	ASSERT_EQ(ttrpc_server_intercept(ends.fixture.server, &a), 0);
	ASSERT_EQ(ttrpc_server_intercept(ends.fixture.server, &refusing), 0);
	ASSERT_EQ(ttrpc_server_intercept(ends.fixture.server, &b), 0);
	ASSERT_EQ(start(ends.client, "Echo", "x", "", 0, &outcome), 0);
	settle(&ends.fixture);
	ASSERT_EQ(outcome.status.code, TTRPC_PERMISSION_DENIED);
	ASSERT_EQ(ends.fixture.n_handled, 0);
	ASSERT_STR(journal, "a(Echo a)7/0/0 ");
	ASSERT_EQ(stream_start(ends.client, "Talk", NULL, 0, &heard), 0);
	settle(&ends.fixture);
	ASSERT_EQ(heard.status.code, TTRPC_PERMISSION_DENIED);
	ends_deinit(&ends);
}

TEST(refusal_on_the_client)
{
	struct outcome outcome = {.n = 0};
	struct heard heard = {.answer = 0};
	struct ends ends;

	ends_init(&ends);
	ASSERT_EQ(ttrpc_client_intercept(ends.client, &refusing), 0);
	ASSERT_EQ(start(ends.client, "Echo", "x", "", 0, &outcome), 0);
	ASSERT_EQ(outcome.n, 0);
	settle(&ends.fixture);
	ASSERT_EQ(outcome.status.code, TTRPC_PERMISSION_DENIED);
	ASSERT_EQ(outcome.status.error, -EACCES);
	ASSERT_EQ(stream_start(ends.client, "Talk", NULL, 0, &heard), -EACCES);
	ASSERT_EQ(ends.fixture.n_handled, 0);
	ends_deinit(&ends);
}

static int answers(const struct ttrpc_interceptor *interceptor, void *state,
		   struct ttrpc_intercepted *call)
{
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;

	(void)interceptor;
	(void)state;
	any.type_url = (char *)(uintptr_t) "cached";
	if (call->method->streams)
		return ttrpc_fail(call->call, TTRPC_ABORTED, "not today");
	return ttrpc_reply(call->call, &any.base);
}

TEST(answer_in_the_handlers_place)
{
	static const struct ttrpc_interceptor answering = {.begin = answers};
	struct outcome outcome = {.n = 0};
	struct heard heard = {.answer = 0};
	struct ends ends;

	ends_init(&ends);
	ASSERT_EQ(ttrpc_server_intercept(ends.fixture.server, &answering), 0);
	ASSERT_EQ(start(ends.client, "Echo", "x", "", 0, &outcome), 0);
	ASSERT_EQ(stream_start(ends.client, "Talk", NULL, 0, &heard), 0);
	settle(&ends.fixture);
	ASSERT_STR(outcome.type_url, "cached");
	ASSERT_EQ(ends.fixture.n_handled, 0);
	ASSERT_EQ(heard.status.code, TTRPC_ABORTED);
	ASSERT_EQ(server_streams(&ends.fixture), 0);
	ends_deinit(&ends);
}

static int shortens(const struct ttrpc_interceptor *interceptor, void *state,
		    struct ttrpc_intercepted *call)
{
	(void)interceptor;
	(void)state;
	call->timeout = 10000000;
	return 0;
}

TEST(deadline_is_changed)
{
	static const struct ttrpc_interceptor shortening = {.begin = shortens};
	struct outcome outcome = {.n = 0};
	struct ends ends;

	ends_init(&ends);
	ASSERT_EQ(ttrpc_server_intercept(ends.fixture.server, &shortening), 0);
	ASSERT_EQ(start(ends.client, "Park", "x", "", 60000000000u, &outcome), 0);
	while (outcome.n == 0)
		ASSERT_EQ(ttrpc_loop_dispatch(&ends.fixture.loop, -1), 0);
	ASSERT_EQ(outcome.status.code, TTRPC_DEADLINE_EXCEEDED);
	ASSERT_EQ(outcome.status.error, 0);
	ends_deinit(&ends);
}

/*
 * Tracing. The client's interceptor adds "traceparent" with a new span of the current trace; the
 * server's takes it up, so that calls which the handler makes belong to the same trace.
 */
static const char *current_trace = "4bf92f3577b34da6a3ce929d0e0e4736";
static unsigned next_span = 1;

struct span {
	char trace[33];
	unsigned id;
	const char *outer;
};

static char finished[256];

static int client_span(const struct ttrpc_interceptor *interceptor, void *state,
		       struct ttrpc_intercepted *call)
{
	struct span *span = state;
	const char *value;
	char text[64];

	(void)interceptor;
	span->id = next_span++;
	snprintf(text, sizeof(text), "00-%s-%016x-01", current_trace, span->id);
	value = text;
	return ttrpc_metadata_set(call->metadata, "traceparent", &value, 1);
}

static int server_span(const struct ttrpc_interceptor *interceptor, void *state,
		       struct ttrpc_intercepted *call)
{
	const char *parent = ttrpc_metadata_get(call->metadata, "TraceParent");
	struct span *span = state;

	(void)interceptor;
	span->outer = current_trace;
	if (parent && sscanf(parent, "00-%32[0-9a-f]-%16x-", span->trace, &span->id) == 2)
		current_trace = span->trace;
	return 0;
}

static void server_span_ends(const struct ttrpc_interceptor *interceptor, void *state,
			     const struct ttrpc_intercepted *call,
			     const struct ttrpc_status *status)
{
	struct span *span = state;
	size_t length = strlen(finished);

	(void)interceptor;
	current_trace = span->outer;
	snprintf(finished + length, sizeof(finished) - length, "%s:%s:%u:%d ", call->method->name,
		 span->trace, span->id, status->code);
}

TEST(tracing)
{
	static const struct ttrpc_interceptor client_tracing = {.state_size = sizeof(struct span),
								.begin = client_span};
	static const struct ttrpc_interceptor server_tracing = {
		.state_size = sizeof(struct span), .begin = server_span, .end = server_span_ends};
	struct outcome outcome = {.n = 0};
	struct heard heard = {.answer = 0};
	struct ends ends;

	ends_init(&ends);
	ASSERT_EQ(ttrpc_client_intercept(ends.client, &client_tracing), 0);
	ASSERT_EQ(ttrpc_server_intercept(ends.fixture.server, &server_tracing), 0);
	ASSERT_EQ(start(ends.client, "Meta", "traceparent", "", 0, &outcome), 0);
	settle(&ends.fixture);
	ASSERT_STR(outcome.type_url, "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000001-01");
	ASSERT_EQ(stream_start(ends.client, "Count", "1", 0, &heard), 0);
	settle(&ends.fixture);
	ASSERT_STR(finished, "Meta:4bf92f3577b34da6a3ce929d0e0e4736:1:0 "
			     "Count:4bf92f3577b34da6a3ce929d0e0e4736:2:0 ");
	ends_deinit(&ends);
}
