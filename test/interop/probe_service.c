/* SPDX-License-Identifier: Apache-2.0 */
/*
 * interop.Probe: probe.proto says what its methods do.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test/interop/probe.h"
#include "ttrpc/metadata.h"

uint32_t probe_begun, probe_cancelled;

static int reply(struct ttrpc_call *call, uint32_t seq, char *msg)
{
	Interop__Item response = INTEROP__ITEM__INIT;

	response.seq = seq;
	if (msg)
		response.msg = msg;
	return ttrpc_reply(call, &response.base);
}

static int echo(struct ttrpc_call *call, const Interop__Item *request)
{
	return reply(call, request->seq + 1, request->msg);
}

static int nothing(struct ttrpc_call *call, const Interop__Item *request)
{
	(void)request;
	return reply(call, 0, NULL);
}

static int metadata(struct ttrpc_call *call, const Interop__Item *request)
{
	struct ttrpc_metadata *all;
	const char *value;
	char joined[1024];
	size_t used = 0;
	uint32_t n = 0;
	int error;

	joined[0] = '\0';
	error = ttrpc_call_metadata_copy(call, &all);
	if (error)
		return error;
	while (used < sizeof(joined) && (value = ttrpc_metadata_get_all(all, request->msg, n)))
		used += (size_t)snprintf(joined + used, sizeof(joined) - used, "%s%s",
					 n++ ? "," : "", value);
	ttrpc_metadata_free(all);
	return reply(call, n, joined);
}

static int deadline(struct ttrpc_call *call, const Interop__Item *request)
{
	uint64_t at = ttrpc_call_deadline(call), now = ttrpc_now();
	uint64_t left = at > now ? (at - now) / 1000000 : 0;

	(void)request;
	return reply(call, at && left == 0 ? 1 : (uint32_t)left, NULL);
}

/* ---- Wait ---- */
struct wait {
	struct ttrpc_timer timer;
	struct ttrpc_call *call;
	struct wait *next, **place;
	uint32_t seq;
};

static struct wait *waits;

static void wait_free(struct wait *wait)
{
	ttrpc_timer_clear(&wait->timer);
	*wait->place = wait->next;
	if (wait->next)
		wait->next->place = wait->place;
	free(wait);
}

static void wait_cancelled(struct ttrpc_call *call, void *userdata)
{
	(void)call;
	probe_cancelled++;
	wait_free(userdata);
}

static void wait_over(struct ttrpc_timer *timer)
{
	struct wait *wait = (struct wait *)((char *)timer - offsetof(struct wait, timer));

	reply(wait->call, wait->seq, NULL);
	wait_free(wait);
}

static int wait_begin(struct ttrpc_call *call, const Interop__Item *request)
{
	struct ttrpc_loop *loop = ttrpc_call_userdata(call);
	struct wait *wait = calloc(1, sizeof(*wait));

	if (!wait)
		return -ENOMEM;
	wait->call = call;
	wait->seq = request->seq;
	wait->next = waits;
	wait->place = &waits;
	if (waits)
		waits->place = &wait->next;
	waits = wait;
	probe_begun++;
	ttrpc_timer_set(loop, &wait->timer, ttrpc_now() + request->seq * UINT64_C(1000000),
			wait_over);
	ttrpc_call_take(call, wait_cancelled, wait);
	return 0;
}

static int cancelled(struct ttrpc_call *call, const Interop__Item *request)
{
	char begun[16];

	(void)request;
	snprintf(begun, sizeof(begun), "%u", probe_begun);
	return reply(call, probe_cancelled, begun);
}

static int fail(struct ttrpc_call *call, const Interop__Item *request)
{
	return ttrpc_fail(call, (enum ttrpc_code)request->seq, "%s", request->msg);
}

/* ---- Meet ---- */
static struct meeting {
	struct ttrpc_call *call;
	char *msg;
} meeting[MANY];

static uint32_t n_meeting;

static void meet_cancelled(struct ttrpc_call *call, void *userdata)
{
	(void)userdata;
	for (uint32_t i = 0; i < n_meeting; i++)
		if (meeting[i].call == call) {
			free(meeting[i].msg);
			meeting[i] = meeting[--n_meeting];
			return;
		}
}

static int meet(struct ttrpc_call *call, const Interop__Item *request)
{
	char *msg;

	if (request->seq > MANY || n_meeting == MANY)
		return ttrpc_fail(call, TTRPC_OUT_OF_RANGE, "at most %u", MANY);
	msg = strdup(request->msg);
	if (!msg)
		return -ENOMEM;
	ttrpc_call_take(call, meet_cancelled, NULL);
	meeting[n_meeting++] = (struct meeting){call, msg};
	if (n_meeting < request->seq)
		return 0;
	for (; n_meeting > 0; free(meeting[n_meeting].msg)) {
		n_meeting--;
		reply(meeting[n_meeting].call, request->seq, meeting[n_meeting].msg);
	}
	return 0;
}

static int size(struct ttrpc_call *call, const Interop__Item *request)
{
	return reply(call, (uint32_t)strlen(request->msg), NULL);
}

static int fill(struct ttrpc_call *call, const Interop__Item *request)
{
	char *text;
	int error;

	if (request->seq < ITEM_OVERHEAD + RESPONSE_OVERHEAD)
		return -EINVAL;
	text = probe_text(request->seq - ITEM_OVERHEAD - RESPONSE_OVERHEAD);
	error = reply(call, 0, text);
	free(text);
	return error;
}

static int stop(struct ttrpc_call *call, const Interop__Item *request)
{
	(void)request;
	kill(getpid(), SIGTERM);
	return reply(call, 0, NULL);
}

static int die(struct ttrpc_call *call, const Interop__Item *request)
{
	(void)call;
	(void)request;
	_exit(9);
}

const struct interop_probe_handlers probe_handlers = {
	.echo = echo,
	.nothing = nothing,
	.metadata = metadata,
	.deadline = deadline,
	.wait = wait_begin,
	.cancelled = cancelled,
	.fail = fail,
	.meet = meet,
	.size = size,
	.fill = fill,
	.stop = stop,
	.die = die,
};
