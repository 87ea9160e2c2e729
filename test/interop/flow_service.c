/* SPDX-License-Identifier: Apache-2.0 */
/*
 * interop.Flow: flow.proto says what its methods do. What is sent here in one go is a few messages.
 */
#include <errno.h>
#include <stdlib.h>

#include "test/interop/probe.h"
#include "ttrpc/metadata.h"

static Interop__Item item(uint32_t seq, char *msg)
{
	Interop__Item made = INTEROP__ITEM__INIT;

	made.seq = seq;
	if (msg)
		made.msg = msg;
	return made;
}

static int values(struct interop_flow_values_server *stream, const Interop__Item *request)
{
	struct ttrpc_metadata *all;
	const char *value;
	int error = ttrpc_call_metadata_copy(interop_flow_values_server_call(stream), &all);

	if (error)
		return error;
	for (uint32_t n = 0; !error && (value = ttrpc_metadata_get_all(all, request->msg, n));
	     n++) {
		Interop__Item next = item(n, (char *)value);

		error = interop_flow_values_server_send(stream, &next);
	}
	ttrpc_metadata_free(all);
	return error ? error : interop_flow_values_close(stream);
}

static int fail(struct interop_flow_fail_server *stream, const Interop__Item *request)
{
	for (uint32_t seq = 0; seq < 2; seq++) {
		Interop__Item next = item(seq, NULL);
		int error = interop_flow_fail_server_send(stream, &next);

		if (error)
			return error;
	}
	return interop_flow_fail_fail(stream, (enum ttrpc_code)request->seq, "%s", request->msg);
}

static int hold_message(struct interop_flow_hold_server *stream, const Interop__Item *message)
{
	return interop_flow_hold_server_send(stream, message);
}

static void hold_half_closed(struct interop_flow_hold_server *stream)
{
	interop_flow_hold_close(stream);
}

static void hold_ended(struct interop_flow_hold_server *stream, const struct ttrpc_status *status)
{
	(void)stream;
	probe_cancelled += status->code != TTRPC_OK;
}

static int hold(struct interop_flow_hold_server *stream)
{
	static const struct interop_flow_hold_server_events events = {
		.message = hold_message,
		.half_closed = hold_half_closed,
		.ended = hold_ended,
	};

	probe_begun++;
	interop_flow_hold_accept(stream, &events, NULL);
	return 0;
}

static int fill(struct interop_flow_fill_server *stream, const Interop__Item *request)
{
	char *text;
	int error;

	if (request->seq < ITEM_OVERHEAD)
		return -EINVAL;
	text = probe_text(request->seq - ITEM_OVERHEAD);
	Interop__Item only = item(0, text);
	error = interop_flow_fill_server_send(stream, &only);
	free(text);
	if (error == -EMSGSIZE)
		return interop_flow_fill_fail(stream, TTRPC_RESOURCE_EXHAUSTED,
					      "a message of %u bytes", request->seq);
	return error ? error : interop_flow_fill_close(stream);
}

const struct interop_flow_handlers flow_handlers = {
	.values = values,
	.fail = fail,
	.hold = hold,
	.fill = fill,
};
