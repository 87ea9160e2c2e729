/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that block: the call is started as any other, and then the connection's steps are run from
 * poll(2) on its descriptor alone until the call has ended. For small programs; nothing else of a
 * loop runs meanwhile but this client's other calls.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "ttrpc/client.h"
#include "ttrpc/view.h"

struct waiting {
	struct ttrpc_client *client;
	struct ttrpc_status *status;
	ProtobufCMessage *response;
	bool lend, ended;
};

/* The frame goes, the caller stays. */
static void keep_details(struct ttrpc_client *client, struct ttrpc_status *status)
{
	const void *details = status->details;
	size_t size = status->details_size;

	free(client->details);
	client->details = size > 0 ? malloc(size) : NULL;
	if (client->details)
		memcpy(client->details, details, size);
	status->details = client->details;
	status->details_size = client->details ? size : 0;
}

static void waiting_done(void *userdata, const struct ttrpc_status *status,
			 const ProtobufCMessage *response)
{
	struct waiting *waiting = userdata;

	*waiting->status = *status;
	keep_details(waiting->client, waiting->status);
	/* It was decoded for the caller, who may do with it what he likes. */
	waiting->response = (ProtobufCMessage *)(uintptr_t)response;
	waiting->ended = true;
	if (response && waiting->lend) {
		struct ttrpc_client *client = waiting->client;

		client->lends = true;
		client->lent = frame_reader_take(&client->conn.reader, &client->lent_size);
	}
}

static int poll_timeout(uint64_t deadline)
{
	uint64_t now, wait;

	if (!deadline)
		return -1;
	now = ttrpc_now();
	if (deadline <= now)
		return 0;
	wait = (deadline - now - 1) / 1000000 + 1;
	return wait > INT_MAX ? INT_MAX : (int)wait;
}

/* Whether system calls on the connection may wait: then one of them does for a poll and itself. */
static bool client_is_patient(struct ttrpc_client *client, uint64_t timeout)
{
	if (client->waits == CLIENT_UNKNOWN)
		client->waits =
			fcntl(client->conn.fd, F_GETFL) & O_NONBLOCK ? CLIENT_POLLS : CLIENT_BLOCKS;
	return client->waits == CLIENT_BLOCKS && timeout == 0;
}

/* Nothing but bytes, or the end, can come, and there is no end of the waiting. */
static bool client_may_receive(struct ttrpc_client *client, uint64_t deadline)
{
	const struct conn *conn = &client->conn;

	return conn_events(conn) == EPOLLIN && !conn->write_error && !conn->reader.stash &&
	       client_is_patient(client, deadline);
}

/*
 * A server that doesn't read as long as its answers aren't taken would never read a request that
 * waits in send; so there mustn't be any answer to come.
 */
static bool client_may_send(struct ttrpc_client *client, const struct ttrpc_options *options)
{
	for (unsigned i = 0; i < CLIENT_BUCKETS; i++)
		if (!list_empty(&client->calls[i]))
			return false;
	return !client->abandoned && !client->hooks &&
	       client_is_patient(client, options ? options->timeout : 0);
}

/* One wait for the connection; the events of poll(2) and epoll(7) have the same values. */
static void client_wait(struct ttrpc_client *client, uint64_t deadline)
{
	struct pollfd item = {
		.fd = client->conn.fd,
		.events = (short)conn_events(&client->conn),
	};
	int n = 1;

	client->conn.patient = client_may_receive(client, deadline);
	if (client->conn.write_error || client->conn.patient)
		item.revents = POLLIN;
	else
		n = poll(&item, 1, poll_timeout(deadline));
	if (n > 0)
		conn_step(&client->conn, (uint32_t)item.revents);
	else if (n < 0 && errno != EINTR)
		conn_break(&client->conn, -errno);
	client_check(client);
}

int ttrpc_client_call_sync(struct ttrpc_client *client, const struct ttrpc_service *service,
			   const struct ttrpc_method *method, const struct ttrpc_options *options,
			   const ProtobufCMessage *request, ProtobufCMessage **ret_response,
			   struct ttrpc_status *ret_status)
{
	struct waiting waiting = {
		.client = client,
		.status = ret_status,
		.lend = options && options->lend,
	};
	struct client_call *call;
	int error = -EBUSY;

	if (!client_is_inside(client)) {
		client->conn.patient = client_may_send(client, options);
		error = client_call_start(client, service, method, options, request,
					  waiting.lend ? view_unpack : arena_unpack_heap,
					  waiting_done, &waiting, &call);
		client->conn.patient = false;
	}
	if (error < 0) {
		status_format(ret_status, TTRPC_UNAVAILABLE, error, "%s", strerror(-error));
		return error;
	}
	client_enter(client);
	if (call->id == 0)
		client_call_expire(call);
	while (!waiting.ended) {
		uint64_t deadline = call->deadline;

		client_wait(client, deadline);
		if (!waiting.ended && deadline && ttrpc_now() >= deadline)
			client_call_expire(call);
	}
	client_leave(client);
	if (waiting.response)
		*ret_response = waiting.response;
	return ret_status->error;
}

int ttrpc_client_wait(struct ttrpc_client *client, uint64_t timeout)
{
	uint64_t deadline = timeout > 0 ? ttrpc_now() + timeout : 0;
	int error = 0;

	if (client->busy > 0)
		return -EBUSY;
	client_enter(client);
	while (!client->closed && error == 0) {
		client_wait(client, deadline);
		if (!client->closed && deadline && ttrpc_now() >= deadline)
			error = -ETIMEDOUT;
	}
	client_leave(client);
	return error;
}
