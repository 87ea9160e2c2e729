/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TTRPC_HANDSHAKE_H
#define TTRPC_HANDSHAKE_H
/*
 * A handshake under way, on the server or on a client: between the look at the peer's credentials
 * and the connection. It ends once, whether by its own word, its time limit, or its owner.
 */
#include "ttrpc/policy.h"

/*
 * Takes fd. done may be called before this returns, which then is NULL, as it is for want of memory
 * (done is called). policy must stay as long as the handshake.
 */
struct ttrpc_handshake *handshake_start(struct ttrpc_loop *loop, int fd, const struct ucred *peer,
					const struct ttrpc_policy *policy, ttrpc_handshake_fn done,
					void *userdata);

/* Gives it up; done is called with -ECANCELED. */
void handshake_cancel(struct ttrpc_handshake *handshake);

#endif
