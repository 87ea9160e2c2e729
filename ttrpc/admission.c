/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lies between accept and a connection: the policy, the limits, and, where the policy has one,
 * a handshake. A connection in its handshake counts as one, so that nobody can have more of them
 * than connections; other accepts don't wait for it. What works with handshakes is in handshake.c.
 */
#include <errno.h>
#include <unistd.h>

#include "ttrpc/credentials.h"
#include "ttrpc/server.h"

void admission_refuse(struct ttrpc_server *server)
{
	if (server->statistics)
		server->statistics->connections_refused++;
}

void admission_connect(struct ttrpc_server *server, int fd, const struct ucred *peer, void *data,
		       void (*release)(void *data))
{
	if (connection_new(server, fd, peer, data, release) < 0) {
		if (release)
			release(data);
		listeners_pause(server, true);
	} else if (server->n_connections + server->n_admissions >= server->limits.connections) {
		listeners_pause(server, false);
	}
}

static bool uid_has_room(const struct ttrpc_server *server, const struct ucred *peer)
{
	uint32_t limit = server->limits.connections_per_uid, n = 0;
	const struct list *link;

	if (limit == 0)
		return true;
	for (link = server->connections.next; link != &server->connections; link = link->next)
		n += container_of(link, const struct connection, link)->peer.uid == peer->uid;
	for (link = server->admissions.next; link != &server->admissions; link = link->next)
		n += container_of(link, const struct admission, link)->peer.uid == peer->uid;
	return n < limit;
}

void admit(struct ttrpc_server *server, int fd)
{
	struct ucred peer;

	if (!policy_admits(&server->policy, fd, &peer) || !uid_has_room(server, &peer)) {
		close(fd);
		admission_refuse(server);
	} else if (!server->policy.handshake) {
		admission_connect(server, fd, &peer, NULL, NULL);
	} else if (admission_handshake) {
		admission_handshake(server, fd, &peer);
	} else {
		close(fd);
		admission_refuse(server);
	}
}

int ttrpc_server_adopt(struct ttrpc_server *server, int fd)
{
	static const struct ttrpc_policy nobody_is_asked = {.allow = NULL};
	struct ucred peer;

	policy_admits(&nobody_is_asked, fd, &peer);
	return connection_new(server, fd, &peer, NULL, NULL);
}
