/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generated services of all four kinds at work, client and server.
 */
#include "test/unit/generated_fixture.h"

TEST(unary)
{
	Test__Generated__Word word = word_of("hello", 7);
	struct heard heard = {.n_ended = 0};
	struct pair pair;

	pair_init(&pair);
	ASSERT_EQ(test_generated_kinds_say(pair.client, NULL, &word, say_done, &heard), 0);
	wait_for(&pair, &heard.n_ended, 1);
	ASSERT_EQ(heard.status.code, TTRPC_OK);
	ASSERT_STR(heard.text, "hello");
	ASSERT_EQ(heard.sum, 7);
	pair_deinit(&pair);
}

/* The server in another process, and a client without a loop here. */
TEST(unary_that_blocks)
{
	Test__Generated__Word word = word_of("hello", 7);
	Test__Generated__Line *line = NULL;
	struct ttrpc_client *client;
	struct ttrpc_status status;
	struct pair pair;
	int fds[2];
	pid_t pid;

	pair_init(&pair);
	ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	ASSERT_EQ(ttrpc_server_adopt(pair.server, fds[0]), 0);
	pid = fork();
	ASSERT(pid >= 0);
	if (pid == 0)
		_exit(ttrpc_loop_run(&pair.loop) < 0);
	ASSERT_EQ(ttrpc_client_new(NULL, fds[1], &client), 0);
	ASSERT_EQ(test_generated_kinds_say_sync(client, NULL, &word, &line, &status), 0);
	ASSERT_EQ(status.code, TTRPC_OK);
	ASSERT_STR(line->text, "hello");
	ASSERT_EQ(line->sum, 7);
	test__generated__line__free_unpacked(line, NULL);
	ttrpc_client_free(client);
	ASSERT_EQ(kill(pid, SIGKILL), 0);
	ASSERT_EQ(waitpid(pid, NULL, 0), pid);
	pair_deinit(&pair);
}

TEST(client_stream)
{
	struct test_generated_kinds_upload_client *stream = NULL;
	struct heard heard = {.n_ended = 0};
	struct pair pair;

	pair_init(&pair);
	ASSERT_EQ(
		test_generated_kinds_upload_open(pair.client, NULL, &heard_upload, &heard, &stream),
		0);
	ASSERT(test_generated_kinds_upload_client_userdata(stream) == &heard);
	for (uint32_t i = 1; i <= 100; i++) {
		Test__Generated__Word word = word_of(i < 100 ? "more" : "last", i);

		ASSERT_EQ(test_generated_kinds_upload_client_send(stream, &word), 0);
	}
	ASSERT_EQ(test_generated_kinds_upload_close_send(stream), 0);
	wait_for(&pair, &heard.n_ended, 1);
	ASSERT_EQ(heard.status.code, TTRPC_OK);
	ASSERT_EQ(heard.n_messages, 1);
	ASSERT_EQ(heard.sum, 5050);
	ASSERT_STR(heard.text, "last");
	ASSERT_EQ(pair.n_half, 1);
	ASSERT_EQ(pair.n_ended, 1);
	ASSERT_EQ(pair.status.code, TTRPC_OK);
	pair_deinit(&pair);
}

/* More than the socket and the send queue hold: the client is told to wait, and when to go on. */
TEST(client_stream_ahead_of_its_server)
{
	struct test_generated_kinds_upload_client *stream = NULL;
	static uint8_t ballast[60000];
	Test__Generated__Word word = word_of("more", 1);
	struct heard heard = {.n_ended = 0};
	struct pair pair;
	size_t n_sent = 0;
	int error;

	word.ballast = (ProtobufCBinaryData){sizeof(ballast), ballast};
	pair_init(&pair);
	ASSERT_EQ(
		test_generated_kinds_upload_open(pair.client, NULL, &heard_upload, &heard, &stream),
		0);
	while ((error = test_generated_kinds_upload_client_send(stream, &word)) == 0)
		ASSERT(++n_sent < 10000);
	ASSERT_EQ(error, -EAGAIN);
	wait_for(&pair, &heard.n_writable, 1);
	ASSERT_EQ(test_generated_kinds_upload_client_send(stream, &word), 0);
	ASSERT_EQ(test_generated_kinds_upload_close_send(stream), 0);
	ASSERT_EQ(test_generated_kinds_upload_client_send(stream, &word), -EPIPE);
	wait_for(&pair, &heard.n_ended, 1);
	ASSERT_EQ(heard.status.code, TTRPC_OK);
	ASSERT_EQ(heard.sum, n_sent + 1);
	pair_deinit(&pair);
}

TEST(server_stream)
{
	struct test_generated_kinds_download_client *stream = NULL;
	Test__Generated__Word word = word_of("", 20000);
	struct heard heard = {.n_ended = 0};
	struct pair pair;

	pair_init(&pair);
	ASSERT_EQ(test_generated_kinds_download_open(pair.client, NULL, &word, &heard_download,
						     &heard, &stream),
		  0);
	wait_for(&pair, &heard.n_ended, 1);
	ASSERT_EQ(heard.status.code, TTRPC_OK);
	ASSERT_EQ(heard.n_messages, 20000);
	ASSERT_EQ(heard.sum, 19999);
	ASSERT(pair.n_writable > 0);
	ASSERT_EQ(pair.n_ended, 1);
	ASSERT_EQ(pair.status.code, TTRPC_OK);
	pair_deinit(&pair);
}

