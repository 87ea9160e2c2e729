/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many connections at once, all of them idle but for one call now and then. Sockets without a client
 * object: what is looked at is the server.
 */
#include <errno.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test/soak/soak.h"

#define DESCRIPTORS_BESIDE 100 /* of a process, beside the connections */

static const uint8_t echo_request[] = "\0\0\0\x11\0\0\0\x01\x01\0\x0a\x09test.Soak\x12\x04"
				      "Echo";

bool crowd_is_possible(unsigned n)
{
	struct rlimit limit;

	SOAK_CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	if (limit.rlim_max < n + DESCRIPTORS_BESIDE)
		return false;
	limit.rlim_cur = limit.rlim_max;
	SOAK_CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	return true;
}

void crowd_call(const int *fds, unsigned n, uint32_t id)
{
	uint8_t request[sizeof(echo_request) - 1], answer[16];

	memcpy(request, echo_request, sizeof(request));
	request[6] = (uint8_t)(id >> 8);
	request[7] = (uint8_t)id;
	for (unsigned i = 0; i < n; i++)
		SOAK_CHECK(send(fds[i], request, sizeof(request), MSG_NOSIGNAL) ==
			   (ssize_t)sizeof(request));
	for (unsigned i = 0; i < n; i++) {
		/* An empty message is answered with a header alone. */
		SOAK_CHECK(recv(fds[i], answer, sizeof(answer), 0) == 10);
		SOAK_CHECK(answer[3] == 0 && answer[7] == request[7] && answer[8] == 2);
	}
}

int *crowd_come(const struct load *load, unsigned n)
{
	int *fds = calloc(n, sizeof(*fds));

	SOAK_CHECK(fds);
	for (unsigned i = 0; i < n; i++)
		fds[i] = load_connect(load);
	return fds;
}

void crowd_go(int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		close(fds[i]);
	free(fds);
}
