/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generated services where something fails, is missing or is left alone; and what a call costs.
 */
#include "test/unit/generated_fixture.h"

TEST(registered_twice)
{
	static const struct test_generated_empty_handlers nothing = {0};
	struct pair pair;

	pair_init(&pair);
	ASSERT_EQ(test_generated_kinds_register(pair.server, &handlers, NULL), -EEXIST);
	ASSERT_EQ(test_generated_empty_register(pair.server, &nothing, NULL), 0);
	ASSERT_EQ(test_generated_empty_register(pair.server, &nothing, NULL), -EEXIST);
	ASSERT_EQ(test_generated_empty_service.n_methods, 0);
	pair_deinit(&pair);
}

/* ---- failures of the handler's ---- */

TEST(client_stream_fails_with_a_text)
{
	struct test_generated_kinds_upload_client *stream = NULL;
	Test__Generated__Word word = word_of("fail", 42);
	struct heard heard = {.n_ended = 0};
	struct pair pair;

	pair_init(&pair);
	ASSERT_EQ(
		test_generated_kinds_upload_open(pair.client, NULL, &heard_upload, &heard, &stream),
		0);
	ASSERT_EQ(test_generated_kinds_upload_client_send(stream, &word), 0);
	wait_for(&pair, &heard.n_ended, 1);
	ASSERT_EQ(heard.n_messages, 0);
	ASSERT_EQ(heard.status.code, TTRPC_DATA_LOSS);
	ASSERT_STR(heard.status.text, "at 42 of upload");
	ASSERT_EQ(pair.n_ended, 1);
	ASSERT_EQ(pair.status.code, TTRPC_DATA_LOSS);
	ASSERT_STR(pair.status.text, "at 42 of upload");
	pair_deinit(&pair);
}

TEST(client_stream_fails_with_an_errno)
{
	struct test_generated_kinds_upload_client *stream = NULL;
	Test__Generated__Word word = word_of("busy", 1);
	struct heard heard = {.n_ended = 0};
	struct pair pair;

	pair_init(&pair);
	ASSERT_EQ(
		test_generated_kinds_upload_open(pair.client, NULL, &heard_upload, &heard, &stream),
		0);
	ASSERT_EQ(test_generated_kinds_upload_client_send(stream, &word), 0);
	wait_for(&pair, &heard.n_ended, 1);
	ASSERT_EQ(heard.status.code, ttrpc_code_from_errno(-EBUSY));
	ASSERT_EQ(pair.n_ended, 1);
	pair_deinit(&pair);
}

TEST(server_stream_fails_after_its_messages)
{
	struct test_generated_kinds_download_client *stream = NULL;
	Test__Generated__Word word = word_of("fail", 3);
	struct heard heard = {.n_ended = 0};
	struct pair pair;

	pair_init(&pair);
	ASSERT_EQ(test_generated_kinds_download_open(pair.client, NULL, &word, &heard_download,
						     &heard, &stream),
		  0);
	wait_for(&pair, &heard.n_ended, 1);
	ASSERT_EQ(heard.n_messages, 3);
	ASSERT_EQ(heard.status.code, TTRPC_ABORTED);
	ASSERT_STR(heard.status.text, "after 3");
	pair_deinit(&pair);
}

/* ---- failures of the client's ---- */

TEST(client_leaves)
{
	struct test_generated_kinds_talk_client *stream = NULL;
	struct heard heard = {.n_ended = 0};
	struct pair pair;

	pair_init(&pair);
	ASSERT_EQ(test_generated_kinds_talk_open(pair.client, NULL, &heard_talk, &heard, &stream),
		  0);
	test_generated_kinds_talk_cancel(stream);
	ASSERT_EQ(heard.n_ended, 1);
	ASSERT_EQ(heard.status.code, TTRPC_CANCELLED);
	ASSERT_EQ(heard.status.error, -ECANCELED);
	/* The server learns that no more comes. */
	wait_for(&pair, &pair.n_ended, 1);
	ASSERT_EQ(pair.n_half, 1);
	pair_deinit(&pair);
}

TEST(client_cannot_take_a_message)
{
	struct test_generated_kinds_download_client *stream = NULL;
	Test__Generated__Word word = word_of("", 3);
	struct heard heard = {.answer = -ENOSPC};
	struct pair pair;

	pair_init(&pair);
	ASSERT_EQ(test_generated_kinds_download_open(pair.client, NULL, &word, &heard_download,
						     &heard, &stream),
		  0);
	wait_for(&pair, &heard.n_ended, 1);
	ASSERT_EQ(heard.status.error, -ENOSPC);
	pair_deinit(&pair);
}