TEST(server_stream_that_its_client_holds_back)
{
	struct test_generated_kinds_download_client *stream = NULL;
	Test__Generated__Word word = word_of("", 3);
	struct heard heard = {.n_ended = 0};
	struct pair pair;

	pair_init(&pair);
	ASSERT_EQ(test_generated_kinds_download_open(pair.client, NULL, &word, &heard_download,
						     &heard, &stream),
		  0);
	test_generated_kinds_download_client_pause(stream);
	wait_for(&pair, &pair.n_ended, 1);
	while (ttrpc_stream_queued(test_generated_kinds_download_client_stream(stream), NULL) < 3)
		ASSERT_EQ(ttrpc_loop_dispatch(&pair.loop, -1), 0);
	ASSERT_EQ(heard.n_messages, 0);
	test_generated_kinds_download_client_resume(stream);
	wait_for(&pair, &heard.n_ended, 1);
	ASSERT_EQ(heard.n_messages, 3);
	pair_deinit(&pair);
}

TEST(bidirectional)
{
	const struct ttrpc_pair metadata = {"who", "me"};
	const struct ttrpc_options options = {.metadata = &metadata, .n_metadata = 1};
	struct test_generated_kinds_talk_client *stream = NULL;
	struct heard heard = {.n_ended = 0};
	struct pair pair;

	pair_init(&pair);
	ASSERT_EQ(
		test_generated_kinds_talk_open(pair.client, &options, &heard_talk, &heard, &stream),
		0);
	for (uint32_t i = 0; i < 50; i++) {
		Test__Generated__Word word = word_of("ping", i);

		ASSERT_EQ(test_generated_kinds_talk_client_send(stream, &word), 0);
		wait_for(&pair, &heard.n_messages, i + 1);
		ASSERT_EQ(heard.sum, i);
		ASSERT_STR(heard.text, "ping");
	}
	ASSERT_STR(pair.metadata, "me");
	ASSERT_EQ(test_generated_kinds_talk_close_send(stream), 0);
	wait_for(&pair, &heard.n_ended, 1);
	ASSERT_EQ(heard.status.code, TTRPC_OK);
	ASSERT_EQ(heard.n_messages, 50);
	ASSERT_EQ(pair.n_half, 1);
	ASSERT_EQ(pair.n_ended, 1);
	pair_deinit(&pair);
}

TEST(bidirectional_that_its_server_holds_back)
{
	struct test_generated_kinds_talk_client *stream = NULL;
	Test__Generated__Word word = word_of("ping", 1);
	struct heard heard = {.n_ended = 0};
	struct ttrpc_stream *untyped;
	struct pair pair;

	pair_init(&pair);
	ASSERT_EQ(test_generated_kinds_talk_open(pair.client, NULL, &heard_talk, &heard, &stream),
		  0);
	while (!pair.talk)
		ASSERT_EQ(ttrpc_loop_dispatch(&pair.loop, -1), 0);
	test_generated_kinds_talk_server_pause(pair.talk);
	ASSERT_EQ(test_generated_kinds_talk_client_send(stream, &word), 0);
	ASSERT_EQ(test_generated_kinds_talk_close_send(stream), 0);
	untyped = test_generated_kinds_talk_server_stream(pair.talk);
	ASSERT_STR(ttrpc_stream_method(untyped)->name, "Talk");
	while (ttrpc_stream_queued(untyped, NULL) < 1)
		ASSERT_EQ(ttrpc_loop_dispatch(&pair.loop, -1), 0);
	ASSERT_EQ(pair.sum, 0);
	ASSERT_EQ(pair.n_half, 0);
	test_generated_kinds_talk_server_resume(pair.talk);
	wait_for(&pair, &heard.n_ended, 1);
	ASSERT_EQ(pair.sum, 1);
	ASSERT_EQ(heard.n_messages, 1);
	pair_deinit(&pair);
}

/* Calls and streams of all kinds on one connection. */
TEST(all_kinds_at_once)
{
	struct test_generated_kinds_download_client *download = NULL;
	struct test_generated_kinds_talk_client *talk = NULL;
	Test__Generated__Word word = word_of("both", 100);
	struct heard said = {.n_ended = 0}, down = said, talked = said;
	struct pair pair;

	pair_init(&pair);
	ASSERT_EQ(test_generated_kinds_talk_open(pair.client, NULL, &heard_talk, &talked, &talk),
		  0);
	ASSERT_EQ(test_generated_kinds_say(pair.client, NULL, &word, say_done, &said), 0);
	ASSERT_EQ(test_generated_kinds_talk_client_send(talk, &word), 0);
	ASSERT_EQ(test_generated_kinds_download_open(pair.client, NULL, &word, &heard_download,
						     &down, &download),
		  0);
	ASSERT_EQ(test_generated_kinds_talk_close_send(talk), 0);
	wait_for(&pair, &said.n_ended, 1);
	wait_for(&pair, &down.n_ended, 1);
	wait_for(&pair, &talked.n_ended, 1);
	ASSERT_EQ(said.sum, 100);
	ASSERT_EQ(down.n_messages, 100);
	ASSERT_EQ(talked.sum, 100);
	ASSERT_EQ(pair.n_ended, 2);
	pair_deinit(&pair);
}
