/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server: the process of the pair that everything from outside comes to, and that may do next to
 * nothing (seccomp/server.policy). One thread, one loop, one struct server.
 *
 *   open      serves
 *   closing   asked to end by Shutdown without containers, a signal, or idleness: the monitor unlinks
 *             the socket first, so that nobody is sent to a shim that is about to go
 *   ending    the answer, the answers of other calls, and the events that wait are sent
 *
 * END_TIME after it was asked to at the latest the process exits, and the monitor after it. Who waits
 * for the exit of a container is told that it is in vain; containers are left alone.
 *
 * A shim that has no container and no connection for IDLE_TIME ends by itself: whoever started it has
 * gone, or lost it.
 */
#include "shim/server.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/task.pb-c.h"
#include "shim/config.h"
#include "shim/harden.h"
#include "shim/log.h"
#include "shim/pages.h"
#include "shim/pair.h"
#include "shim/shim.h"

#define SECOND UINT64_C(1000000000)
#define END_TIME (5 * SECOND)
#define IDLE_TIME (60 * SECOND)

#define container_of(pointer, type, member)                                                        \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

static void try_end(struct server *server)
{
	if (server->phase == SERVER_ENDING && ttrpc_server_idle(server->ttrpc) &&
	    api_publisher_idle(&server->publisher))
		ttrpc_loop_stop(&server->loop, 0);
}

static void end_time_over(struct ttrpc_timer *timer)
{
	struct server *server = container_of(timer, struct server, end);
	if (!api_publisher_idle(&server->publisher))
		log_write(SHIM_LOG_WARNING, server->config->id,
			  "the shim ends with events that containerd did not take");
	ttrpc_loop_stop(&server->loop, 0);
}

static void close_done(struct operation *operation, struct report_message *message)
{
	static const char ending[] = "the shim is shutting down: unavailable";
	struct server *server = operation->server;
	(void)message;
	server->phase = SERVER_ENDING;
	ttrpc_server_stop_listening(server->ttrpc);
	for (struct container *c = server->containers; c; c = c->next) {
		process_dismiss(&c->init, TTRPC_UNAVAILABLE, ending);
		for (struct process *exec = c->execs; exec; exec = exec->next)
			process_dismiss(exec, TTRPC_UNAVAILABLE, ending);
	}
	if (operation->call) {
		Google__Protobuf__Empty empty = GOOGLE__PROTOBUF__EMPTY__INIT;
		ttrpc_reply(operation->call, &empty.base);
	}
	operation_free(operation);
	try_end(server);
}

int server_close(struct server *server, struct ttrpc_call *call)
{
	static const struct operation_kind kind = {
		.verb = VERB_CLOSE,
		.request = REQUEST_NONE,
		.immediate = true,
		.done = close_done,
	};
	struct operation *operation = operation_new(server, NULL, &kind);
	if (!operation)
		return -ENOMEM;
	server->phase = SERVER_CLOSING;
	ttrpc_timer_clear(&server->idle);
	ttrpc_timer_set(&server->loop, &server->end, ttrpc_now() + END_TIME, end_time_over);
	if (call)
		operation_take_call(operation, call);
	operation_submit(operation);
	return 0;
}

static void idle_over(struct ttrpc_timer *timer)
{
	struct server *server = container_of(timer, struct server, idle);
	/* a client that connected is no event here: its going will set the timer again */
	if (ttrpc_server_connections(server->ttrpc) > 0)
		return;
	log_write(SHIM_LOG_INFO, server->config->id,
		  "no container and no connection: the shim ends");
	server_close(server, NULL);
}

void server_update_idle(struct server *server)
{
	bool idle = server->phase == SERVER_OPEN && !server->containers &&
		    ttrpc_server_connections(server->ttrpc) == 0;
	if (!idle)
		ttrpc_timer_clear(&server->idle);
	else
		ttrpc_timer_set(&server->loop, &server->idle, ttrpc_now() + IDLE_TIME, idle_over);
}

static void last_closed(void *userdata)
{
	server_update_idle(userdata);
	try_end(userdata);
}

