/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_UNIT_GENERATED_FIXTURE_H
#define TEST_UNIT_GENERATED_FIXTURE_H
/*
 * For the tests of what protoc-gen-ttrpc-c makes: a server and a client of generated.proto at the two
 * ends of a socket pair, in one loop, written with the generated functions alone. Nothing is waited
 * for by time: wait_for() turns the loop until what is waited for has happened.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/test.h"
#include "test/unit/generated.ttrpc.h"
#include "ttrpc/ttrpc.h"

struct pair {
	struct ttrpc_loop loop;
	struct ttrpc_server *server;
	struct ttrpc_client *client;

	/* What the server's ends were told; one stream at a time. */
	uint64_t sum;
	char text[64];
	uint32_t left, next;
	size_t n_half, n_writable, n_ended;
	struct ttrpc_status status;
	char metadata[32];
	struct test_generated_kinds_talk_server *talk;
};

/* What a client's end was told. */
struct heard {
	size_t n_messages, n_writable, n_ended;
	char text[64];
	uint64_t sum, next;
	bool in_order;
	int answer; /* what message returns */
	struct ttrpc_status status;
};

static inline void copy_text(char text[64], const char *from)
{
	snprintf(text, 64, "%s", from);
}

static inline Test__Generated__Word word_of(const char *text, uint32_t number)
{
	Test__Generated__Word word = TEST__GENERATED__WORD__INIT;

	word.text = (char *)(uintptr_t)text;
	word.number = number;
	return word;
}

static inline Test__Generated__Line line_of(const char *text, uint64_t sum)
{
	Test__Generated__Line line = TEST__GENERATED__LINE__INIT;

	line.text = (char *)(uintptr_t)text;
	line.sum = sum;
	return line;
}

/* ---- the server ---- */

static inline int on_say(struct ttrpc_call *call, const Test__Generated__Word *request)
{
	Test__Generated__Line line = line_of(request->text, request->number);

	return ttrpc_reply(call, &line.base);
}

static inline int upload_message(struct test_generated_kinds_upload_server *stream,
				 const Test__Generated__Word *message)
{
	struct pair *pair = test_generated_kinds_upload_server_userdata(stream);

	pair->sum += message->number;
	copy_text(pair->text, message->text);
	if (strcmp(message->text, "fail") == 0)
		return test_generated_kinds_upload_fail(stream, TTRPC_DATA_LOSS, "at %u of %s",
							message->number, "upload");
	return strcmp(message->text, "busy") == 0 ? -EBUSY : 0;
}

static inline void upload_half_closed(struct test_generated_kinds_upload_server *stream)
{
	struct pair *pair = test_generated_kinds_upload_server_userdata(stream);
	Test__Generated__Line line = line_of(pair->text, pair->sum);

	pair->n_half++;
	ASSERT_EQ(test_generated_kinds_upload_reply(stream, &line), 0);
}

static inline void upload_ended(struct test_generated_kinds_upload_server *stream,
				const struct ttrpc_status *status)
{
	struct pair *pair = test_generated_kinds_upload_server_userdata(stream);

	pair->n_ended++;
	pair->status = *status;
}

static const struct test_generated_kinds_upload_server_events upload_events = {
	.message = upload_message,
	.half_closed = upload_half_closed,
	.ended = upload_ended,
};

static inline int on_upload(struct test_generated_kinds_upload_server *stream)
{
	struct pair *pair = ttrpc_call_userdata(test_generated_kinds_upload_server_call(stream));

	test_generated_kinds_upload_accept(stream, &upload_events, pair);
	return 0;
}

static inline void download_go_on(struct test_generated_kinds_download_server *stream)
{
	struct pair *pair = test_generated_kinds_download_server_userdata(stream);

	for (; pair->left > 0; pair->left--, pair->next++) {
		Test__Generated__Line line = line_of("a line of some length", pair->next);
		int error = test_generated_kinds_download_server_send(stream, &line);

		if (error == -EAGAIN)
			return;
		ASSERT_EQ(error, 0);
	}
	if (strcmp(pair->text, "fail") == 0)
		test_generated_kinds_download_fail(stream, TTRPC_ABORTED, "after %u", pair->next);
	else
		ASSERT_EQ(test_generated_kinds_download_close(stream), 0);
}

static inline void download_writable(struct test_generated_kinds_download_server *stream)
{
	struct pair *pair = test_generated_kinds_download_server_userdata(stream);

	pair->n_writable++;
	download_go_on(stream);
}

static inline void download_ended(struct test_generated_kinds_download_server *stream,
				  const struct ttrpc_status *status)
{
	struct pair *pair = test_generated_kinds_download_server_userdata(stream);

	pair->n_ended++;
	pair->status = *status;
}

static const struct test_generated_kinds_download_server_events download_events = {
	.writable = download_writable,
	.ended = download_ended,
};

static inline int on_download(struct test_generated_kinds_download_server *stream,
			      const Test__Generated__Word *request)
{
	struct pair *pair = ttrpc_call_userdata(test_generated_kinds_download_server_call(stream));

	pair->left = request->number;
	copy_text(pair->text, request->text);
	test_generated_kinds_download_accept(stream, &download_events, pair);
	download_go_on(stream);
	return 0;
}

