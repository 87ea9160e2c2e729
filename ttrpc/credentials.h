/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TTRPC_CREDENTIALS_H
#define TTRPC_CREDENTIALS_H
/*
 * Who is at the other end of a connected socket, and whether a policy lets them in.
 */
#include "ttrpc/policy.h"

/* policy as it is to be used: same_user gets this process's ids. */
struct ttrpc_policy policy_bind(const struct ttrpc_policy *policy);

/* The peer of fd, if policy lets it in. */
bool policy_admits(const struct ttrpc_policy *policy, int fd, struct ucred *ret_peer);

#endif
