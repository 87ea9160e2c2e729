/* SPDX-License-Identifier: Apache-2.0 */
/* Moving a container's standard input and output: see stream.h. */
#include "shim/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <unistd.h>

#define SPLICE_SIZE (1u << 20) /* more than a pipe holds unless somebody enlarged it */
#define SPLICE_ROUNDS 16       /* then other streams and calls have their turn */
#define COPY_SIZE 4096

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
	return stream->source.fd >= 0;
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

static void ends_close(struct stream *stream)
{
	ttrpc_timer_clear(&stream->again);
	end_close(&stream->source);
	end_close(&stream->sink);
}

void stream_stop(struct stream *stream)
{
	ends_close(stream);
	stream_close_keeper(stream);
}

/*
 * For a sink that splice refuses: a file opened with O_APPEND. A file that cannot take the bytes (full
 * disk) loses them: the container is not to be stopped by it.
 */
static __attribute__((noinline)) ssize_t copy(int source, int sink)
{
	char buffer[COPY_SIZE];
	ssize_t size = read(source, buffer, sizeof(buffer));
	if (size <= 0)
		return size;
	for (ssize_t done = 0; done < size;) {
		ssize_t n = write(sink, buffer + done, (size_t)(size - done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += n;
	}
	return size;
}

static ssize_t move(struct stream *stream)
{
	if (!stream->copy) {
		ssize_t n = splice(stream->source.fd, NULL, stream->sink.fd, NULL, SPLICE_SIZE,
				   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
		if (n >= 0 || errno != EINVAL)
			return n;
		stream->copy = true;
	}
	return copy(stream->source.fd, stream->sink.fd);
}

static void pump(struct stream *stream)
{
	ssize_t n = 0;
	for (int round = 0; round < SPLICE_ROUNDS; round++) {
		n = move(stream);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
	}
	if (n > 0) {
		struct ttrpc_watch *watched = stream->source.loop ? &stream->source : &stream->sink;
		ttrpc_timer_set(watched->loop, &stream->again, ttrpc_now(), stream_again);
		return;
	}
	if (n < 0 && errno == EAGAIN)
		return;
	/* end of the source, or EPIPE: nobody will ever read the sink again */
	ends_close(stream);
	stream->ended(stream, stream->userdata);
}

void stream_finish(struct stream *stream)
{
	if (stream_open(stream))
		pump(stream);
}

static void stream_again(struct ttrpc_timer *timer)
{
	pump(container_of(timer, struct stream, again));
}

static void source_ready(struct ttrpc_watch *watch, uint32_t events)
{
	(void)events;
	pump(container_of(watch, struct stream, source));
}

static void sink_ready(struct ttrpc_watch *watch, uint32_t events)
{
	(void)events;
	pump(container_of(watch, struct stream, sink));
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
	stream->copy = !stream->sink.loop;
	stream->keeper = keeper;
	stream->ended = ended;
	stream->userdata = userdata;
	return 0;
}
