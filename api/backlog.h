/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_BACKLOG_H
#define API_BACKLOG_H
/*
 * The events that wait to be published: a queue that keeps their order and has two limits. Over a
 * limit something must go: first what nobody's bookkeeping depends on (TaskOOM, paused, resumed),
 * the oldest of those first, then the oldest event. An event is one block of memory with its
 * encoded message, so that nothing of the caller's is needed later.
 */
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BACKLOG_EVENTS_MAX 2048u     /* events; above: one is evicted */
#define BACKLOG_BYTES_MAX (1u << 20) /* bytes of all events; above: as many as needed are evicted */

struct backlog_event {
	struct backlog_event *next;
	int64_t seconds; /* CLOCK_REALTIME, when it was made */
	int32_t nanos;
	const char *type_url; /* static */
	size_t topic_size;    /* with its end */
	size_t size;
	unsigned char bytes[]; /* topic, then the encoded message */
};

struct backlog {
	struct backlog_event *first, **last; /* last: where the next one is to be hung */
	size_t n_events, n_bytes;
};

void backlog_init(struct backlog *backlog);
void backlog_deinit(struct backlog *backlog); /* frees what waits */

/* With room for a message of size encoded bytes, which the caller puts at backlog_event_value(). */
int backlog_event_new(const char *topic, const char *type_url, size_t size,
		      struct backlog_event **ret_event);
/* Returns NULL; takes NULL. */
struct backlog_event *backlog_event_free(struct backlog_event *event);

static inline char *backlog_event_topic(struct backlog_event *event)
{
	return (char *)event->bytes;
}

static inline unsigned char *backlog_event_value(struct backlog_event *event)
{
	return event->bytes + event->topic_size;
}

/* What it counts towards BACKLOG_BYTES_MAX. */
static inline size_t backlog_event_cost(const struct backlog_event *event)
{
	return sizeof(*event) + event->topic_size + event->size;
}

void backlog_append(struct backlog *backlog, struct backlog_event *event); /* takes it */
/* The first, now the caller's, or NULL. */
struct backlog_event *backlog_shift(struct backlog *backlog);

/*
 * What must go while a limit is passed, now the caller's; NULL: nothing. pinned: the first is being
 * sent and stays.
 */
struct backlog_event *backlog_evict(struct backlog *backlog, bool pinned);

#endif
