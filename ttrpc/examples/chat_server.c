/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chat_server ADDRESS: one room. Each stream is a member; what one says goes to all of them. A member
 * that doesn't read is put out, so that it costs the others neither time nor memory.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "chat.ttrpc.h"

struct member {
	struct example_chat_talk_server *stream;
	struct member *next;
	int gone; /* its stream is to be ended, which frees it */
};

static struct member *members;

static void put_out(void)
{
	for (struct member *member = members, *next; member; member = next) {
		next = member->next;
		if (member->gone)
			example_chat_talk_fail(member->stream, TTRPC_RESOURCE_EXHAUSTED,
					       "you don't read");
	}
}

static void say(const Example__Line *line)
{
	for (struct member *member = members; member; member = member->next)
		if (example_chat_talk_server_send(member->stream, line) == -EAGAIN)
			member->gone = 1;
	/* Not before: the end of a stream may be told at once, and takes it out of the list. */
	put_out();
}

static int on_line(struct example_chat_talk_server *stream, const Example__Line *line)
{
	(void)stream;
	say(line);
	return 0;
}

static void on_half_closed(struct example_chat_talk_server *stream)
{
	example_chat_talk_close(stream);
}

static void on_ended(struct example_chat_talk_server *stream, const struct ttrpc_status *status)
{
	struct member *member = example_chat_talk_server_userdata(stream), **place = &members;

	(void)status;
	while (*place != member)
		place = &(*place)->next;
	*place = member->next;
	free(member);
}

static int talk(struct example_chat_talk_server *stream)
{
	static const struct example_chat_talk_server_events events = {
		.message = on_line,
		.half_closed = on_half_closed,
		.ended = on_ended,
	};
	struct member *member = calloc(1, sizeof(*member));

	if (!member)
		return -ENOMEM;
	member->stream = stream;
	member->next = members;
	members = member;
	example_chat_talk_accept(stream, &events, member);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct example_chat_handlers handlers = {.talk = talk};
	struct ttrpc_server *server;
	struct ttrpc_loop loop;

	if (argc != 2 || ttrpc_loop_init(&loop) < 0 ||
	    ttrpc_server_new(&loop, TTRPC_POLICY_SAME_USER, &server) < 0 ||
	    example_chat_register(server, &handlers, NULL) < 0 ||
	    ttrpc_server_listen_on(server, argv[1]) < 0)
		return 1;
	puts("ready");
	fflush(stdout);
	return ttrpc_loop_run(&loop) < 0;
}
