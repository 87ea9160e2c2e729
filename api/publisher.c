/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The states are in publisher.h. A client is freed by nobody but the timer and deinit, never from
 * its own callbacks; so a connection's end always passes through paused, for no time at all if
 * nothing waits. Callbacks to the owner are the last thing that a function does, since they may
 * come back.
 */
#include "api/publisher.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "proto/events_service.ttrpc.h"

static void send_first(struct api_publisher *publisher);

int api_publisher_init(struct api_publisher *publisher, struct ttrpc_loop *loop,
		       const char *namespace_, void (*wanted)(void *userdata), void *userdata)
{
	*publisher = (struct api_publisher){
		.loop = loop,
		.namespace_ = namespace_,
		.wanted = wanted,
		.userdata = userdata,
		.call_timeout = API_PUBLISHER_CALL_TIMEOUT,
		.delay = API_PUBLISHER_DELAY_MIN,
	};
	backlog_init(&publisher->backlog);
	return 0;
}

void api_publisher_deinit(struct api_publisher *publisher)
{
	publisher->state = API_PUBLISHER_CLOSED;
	ttrpc_timer_clear(&publisher->timer);
	publisher->client = ttrpc_client_free(publisher->client);
	backlog_deinit(&publisher->backlog);
}

void api_publisher_on_idle(struct api_publisher *publisher, void (*idle)(void *userdata))
{
	publisher->idle = idle;
}

void api_publisher_on_drop(struct api_publisher *publisher, api_publisher_drop_fn dropped)
{
	publisher->dropped = dropped;
}

bool api_publisher_idle(const struct api_publisher *publisher)
{
	return publisher->backlog.n_events == 0;
}

/* Takes event. */
static void drop(struct api_publisher *publisher, struct backlog_event *event, const char *reason)
{
	publisher->n_dropped++;
	if (publisher->dropped)
		publisher->dropped(publisher->userdata, backlog_event_topic(event), reason,
				   publisher->n_dropped);
	backlog_event_free(event);
}

/* ---- the connection ---- */

static void want(struct api_publisher *publisher)
{
	publisher->state = API_PUBLISHER_WANTED;
	publisher->wanted(publisher->userdata);
}

/* Of a pause, or of the time that an idle connection is kept. */
static void time_over(struct ttrpc_timer *timer)
{
	struct api_publisher *publisher =
		(struct api_publisher *)((char *)timer - offsetof(struct api_publisher, timer));

	publisher->client = ttrpc_client_free(publisher->client);
	if (api_publisher_idle(publisher))
		publisher->state = API_PUBLISHER_CLOSED;
	else
		want(publisher);
}

static void pause_for(struct api_publisher *publisher, uint64_t delay)
{
	publisher->state = API_PUBLISHER_PAUSED;
	publisher->sending = false;
	ttrpc_timer_set(publisher->loop, &publisher->timer, ttrpc_now() + delay, time_over);
}

static void back_off(struct api_publisher *publisher, int error)
{
	uint64_t delay = publisher->delay;

	publisher->error = error;
	publisher->delay =
		2 * delay < API_PUBLISHER_DELAY_MAX ? 2 * delay : API_PUBLISHER_DELAY_MAX;
	pause_for(publisher, delay);
}

static void connection_closed(void *userdata, int error)
{
	struct api_publisher *publisher = userdata;

	/* Its call, if there was one, has been ended before, and has seen to it. */
	if (publisher->state != API_PUBLISHER_OPEN)
		return;
	publisher->error = error;
	pause_for(publisher, 0);
}

void api_publisher_attach(struct api_publisher *publisher, int fd)
{
	int result;

	if (publisher->state != API_PUBLISHER_WANTED) {
		close(fd);
		return;
	}
	result = ttrpc_client_new(publisher->loop, fd, &publisher->client);
	if (result < 0) {
		close(fd);
		back_off(publisher, result);
		return;
	}
	publisher->state = API_PUBLISHER_OPEN;
	publisher->error = 0;
	ttrpc_client_on_close(publisher->client, connection_closed, publisher);
	send_first(publisher);
}

void api_publisher_failed(struct api_publisher *publisher, int negative_errno)
{
	if (publisher->state == API_PUBLISHER_WANTED)
		back_off(publisher, negative_errno);
}

/* ---- the calls ---- */

