/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's side. A slot is one call, stream or connection under way; what it is this time comes
 * from its number, and where it ends the slot begins with the next number, until none is left.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test/soak/soak.h"

#define CONNECTIONS 4
#define SLOTS 256 /* of all connections */
#define CONNECT_SLOTS 32

struct slot {
	struct load *load;
	struct ttrpc_client *client;
	struct ttrpc_cancel cancel;
	enum ttrpc_code expected;
	uint64_t number;
	unsigned got, expected_messages;
	bool starting;
};

static struct slot slots[SLOTS];
static struct ttrpc_client *clients[CONNECTIONS];

static void load_dispatch(struct load *load)
{
	int error = ttrpc_loop_dispatch(&load->loop, -1);

	if (error < 0)
		soak_fail("the loop fails: %s", strerror(-error));
}

int load_connect(const struct load *load)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	SOAK_CHECK(fd >= 0);
	if (connect(fd, (const struct sockaddr *)&load->name, load->name_size) < 0)
		soak_fail("connect: %s", strerror(errno));
	return fd;
}

static struct ttrpc_client *client_new(struct load *load, int fd)
{
	struct ttrpc_client *client;
	struct ttrpc_limits limits;

	SOAK_CHECK(ttrpc_client_new(&load->loop, fd, &client) == 0);
	ttrpc_limits_init(&limits);
	limits.message = SOAK_MESSAGE_MAX;
	limits.write_queue = TTRPC_CLIENT_QUEUE_MAX;
	SOAK_CHECK(ttrpc_client_set_limits(client, &limits) == 0);
	return client;
}

/* False: there is nothing more to start. */
static bool slot_take(struct slot *slot)
{
	struct load *load = slot->load;

	if (load->left == 0)
		return false;
	slot->number = --load->left;
	slot->expected = TTRPC_OK;
	slot->got = slot->expected_messages = 0;
	load->under_way++;
	return true;
}

static void slot_judge(struct slot *slot, const struct ttrpc_status *status)
{
	if (status->code != slot->expected)
		soak_fail("number %llu ended with code %d instead of %d: %s",
			  (unsigned long long)slot->number, status->code, slot->expected,
			  status->text);
	slot->load->under_way--;
	slot->load->ended++;
}

static void load_run(struct load *load, uint64_t n, unsigned n_slots,
		     void (*start)(struct slot *slot))
{
	load->left = n;
	load->ended = 0;
	for (unsigned i = 0; i < n_slots; i++) {
		slots[i] = (struct slot){.load = load, .client = clients[i % CONNECTIONS]};
		start(&slots[i]);
	}
	while (load->under_way > 0)
		load_dispatch(load);
	SOAK_CHECK(load->left == 0 && load->ended == n);
}

static void load_with_clients(struct load *load, uint64_t n, void (*start)(struct slot *slot))
{
	for (int i = 0; i < CONNECTIONS; i++)
		clients[i] = client_new(load, load_connect(load));
	load_run(load, n, SLOTS, start);
	for (int i = 0; i < CONNECTIONS; i++)
		clients[i] = ttrpc_client_free(clients[i]);
}

/* ---- calls ---- */

struct kind {
	enum soak_method method;
	enum ttrpc_code code;
	size_t size;      /* of the request's value */
	uint64_t timeout; /* ns; 0: none */
};

/* Out of 1024 calls; all others are echoes of less than a kilobyte. */
static const struct kind kinds[] = {
	{SOAK_FAIL, TTRPC_NOT_FOUND, 10, 0},
	{SOAK_LARGE, TTRPC_RESOURCE_EXHAUSTED, 10, 0},
	{SOAK_ECHO, TTRPC_RESOURCE_EXHAUSTED, SOAK_MESSAGE_MAX, 0},
	{SOAK_PARK, TTRPC_DEADLINE_EXCEEDED, 10, 1000000},
	{SOAK_UNKNOWN, TTRPC_UNIMPLEMENTED, 10, 0},
	{SOAK_ECHO, TTRPC_OK, 50000, 60000000000u},
	{SOAK_ECHO, TTRPC_CANCELLED, 10, 0},
};

static struct kind kind_of(uint64_t number)
{
	size_t index = number % 1024;

	if (index < sizeof(kinds) / sizeof(kinds[0]))
		return kinds[index];
	return (struct kind){SOAK_ECHO, TTRPC_OK, index < 16 ? 900 : index % 64,
			     index % 8 ? 0 : 60000000000u};
}

static Google__Protobuf__Any message_of(size_t size)
{
	static uint8_t bytes[SOAK_MESSAGE_MAX];
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;

	any.value.data = bytes;
	any.value.len = size;
	return any;
}

static void call_start(struct slot *slot);

static void call_done(void *userdata, const struct ttrpc_status *status,
		      const ProtobufCMessage *response)
{
	struct slot *slot = userdata;
	const Google__Protobuf__Any *any = (const Google__Protobuf__Any *)(const void *)response;

	slot_judge(slot, status);
	SOAK_CHECK(!any || any->value.len == kind_of(slot->number).size);
	/* One that is cancelled ends within its start, which goes on by itself. */
	if (!slot->starting)
		call_start(slot);
}

