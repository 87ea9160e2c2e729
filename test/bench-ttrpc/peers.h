/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_BENCH_TTRPC_PEERS_H
#define TEST_BENCH_TTRPC_PEERS_H
/*
 * Whose servers and clients are measured. The first two are what sockets allow, see limit.c.
 */
#include <stdbool.h>

enum peer_index {
	PEER_RAW,
	PEER_EPOLL,
	PEER_MOTE,
	PEER_GLIBC,
	PEER_GO,
	PEER_ASYNC,
	PEER_SYNC,
	PEERS,
};

struct peer {
	const char *name;
	const char *server[3]; /* its command before SOCKET; the limits have none */
	const char *client[3]; /* before SOCKET MILLISECONDS CALLS SIZE UNDERWAY */
	bool streams;
	bool there;
};

/* Finds out who is there. */
struct peer *peers_init(void);

#define PEERS_LIMIT "build/gcc/test/bench-ttrpc/limit"
#define PEERS_LOAD "build/gcc/test/bench-ttrpc/load"
#define PEERS_ECHO "build/bench-ttrpc/echo"
#define PEERS_COUNTED "build/musl/test/bench-ttrpc/counted"
#define PEERS_SOCKET "build/bench-ttrpc/socket-%s" /* of a server */

#endif
