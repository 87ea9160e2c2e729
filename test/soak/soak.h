/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_SOAK_SOAK_H
#define TEST_SOAK_SOAK_H
/*
 * Millions of calls, streams and connections between two processes that are nothing but the library:
 *
 *   soak.c     runs the phases, one after the other, and judges memory and descriptors of both
 *   load.c     the client: what is under way is started again and again, as each one ends
 *   crowd.c    thousands of connections at once
 *   server.c   the server, a program of its own so that its memory is
 *
 * What goes on is a mixture in which anything that could leave something behind comes now and then:
 * failures, deadlines, cancelling, messages above the limits, streams that are abandoned, peers that
 * vanish in the middle of a frame.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "proto/google/protobuf/any.pb-c.h"
#include "ttrpc/ttrpc.h"

#define SOAK_CROWD 10000u
#define SOAK_MESSAGE_MAX 65536u /* of both ends; small, to be exceeded */

/* A test that can't go on says why and ends the process. */
_Noreturn void soak_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define SOAK_CHECK(condition)                                                                      \
	do {                                                                                       \
		if (!(condition))                                                                  \
			soak_fail("%s:%d: %s", __FILE__, __LINE__, #condition);                    \
	} while (0)

enum soak_method {
	SOAK_ECHO,    /* unary: the request */
	SOAK_FAIL,    /* NOT_FOUND */
	SOAK_LARGE,   /* an answer above the limit */
	SOAK_PARK,    /* none; for calls with a deadline */
	SOAK_TALK,    /* bidi: each message, until the client closes */
	SOAK_SUM,     /* client stream: one answer after all messages */
	SOAK_COUNT,   /* server stream: SOAK_COUNTED messages */
	SOAK_BREAK,   /* bidi: ABORTED with the first message */
	SOAK_UNKNOWN, /* the server has no such method */
};

#define SOAK_COUNTED 5u

extern const struct ttrpc_service soak_service; /* for the client: all of them */

/* The server process: serves listener until control is closed, then shuts down; its exit status. */
int soak_serve(int listener, int control);

/* ---- load.c ---- */
struct load {
	struct ttrpc_loop loop;
	struct sockaddr_un name; /* of the server */
	socklen_t name_size;
	uint64_t left;  /* to be started */
	uint64_t ended; /* as they should */
	unsigned under_way;
};

int load_connect(const struct load *load); /* a connected socket */

/* Runs n of them, so many at a time; each ends as it should, or the process does. */
void load_calls(struct load *load, uint64_t n);
void load_streams(struct load *load, uint64_t n);
void load_connects(struct load *load, uint64_t n);

/* ---- crowd.c ---- */
/* Raises the limit of descriptors; false: not as far as n connections need it. */
bool crowd_is_possible(unsigned n);

int *crowd_come(const struct load *load, unsigned n);     /* to be given to crowd_go() */
void crowd_call(const int *fds, unsigned n, uint32_t id); /* one call on each, with this id */
void crowd_go(int *fds, unsigned n);

#endif
