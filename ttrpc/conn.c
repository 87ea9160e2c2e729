/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only file that receives and sends. All calls carry MSG_DONTWAIT, so it doesn't matter whether
 * the descriptor itself is non-blocking; but for those of who has nothing else to wait for.
 */
#include "ttrpc/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ttrpc/limits.h"

#define CONN_PIECES_MAX 16 /* blocks of the queue given to one sendmsg */

void conn_buffers_init(struct conn_buffers *buffers, void *input, size_t input_size, void *output,
		       size_t output_size)
{
	*buffers = (struct conn_buffers){
		.input = input,
		.input_size = input_size,
		.output = output,
		.output_size = output_size,
	};
}

void conn_buffers_deinit(struct conn_buffers *buffers)
{
	free(buffers->input_large);
	free(buffers->output_large);
	buffers->input_large = buffers->output_large = NULL;
	cache_deinit(&buffers->cache);
}

void conn_init(struct conn *conn, struct conn_buffers *buffers, conn_frame_fn frame, int fd,
	       uint32_t message_max, size_t write_max)
{
	*conn = (struct conn){
		.watch = TTRPC_WATCH_NULL,
		.buffers = buffers,
		.frame = frame,
		.fd = fd,
		.write_max = write_max,
	};
	frame_reader_init(&conn->reader, message_max);
	conn->reader.cache = conn->queue.cache = &buffers->cache;
}

int conn_watch(struct conn *conn, struct ttrpc_loop *loop, ttrpc_watch_fn callback)
{
	return ttrpc_watch_add(loop, &conn->watch, conn->fd, EPOLLIN, callback);
}

static void conn_disown_output(struct conn *conn)
{
	if (conn->buffers->output_owner == conn) {
		conn->buffers->output_owner = NULL;
		conn->buffers->output_used = 0;
	}
}

void conn_deinit(struct conn *conn)
{
	ttrpc_watch_remove(&conn->watch);
	conn_disown_output(conn);
	frame_reader_deinit(&conn->reader);
	queue_deinit(&conn->queue);
	if (conn->fd >= 0)
		close(conn->fd);
	conn->fd = -1;
}

void conn_break(struct conn *conn, int error)
{
	if (conn->error)
		return;
	conn->error = error;
	conn_disown_output(conn);
	queue_deinit(&conn->queue);
	/* A hang-up is reported in any case; a break of our own making has to be noticed, too. */
	if (conn->watch.loop && !conn->stepping)
		ttrpc_watch_set(&conn->watch, EPOLLIN | EPOLLOUT);
}

size_t conn_waiting(const struct conn *conn)
{
	size_t in_output = conn->buffers->output_owner == conn ? conn->buffers->output_used : 0;

	return conn->queue.size + in_output;
}

uint32_t conn_events(const struct conn *conn)
{
	/* A paused one needs the step that ends the pause, also when all was sent by then. */
	return (conn->paused ? 0u : (uint32_t)EPOLLIN) |
	       (conn->queue.size > 0 || conn->paused ? (uint32_t)EPOLLOUT : 0u);
}

static void conn_update_events(struct conn *conn)
{
	int error;

	if (!conn->watch.loop || conn->error || conn->write_error)
		return;
	error = ttrpc_watch_set(&conn->watch, conn_events(conn));
	if (error < 0)
		conn_break(conn, error);
}

/* ---- writing ---- */

/*
 * The peer takes no more. What it sent before may still be there to be read, answers among it, so
 * the conn isn't broken before all of that was.
 */
static void conn_fail_write(struct conn *conn, int error)
{
	conn->write_error = error;
	conn->paused = conn->held = false;
	conn_disown_output(conn);
	queue_deinit(&conn->queue);
	if (conn->watch.loop && !conn->stepping)
		ttrpc_watch_set(&conn->watch, EPOLLIN | EPOLLOUT);
}

/* Gives the kernel what it takes of pieces; returns how much, 0 after an error, too. */
static size_t conn_send(struct conn *conn, struct iovec *pieces, int n)
{
	struct msghdr message = {.msg_iov = pieces,
				 .msg_iovlen = (__typeof__(message.msg_iovlen))n};
	int flags = MSG_NOSIGNAL | (conn->patient ? 0 : MSG_DONTWAIT);
	ssize_t sent;

	/* One piece, which nearly all are, is cheaper without a header for the kernel to fetch. */
	do
		sent = n == 1 ? send(conn->fd, pieces->iov_base, pieces->iov_len, flags)
			      : sendmsg(conn->fd, &message, flags);
	while (sent < 0 && errno == EINTR);
	if (sent >= 0) {
		conn->n_sent++;
		if (conn->buffers->statistics)
			conn->buffers->statistics->bytes_sent += (uint64_t)sent;
		return (size_t)sent;
	}
	if (errno == EAGAIN)
		conn->blocked = true;
	else
		conn_fail_write(conn, -errno);
	return 0;
}