TEST(connection_ends)
{
	struct test_generated_kinds_upload_client *upload = NULL, *later = NULL;
	struct heard said = {.n_ended = 0}, up = said;
	Test__Generated__Word word = word_of("", 1);
	struct pair pair;

	pair_init(&pair);
	ASSERT_EQ(test_generated_kinds_upload_open(pair.client, NULL, &heard_upload, &up, &upload),
		  0);
	ASSERT_EQ(test_generated_kinds_say(pair.client, NULL, &word, say_done, &said), 0);
	pair.server = ttrpc_server_free(pair.server);
	wait_for(&pair, &up.n_ended, 1);
	wait_for(&pair, &said.n_ended, 1);
	ASSERT_EQ(up.status.code, TTRPC_UNAVAILABLE);
	ASSERT_EQ(said.status.code, TTRPC_UNAVAILABLE);
	/* Outputs are untouched then. */
	ASSERT(test_generated_kinds_upload_open(pair.client, NULL, &heard_upload, &up, &later) < 0);
	ASSERT(!later);
	ASSERT(test_generated_kinds_say(pair.client, NULL, &word, say_done, &said) < 0);
	ASSERT_EQ(said.n_ended, 1);
	pair_deinit(&pair);
}

/* ---- handlers that fail at once, or are not there ---- */

static int refuse_upload(struct test_generated_others_upload_server *stream)
{
	(void)stream;
	return -ENOENT;
}

static int refuse_download(struct test_generated_others_download_server *stream,
			   const Test__Generated__Word *request)
{
	ASSERT_EQ(request->number, 5);
	return test_generated_others_download_fail(stream, TTRPC_PERMISSION_DENIED, "not %d",
						   (int)request->number);
}

static int refuse_talk(struct test_generated_others_talk_server *stream)
{
	return test_generated_others_talk_close(stream);
}

#define OTHERS_ENDED(method)                                                                       \
	static void others_##method##_ended(                                                       \
		struct test_generated_others_##method##_client *stream,                            \
		const struct ttrpc_status *status)                                                 \
	{                                                                                          \
		heard_end(test_generated_others_##method##_client_userdata(stream), status);       \
	}                                                                                          \
	static const struct test_generated_others_##method##_client_events others_##method = {     \
		.ended = others_##method##_ended,                                                  \
	};
OTHERS_ENDED(upload)
OTHERS_ENDED(download)
OTHERS_ENDED(talk)

/* One of each kind, with these handlers. */
static void ask_others(const struct test_generated_others_handlers *given, struct heard heard[4])
{
	struct test_generated_others_upload_client *upload = NULL;
	struct test_generated_others_download_client *download = NULL;
	struct test_generated_others_talk_client *talk = NULL;
	Test__Generated__Word word = word_of("", 5);
	struct pair pair;

	pair_init(&pair);
	memset(heard, 0, 4 * sizeof(*heard));
	ASSERT_EQ(test_generated_others_register(pair.server, given, NULL), 0);
	ASSERT_EQ(test_generated_others_say(pair.client, NULL, &word, say_done, &heard[0]), 0);
	ASSERT_EQ(test_generated_others_upload_open(pair.client, NULL, &others_upload, &heard[1],
						    &upload),
		  0);
	ASSERT_EQ(test_generated_others_download_open(pair.client, NULL, &word, &others_download,
						      &heard[2], &download),
		  0);
	ASSERT_EQ(
		test_generated_others_talk_open(pair.client, NULL, &others_talk, &heard[3], &talk),
		0);
	for (int i = 0; i < 4; i++)
		wait_for(&pair, &heard[i].n_ended, 1);
	pair_deinit(&pair);
}

TEST(handlers_that_are_missing)
{
	static const struct test_generated_others_handlers nothing = {.say = NULL};
	struct heard heard[4];

	ask_others(&nothing, heard);
	for (int i = 0; i < 4; i++) {
		ASSERT_EQ(heard[i].status.code, TTRPC_UNIMPLEMENTED);
		ASSERT_EQ(heard[i].status.error, 0);
	}
}

