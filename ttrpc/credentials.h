/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TTRPC_CREDENTIALS_H
#define TTRPC_CREDENTIALS_H
/*
 * Who is at the other end of a connected socket, and whether a policy lets them in. The ids are the
 * effective ones that the peer had when it connected.
 */
#include "ttrpc/ttrpc.h"

/* A socket that isn't of the unix domain has a peer of uid and gid -1, who matches nobody. */
int credentials_of_peer(int fd, struct ucred *ret_peer);

bool credentials_allow(enum ttrpc_policy policy, uid_t uid, gid_t gid, const struct ucred *peer);

#endif
