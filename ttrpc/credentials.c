/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials of a connected peer. The kernel noted them at connect time, so what the peer does to
 * itself afterwards, or whom it passes the socket to, changes nothing.
 */
#include "ttrpc/credentials.h"

#include <errno.h>
#include <sys/socket.h>

int credentials_of_peer(int fd, struct ucred *ret_peer)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return -errno;
	*ret_peer = peer;
	return 0;
}

bool credentials_allow(enum ttrpc_policy policy, uid_t uid, gid_t gid, const struct ucred *peer)
{
	switch (policy) {
	case TTRPC_POLICY_SAME_USER:
		return peer->uid == uid && peer->gid == gid;
	case TTRPC_POLICY_NONE:
		return true;
	}
	return false;
}
