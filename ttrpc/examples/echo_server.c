/* SPDX-License-Identifier: Apache-2.0 */
/*
 * echo_server ADDRESS: answers what it is told. On SIGTERM it ends when no answer is owed any more.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "echo.ttrpc.h"

static struct ttrpc_loop loop = {.epoll_fd = -1};
static struct ttrpc_server *server;

static int say(struct ttrpc_call *call, const Example__Text *request)
{
	if (!request->text[0])
		return ttrpc_fail(call, TTRPC_INVALID_ARGUMENT, "nothing to say");
	return ttrpc_reply(call, &request->base);
}

static void on_done(void *userdata, int error)
{
	(void)userdata;
	ttrpc_loop_stop(&loop, error);
}

static void on_signal(struct ttrpc_watch *watch, uint32_t events)
{
	(void)events;
	ttrpc_watch_remove(watch);
	ttrpc_server_shutdown(server, 5000000000, on_done, NULL);
}

int main(int argc, char **argv)
{
	static const struct example_echo_handlers handlers = {.say = say};
	struct ttrpc_watch signals = TTRPC_WATCH_NULL;
	sigset_t set;
	int fd, error;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (argc != 2 || fd < 0 || ttrpc_loop_init(&loop) < 0 ||
	    ttrpc_server_new(&loop, TTRPC_POLICY_SAME_USER, &server) < 0 ||
	    example_echo_register(server, &handlers, NULL) < 0 ||
	    ttrpc_server_listen_on(server, argv[1]) < 0 ||
	    ttrpc_watch_add(&loop, &signals, fd, EPOLLIN, on_signal) < 0)
		return 1;
	puts("ready");
	fflush(stdout);
	error = ttrpc_loop_run(&loop);
	ttrpc_server_free(server);
	ttrpc_loop_deinit(&loop);
	close(fd);
	return error < 0;
}
