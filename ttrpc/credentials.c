/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials of a connected peer. The kernel noted them at connect time, so what the peer does to
 * itself afterwards, or whom it passes the socket to, changes nothing.
 */
#include "ttrpc/credentials.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANY_UID ((uid_t)-1)
#define ANY_GID ((gid_t)-1)

const struct ttrpc_policy ttrpc_policy_same_user = {.allow = ttrpc_allow_same_user};
const struct ttrpc_policy ttrpc_policy_root = {.allow = ttrpc_allow_ids};
const struct ttrpc_policy ttrpc_policy_none = {.allow = NULL};

/* A socket that isn't of the unix domain has a peer of uid and gid -1: nobody knows who it is. */
bool ttrpc_allow_ids(const struct ttrpc_policy *policy, const struct ucred *peer)
{
	if (peer->uid == ANY_UID || peer->gid == ANY_GID)
		return false;
	return (policy->uid == ANY_UID || peer->uid == policy->uid) &&
	       (policy->gid == ANY_GID || peer->gid == policy->gid);
}

bool ttrpc_allow_same_user(const struct ttrpc_policy *policy, const struct ucred *peer)
{
	return peer->uid == policy->uid && peer->gid == policy->gid;
}

struct ttrpc_policy policy_bind(const struct ttrpc_policy *policy)
{
	struct ttrpc_policy bound = *policy;

	if (bound.allow == ttrpc_allow_same_user) {
		bound.uid = geteuid();
		bound.gid = getegid();
	}
	return bound;
}

bool policy_admits(const struct ttrpc_policy *policy, int fd, struct ucred *ret_peer)
{
	struct ucred peer = {.uid = ANY_UID, .gid = ANY_GID};
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		peer = (struct ucred){.uid = ANY_UID, .gid = ANY_GID};
	if (policy->allow && !policy->allow(policy, &peer))
		return false;
	*ret_peer = peer;
	return true;
}
