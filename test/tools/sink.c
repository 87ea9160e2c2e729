/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The events service of a containerd that isn't there: sink PATH listens on PATH, answers every
 * Forward, and prints one line per event, in the order of arrival:
 *
 *     TOPIC NAMESPACE CONTAINER [id=ID] [pid=PID] [status=STATUS] [at=SECONDS]
 *
 * An event that is not as containerd wants it (no timestamp, another service, an unknown topic) is
 * answered with an error and printed as "bad: WHAT". One process, one poll; it ends by a signal.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "test/tools/wire.h"

#define SINK_CONNECTIONS_MAX 63

/* Field numbers of the events; 0: the event has none. */
static const struct sink_event {
	const char *topic, *type;
	uint32_t id, pid, status, at;
} sink_events[] = {
	{"/tasks/create", "containerd.events.TaskCreate", 0, 6, 0, 0},
	{"/tasks/start", "containerd.events.TaskStart", 0, 2, 0, 0},
	{"/tasks/exit", "containerd.events.TaskExit", 2, 3, 4, 5},
	{"/tasks/delete", "containerd.events.TaskDelete", 5, 2, 3, 4},
	{"/tasks/oom", "containerd.events.TaskOOM", 0, 0, 0, 0},
	{"/tasks/exec-added", "containerd.events.TaskExecAdded", 2, 0, 0, 0},
	{"/tasks/exec-started", "containerd.events.TaskExecStarted", 2, 3, 0, 0},
	{"/tasks/paused", "containerd.events.TaskPaused", 0, 0, 0, 0},
	{"/tasks/resumed", "containerd.events.TaskResumed", 0, 0, 0, 0},
	{"/tasks/checkpointed", "containerd.events.TaskCheckpointed", 0, 0, 0, 0},
};

static const struct sink_event *sink_find_event(const struct wire_field *topic)
{
	for (size_t i = 0; i < sizeof(sink_events) / sizeof(sink_events[0]); i++) {
		const char *name = sink_events[i].topic;

		if (strlen(name) == topic->size && memcmp(name, topic->data, topic->size) == 0)
			return &sink_events[i];
	}
	return NULL;
}

static bool sink_is(const struct wire_field *field, const char *text)
{
	return field->data && field->size == strlen(text) &&
	       memcmp(field->data, text, field->size) == 0;
}

static void sink_print_text(const char *label, const struct wire_field *message, uint32_t number)
{
	struct wire_field field;

	if (number && wire_find(message->data, message->size, number, &field) && field.data)
		printf(" %s%.*s", label, (int)field.size, (const char *)field.data);
}

static void sink_print_uint(const char *label, const struct wire_field *message, uint32_t number)
{
	struct wire_field field = {0};

	if (!number)
		return;
	wire_find(message->data, message->size, number, &field);
	printf(" %s%llu", label, (unsigned long long)field.value);
}

static void sink_print_time(const struct wire_field *message, uint32_t number)
{
	struct wire_field time = {0}, seconds = {0};

	if (!number || !wire_find(message->data, message->size, number, &time))
		return;
	wire_find(time.data, time.size, 1, &seconds);
	printf(" at=%lld", (long long)seconds.value);
}

/* NULL or what is wrong with the envelope. */
static const char *sink_print(const struct wire_field *envelope)
{
	const struct sink_event *event;
	struct wire_field time, seconds, namespace, topic, any, type, value;

	if (!wire_find(envelope->data, envelope->size, 1, &time) ||
	    !wire_find(time.data, time.size, 1, &seconds) || !seconds.value)
		return "no timestamp";
	if (!wire_find(envelope->data, envelope->size, 2, &namespace) || !namespace.size)
		return "no namespace";
	if (!wire_find(envelope->data, envelope->size, 3, &topic))
		return "no topic";
	event = sink_find_event(&topic);
	if (!event)
		return "unknown topic";
	if (!wire_find(envelope->data, envelope->size, 4, &any) ||
	    !wire_find(any.data, any.size, 1, &type) || !sink_is(&type, event->type))
		return "wrong type";
	if (!wire_find(any.data, any.size, 2, &value))
		return "no value";
	printf("%s %.*s", event->topic, (int)namespace.size, (const char *)namespace.data);
	sink_print_text("", &value, 1);
	sink_print_text("id=", &value, event->id);
	sink_print_uint("pid=", &value, event->pid);
	sink_print_uint("status=", &value, event->status);
	sink_print_time(&value, event->at);
	putchar('\n');
	return NULL;
}

static const char *sink_take(const struct wire_frame *frame)
{
	const struct wire_buffer *request = &frame->payload;
	struct wire_field service, method, payload, envelope;

	if (frame->type != WIRE_REQUEST || !(frame->stream & 1))
		return "not a request";
	if (!wire_find(request->data, request->size, 1, &service) ||
	    !sink_is(&service, "containerd.services.events.ttrpc.v1.Events") ||
	    !wire_find(request->data, request->size, 2, &method) || !sink_is(&method, "Forward"))
		return "not Forward";
	if (!wire_find(request->data, request->size, 3, &payload) ||
	    !wire_find(payload.data, payload.size, 1, &envelope))
		return "no envelope";
	return sink_print(&envelope);
}

static int sink_answer(int fd)
{
	struct wire_frame frame;
	struct wire_buffer status = {0}, response = {0};
	const char *reason;
	int r = wire_receive(fd, &frame);

	if (r < 0)
		return r;
	reason = sink_take(&frame);
	if (reason) {
		printf("bad: %s\n", reason);
		wire_put_uint(&status, 1, 3);
		wire_put_string(&status, 2, reason);
		wire_put_bytes(&response, 1, status.data, status.size);
	}
	fflush(stdout);
	r = wire_send(fd, frame.stream, WIRE_RESPONSE, &response);
	wire_deinit(&frame.payload);
	wire_deinit(&status);
	wire_deinit(&response);
	return r;
}

static int sink_listen(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
		return -1;
	strcpy(address.sun_path, path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 64) < 0)
		return -1;
	return fd;
}

static void sink_run(int listener)
{
	struct pollfd polls[1 + SINK_CONNECTIONS_MAX] = {{.fd = listener, .events = POLLIN}};
	nfds_t n = 1;

	while (poll(polls, n, -1) >= 0 || errno == EINTR) {
		for (nfds_t i = n - 1; i > 0; i--) {
			if (!polls[i].revents || sink_answer(polls[i].fd) == 0)
				continue;
			close(polls[i].fd);
			polls[i] = polls[--n];
		}
		if (polls[0].revents & POLLIN) {
			polls[n] = (struct pollfd){.fd = accept(listener, NULL, NULL),
						   .events = POLLIN};
			if (polls[n].fd >= 0)
				n++;
		}
		polls[0].events = n <= SINK_CONNECTIONS_MAX ? POLLIN : 0;
	}
}

int main(int argc, char **argv)
{
	int listener;

	if (argc != 2) {
		fputs("usage: sink PATH\n", stderr);
		return 2;
	}
	listener = sink_listen(argv[1]);
	if (listener < 0) {
		perror(argv[1]);
		return 1;
	}
	sink_run(listener);
	return 1;
}