static void call_start(struct slot *slot)
{
	static const struct ttrpc_pair pairs[] = {{"trace", "0123456789"}, {"other", "x"}};

	while (slot_take(slot)) {
		struct kind kind = kind_of(slot->number);
		const Google__Protobuf__Any any = message_of(kind.size);
		const struct ttrpc_options options = {
			.timeout = kind.timeout,
			.metadata = pairs,
			.n_metadata = slot->number % 16 ? 0 : 2,
			.cancel = &slot->cancel,
		};
		int error;

		slot->expected = kind.code;
		error = ttrpc_client_call(slot->client, &soak_service,
					  &soak_service.methods[kind.method], &options, &any.base,
					  call_done, slot);
		if (error < 0)
			soak_fail("a call can't be made: %s", strerror(-error));
		if (kind.code != TTRPC_CANCELLED)
			return;
		slot->starting = true;
		ttrpc_client_cancel(&slot->cancel);
		slot->starting = false;
	}
}

void load_calls(struct load *load, uint64_t n)
{
	load_with_clients(load, n, call_start);
}

/* ---- streams ---- */

static void stream_start(struct slot *slot);

/* Out of 8 streams the last one is abandoned with its first message. */
static int stream_message(struct ttrpc_stream *stream, const ProtobufCMessage *message)
{
	struct slot *slot = ttrpc_stream_userdata(stream);

	(void)message;
	slot->got++;
	if (slot->expected == TTRPC_CANCELLED)
		ttrpc_stream_cancel(stream);
	else if (slot->got == slot->expected_messages)
		ttrpc_stream_close_send(stream);
	return 0;
}

static void stream_ended(struct ttrpc_stream *stream, const struct ttrpc_status *status)
{
	struct slot *slot = ttrpc_stream_userdata(stream);

	slot_judge(slot, status);
	if (slot->got != slot->expected_messages)
		soak_fail("a stream had %u messages instead of %u", slot->got,
			  slot->expected_messages);
	stream_start(slot);
}

static const struct ttrpc_stream_events stream_events = {.message = stream_message,
							 .ended = stream_ended};

static enum soak_method stream_kind(struct slot *slot)
{
	switch (slot->number % 8) {
	case 0:
		slot->expected_messages = SOAK_COUNTED;
		return SOAK_COUNT;
	case 1:
		slot->expected_messages = 1;
		return SOAK_SUM;
	case 2:
		slot->expected = TTRPC_ABORTED;
		return SOAK_BREAK;
	case 3:
		slot->expected = TTRPC_CANCELLED;
		slot->expected_messages = 1;
		return SOAK_TALK;
	default:
		slot->expected_messages = 3;
		return SOAK_TALK;
	}
}

static void stream_start(struct slot *slot)
{
	const Google__Protobuf__Any any = message_of(slot->number % 64);
	const struct ttrpc_method *method;
	struct ttrpc_stream *stream;
	unsigned to_send;
	bool sends;
	int error;

	if (!slot_take(slot))
		return;
	method = &soak_service.methods[stream_kind(slot)];
	sends = method->flags & TTRPC_CLIENT_STREAM;
	error = ttrpc_stream_open(slot->client, &soak_service, method, NULL,
				  sends ? NULL : &any.base, &stream_events, NULL, slot, &stream);
	if (error < 0)
		soak_fail("a stream can't be opened: %s", strerror(-error));
	to_send = slot->expected_messages > 1 ? slot->expected_messages : 1;
	for (unsigned i = 0; sends && i < to_send && error == 0; i++)
		error = ttrpc_stream_send(stream, &any.base);
	if (error < 0)
		soak_fail("a message can't be sent: %s", strerror(-error));
	if (method == &soak_service.methods[SOAK_SUM])
		ttrpc_stream_close_send(stream);
}

void load_streams(struct load *load, uint64_t n)
{
	load_with_clients(load, n, stream_start);
}

/* ---- connections ---- */

static void connect_start(struct slot *slot);

static void connect_done(void *userdata, const struct ttrpc_status *status,
			 const ProtobufCMessage *response)
{
	struct slot *slot = userdata;

	(void)response;
	slot_judge(slot, status);
	if (slot->starting)
		return;
	ttrpc_client_free(slot->client);
	connect_start(slot);
}

/* Ones that come to nothing: silent, gone in the middle of a frame, gone with a call under way. */
static void connect_in_vain(struct slot *slot, int fd)
{
	const Google__Protobuf__Any any = message_of(10);

	slot->expected = TTRPC_UNAVAILABLE;
	slot->starting = true;
	if (slot->number % 8 == 0)
		SOAK_CHECK(ttrpc_client_call(slot->client, &soak_service,
					     &soak_service.methods[SOAK_PARK], NULL, &any.base,
					     connect_done, slot) == 0);
	else if (slot->number % 8 == 1)
		SOAK_CHECK(send(fd, "\0\0", 2, MSG_NOSIGNAL) == 2);
	ttrpc_client_free(slot->client);
	slot->starting = false;
	if (slot->number % 8 != 0)
		slot_judge(slot, &(struct ttrpc_status){.code = TTRPC_UNAVAILABLE});
}

static void connect_start(struct slot *slot)
{
	while (slot_take(slot)) {
		const Google__Protobuf__Any any = message_of(slot->number % 64);
		const struct ttrpc_method *echo = &soak_service.methods[SOAK_ECHO];
		int fd = load_connect(slot->load);

		slot->client = client_new(slot->load, fd);
		if (slot->number % 8 < 3) {
			connect_in_vain(slot, fd);
			continue;
		}
		SOAK_CHECK(ttrpc_client_call(slot->client, &soak_service, echo, NULL, &any.base,
					     connect_done, slot) == 0);
		return;
	}
}

void load_connects(struct load *load, uint64_t n)
{
	load_run(load, n, CONNECT_SLOTS, connect_start);
}
