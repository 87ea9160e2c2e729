/* SPDX-License-Identifier: Apache-2.0 */
/*
 * epoll_loop ADDRESS: an echo server inside an epoll(7) loop of the program's own, which also counts
 * a timer of its own and ends on SIGTERM. The library's descriptor is one more in the program's set;
 * see poll_loop.c for the rule.
 *
 * The answer comes from the program's timer, not from the handler: what happens outside of
 * ttrpc_loop_dispatch() may use the library as well, on the same thread.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "echo.ttrpc.h"

#define KEPT_MAX 64
#define PERIOD 1000000 /* ns */

struct kept {
	struct ttrpc_call *call; /* NULL: free */
	char text[256];
};

static struct kept kept[KEPT_MAX];

/* Nobody waits for it any more. */
static void on_cancelled(struct ttrpc_call *call, void *userdata)
{
	struct kept *self = userdata;

	(void)call;
	self->call = NULL;
}

/* The request is gone when this returns: what the answer needs is copied. */
static int say(struct ttrpc_call *call, const Example__Text *request)
{
	for (struct kept *self = kept; self < kept + KEPT_MAX; self++) {
		if (self->call)
			continue;
		self->call = call;
		snprintf(self->text, sizeof(self->text), "%s", request->text);
		ttrpc_call_take(call, on_cancelled, self);
		return 0;
	}
	return ttrpc_fail(call, TTRPC_RESOURCE_EXHAUSTED, "busy");
}

static void answer_all(void)
{
	for (struct kept *self = kept; self < kept + KEPT_MAX; self++) {
		Example__Text response = EXAMPLE__TEXT__INIT;
		struct ttrpc_call *call = self->call;

		if (!call)
			continue;
		response.text = self->text;
		self->call = NULL;
		ttrpc_reply(call, &response.base);
	}
}

static int add(int epoll, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return fd < 0 ? -1 : epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static int own_loop(struct ttrpc_loop *loop)
{
	const struct itimerspec period = {{0, PERIOD}, {0, PERIOD}};
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	int signals;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (add(epoll, timer) < 0 || add(epoll, signals) < 0 ||
	    add(epoll, ttrpc_loop_fd(loop)) < 0 || timerfd_settime(timer, 0, &period, NULL) < 0)
		return -1;
	puts("ready");
	fflush(stdout);
	for (;;) {
		struct epoll_event event;
		uint64_t ticks;

		if (epoll_wait(epoll, &event, 1, ttrpc_loop_timeout(loop)) > 0) {
			if (event.data.fd == signals)
				return 0;
			if (event.data.fd == timer && read(timer, &ticks, sizeof(ticks)) > 0)
				answer_all();
		}
		ttrpc_loop_dispatch(loop, 0);
	}
}

int main(int argc, char **argv)
{
	static const struct example_echo_handlers handlers = {.say = say};
	struct ttrpc_server *server;
	struct ttrpc_loop loop;
	int error;

	if (argc != 2 || ttrpc_loop_init(&loop) < 0 ||
	    ttrpc_server_new(&loop, TTRPC_POLICY_SAME_USER, &server) < 0 ||
	    example_echo_register(server, &handlers, NULL) < 0 ||
	    ttrpc_server_listen_on(server, argv[1]) < 0)
		return 1;
	error = own_loop(&loop);
	ttrpc_server_free(server);
	ttrpc_loop_deinit(&loop);
	return error < 0;
}