/* Whether the daemon has not answered for the event, so that it has to be sent again. */
static bool is_unanswered(const struct ttrpc_status *status)
{
	return status->error || status->code == TTRPC_UNAVAILABLE ||
	       status->code == TTRPC_DEADLINE_EXCEEDED || status->code == TTRPC_CANCELLED;
}

static void answered(void *userdata, const struct ttrpc_status *status,
		     const Google__Protobuf__Empty *response)
{
	struct api_publisher *publisher = userdata;
	struct backlog_event *event;

	(void)response;
	if (publisher->state != API_PUBLISHER_OPEN)
		return;
	if (is_unanswered(status)) {
		back_off(publisher, status->error ? status->error : -ETIMEDOUT);
		return;
	}
	publisher->sending = false;
	publisher->delay = API_PUBLISHER_DELAY_MIN;
	event = backlog_shift(&publisher->backlog);
	if (status->code == TTRPC_OK)
		backlog_event_free(event);
	else
		drop(publisher, event, status->text);
	send_first(publisher);
}

static int forward(struct api_publisher *publisher, struct backlog_event *event)
{
	Containerd__Services__Events__Ttrpc__V1__ForwardRequest request =
		CONTAINERD__SERVICES__EVENTS__TTRPC__V1__FORWARD_REQUEST__INIT;
	Containerd__Services__Events__Ttrpc__V1__Envelope envelope =
		CONTAINERD__SERVICES__EVENTS__TTRPC__V1__ENVELOPE__INIT;
	Google__Protobuf__Timestamp timestamp = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	struct ttrpc_pair namespace_ = {"containerd-namespace-ttrpc", publisher->namespace_};
	struct ttrpc_options options = {
		.timeout = publisher->call_timeout,
		.metadata = &namespace_,
		.n_metadata = 1,
	};

	timestamp.seconds = event->seconds;
	timestamp.nanos = event->nanos;
	any.type_url = (char *)(uintptr_t)event->type_url;
	any.value = (ProtobufCBinaryData){event->size, backlog_event_value(event)};
	envelope.timestamp = &timestamp;
	envelope.namespace_ = (char *)(uintptr_t)publisher->namespace_;
	envelope.topic = backlog_event_topic(event);
	envelope.event = &any;
	request.envelope = &envelope;
	return containerd_services_events_ttrpc_v1_events_forward(publisher->client, &options,
								  &request, answered, publisher);
}

/* The connection is open and no call is under way. */
static void send_first(struct api_publisher *publisher)
{
	while (publisher->backlog.first) {
		int result = forward(publisher, publisher->backlog.first);

		if (result == -EMSGSIZE) {
			drop(publisher, backlog_shift(&publisher->backlog), "too large");
			continue;
		}
		if (result < 0) {
			back_off(publisher, result);
		} else {
			publisher->sending = true;
			ttrpc_timer_clear(&publisher->timer);
		}
		return;
	}
	ttrpc_timer_set(publisher->loop, &publisher->timer, ttrpc_now() + API_PUBLISHER_LINGER,
			time_over);
	if (publisher->idle)
		publisher->idle(publisher->userdata);
}

/* Takes event. */
static void enqueue(struct api_publisher *publisher, struct backlog_event *event)
{
	struct backlog_event *victim;

	if (backlog_event_cost(event) > BACKLOG_BYTES_MAX) {
		drop(publisher, event, "too large");
		return;
	}
	backlog_append(&publisher->backlog, event);
	while ((victim = backlog_evict(&publisher->backlog, publisher->sending)))
		drop(publisher, victim, "too many events wait");
	if (publisher->state == API_PUBLISHER_OPEN && !publisher->sending)
		send_first(publisher);
	else if (publisher->state == API_PUBLISHER_CLOSED && !api_publisher_idle(publisher))
		want(publisher);
}

int api_publisher_publish(struct api_publisher *publisher, const char *topic,
			  const ProtobufCMessage *message)
{
	struct backlog_event *event;
	int result = backlog_event_new(topic, message->descriptor->name,
				       protobuf_c_message_get_packed_size(message), &event);

	if (result < 0)
		return result;
	protobuf_c_message_pack(message, backlog_event_value(event));
	enqueue(publisher, event);
	return 0;
}

int api_publisher_publish_packed(struct api_publisher *publisher, const char *topic,
				 const char *type_url, const void *bytes, size_t size)
{
	struct backlog_event *event;
	int result = backlog_event_new(topic, type_url, size, &event);

	if (result < 0)
		return result;
	memcpy(backlog_event_value(event), bytes, size);
	enqueue(publisher, event);
	return 0;
}
