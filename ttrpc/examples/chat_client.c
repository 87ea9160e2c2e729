/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chat_client ADDRESS NAME: says the lines of standard input (a pipe or a terminal: epoll takes no
 * files) and prints what is said, until both have ended.
 *
 * While the server takes no more lines none are read: standard input waits, nothing piles up here.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "chat.ttrpc.h"

struct chat {
	struct ttrpc_loop loop;
	struct ttrpc_watch input;
	struct example_chat_talk_client *stream;
	char *name;
	char text[1024]; /* read, and not said yet */
	size_t size;
	int ended; /* standard input has */
};

static void on_input(struct ttrpc_watch *watch, uint32_t events);

/* Says whole lines, as far as they are taken. */
static void say(struct chat *chat)
{
	Example__Line line = EXAMPLE__LINE__INIT;
	char *end;

	line.who = chat->name;
	while ((end = memchr(chat->text, '\n', chat->size))) {
		*end = '\0';
		line.text = chat->text;
		if (example_chat_talk_client_send(chat->stream, &line) == -EAGAIN) {
			*end = '\n';
			ttrpc_watch_remove(&chat->input);
			return;
		}
		chat->size -= (size_t)(end + 1 - chat->text);
		memmove(chat->text, end + 1, chat->size);
	}
	if (chat->ended)
		example_chat_talk_close_send(chat->stream);
	else if (!chat->input.loop)
		ttrpc_watch_add(&chat->loop, &chat->input, 0, EPOLLIN, on_input);
}

static void on_input(struct ttrpc_watch *watch, uint32_t events)
{
	struct chat *chat = (struct chat *)((char *)watch - offsetof(struct chat, input));
	ssize_t got = read(0, chat->text + chat->size, sizeof(chat->text) - 1 - chat->size);

	(void)events;
	if (got > 0) {
		chat->size += (size_t)got;
	} else {
		ttrpc_watch_remove(watch);
		chat->ended = 1;
	}
	/* A line that is too long becomes two. */
	if (chat->size == sizeof(chat->text) - 1 && !memchr(chat->text, '\n', chat->size))
		chat->text[chat->size++] = '\n';
	say(chat);
}

static int on_line(struct example_chat_talk_client *stream, const Example__Line *line)
{
	(void)stream;
	printf("%s: %s\n", line->who, line->text);
	fflush(stdout);
	return 0;
}

static void on_writable(struct example_chat_talk_client *stream)
{
	say(example_chat_talk_client_userdata(stream));
}

static void on_ended(struct example_chat_talk_client *stream, const struct ttrpc_status *status)
{
	struct chat *chat = example_chat_talk_client_userdata(stream);

	if (status->code != TTRPC_OK)
		fprintf(stderr, "error %d: %s\n", (int)status->code, status->text);
	ttrpc_watch_remove(&chat->input);
	ttrpc_loop_stop(&chat->loop, (int)status->code);
}

int main(int argc, char **argv)
{
	static const struct example_chat_talk_client_events events = {
		.message = on_line,
		.writable = on_writable,
		.ended = on_ended,
	};
	struct chat chat = {.input = TTRPC_WATCH_NULL, .name = argv[argc - 1]};
	struct ttrpc_client *client;
	int result;

	if (argc != 3 || ttrpc_loop_init(&chat.loop) < 0 ||
	    ttrpc_client_connect(&chat.loop, argv[1], 1000000000, &client) < 0 ||
	    example_chat_talk_open(client, NULL, &events, &chat, &chat.stream) < 0 ||
	    ttrpc_watch_add(&chat.loop, &chat.input, 0, EPOLLIN, on_input) < 0)
		return 1;
	result = ttrpc_loop_run(&chat.loop);
	ttrpc_client_free(client);
	ttrpc_loop_deinit(&chat.loop);
	return result != 0;
}
