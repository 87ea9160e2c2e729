/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The object that a policy's handshake works with.
 *
 *   starting   policy->handshake is being called; what ends it there frees nothing yet
 *   waiting    until done, fail, the timer, or its owner's cancel
 *   ended      done was called; the object goes as soon as it isn't starting
 *
 * A handshake that can let somebody in calls a function of this file, which is how a program comes
 * to have it: the server refers to it weakly (server.h).
 */
#include "ttrpc/handshake.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "ttrpc/credentials.h"
#include "ttrpc/list.h"
#include "ttrpc/loop.h"
#include "ttrpc/server.h"

struct ttrpc_handshake {
	struct ttrpc_timer timer;
	struct ttrpc_loop *loop;
	const struct ttrpc_policy *policy;
	struct ucred peer;
	void *state;
	ttrpc_handshake_fn done;
	void *userdata;
	int fd;
	bool starting, ended;
	struct ttrpc_policy own; /* of ttrpc_handshake_run() */
};

static void handshake_end(struct ttrpc_handshake *handshake, int error, int fd, void *data,
			  void (*release)(void *data))
{
	ttrpc_timer_clear(&handshake->timer);
	handshake->ended = true;
	if (error < 0 || (fd >= 0 && fd != handshake->fd))
		close(handshake->fd);
	else
		fd = handshake->fd;
	handshake->done(handshake->userdata, error, fd, data, release);
	if (!handshake->starting)
		free(handshake);
}

static void handshake_give_up(struct ttrpc_handshake *handshake, int error)
{
	if (handshake->policy->cancelled)
		handshake->policy->cancelled(handshake);
	handshake_end(handshake, error, -1, NULL, NULL);
}

static void handshake_expired(struct ttrpc_timer *timer)
{
	handshake_give_up(container_of(timer, struct ttrpc_handshake, timer), -ETIMEDOUT);
}

void handshake_cancel(struct ttrpc_handshake *handshake)
{
	handshake_give_up(handshake, -ECANCELED);
}

/* NULL: it has ended. */
static struct ttrpc_handshake *handshake_begin(struct ttrpc_handshake *handshake)
{
	uint64_t timeout = handshake->policy->timeout;

	ttrpc_timer_set(handshake->loop, &handshake->timer,
			ttrpc_now() + (timeout > 0 ? timeout : TTRPC_HANDSHAKE_TIME),
			handshake_expired);
	handshake->starting = true;
	handshake->policy->handshake(handshake);
	handshake->starting = false;
	if (!handshake->ended)
		return handshake;
	free(handshake);
	return NULL;
}

static struct ttrpc_handshake *handshake_new(struct ttrpc_loop *loop, int fd,
					     const struct ucred *peer, ttrpc_handshake_fn done,
					     void *userdata)
{
	struct ttrpc_handshake *handshake = calloc(1, sizeof(*handshake));

	if (!handshake) {
		close(fd);
		done(userdata, -ENOMEM, -1, NULL, NULL);
		return NULL;
	}
	handshake->loop = loop;
	handshake->fd = fd;
	handshake->peer = *peer;
	handshake->done = done;
	handshake->userdata = userdata;
	return handshake;
}

struct ttrpc_handshake *handshake_start(struct ttrpc_loop *loop, int fd, const struct ucred *peer,
					const struct ttrpc_policy *policy, ttrpc_handshake_fn done,
					void *userdata)
{
	struct ttrpc_handshake *handshake = handshake_new(loop, fd, peer, done, userdata);

	if (!handshake)
		return NULL;
	handshake->policy = policy;
	return handshake_begin(handshake);
}

void ttrpc_handshake_run(struct ttrpc_loop *loop, int fd, const struct ttrpc_policy *policy,
			 ttrpc_handshake_fn done, void *userdata)
{
	const struct ttrpc_policy bound = policy_bind(policy);
	struct ttrpc_handshake *handshake;
	struct ucred peer;

	if (!policy_admits(&bound, fd, &peer)) {
		close(fd);
		done(userdata, -EACCES, -1, NULL, NULL);
	} else if (!policy->handshake) {
		done(userdata, 0, fd, NULL, NULL);
	} else {
		handshake = handshake_new(loop, fd, &peer, done, userdata);
		if (!handshake)
			return;
		handshake->own = bound;
		handshake->policy = &handshake->own;
		handshake_begin(handshake);
	}
}

void ttrpc_handshake_done(struct ttrpc_handshake *handshake, int fd, void *data,
			  void (*release)(void *data))
{
	handshake_end(handshake, 0, fd, data, release);
}

void ttrpc_handshake_fail(struct ttrpc_handshake *handshake)
{
	handshake_end(handshake, -EACCES, -1, NULL, NULL);
}

const struct ttrpc_policy *ttrpc_handshake_policy(const struct ttrpc_handshake *handshake)
{
	return handshake->policy;
}

struct ttrpc_loop *ttrpc_handshake_loop(const struct ttrpc_handshake *handshake)
{
	return handshake->loop;
}

int ttrpc_handshake_fd(const struct ttrpc_handshake *handshake)
{
	return handshake->fd;
}

struct ucred ttrpc_handshake_peer(const struct ttrpc_handshake *handshake)
{
	return handshake->peer;
}

void ttrpc_handshake_set_state(struct ttrpc_handshake *handshake, void *state)
{
	handshake->state = state;
}

void *ttrpc_handshake_state(const struct ttrpc_handshake *handshake)
{
	return handshake->state;
}

/* ---- on the server ---- */

static void admission_done(void *userdata, int error, int fd, void *data,
			   void (*release)(void *data))
{
	struct admission *admission = userdata;
	struct ttrpc_server *server = admission->server;

	server_enter(server);
	list_remove(&admission->link);
	server->n_admissions--;
	if (error < 0)
		admission_refuse(server);
	else
		admission_connect(server, fd, &admission->peer, data, release);
	free(admission);
	if (error < 0 && !server->doomed)
		listeners_resume(server);
	server_progress(server);
	server_leave(server);
}

void admission_handshake(struct ttrpc_server *server, int fd, const struct ucred *peer)
{
	struct admission *admission = malloc(sizeof(*admission));
	struct ttrpc_handshake *handshake;

	if (!admission) {
		close(fd);
		listeners_pause(server, true);
		return;
	}
	*admission = (struct admission){.server = server, .peer = *peer};
	list_append(&server->admissions, &admission->link);
	server->n_admissions++;
	handshake =
		handshake_start(server->loop, fd, peer, &server->policy, admission_done, admission);
	if (!handshake)
		return;
	admission->handshake = handshake;
	if (server->n_connections + server->n_admissions >= server->limits.connections)
		listeners_pause(server, false);
}

void admissions_cancel(struct ttrpc_server *server)
{
	while (!list_empty(&server->admissions))
		handshake_cancel(
			container_of(server->admissions.next, struct admission, link)->handshake);
}
