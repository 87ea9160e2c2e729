/* SPDX-License-Identifier: Apache-2.0 */
/* Moving a container's standard input and output: see stream.h. */
#include "shim/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define SPLICE_SIZE (1u << 20) /* more than a pipe holds unless somebody enlarged it */
#define ROUNDS 16              /* then other streams and calls have their turn */
#define RETRY (100u * 1000000) /* nanoseconds, for what tells nobody when it can go on */
#define MOMENT 500u            /* milliseconds, for a client to read what is its own */
#define LOOK 1u                /* the same, to see whether it has */
#define MILLISECOND 1000000u   /* nanoseconds */
#define PTMX makedev(5, 2)     /* what every master of a terminal was opened as */

/* A pipe takes a write of this size whole or not at all. */
#define BUFFER_SIZE 4096

struct stream_buffer {
	size_t begin, end; /* what of bytes is to be written */
	char bytes[BUFFER_SIZE];
};

/* How one attempt to move bytes ended. */
enum outcome {
	MOVED,  /* there may be more */
	SOURCE, /* it has nothing just now */
	SINK,   /* it takes nothing just now */
	EITHER, /* of the two */
	LATER,  /* nothing will tell: to be tried again after a time */
	END,
};

#define container_of(pointer, type, member)                                                        \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

static void stream_again(struct ttrpc_timer *timer);

void stream_init(struct stream *stream)
{
	*stream = (struct stream){.keeper = -1};
	stream->source.fd = -1;
	stream->sink.fd = -1;
}

bool stream_open(const struct stream *stream)
{
	return stream->source.fd >= 0 || stream->closed;
}

static void end_close(struct ttrpc_watch *watch)
{
	int fd = watch->fd;
	if (fd < 0)
		return;
	ttrpc_watch_remove(watch);
	watch->fd = -1;
	close(fd);
}

void stream_close_keeper(struct stream *stream)
{
	if (stream->keeper >= 0)
		close(stream->keeper);
	stream->keeper = -1;
}

static struct stream_buffer *buffer_new(void)
{
	struct stream_buffer *buffer = malloc(sizeof(*buffer));
	if (buffer)
		buffer->begin = buffer->end = 0;
	return buffer;
}

static void buffer_free(struct stream *stream)
{
	free(stream->buffer);
	stream->buffer = NULL;
}

static void ends_close(struct stream *stream)
{
	ttrpc_timer_clear(&stream->again);
	end_close(&stream->source);
	end_close(&stream->sink);
	buffer_free(stream);
}

void stream_stop(struct stream *stream)
{
	ends_close(stream);
	stream->closed = false;
	stream_close_keeper(stream);
}

/*
 * Between pipes. Less than was asked for says that the source became empty or the sink full: the
 * kernel tells when that changes, and another call for nothing is saved. Only the end is told once: if
 * that may have been, it is looked for.
 */