static void conn_send_queue(struct conn *conn)
{
	while (conn->queue.size > 0 && !conn->blocked) {
		struct iovec pieces[CONN_PIECES_MAX];
		int n = queue_peek(&conn->queue, pieces, CONN_PIECES_MAX);
		size_t sent = conn_send(conn, pieces, n);

		if (sent > 0)
			queue_consume(&conn->queue, sent);
	}
}

/* Sends what is in the output buffer; what the kernel doesn't take moves to the queue. */
static void conn_send_output(struct conn *conn)
{
	struct conn_buffers *buffers = conn->buffers;
	struct iovec piece = {buffers->output, buffers->output_used};
	size_t sent;
	uint8_t *rest;

	if (buffers->output_owner != conn)
		return;
	sent = conn_send(conn, &piece, 1);
	if (conn->write_error)
		return;
	buffers->output_owner = NULL;
	buffers->output_used = 0;
	if (sent == piece.iov_len)
		return;
	rest = queue_reserve(&conn->queue, piece.iov_len - sent);
	if (!rest) {
		conn_break(conn, -ENOMEM);
		return;
	}
	memcpy(rest, buffers->output + sent, piece.iov_len - sent);
	queue_commit(&conn->queue, piece.iov_len - sent);
	conn_send_queue(conn);
}

static void conn_note_waiting(struct conn *conn)
{
	struct ttrpc_statistics *statistics = conn->buffers->statistics;

	if (statistics && conn->queue.size > statistics->write_queue_max)
		statistics->write_queue_max = conn->queue.size;
}

static void conn_flush(struct conn *conn)
{
	conn_send_output(conn);
	conn_send_queue(conn);
	conn_note_waiting(conn);
	if (conn->queue.size > conn->write_max)
		conn->paused = true;
	if (conn->drained && !conn->error && conn->queue.size <= conn->drain_at) {
		conn_drained_fn drained = conn->drained;

		conn->drained = NULL;
		drained(conn);
	}
}

static void output_grow(struct conn_buffers *buffers)
{
	uint8_t *large;

	if (buffers->output_large)
		return;
	large = malloc(CONN_OUTPUT_LARGE);
	if (!large)
		return;
	memcpy(large, buffers->output, buffers->output_used);
	buffers->output = buffers->output_large = large;
	buffers->output_size = CONN_OUTPUT_LARGE;
}

/* Room in the output buffer; NULL: the queue is the place. */
static uint8_t *conn_reserve_output(struct conn *conn, size_t size)
{
	struct conn_buffers *buffers = conn->buffers;

	if (buffers->output_owner && buffers->output_owner != conn) {
		struct conn *other = buffers->output_owner;

		conn_flush(other);
		conn_update_events(other);
	}
	if (size > buffers->output_size - buffers->output_used && size <= CONN_OUTPUT_LARGE)
		output_grow(buffers);
	if (size > buffers->output_size - buffers->output_used)
		conn_send_output(conn);
	if (conn->write_error || conn->queue.first || size > buffers->output_size)
		return NULL;
	buffers->output_owner = conn;
	return buffers->output + buffers->output_used;
}

uint8_t *conn_reserve(struct conn *conn, size_t size)
{
	uint8_t *room = NULL;

	if (conn->error || conn->write_error)
		return NULL;
	if (!conn->queue.first)
		room = conn_reserve_output(conn, size);
	if (!room && !conn->error && !conn->write_error) {
		room = queue_reserve(&conn->queue, size);
		if (!room)
			conn_break(conn, -ENOMEM);
	}
	return room;
}

static void conn_written(struct conn *conn)
{
	if (conn->stepping && conn->queue.size <= CONN_OUTPUT_LARGE)
		return;
	conn_flush(conn);
	if (!conn->stepping)
		conn_update_events(conn);
}

void conn_commit(struct conn *conn, size_t size)
{
	if (conn->queue.first)
		queue_commit(&conn->queue, size);
	else
		conn->buffers->output_used += size;
	conn_written(conn);
}

/* Copies the pieces but for their first sent bytes. */
static void conn_queue(struct conn *conn, const struct iovec *pieces, int n, size_t sent)
{
	size_t size = 0;
	uint8_t *to;

	for (int i = 0; i < n; i++)
		size += pieces[i].iov_len;
	if (size == sent)
		return;
	to = queue_reserve(&conn->queue, size - sent);
	if (!to) {
		conn_break(conn, -ENOMEM);
		return;
	}
	queue_commit(&conn->queue, size - sent);
	for (int i = 0; i < n; i++) {
		size_t length = pieces[i].iov_len, skip = sent < length ? sent : length;

		if (length > skip)
			memcpy(to, (const uint8_t *)pieces[i].iov_base + skip, length - skip);
		to += length - skip;
		sent -= skip;
	}
}

