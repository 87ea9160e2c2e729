/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_UNIT_PAIR_EVENTS_H
#define TEST_UNIT_PAIR_EVENTS_H
/*
 * containerd's events service, played by a process of its own that may die and come back. It appends
 * a line to ROOT/events for each event that it answers: the last part of the topic, the container,
 * and for exits the status. "exit one 7"
 */
#include <sys/epoll.h>
#include <sys/signalfd.h>

#include "proto/events.pb-c.h"
#include "proto/events_service.ttrpc.h"
#include "test/unit/pair_fixture.h"

static inline int events_forward(
	struct ttrpc_call *call,
	const Containerd__Services__Events__Ttrpc__V1__ForwardRequest *request)
{
	const Containerd__Services__Events__Ttrpc__V1__Envelope *envelope = request->envelope;
	const uint8_t *value = envelope->event->value.data;
	size_t size = envelope->event->value.len;
	Google__Protobuf__Empty empty = GOOGLE__PROTOBUF__EMPTY__INIT;
	const int *fd = ttrpc_call_userdata(call);
	char line[256];

	/* in all of them the container is the first field */
	ASSERT(size > 2 && value[0] == 0x0a && value[1] < 128 && size >= 2u + value[1]);
	ASSERT_STR(envelope->namespace_, "ns");
	int length = snprintf(line, sizeof(line), "%s %.*s", strrchr(envelope->topic, '/') + 1,
			      value[1], (const char *)value + 2);
	if (strcmp(envelope->topic, "/tasks/exit") == 0) {
		Containerd__Events__TaskExit *event =
			containerd__events__task_exit__unpack(NULL, size, value);
		ASSERT(event && event->exited_at && event->exited_at->seconds > 1500000000);
		if (strcmp(event->id, event->container_id) != 0)
			length += snprintf(line + length, sizeof(line) - (size_t)length, " %s",
					   event->id);
		length += snprintf(line + length, sizeof(line) - (size_t)length, " %u",
				   event->exit_status);
		containerd__events__task_exit__free_unpacked(event, NULL);
	}
	line[length++] = '\n';
	ASSERT_EQ(write(*fd, line, (size_t)length), length);
	return ttrpc_reply(call, &empty.base);
}

static inline void events_asked_to_end(struct ttrpc_watch *watch, uint32_t events)
{
	(void)events;
	ttrpc_loop_stop(watch->loop, 0);
}

static inline _Noreturn void events_serve(const struct pair *pair, int listener)
{
	static const struct containerd_services_events_ttrpc_v1_events_handlers handlers = {
		.forward = events_forward};
	struct ttrpc_loop loop;
	struct ttrpc_server *server;
	int fd = open(pair_path(pair, "events"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	ASSERT(fd >= 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	ASSERT_EQ(ttrpc_loop_init(&loop), 0);
	ASSERT_EQ(ttrpc_server_new(&loop, TTRPC_POLICY_SAME_USER, &server), 0);
	ASSERT_EQ(containerd_services_events_ttrpc_v1_events_register(server, &handlers, &fd), 0);
	ASSERT_EQ(ttrpc_server_listen(server, listener), 0);
	sigset_t term;
	struct ttrpc_watch watch = TTRPC_WATCH_NULL;
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	ASSERT_EQ(sigprocmask(SIG_BLOCK, &term, NULL), 0);
	ASSERT_EQ(ttrpc_watch_add(&loop, &watch, signalfd(-1, &term, SFD_CLOEXEC), EPOLLIN,
				  events_asked_to_end),
		  0);
	_exit(ttrpc_loop_run(&loop) < 0);
}

static inline void events_start(struct pair *pair)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	strcpy(address.sun_path, pair->publisher);
	unlink(pair->publisher);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ASSERT(fd >= 0);
	ASSERT_EQ(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ASSERT_EQ(listen(fd, 64), 0);
	pair->daemon = fork();
	ASSERT(pair->daemon >= 0);
	if (pair->daemon == 0)
		events_serve(pair, fd);
	close(fd);
}

/* It answers for what it has written down: an event without an answer would come again. */
static inline void events_stop(struct pair *pair)
{
	ASSERT_EQ(kill(pair->daemon, SIGTERM), 0);
	ASSERT_EQ(waitpid(pair->daemon, NULL, 0), pair->daemon);
	pair->daemon = 0;
}

/* Instead of pair_init(). */
static inline void events_pair_init(struct pair *pair)
{
	pair_folders(pair);
	strcpy(pair->publisher, pair_path(pair, "s/publisher"));
	events_start(pair);
	pair_begin(pair);
}

/* What has come for one container, one word an event, with its status behind an exit. */
static inline void events_of(const struct pair *pair, const char *id, char text[static 256])
{
	static char content[65536];
	int fd = open(pair_path(pair, "events"), O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, content, sizeof(content) - 1);
	if (fd >= 0)
		close(fd);
	ASSERT(n >= 0);
	content[n] = 0;
	*text = 0;
	for (char *rest = content, *line; (line = strsep(&rest, "\n"));) {
		char topic[32], container[128], status[16] = "";
		if (!rest || sscanf(line, "%31s %127s %15[^\n]", topic, container, status) < 2)
			break;
		if (strcmp(container, id) == 0)
			snprintf(text + strlen(text), 256 - strlen(text), "%s%s%s%s",
				 *text ? " " : "", topic, *status ? " " : "", status);
	}
}

/* Waits until so many have come; that they are the right ones, and no more, is to be shown then. */
static inline void events_expect(const struct pair *pair, const char *id, const char *expected)
{
	char text[256];
	do {
		nanosleep(&(const struct timespec){.tv_nsec = 1000000}, NULL);
		events_of(pair, id, text);
	} while (strlen(text) < strlen(expected));
	ASSERT_STR(text, expected);
}

#endif
