/* SPDX-License-Identifier: Apache-2.0 */
#include "test/bench-ttrpc/peers.h"

#include <unistd.h>

static struct peer peers[PEERS] = {
	[PEER_RAW] = {.name = "raw"},
	[PEER_EPOLL] = {.name = "epoll"},
	[PEER_MOTE] =
		{
			.name = "mote",
			.server = {"build/musl/test/bench-ttrpc/server"},
			.client = {"build/musl/test/bench-ttrpc/client"},
			.streams = true,
		},
	[PEER_GLIBC] =
		{
			.name = "mote-glibc",
			.server = {"build/gcc/test/bench-ttrpc/server"},
			.client = {"build/gcc/test/bench-ttrpc/client"},
			.streams = true,
		},
	[PEER_GO] =
		{
			.name = "go",
			.server = {"build/bench-ttrpc/go", "server"},
			.client = {"build/bench-ttrpc/go", "client"},
			.streams = true,
		},
	[PEER_ASYNC] =
		{
			.name = "rust-async",
			.server = {"build/bench-ttrpc/rust", "async-server"},
			.client = {"build/bench-ttrpc/rust", "async-client"},
			.streams = true,
		},
	[PEER_SYNC] =
		{
			.name = "rust-sync",
			.server = {"build/bench-ttrpc/rust", "sync-server"},
			.client = {"build/bench-ttrpc/rust", "sync-client"},
		},
};

struct peer *peers_init(void)
{
	for (int i = 0; i < PEERS; i++)
		peers[i].there = !peers[i].server[0] || access(peers[i].server[0], X_OK) == 0;
	return peers;
}