static void monitor_ready(struct ttrpc_watch *watch, uint32_t events)
{
	struct server *server = container_of(watch, struct server, monitor_watch);
	struct report_message *message = &server->message;
	(void)events;
	int result = report_receive(server->monitor_fd, message, MSG_DONTWAIT);
	if (result == -EAGAIN)
		return;
	if (result == 0) {
		result = operation_report(server, message);
		report_deinit(message);
	}
	if (result < 0)
		ttrpc_loop_stop(&server->loop, result);
}

static void signal_ready(struct ttrpc_watch *watch, uint32_t events)
{
	struct server *server = container_of(watch, struct server, signal_watch);
	struct signalfd_siginfo info;
	(void)events;
	if (read(server->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	if (info.ssi_signo == SIGUSR1)
		server_dump(server);
	else if (server->phase == SERVER_OPEN)
		server_close(server, NULL);
}

static void publish_done(struct operation *operation, struct report_message *message)
{
	struct server *server = operation->server;
	int *fd = &message->fds[ROLE_RESULT];
	if (message->report.code == TTRPC_OK && *fd >= 0) {
		api_publisher_attach(&server->publisher, *fd);
		*fd = -1;
	} else {
		api_publisher_failed(&server->publisher, -(int)message->report.exit_status);
	}
	operation_free(operation);
}

static void publisher_wanted(void *userdata)
{
	static const struct operation_kind kind = {
		.verb = VERB_PUBLISH,
		.request = REQUEST_NONE,
		.immediate = true,
		.done = publish_done,
	};
	struct server *server = userdata;
	struct operation *operation = operation_new(server, NULL, &kind);
	if (operation)
		operation_submit(operation);
	else
		api_publisher_failed(&server->publisher, -ENOMEM);
}

static void publisher_idle(void *userdata)
{
	try_end(userdata);
}

static void event_dropped(void *userdata, const char *topic, const char *reason, uint64_t total)
{
	struct server *server = userdata;
	log_write(SHIM_LOG_WARNING, server->config->id, "event %s dropped: %s (%llu so far)", topic,
		  reason, (unsigned long long)total);
}

static int signals_prepare(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_SETMASK, &set, NULL);
	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

static int server_init(struct server *server, const struct server_parameters *parameters)
{
	server->config = parameters->config;
	server->can_exec = server->config->runtime->exec != NULL;
	server->can_restore = server->config->runtime->restore != NULL;
	server->message.text = server->text;
	server->monitor_fd = parameters->monitor_fd;
	server->pid = getpid();
	server->signal_fd = signals_prepare();
	if (server->signal_fd < 0)
		return server->signal_fd;
	int result = ttrpc_loop_init(&server->loop);
	if (result == 0)
		result = ttrpc_server_new(&server->loop, TTRPC_POLICY_SAME_USER, &server->ttrpc);
	if (result == 0)
		result = ttrpc_server_listen(server->ttrpc, parameters->listen_fd);
	if (result == 0)
		result = task_register(server);
	if (result == 0)
		result = api_publisher_init(&server->publisher, &server->loop,
					    parameters->config->namespace_, publisher_wanted,
					    server);
	if (result == 0)
		result = ttrpc_watch_add(&server->loop, &server->monitor_watch, server->monitor_fd,
					 EPOLLIN, monitor_ready);
	if (result == 0)
		result = ttrpc_watch_add(&server->loop, &server->signal_watch, server->signal_fd,
					 EPOLLIN, signal_ready);
	if (result < 0)
		return result;
	api_publisher_on_idle(&server->publisher, publisher_idle);
	api_publisher_on_drop(&server->publisher, event_dropped);
	ttrpc_server_on_last_close(server->ttrpc, last_closed, server);
	server_update_idle(server);
	return 0;
}

int server_main(const struct server_parameters *parameters)
{
	_Static_assert(sizeof(struct server) + 4096 <= sizeof(struct monitor),
		       "it lives in its memory");
	struct server *server = parameters->memory;
	log_open(parameters->config, parameters->log_fd, parameters->debug);
	int result = server_init(server, parameters);
	if (result == 0)
		result = harden_server(parameters->log_fd);
	if (result == 0) {
		pages_forget();
		result = ttrpc_loop_run(&server->loop);
	}
	bool monitor_gone = result == -ENODATA || result == -ECONNRESET || result == -EPIPE;
	if (result == 0 || monitor_gone)
		return 0;
	log_write(SHIM_LOG_ERROR, parameters->config->id, "the server ends: %s", strerror(-result));
	return 1;
}
