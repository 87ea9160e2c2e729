/* SPDX-License-Identifier: Apache-2.0 */
/* The queue of events: its order, and what goes when it is full. */
#include "api/backlog.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/events.pb-c.h"
#include "test/test.h"

static struct backlog_event *make(const char *topic, const char *id)
{
	Containerd__Events__TaskOOM message = CONTAINERD__EVENTS__TASK_OOM__INIT;
	struct backlog_event *event;

	message.container_id = (char *)(uintptr_t)id;
	ASSERT_EQ(backlog_event_new(topic, message.base.descriptor->name,
				    containerd__events__task_oom__get_packed_size(&message),
				    &event),
		  0);
	containerd__events__task_oom__pack(&message, backlog_event_value(event));
	return event;
}

static void check(struct backlog_event *event, const char *topic, const char *id)
{
	Containerd__Events__TaskOOM *message;

	ASSERT(event);
	ASSERT_STR(backlog_event_topic(event), topic);
	message =
		containerd__events__task_oom__unpack(NULL, event->size, backlog_event_value(event));
	ASSERT(message);
	ASSERT_STR(message->container_id, id);
	containerd__events__task_oom__free_unpacked(message, NULL);
	backlog_event_free(event);
}

TEST(keeps_the_order)
{
	struct backlog backlog;
	time_t now = time(NULL);

	backlog_init(&backlog);
	ASSERT(!backlog_shift(&backlog));
	backlog_append(&backlog, make("/tasks/create", "a"));
	backlog_append(&backlog, make("/tasks/start", "b"));
	ASSERT_EQ(backlog.n_events, 2);
	ASSERT_STR(backlog.first->type_url, "containerd.events.TaskOOM");
	ASSERT(backlog.first->seconds >= now - 1 && backlog.first->seconds <= now + 2);
	check(backlog_shift(&backlog), "/tasks/create", "a");
	backlog_append(&backlog, make("/tasks/exit", "c"));
	check(backlog_shift(&backlog), "/tasks/start", "b");
	check(backlog_shift(&backlog), "/tasks/exit", "c");
	ASSERT(!backlog_shift(&backlog));
	backlog_append(&backlog, make("/tasks/delete", "d"));
	ASSERT(!backlog_evict(&backlog, false));
	check(backlog_shift(&backlog), "/tasks/delete", "d");
	ASSERT_EQ(backlog.n_bytes, 0);
}

static void fill(struct backlog *backlog, unsigned n)
{
	while (n--)
		backlog_append(backlog, make("/tasks/exit", "filler"));
}

TEST(evicts_the_unimportant_first)
{
	struct backlog backlog;

	backlog_init(&backlog);
	backlog_append(&backlog, make("/tasks/create", "oldest"));
	backlog_append(&backlog, make("/tasks/oom", "oom"));
	fill(&backlog, BACKLOG_EVENTS_MAX - 3);
	backlog_append(&backlog, make("/tasks/paused", "paused"));
	ASSERT(!backlog_evict(&backlog, false));
	backlog_append(&backlog, make("/tasks/exit", "one"));
	check(backlog_evict(&backlog, false), "/tasks/oom", "oom");
	ASSERT(!backlog_evict(&backlog, false));
	backlog_append(&backlog, make("/tasks/exit", "two"));
	check(backlog_evict(&backlog, false), "/tasks/paused", "paused");
	backlog_append(&backlog, make("/tasks/resumed", "resumed"));
	check(backlog_evict(&backlog, false), "/tasks/resumed", "resumed");
	backlog_append(&backlog, make("/tasks/exit", "three"));
	check(backlog_evict(&backlog, false), "/tasks/create", "oldest");
	backlog_deinit(&backlog);
	ASSERT_EQ(backlog.n_events, 0);
}

TEST(never_evicts_what_is_being_sent)
{
	struct backlog backlog;

	backlog_init(&backlog);
	backlog_append(&backlog, make("/tasks/oom", "being sent"));
	backlog_append(&backlog, make("/tasks/create", "next"));
	fill(&backlog, BACKLOG_EVENTS_MAX - 1);
	check(backlog_evict(&backlog, true), "/tasks/create", "next");
	check(backlog_shift(&backlog), "/tasks/oom", "being sent");
	backlog_deinit(&backlog);
}

TEST(counts_bytes_too)
{
	enum { SIZE = 200000, FIT = 5 };
	char *id = malloc(SIZE + 1);
	struct backlog backlog;

	ASSERT(id);
	memset(id, 'x', SIZE);
	id[SIZE] = 0;
	backlog_init(&backlog);
	backlog_append(&backlog, make("/tasks/create", "small"));
	for (int i = 0; i < FIT; i++)
		backlog_append(&backlog, make("/tasks/exit", id));
	ASSERT(!backlog_evict(&backlog, false));
	backlog_append(&backlog, make("/tasks/delete", id));
	check(backlog_evict(&backlog, false), "/tasks/create", "small");
	check(backlog_evict(&backlog, false), "/tasks/exit", id);
	ASSERT(!backlog_evict(&backlog, false));
	backlog_deinit(&backlog);
	free(id);
}