TEST(handlers_that_end_their_stream)
{
	static const struct test_generated_others_handlers refusing = {
		.upload = refuse_upload,
		.download = refuse_download,
		.talk = refuse_talk,
	};
	struct heard heard[4];

	ask_others(&refusing, heard);
	ASSERT_EQ(heard[0].status.code, TTRPC_UNIMPLEMENTED);
	ASSERT_EQ(heard[1].status.code, TTRPC_NOT_FOUND);
	ASSERT_EQ(heard[2].status.code, TTRPC_PERMISSION_DENIED);
	ASSERT_STR(heard[2].status.text, "not 5");
	ASSERT_EQ(heard[3].status.code, TTRPC_OK);
}

/* ---- events without members: messages are dropped, the rest is nobody's business ---- */

static size_t n_open;

static int ignore_upload(struct test_generated_others_upload_server *stream)
{
	static const struct test_generated_others_upload_server_events none = {.message = NULL};

	test_generated_others_upload_accept(stream, &none, NULL);
	n_open++;
	return 0;
}

static int ignore_download(struct test_generated_others_download_server *stream,
			   const Test__Generated__Word *request)
{
	static const struct test_generated_others_download_server_events none = {.ended = NULL};

	(void)request;
	test_generated_others_download_accept(stream, &none, NULL);
	n_open++;
	return 0;
}

static int ignore_talk(struct test_generated_others_talk_server *stream)
{
	static const struct test_generated_others_talk_server_events none = {.message = NULL};
	Test__Generated__Line line = line_of("unheard", 0);

	test_generated_others_talk_accept(stream, &none, NULL);
	n_open++;
	return test_generated_others_talk_server_send(stream, &line);
}

TEST(events_without_members)
{
	static const struct test_generated_others_handlers ignoring = {
		.upload = ignore_upload,
		.download = ignore_download,
		.talk = ignore_talk,
	};
	static const struct test_generated_others_upload_client_events no_upload = {.ended = NULL};
	static const struct test_generated_others_download_client_events no_download = {0};
	static const struct test_generated_others_talk_client_events no_talk = {.ended = NULL};
	struct test_generated_others_upload_client *upload = NULL;
	struct test_generated_others_download_client *download = NULL;
	struct test_generated_others_talk_client *talk = NULL;
	Test__Generated__Word word = word_of("dropped", 5);
	struct heard heard = {.n_ended = 0};
	struct pair pair;

	pair_init(&pair);
	ASSERT_EQ(test_generated_others_register(pair.server, &ignoring, NULL), 0);
	ASSERT_EQ(test_generated_others_upload_open(pair.client, NULL, &no_upload, NULL, &upload),
		  0);
	ASSERT_EQ(test_generated_others_download_open(pair.client, NULL, &word, &no_download, NULL,
						      &download),
		  0);
	ASSERT_EQ(test_generated_others_talk_open(pair.client, NULL, &no_talk, NULL, &talk), 0);
	ASSERT_EQ(test_generated_others_upload_client_send(upload, &word), 0);
	ASSERT_EQ(test_generated_others_upload_close_send(upload), 0);
	ASSERT_EQ(test_generated_others_talk_client_send(talk, &word), 0);
	wait_for(&pair, &n_open, 3);
	/* The connection works on. */
	ASSERT_EQ(test_generated_kinds_say(pair.client, NULL, &word, say_done, &heard), 0);
	wait_for(&pair, &heard.n_ended, 1);
	ASSERT_EQ(heard.status.code, TTRPC_OK);
	test_generated_others_download_cancel(download);
	pair_deinit(&pair);
}

/* ---- what a call costs: the linker leads malloc and its like here ---- */

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *pointer, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *pointer, size_t size);

static unsigned long n_allocations;

void *__wrap_malloc(size_t size)
{
	n_allocations++;
	return __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	n_allocations++;
	return __real_calloc(n, size);
}

void *__wrap_realloc(void *pointer, size_t size)
{
	n_allocations++;
	return __real_realloc(pointer, size);
}

TEST(no_allocation_for_a_call_on_either_end)
{
	Test__Generated__Word word = word_of("hello", 7);
	struct heard heard = {.n_ended = 0};
	unsigned long before = 0;
	struct pair pair;

	pair_init(&pair);
	ASSERT(n_allocations > 0);
	for (size_t i = 1; i <= 200; i++) {
		if (i == 101)
			before = n_allocations;
		ASSERT_EQ(test_generated_kinds_say(pair.client, NULL, &word, say_done, &heard), 0);
		wait_for(&pair, &heard.n_ended, i);
	}
	ASSERT_EQ(n_allocations, before);
	pair_deinit(&pair);
}
