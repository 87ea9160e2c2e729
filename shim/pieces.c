/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/pieces.h"

#define SMALL 512u    /* bytes: a piece of less is small */
#define GAP 50        /* microseconds: less than that after another is upon it */
#define LEAST 4u      /* pieces of the row's size: worth the wait */
#define BACKOFF 10000 /* pieces */

void pieces_init(struct pieces *pieces, size_t room)
{
	/* a small piece that does not fit into the rest of a page leaves an eighth of it empty at most */
	size_t full = room / 1024 / 4 * 3;
	*pieces = (struct pieces){.full = full < UINT16_MAX ? (uint16_t)full : UINT16_MAX};
}

static void pieces_gathered(struct pieces *pieces, size_t bytes, bool dry)
{
	if (!dry || bytes == 0)
		pieces->row = 0;
	else if (bytes < pieces->bytes / PIECES_MANY * LEAST || bytes / 1024 >= pieces->full)
		pieces->row = -BACKOFF;
}

static void pieces_came(struct pieces *pieces, size_t bytes, uint64_t now)
{
	uint32_t at = (uint32_t)(now / 1000);

	if (pieces->row >= 0 && (bytes >= SMALL || (int32_t)(at - pieces->at) >= GAP))
		pieces->row = 0;
	else
		pieces->row++;
	pieces->bytes = pieces->row > 0 ? (uint16_t)(pieces->bytes + bytes) : 0;
	pieces->at = at;
}

void pieces_moved(struct pieces *pieces, size_t bytes, bool dry, uint64_t now)
{
	if (pieces->gather)
		pieces_gathered(pieces, bytes, dry);
	else if (bytes > 0)
		pieces_came(pieces, bytes, now);
	pieces->gather = pieces->full > 0 && dry && pieces->row >= PIECES_MANY;
}