static inline int talk_message(struct test_generated_kinds_talk_server *stream,
			       const Test__Generated__Word *message)
{
	struct pair *pair = test_generated_kinds_talk_server_userdata(stream);
	Test__Generated__Line line = line_of(message->text, message->number);

	pair->sum += message->number;
	return test_generated_kinds_talk_server_send(stream, &line);
}

static inline void talk_half_closed(struct test_generated_kinds_talk_server *stream)
{
	struct pair *pair = test_generated_kinds_talk_server_userdata(stream);

	pair->n_half++;
	ASSERT_EQ(test_generated_kinds_talk_close(stream), 0);
}

static inline void talk_writable(struct test_generated_kinds_talk_server *stream)
{
	struct pair *pair = test_generated_kinds_talk_server_userdata(stream);

	pair->n_writable++;
}

static inline void talk_ended(struct test_generated_kinds_talk_server *stream,
			      const struct ttrpc_status *status)
{
	struct pair *pair = test_generated_kinds_talk_server_userdata(stream);

	pair->n_ended++;
	pair->status = *status;
	pair->talk = NULL;
}

static const struct test_generated_kinds_talk_server_events talk_events = {
	.message = talk_message,
	.half_closed = talk_half_closed,
	.writable = talk_writable,
	.ended = talk_ended,
};

static inline int on_talk(struct test_generated_kinds_talk_server *stream)
{
	struct ttrpc_call *call = test_generated_kinds_talk_server_call(stream);
	struct pair *pair = ttrpc_call_userdata(call);
	const char *value = ttrpc_call_metadata(call, "who");

	snprintf(pair->metadata, sizeof(pair->metadata), "%s", value ? value : "");
	test_generated_kinds_talk_accept(stream, &talk_events, pair);
	pair->talk = stream;
	return 0;
}

static const struct test_generated_kinds_handlers handlers = {
	.say = on_say,
	.upload = on_upload,
	.download = on_download,
	.talk = on_talk,
};

/* ---- the client ---- */

static inline void say_done(void *userdata, const struct ttrpc_status *status,
			    const Test__Generated__Line *response)
{
	struct heard *heard = userdata;

	heard->n_ended++;
	heard->status = *status;
	ASSERT_EQ(response != NULL, status->code == TTRPC_OK);
	if (!response)
		return;
	copy_text(heard->text, response->text);
	heard->sum = response->sum;
}

static inline int heard_line(struct heard *heard, const Test__Generated__Line *message)
{
	if (heard->answer < 0)
		return heard->answer;
	ASSERT_EQ(heard->n_ended, 0);
	heard->n_messages++;
	copy_text(heard->text, message->text);
	heard->sum = message->sum;
	heard->in_order = heard->n_messages == 1 || message->sum == heard->next;
	ASSERT(heard->in_order);
	heard->next = message->sum + 1;
	return 0;
}

static inline void heard_end(struct heard *heard, const struct ttrpc_status *status)
{
	heard->n_ended++;
	heard->status = *status;
}

#define HEARD(method)                                                                              \
	static inline int heard_##method##_message(                                                \
		struct test_generated_kinds_##method##_client *stream,                             \
		const Test__Generated__Line *message)                                              \
	{                                                                                          \
		return heard_line(test_generated_kinds_##method##_client_userdata(stream),         \
				  message);                                                        \
	}                                                                                          \
	static inline void heard_##method##_ended(                                                 \
		struct test_generated_kinds_##method##_client *stream,                             \
		const struct ttrpc_status *status)                                                 \
	{                                                                                          \
		heard_end(test_generated_kinds_##method##_client_userdata(stream), status);        \
	}
HEARD(upload)
HEARD(download)
HEARD(talk)

static inline void heard_upload_writable(struct test_generated_kinds_upload_client *stream)
{
	struct heard *heard = test_generated_kinds_upload_client_userdata(stream);

	heard->n_writable++;
}

static const struct test_generated_kinds_upload_client_events heard_upload = {
	.message = heard_upload_message,
	.writable = heard_upload_writable,
	.ended = heard_upload_ended,
};

static const struct test_generated_kinds_download_client_events heard_download = {
	.message = heard_download_message,
	.ended = heard_download_ended,
};

static const struct test_generated_kinds_talk_client_events heard_talk = {
	.message = heard_talk_message,
	.ended = heard_talk_ended,
};

/* ---- both ---- */

static inline void pair_init(struct pair *pair)
{
	int fds[2];

	memset(pair, 0, sizeof(*pair));
	ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	ASSERT_EQ(ttrpc_loop_init(&pair->loop), 0);
	ASSERT_EQ(ttrpc_server_new(&pair->loop, TTRPC_POLICY_SAME_USER, &pair->server), 0);
	ASSERT_EQ(test_generated_kinds_register(pair->server, &handlers, pair), 0);
	ASSERT_EQ(ttrpc_server_adopt(pair->server, fds[0]), 0);
	ASSERT_EQ(ttrpc_client_new(&pair->loop, fds[1], &pair->client), 0);
}

static inline void pair_deinit(struct pair *pair)
{
	ttrpc_client_free(pair->client);
	ttrpc_server_free(pair->server);
	ttrpc_loop_deinit(&pair->loop);
}

static inline void wait_for(struct pair *pair, const size_t *counter, size_t n)
{
	while (*counter < n)
		ASSERT_EQ(ttrpc_loop_dispatch(&pair->loop, -1), 0);
}

#endif
