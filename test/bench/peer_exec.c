/* SPDX-License-Identifier: Apache-2.0 */
/* One more process in a container, from Exec to Delete, as a client has containerd do it. */
#include <stdio.h>
#include <string.h>

#include "test/bench/peer.h"

#define SPEC_TYPE "types.containerd.io/opencontainers/runtime-spec/1/Process"
#define TERMINAL_TEXT(terminal) ((terminal) ? "true" : "false")

static int put_spec(struct wire_message *request, const char *args, bool terminal)
{
	struct wire_message spec = {.size = 0};
	int length =
		snprintf((char *)spec.bytes, sizeof(spec.bytes),
			 "{\"terminal\": %s, \"user\": {\"uid\": 0, \"gid\": 0}, \"args\": %s, "
			 "\"env\": [\"PATH=/bin\"], \"cwd\": \"/\", \"noNewPrivileges\": true}",
			 TERMINAL_TEXT(terminal), args);

	if (length < 0 || (size_t)length >= sizeof(spec.bytes))
		return -1;
	spec.size = (size_t)length;
	wire_put_any(request, 7, SPEC_TYPE, &spec);
	return 0;
}

static int ask(struct peer_task *task, const char *exec_id, const char *args, bool terminal)
{
	struct wire_message request = {.size = 0};
	struct wire_reply reply;

	wire_put_string(&request, 1, task->id);
	wire_put_string(&request, 2, exec_id);
	wire_put_number(&request, 3, terminal);
	if (terminal)
		wire_put_string(&request, 4, task->bundle.fifos[BUNDLE_STDIN]);
	wire_put_string(&request, 5, task->bundle.fifos[BUNDLE_STDOUT]);
	if (!terminal)
		wire_put_string(&request, 6, task->bundle.fifos[BUNDLE_STDERR]);
	if (put_spec(&request, args, terminal) < 0)
		return peer_fail(task, "Exec: arguments of %zu bytes", strlen(args));
	return peer_call(task, "Exec", &request, &reply);
}

int peer_exec(struct peer_task *task, const char *exec_id, const char *args, bool terminal)
{
	struct wire_message request = {.size = 0};
	struct wire_reply reply;
	uint64_t status = 0;

	if (ask(task, exec_id, args, terminal) < 0)
		return -1;
	wire_put_string(&request, 1, task->id);
	wire_put_string(&request, 2, exec_id);
	if (peer_call(task, "Start", &request, &reply) < 0 ||
	    peer_call(task, "Wait", &request, &reply) < 0)
		return -1;
	wire_get_number(reply.payload, reply.size, 1, &status);
	if (status != 0)
		return peer_fail(task, "exit status %u of %s", (unsigned int)status, exec_id);
	return peer_call(task, "Delete", &request, &reply);
}
