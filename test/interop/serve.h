/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_INTEROP_SERVE_H
#define TEST_INTEROP_SERVE_H
/*
 * A program that serves: PROGRAM SOCKET [-u UID]. It prints `ready` when it listens, and ends after
 * SIGTERM or SIGINT with a graceful shutdown: status 0, or 1 if that took longer than SERVE_DRAIN.
 */
#include "test/interop/names.h"

#define SERVE_DRAIN 10000000000u /* ns */

struct served {
	const struct ttrpc_service *service;
	const void *handlers;
};

/*
 * services end with one whose service is NULL. Their calls have the loop for userdata. The program's
 * status.
 */
int serve(int argc, char **argv, const struct served *services);

extern const struct STREAMING(handlers) streaming_handlers;

#endif
