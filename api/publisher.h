/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_PUBLISHER_H
#define API_PUBLISHER_H
/*
 * Sends events to containerd, in the order in which they were published, each until containerd has
 * answered for it. The process that has the publisher may not connect: it asks somebody else.
 *
 *   closed    nothing waits, no connection
 *   wanted    events wait; wanted() was called, and attach() or failed() will answer it
 *   paused    events wait; a timer runs until the next wanted(), 0.1 to 5 s, doubling
 *   open      a connection; one Forward is under way, or nothing waits and a timer runs to its end
 *
 * One call at a time, since a daemon runs the calls of a connection beside each other and only the
 * answer says that an event has its place. A call that no answer came to (5 s, or the connection's
 * end) is made again on a new connection, so after a failure an event may come twice, never out of
 * order. An answer that refuses an event drops it. The connection stays open for a moment, because
 * events come in bursts; then it is closed, and no timer is set any more. Measured with containerd
 * 2.4.2 and 200 shims, an idle one costs the daemon 23 kB (two goroutines, two buffers, what its
 * collector adds), this process 10, and the kernel two sockets.
 *
 * No callback may call deinit, and dropped() may not publish.
 */
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/backlog.h"
#include "ttrpc/ttrpc.h"

/*
 * Nanoseconds: for an answer (above: again, on a new connection), between two wanted(), and that a
 * connection stays open while nothing waits.
 */
#define API_PUBLISHER_CALL_TIMEOUT 5000000000u
#define API_PUBLISHER_DELAY_MIN 100000000u
#define API_PUBLISHER_DELAY_MAX 5000000000u
#define API_PUBLISHER_LINGER 200000000u

/* reason: why, for a log. total: dropped since init, this one included. */
typedef void (*api_publisher_drop_fn)(void *userdata, const char *topic, const char *reason,
				      uint64_t total);

struct api_publisher {
	struct ttrpc_loop *loop;
	const char *namespace_;
	void (*wanted)(void *userdata);
	void (*idle)(void *userdata);
	api_publisher_drop_fn dropped;
	void *userdata;

	enum api_publisher_state {
		API_PUBLISHER_CLOSED,
		API_PUBLISHER_WANTED,
		API_PUBLISHER_PAUSED,
		API_PUBLISHER_OPEN,
	} state;
	bool sending; /* the backlog's first */
	struct backlog backlog;
	struct ttrpc_client *client; /* when paused: a failed one, until the timer frees it */
	struct ttrpc_timer timer;    /* paused, or open and nothing waits */
	uint64_t call_timeout;       /* API_PUBLISHER_CALL_TIMEOUT; may be set after init */
	uint64_t delay;              /* of the next pause */
	uint64_t n_dropped;
	int error; /* why there was no connection the last time; 0: there was one */
};

/* loop and namespace_ must outlive it. wanted() is told userdata, as are the other callbacks. */
int api_publisher_init(struct api_publisher *publisher, struct ttrpc_loop *loop,
		       const char *namespace_, void (*wanted)(void *userdata), void *userdata);
void api_publisher_deinit(struct api_publisher *publisher); /* forgets what waits */

/* Called in the loop when the last event was answered or dropped; NULL unsets. */
void api_publisher_on_idle(struct api_publisher *publisher, void (*idle)(void *userdata));
void api_publisher_on_drop(struct api_publisher *publisher, api_publisher_drop_fn dropped);

/*
 * Takes the time now and a copy of event, whose type's full name becomes its type_url. May call
 * wanted() and dropped(). -ENOMEM: not published.
 */
int api_publisher_publish(struct api_publisher *publisher, const char *topic,
			  const ProtobufCMessage *event);

/* The same for a message that is encoded already; type_url is not copied and must be static. */
int api_publisher_publish_packed(struct api_publisher *publisher, const char *topic,
				 const char *type_url, const void *bytes, size_t size);

/*
 * The answers to wanted(), from within it or later. fd: a connected non-blocking stream socket to
 * containerd's ttrpc, taken in any case; one that nobody asked for is closed.
 */
void api_publisher_attach(struct api_publisher *publisher, int fd);
void api_publisher_failed(struct api_publisher *publisher, int negative_errno);

bool api_publisher_idle(const struct api_publisher *publisher); /* nothing waits */

#endif
