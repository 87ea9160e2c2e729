/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time limits of a connection, for peers that hold one open without using it: no first frame, a
 * frame that doesn't come to its end, answers that aren't taken. One timer serves all three; it is
 * set only while something is under way, so a connection that is merely idle costs no wake-up.
 */
#include <errno.h>

#include "ttrpc/server.h"

static void guard_expired(struct ttrpc_timer *timer)
{
	struct connection *connection = container_of(timer, struct connection, guard);

	struct ttrpc_server *server = connection->server;

	server_enter(server);
	conn_break(&connection->conn, -ETIMEDOUT);
	connection_free(connection);
	server_leave(server);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

/* The clock of what began at a point that is noted by mark, and is begun anew when that changes. */
static uint64_t clock_due(bool runs, uint64_t limit, uint32_t mark, uint32_t *clock_mark,
			  uint64_t *due)
{
	if (!runs || limit == 0)
		*due = 0;
	else if (*due == 0 || *clock_mark != mark)
		*due = ttrpc_now() + limit;
	*clock_mark = mark;
	return *due;
}

void guard_update(struct connection *connection)
{
	const struct ttrpc_limits *limits = &connection->server->limits;
	const struct conn *conn = &connection->conn;
	bool in_frame = frame_reader_partial(&conn->reader) && !conn->paused;
	bool first = connection->n_frames == 0;
	uint64_t due;

	due = clock_due(first || in_frame, first ? limits->first_byte : limits->frame_time,
			connection->n_frames, &connection->frame_mark, &connection->frame_due);
	due = earlier(due, clock_due(conn->queue.size > 0, limits->blocked_write, conn->n_sent,
				     &connection->write_mark, &connection->write_due));
	if (due == 0)
		ttrpc_timer_clear(&connection->guard);
	else if (!connection->guard.loop || connection->guard.deadline != due)
		ttrpc_timer_set(connection->server->loop, &connection->guard, due, guard_expired);
}