void conn_write(struct conn *conn, const struct iovec *pieces, int n)
{
	struct iovec taken[CONN_PIECES_MAX]; /* sendmsg(2) doesn't promise to leave them alone */
	size_t sent = 0;

	if (conn->error || conn->write_error)
		return;
	conn_send_output(conn);
	if (!conn->queue.first && !conn->error && !conn->write_error) {
		memcpy(taken, pieces, (size_t)n * sizeof(*pieces));
		sent = conn_send(conn, taken, n);
	}
	if (conn->error || conn->write_error)
		return;
	conn_queue(conn, pieces, n, sent);
	if (!conn->error)
		conn_written(conn);
}

bool conn_cork(struct conn *conn)
{
	if (conn->stepping)
		return false;
	conn->stepping = true;
	return true;
}

void conn_uncork(struct conn *conn)
{
	if (!conn->error)
		conn_flush(conn);
	conn->stepping = false;
	conn_update_events(conn);
	if ((conn->error || conn->write_error) && conn->watch.loop)
		ttrpc_watch_set(&conn->watch, EPOLLIN | EPOLLOUT);
}

void conn_on_drained(struct conn *conn, size_t waiting, conn_drained_fn drained)
{
	conn->drain_at = waiting;
	conn->drained = drained;
}

void conn_hold(struct conn *conn)
{
	conn->paused = conn->held = true;
	if (!conn->stepping)
		conn_update_events(conn);
}

/* ---- reading ---- */

static void conn_deliver(struct conn *conn)
{
	struct frame frame;
	int r = 1;

	while (!conn->error && !conn->paused && r > 0) {
		r = frame_reader_next(&conn->reader, conn->buffers->input_size, &frame);
		if (r > 0)
			conn->frame(conn, &frame);
		else if (r < 0)
			conn_break(conn, r);
	}
}

/*
 * Bytes received, with ret_full set if there was no room for more; 0: nothing there, or an error.
 */
static size_t conn_receive(struct conn *conn, bool *ret_full)
{
	struct conn_buffers *buffers = conn->buffers;
	struct iovec space[2];
	int n = frame_reader_space(&conn->reader, buffers->input, buffers->input_size, space);
	struct msghdr message = {.msg_iov = space, .msg_iovlen = (__typeof__(message.msg_iovlen))n};
	size_t room = space[0].iov_len + (n > 1 ? space[1].iov_len : 0);
	int flags = conn->patient ? 0 : MSG_DONTWAIT;
	ssize_t got;

	conn->patient = false;
	do
		got = n == 1 ? recv(conn->fd, space->iov_base, space->iov_len, flags)
			     : recvmsg(conn->fd, &message, flags);
	while (got < 0 && errno == EINTR);
	if (got < 0 && errno == EAGAIN)
		return 0;
	if (got <= 0) {
		int error = got < 0 ? -errno : -EPIPE;

		if (got == 0 && frame_reader_partial(&conn->reader))
			error = -ECONNABORTED;
		conn_break(conn, error);
		return 0;
	}
	if (conn->buffers->statistics)
		conn->buffers->statistics->bytes_received += (uint64_t)got;
	frame_reader_fed(&conn->reader, (size_t)got);
	*ret_full = (size_t)got == room;
	return (size_t)got;
}

/* The next receive has more room: the reader moves its unread bytes there by itself. */
static void input_grow(struct conn_buffers *buffers)
{
	void *large;

	if (buffers->input_large)
		return;
	large = malloc(CONN_INPUT_LARGE);
	if (!large)
		return;
	buffers->input = buffers->input_large = large;
	buffers->input_size = CONN_INPUT_LARGE;
}

static void conn_read(struct conn *conn)
{
	bool full = true;
	int error;

	frame_reader_begin(&conn->reader, conn->buffers->input);
	conn_deliver(conn);
	for (int i = 0; full && i < CONN_ROUNDS_MAX && !conn->error && !conn->paused; i++) {
		full = false;
		if (conn_receive(conn, &full) == 0)
			break;
		conn_deliver(conn);
		if (full)
			input_grow(conn->buffers);
	}
	error = frame_reader_end(&conn->reader);
	if (error < 0)
		conn_break(conn, error);
	else if (conn->write_error && !full)
		conn_break(conn, conn->write_error);
}

void conn_step(struct conn *conn, uint32_t events)
{
	if (conn->error || conn->stepping)
		return;
	conn->stepping = true;
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		conn->blocked = false;
	if (conn->paused) {
		conn_send_queue(conn);
		if (conn->queue.size <= (conn->held ? conn->drain_at : conn->write_max / 2))
			conn->paused = conn->held = false;
	}
	if (!conn->paused && (events != EPOLLOUT || conn->reader.stash || conn->write_error))
		conn_read(conn);
	if (!conn->error)
		conn_flush(conn);
	conn_update_events(conn);
	conn->stepping = false;
	if (conn->write_error && !conn->error && conn->watch.loop)
		ttrpc_watch_set(&conn->watch, EPOLLIN | EPOLLOUT);
}
