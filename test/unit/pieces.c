/* SPDX-License-Identifier: Apache-2.0 */
/* When what comes through a pipe is left to gather there, and when no more. */
#include "shim/pieces.h"

#include "test/test.h"

#define ROOM 65536u
#define MICROSECOND 1000u

static uint64_t now; /* of the test's own clock */

/* n times: so many bytes, each so long after the other. */
static void come(struct pieces *pieces, int n, size_t bytes, unsigned microseconds)
{
	for (int i = 0; i < n; i++) {
		ASSERT(!pieces->gather);
		now += microseconds * MICROSECOND;
		pieces_moved(pieces, bytes, true, now);
	}
}

static struct pieces gathering(size_t bytes)
{
	struct pieces pieces;

	now = 60 * UINT64_C(1000000000);
	pieces_init(&pieces, ROOM);
	come(&pieces, 1 + PIECES_MANY, bytes, 5);
	ASSERT(pieces.gather);
	return pieces;
}

TEST(one_upon_the_other)
{
	struct pieces pieces = gathering(16);

	for (int i = 0; i < 100; i++) {
		pieces_moved(&pieces, 2000, true, now += PIECES_TIME);
		ASSERT(pieces.gather);
	}
}

TEST(what_does_not_gather)
{
	struct pieces pieces;

	now = 60 * UINT64_C(1000000000);
	pieces_init(&pieces, ROOM);
	come(&pieces, 2000, 16, 100); /* with time in between */
	come(&pieces, 2000, 4096, 5); /* large */
	come(&pieces, PIECES_MANY - 1, 16, 5);
	come(&pieces, 1, 16, 100); /* not enough of them in a row */
	come(&pieces, PIECES_MANY - 1, 16, 5);
	come(&pieces, 1, 8192, 5);
	come(&pieces, PIECES_MANY - 1, 16, 5);
	pieces_init(&pieces, 0);
	come(&pieces, 2000, 16, 5); /* no pipe */
}

TEST(tries_that_move_nothing_do_not_count)
{
	struct pieces pieces;

	now = 60 * UINT64_C(1000000000);
	pieces_init(&pieces, ROOM);
	come(&pieces, 2000, 0, 5);
	come(&pieces, PIECES_MANY, 16, 5);
	come(&pieces, 100, 0, 0);
	come(&pieces, 1, 16, 1);
	ASSERT(pieces.gather);
}

/* The next one is fetched at once, and the next row gathers. */
TEST(end_of_a_row)
{
	struct pieces pieces = gathering(16);

	pieces_moved(&pieces, 0, true, now += PIECES_TIME);
	ASSERT(!pieces.gather);
	come(&pieces, 1 + PIECES_MANY, 16, 5);
	ASSERT(pieces.gather);
	pieces_moved(&pieces, 2000, false, now += PIECES_TIME); /* the other side is full */
	ASSERT(!pieces.gather);
	come(&pieces, 1 + PIECES_MANY, 16, 5);
	ASSERT(pieces.gather);
}

/* Every piece is the answer to one from us: it would take the time that we wait. */
TEST(writer_that_waits_for_an_answer)
{
	struct pieces pieces = gathering(16);

	pieces_moved(&pieces, 16, true, now += PIECES_TIME);
	come(&pieces, 10000, 16, 20);
	come(&pieces, PIECES_MANY, 16, 20);
	ASSERT(pieces.gather);
}

TEST(writer_that_waits_for_room)
{
	struct pieces pieces = gathering(500);

	pieces_moved(&pieces, ROOM - ROOM / 5, true, now += PIECES_TIME);
	come(&pieces, 10000, 500, 1);
	come(&pieces, PIECES_MANY, 500, 1);
	ASSERT(pieces.gather);
}
