/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TTRPC_POLICY_H
#define TTRPC_POLICY_H
/*
 * Who may connect. A policy has two parts, each of which may be missing:
 *
 *   allow       looks at the peer's credentials right after accept, before anything is allocated
 *   handshake   talks to the peer, or asks somebody, for as long as timeout; other connections
 *               don't wait for it
 *
 * Credentials are the effective ids that the peer had when it connected (SO_PEERCRED). A socket that
 * isn't of the unix domain has a peer of uid and gid -1, whom ttrpc_allow_ids() never lets in.
 *
 * All functions of a policy run on the thread of the server's loop. A policy is copied by the server
 * that is made with it; one may be used for several, in several threads. What userdata points at is
 * the program's.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ttrpc_loop;
struct ttrpc_handshake;
struct ttrpc_policy;
struct ucred; /* of <sys/socket.h>, where _GNU_SOURCE is defined */

#define TTRPC_HANDSHAKE_TIME 30000000000u /* ns; where a policy has a handshake and no timeout */

typedef bool (*ttrpc_allow_fn)(const struct ttrpc_policy *policy, const struct ucred *peer);

struct ttrpc_policy {
	ttrpc_allow_fn allow; /* NULL: everybody */

	/*
	 * Begins a handshake; ends it, now or later in the loop, by ttrpc_handshake_done() or
	 * ttrpc_handshake_fail(). NULL: none.
	 */
	void (*handshake)(struct ttrpc_handshake *handshake);

	/*
	 * The handshake was given up, because its time is over or its owner is gone: forget it. The
	 * descriptor is closed afterwards. May be NULL.
	 */
	void (*cancelled)(struct ttrpc_handshake *handshake);

	uint64_t timeout; /* of the handshake, ns; 0: TTRPC_HANDSHAKE_TIME */
	uid_t uid;        /* for ttrpc_allow_ids(); -1: any */
	gid_t gid;
	void *userdata;
};

/* uid and gid of the policy; -1 stands for any. */
bool ttrpc_allow_ids(const struct ttrpc_policy *policy, const struct ucred *peer);

/* The effective ids of this process when the server was made. */
bool ttrpc_allow_same_user(const struct ttrpc_policy *policy, const struct ucred *peer);

extern const struct ttrpc_policy ttrpc_policy_same_user;
extern const struct ttrpc_policy ttrpc_policy_root; /* uid 0 and gid 0 */
extern const struct ttrpc_policy ttrpc_policy_none; /* the socket's folder is the guard */

#define TTRPC_POLICY_SAME_USER (&ttrpc_policy_same_user)
#define TTRPC_POLICY_ROOT (&ttrpc_policy_root)
#define TTRPC_POLICY_NONE (&ttrpc_policy_none)

/* ---- for handshakes ---- */
const struct ttrpc_policy *ttrpc_handshake_policy(const struct ttrpc_handshake *handshake);
struct ttrpc_loop *ttrpc_handshake_loop(const struct ttrpc_handshake *handshake);
int ttrpc_handshake_fd(const struct ttrpc_handshake *handshake); /* not blocking; not yours */
struct ucred ttrpc_handshake_peer(const struct ttrpc_handshake *handshake);

/* Something of the handshake's own, kept until it ends. */
void ttrpc_handshake_set_state(struct ttrpc_handshake *handshake, void *state);
void *ttrpc_handshake_state(const struct ttrpc_handshake *handshake);

/*
 * The peer is let in. fd: the descriptor to be used from now on, -1: the same; another one is taken
 * and the old one closed. data: for ttrpc_call_connection_data(), given to release when the
 * connection ends. Watches on the descriptor must be removed before.
 */
void ttrpc_handshake_done(struct ttrpc_handshake *handshake, int fd, void *data,
			  void (*release)(void *data));
void ttrpc_handshake_fail(struct ttrpc_handshake *handshake);

/*
 * The same for a client, or whoever has a connected socket: runs policy on fd, which it takes, and
 * calls done once, later or before it returns. error 0: fd is the caller's (as is data); else there
 * is no fd any more: -EACCES refused, -ETIMEDOUT, -ENOMEM.
 */
typedef void (*ttrpc_handshake_fn)(void *userdata, int error, int fd, void *data,
				   void (*release)(void *data));
void ttrpc_handshake_run(struct ttrpc_loop *loop, int fd, const struct ttrpc_policy *policy,
			 ttrpc_handshake_fn done, void *userdata);

#ifdef __cplusplus
}
#endif
#endif
