/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A singly linked list. To evict is a walk over at most BACKLOG_EVENTS_MAX events, at one publish
 * that finds the queue full, which happens after minutes without a daemon.
 */
#include "api/backlog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void backlog_init(struct backlog *backlog)
{
	*backlog = (struct backlog){.last = &backlog->first};
}

void backlog_deinit(struct backlog *backlog)
{
	struct backlog_event *event;

	while ((event = backlog_shift(backlog)))
		backlog_event_free(event);
}

int backlog_event_new(const char *topic, const char *type_url, size_t size,
		      struct backlog_event **ret_event)
{
	size_t topic_size = strlen(topic) + 1;
	struct backlog_event *event = malloc(sizeof(*event) + topic_size + size);
	struct timespec now;

	if (!event)
		return -ENOMEM;
	clock_gettime(CLOCK_REALTIME, &now);
	*event = (struct backlog_event){
		.seconds = now.tv_sec,
		.nanos = (int32_t)now.tv_nsec,
		.type_url = type_url,
		.topic_size = topic_size,
		.size = size,
	};
	memcpy(event->bytes, topic, topic_size);
	*ret_event = event;
	return 0;
}

struct backlog_event *backlog_event_free(struct backlog_event *event)
{
	free(event);
	return NULL;
}

void backlog_append(struct backlog *backlog, struct backlog_event *event)
{
	event->next = NULL;
	*backlog->last = event;
	backlog->last = &event->next;
	backlog->n_events++;
	backlog->n_bytes += backlog_event_cost(event);
}

static struct backlog_event *unlink_event(struct backlog *backlog, struct backlog_event **link)
{
	struct backlog_event *event = *link;

	*link = event->next;
	if (!event->next)
		backlog->last = link;
	event->next = NULL;
	backlog->n_events--;
	backlog->n_bytes -= backlog_event_cost(event);
	return event;
}

struct backlog_event *backlog_shift(struct backlog *backlog)
{
	return backlog->first ? unlink_event(backlog, &backlog->first) : NULL;
}

static bool is_minor(struct backlog_event *event)
{
	const char *topic = backlog_event_topic(event);

	return !strcmp(topic, "/tasks/oom") || !strcmp(topic, "/tasks/paused") ||
	       !strcmp(topic, "/tasks/resumed");
}

struct backlog_event *backlog_evict(struct backlog *backlog, bool pinned)
{
	struct backlog_event **begin = &backlog->first, **link;

	if (backlog->n_events <= BACKLOG_EVENTS_MAX && backlog->n_bytes <= BACKLOG_BYTES_MAX)
		return NULL;
	if (pinned && *begin)
		begin = &(*begin)->next;
	if (!*begin)
		return NULL;
	for (link = begin; *link; link = &(*link)->next)
		if (is_minor(*link))
			return unlink_event(backlog, link);
	return unlink_event(backlog, begin);
}
