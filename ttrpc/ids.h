/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TTRPC_IDS_H
#define TTRPC_IDS_H
/*
 * Which ids a client's requests have had: each may come once. They should rise, and a Go server wants
 * them to; but a client that takes an id before it queues the request, as the Rust library does,
 * sends some of them late when several threads call. So an id that was skipped may still come, while
 * it is among the last IDS_WINDOW. Only a connection that skips ids costs memory.
 */
#include <stdbool.h>
#include <stdint.h>

#define IDS_WINDOW 4096u /* as many as may be under way, by default */

struct ids {
	uint32_t next; /* half of what should come next: 0 for id 1, 1 for 3, ... */
	uint64_t
		*skipped; /* bits of the last IDS_WINDOW, by their number's remainder; NULL: none */
};

/* id is odd. False: it was used, or is too far below the highest one. */
bool ids_use(struct ids *ids, uint32_t id);
void ids_deinit(struct ids *ids);

#endif
