/* SPDX-License-Identifier: Apache-2.0 */
/*
 * poll_loop ADDRESS: a client inside a loop on poll(2) that the program had before. It asks for an
 * echo of each line of standard input, has any number of calls under way, and prints the answers.
 *
 * Any loop does if it can wait for a descriptor and for a time:
 *   - wait for ttrpc_loop_fd() to be readable, for ttrpc_loop_timeout() milliseconds at most;
 *   - whenever either came, or just every time round: ttrpc_loop_dispatch(loop, 0).
 * The timeout is asked for anew each time round, since every call may change it. In GLib that is a
 * GSource with g_source_add_unix_fd(), whose prepare gives the timeout; in libuv a uv_poll_t and a
 * uv_timer_t that a uv_prepare_t sets.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "echo.ttrpc.h"

static unsigned n_waiting;

static void on_answer(void *userdata, const struct ttrpc_status *status,
		      const Example__Text *response)
{
	(void)userdata;
	n_waiting--;
	if (response)
		puts(response->text);
	else
		printf("error %d: %s\n", (int)status->code, status->text);
	fflush(stdout);
}

static int ask(struct ttrpc_client *client, char *text)
{
	const struct ttrpc_options options = {.timeout = 5000000000};
	Example__Text request = EXAMPLE__TEXT__INIT;

	request.text = text;
	n_waiting++;
	return example_echo_say(client, &options, &request, on_answer, NULL);
}

/* Asks for each whole line; returns how much of the text is left. */
static size_t ask_lines(struct ttrpc_client *client, char *text, size_t size)
{
	char *start = text, *end;

	while ((end = memchr(start, '\n', size - (size_t)(start - text)))) {
		*end = '\0';
		if (ask(client, start) < 0)
			n_waiting--;
		start = end + 1;
	}
	size -= (size_t)(start - text);
	memmove(text, start, size);
	return size;
}

int main(int argc, char **argv)
{
	struct ttrpc_client *client;
	struct ttrpc_loop loop;
	char text[1024];
	size_t size = 0;
	int input = 0;

	if (argc != 2 || ttrpc_loop_init(&loop) < 0 ||
	    ttrpc_client_connect(&loop, argv[1], 1000000000, &client) < 0)
		return 1;
	while (input >= 0 || n_waiting > 0) {
		struct pollfd fds[] = {
			{.fd = input, .events = POLLIN},
			{.fd = ttrpc_loop_fd(&loop), .events = POLLIN},
		};

		poll(fds, 2, ttrpc_loop_timeout(&loop));
		ttrpc_loop_dispatch(&loop, 0);
		if (fds[0].revents) {
			ssize_t got = read(input, text + size, sizeof(text) - 1 - size);

			if (got <= 0)
				input = -1;
			else
				size += (size_t)got;
			/* A line that is too long becomes two. */
			if (size == sizeof(text) - 1 && !memchr(text, '\n', size))
				text[size++] = '\n';
			size = ask_lines(client, text, size);
		}
	}
	ttrpc_client_free(client);
	ttrpc_loop_deinit(&loop);
	return 0;
}