static enum outcome step_splice(struct stream *stream, size_t *moved)
{
	ssize_t n = splice(stream->source.fd, NULL, stream->sink.fd, NULL, SPLICE_SIZE,
			   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (n > 0) {
		*moved += (size_t)n;
		return n == SPLICE_SIZE || stream->hung_up || !stream->source.loop ? MOVED : EITHER;
	}
	if (n < 0 && errno == EINVAL)
		stream->copy = true;
	if (n < 0 && (errno == EINVAL || errno == EINTR))
		return MOVED;
	/* end of the source, or EPIPE: nobody will ever read the sink again */
	return n < 0 && errno == EAGAIN ? EITHER : END;
}

static enum outcome buffer_fill(struct stream *stream, struct stream_buffer *buffer)
{
	ssize_t n = read(stream->source.fd, buffer->bytes, sizeof(buffer->bytes));
	if (n > 0) {
		buffer->begin = 0;
		buffer->end = (size_t)n;
		return MOVED;
	}
	if (n < 0 && errno == EINTR)
		return MOVED;
	bool nothing = n < 0 && (errno == EAGAIN || (errno == EIO && stream->from_terminal));
	return nothing && !stream->finishing ? SOURCE : END;
}

/*
 * A sink that cannot take the bytes (full disk, a logger that has crashed) loses them: the container
 * is not to be stopped by it.
 */
static enum outcome buffer_drain(struct stream *stream, struct stream_buffer *buffer, size_t *moved)
{
	while (buffer->begin < buffer->end) {
		ssize_t n = write(stream->sink.fd, buffer->bytes + buffer->begin,
				  buffer->end - buffer->begin);
		if (n > 0) {
			buffer->begin += (size_t)n;
			*moved += (size_t)n;
		} else if (n < 0 && errno == EAGAIN)
			return SINK;
		else if (n < 0 && errno == EIO && stream->to_terminal)
			return LATER;
		else if (n < 0 && errno == EPIPE && !stream->from_terminal)
			return END;
		else if (n == 0 || errno != EINTR)
			buffer->begin = buffer->end;
	}
	return MOVED;
}

static enum outcome step_copy(struct stream *stream, size_t *moved)
{
	if (!stream->buffer)
		stream->buffer = buffer_new();
	if (!stream->buffer)
		return LATER;
	enum outcome outcome = MOVED;
	if (stream->buffer->begin == stream->buffer->end)
		outcome = buffer_fill(stream, stream->buffer);
	return outcome == MOVED ? buffer_drain(stream, stream->buffer, moved) : outcome;
}

static void pump_after(struct stream *stream, uint64_t time)
{
	ttrpc_timer_set(stream->loop, &stream->again, ttrpc_now() + time, stream_again);
}

/* Of output: the keeper of input is a writer, and nobody waits for that. */
static bool is_unread(const struct stream *stream)
{
	int size = 0;
	return stream->keeper >= 0 && (fcntl(stream->keeper, F_GETFL) & O_ACCMODE) == O_RDONLY &&
	       ioctl(stream->keeper, FIONREAD, &size) == 0 && size > 0;
}

/* The kernel does not tell when a FIFO becomes empty: one looks, less often as time goes by. */
static void await_reader(struct stream *stream)
{
	uint32_t waited = (uint32_t)(ttrpc_now() / MILLISECOND) - stream->closed_ms;
	if (waited < MOMENT && is_unread(stream)) {
		pump_after(stream, (LOOK + waited / 2) * (uint64_t)MILLISECOND);
		return;
	}
	stream->closed = false;
	stream->ended(stream, stream->userdata);
}

/* Many small pieces: the timer fetches them, and the source does not wake us for each. */
static void gather(struct stream *stream, size_t moved, bool dry)
{
	bool before = stream->pieces.gather;
	pieces_moved(&stream->pieces, moved, dry && !stream->hung_up, ttrpc_now());
	if (stream->pieces.gather && stream->loop->coarse)
		pieces_init(&stream->pieces, 0); /* a millisecond is too long */
	bool now = stream->pieces.gather;
	if (now != before)
		ttrpc_watch_set(&stream->source, now ? EPOLLET : EPOLLIN | EPOLLET);
	if (now)
		pump_after(stream, PIECES_TIME);
}

static void pump(struct stream *stream)
{
	enum outcome outcome = stream->finishing && stream->to_terminal ? END : MOVED;
	size_t moved = 0;
	for (int round = 0; round < ROUNDS && outcome == MOVED; round++)
		outcome = stream->copy ? step_copy(stream, &moved) : step_splice(stream, &moved);
	if (stream->buffer && stream->buffer->begin == stream->buffer->end)
		buffer_free(stream);
	if (outcome == MOVED)
		pump_after(stream, 0);
	if (outcome != END)
		gather(stream, moved, outcome == EITHER || outcome == SOURCE);
	if (outcome == LATER)
		pump_after(stream, RETRY);
	if (outcome != END)
		return;
	ends_close(stream);
	stream->closed = true;
	stream->closed_ms = (uint32_t)(ttrpc_now() / MILLISECOND);
	await_reader(stream);
}

static void stream_again(struct ttrpc_timer *timer)
{
	struct stream *stream = container_of(timer, struct stream, again);
	if (stream->closed)
		await_reader(stream);
	else
		pump(stream);
}

static void source_ready(struct ttrpc_watch *watch, uint32_t events)
{
	struct stream *stream = container_of(watch, struct stream, source);
	if (events & (EPOLLHUP | EPOLLERR))
		stream->hung_up = true;
	pump(stream);
}

static void sink_ready(struct ttrpc_watch *watch, uint32_t events)
{
	struct stream *stream = container_of(watch, struct stream, sink);
	(void)events;
	if (!stream->pieces.gather) /* else the timer does it */
		pump(stream);
}

/* A file cannot be watched, and is always ready: the other end, which is a pipe, does for both. */
static int end_watch(struct ttrpc_loop *loop, struct ttrpc_watch *watch, int fd, uint32_t events,
		     ttrpc_watch_fn ready)
{
	int result = ttrpc_watch_add(loop, watch, fd, events, ready);
	if (result == -EPERM)
		watch->fd = fd;
	return result == -EPERM ? 0 : result;
}

static bool is_terminal(int fd)
{
	struct stat status;
	return fstat(fd, &status) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == PTMX;
}

int stream_start(struct stream *stream, struct ttrpc_loop *loop, int source, int sink, int keeper,
		 void (*ended)(struct stream *stream, void *userdata), void *userdata)
{
	stream_init(stream);
	int result = end_watch(loop, &stream->source, source, EPOLLIN | EPOLLET, source_ready);
	if (result == 0)
		result = end_watch(loop, &stream->sink, sink, EPOLLOUT | EPOLLET, sink_ready);
	if (result < 0) {
		ttrpc_watch_remove(&stream->source);
		stream_init(stream);
		return result;
	}
	stream->from_terminal = is_terminal(source);
	stream->to_terminal = is_terminal(sink);
	/* terminals have been spliceable in some kernels and not in others */
	stream->copy = !stream->sink.loop || stream->from_terminal || stream->to_terminal;
	int room = stream->to_terminal ? 0 : fcntl(source, F_GETPIPE_SZ);
	pieces_init(&stream->pieces, room > 0 ? (size_t)room : 0);
	stream->loop = loop;
	stream->keeper = keeper;
	stream->ended = ended;
	stream->userdata = userdata;
	return 0;
}

void stream_finish(struct stream *stream)
{
	if (stream->source.fd < 0 || !(stream->from_terminal || stream->to_terminal))
		return;
	stream->finishing = true;
	pump_after(stream, 0);
}
