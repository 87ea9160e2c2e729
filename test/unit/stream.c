/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes through a stream: all of them, in order, past a slow reader, to a file, until the end. */
#include "shim/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/test.h"

struct fixture {
	struct ttrpc_loop loop;
	struct stream stream;
	int source[2], sink[2]; /* pipes: the test writes source[1] and reads sink[0] */
	bool ended;
};

static void ended(struct stream *stream, void *userdata)
{
	struct fixture *fixture = userdata;
	ASSERT(!stream_open(stream));
	fixture->ended = true;
}

static void fixture_init(struct fixture *fixture)
{
	signal(SIGPIPE, SIG_IGN);
	fixture->ended = false;
	ASSERT_EQ(ttrpc_loop_init(&fixture->loop), 0);
	ASSERT_EQ(pipe2(fixture->source, O_CLOEXEC | O_NONBLOCK), 0);
	ASSERT_EQ(pipe2(fixture->sink, O_CLOEXEC | O_NONBLOCK), 0);
	ASSERT_EQ(stream_start(&fixture->stream, &fixture->loop, fixture->source[0],
			       fixture->sink[1], -1, ended, fixture),
		  0);
}

static void fixture_deinit(struct fixture *fixture)
{
	stream_stop(&fixture->stream);
	close(fixture->source[1]);
	close(fixture->sink[0]);
	ttrpc_loop_deinit(&fixture->loop);
}

static void turns(struct fixture *fixture)
{
	for (int i = 0; i < 100; i++)
		ASSERT_EQ(ttrpc_loop_dispatch(&fixture->loop, 0), 0);
}

TEST(bytes_pass)
{
	struct fixture fixture;
	char text[8] = {0};
	fixture_init(&fixture);
	ASSERT_EQ(write(fixture.source[1], "hello", 5), 5);
	turns(&fixture);
	ASSERT_EQ(read(fixture.sink[0], text, sizeof(text)), 5);
	ASSERT_STR(text, "hello");
	ASSERT(!fixture.ended);
	fixture_deinit(&fixture);
}

TEST(end_of_source_closes_the_sink_behind_the_last_byte)
{
	struct fixture fixture;
	char text[8];
	fixture_init(&fixture);
	ASSERT_EQ(write(fixture.source[1], "end", 3), 3);
	close(fixture.source[1]);
	fixture.source[1] = -1;
	turns(&fixture);
	ASSERT(fixture.ended);
	ASSERT_EQ(read(fixture.sink[0], text, sizeof(text)), 3);
	ASSERT_EQ(read(fixture.sink[0], text, sizeof(text)), 0);
	fixture_deinit(&fixture);
}

/* The last bytes and the end come at once. */
static void expect_end(struct fixture *fixture)
{
	char text[8];
	ASSERT_EQ(write(fixture->source[1], "end", 3), 3);
	close(fixture->source[1]);
	fixture->source[1] = -1;
	turns(fixture);
	ASSERT(fixture->ended);
	ASSERT_EQ(read(fixture->sink[0], text, sizeof(text)), 3);
}

/* The kernel tells of the last byte and of the end at once, and only once. */
TEST(end_that_comes_with_the_last_byte)
{
	struct fixture fixture;
	fixture_init(&fixture);
	turns(&fixture);
	expect_end(&fixture);
	fixture_deinit(&fixture);
}

/* The one end of the sink that the stream keeps for itself. */
static void keep(struct fixture *fixture, int end)
{
	fixture->stream.keeper = fcntl(fixture->sink[end], F_DUPFD_CLOEXEC, 3);
	ASSERT(fixture->stream.keeper >= 0);
}

/* Its writer is closed at once, or the client would wait for the end for ever. */
TEST(end_waits_for_the_reader)
{
	struct fixture fixture;
	char text[8];
	fixture_init(&fixture);
	keep(&fixture, 0);
	ASSERT_EQ(write(fixture.source[1], "end", 3), 3);
	close(fixture.source[1]);
	fixture.source[1] = -1;
	ASSERT_EQ(ttrpc_loop_dispatch(&fixture.loop, -1), 0);
	ASSERT(!fixture.ended);
	ASSERT(stream_open(&fixture.stream));
	ASSERT_EQ(read(fixture.sink[0], text, 2), 2);
	ASSERT_EQ(read(fixture.sink[0], text, sizeof(text)), 1);
	ASSERT_EQ(read(fixture.sink[0], text, sizeof(text)), 0);
	while (!fixture.ended)
		ASSERT_EQ(ttrpc_loop_dispatch(&fixture.loop, -1), 0);
	fixture_deinit(&fixture);
}

/* What it holds stays there as long as the stream is not stopped. */
TEST(end_waits_for_a_moment_only)
{
	struct fixture fixture;
	char text[8];
	fixture_init(&fixture);
	keep(&fixture, 0);
	ASSERT_EQ(write(fixture.source[1], "end", 3), 3);
	close(fixture.source[1]);
	fixture.source[1] = -1;
	while (!fixture.ended)
		ASSERT_EQ(ttrpc_loop_dispatch(&fixture.loop, -1), 0);
	ASSERT_EQ(ttrpc_loop_timeout(&fixture.loop), -1);
	ASSERT_EQ(read(fixture.sink[0], text, sizeof(text)), 3);
	fixture_deinit(&fixture);
}

/* Stopped while it waits: it does not end any more. */
TEST(end_that_is_overtaken)
{
	struct fixture fixture;
	fixture_init(&fixture);
	keep(&fixture, 0);
	ASSERT_EQ(write(fixture.source[1], "end", 3), 3);
	close(fixture.source[1]);
	fixture.source[1] = -1;
	ASSERT_EQ(ttrpc_loop_dispatch(&fixture.loop, -1), 0);
	stream_stop(&fixture.stream);
	ASSERT(!stream_open(&fixture.stream));
	ASSERT_EQ(ttrpc_loop_timeout(&fixture.loop), -1);
	ASSERT(!fixture.ended);
	fixture_deinit(&fixture);
}

/* The keeper of input is a writer: the container may read when it likes. */
TEST(end_of_input_waits_for_nobody)
{
	struct fixture fixture;
	fixture_init(&fixture);
	keep(&fixture, 1);
	ASSERT_EQ(write(fixture.source[1], "end", 3), 3);
	close(fixture.source[1]);
	fixture.source[1] = -1;
	turns(&fixture);
	ASSERT(fixture.ended);
	fixture_deinit(&fixture);
}

/* Many small pieces fill the sink long before it holds as many bytes as it could. */
TEST(small_pieces_are_not_lost)
{
	struct fixture fixture;
	unsigned next_in = 0, next_out = 0, got;
	const unsigned total = 20000;
	fixture_init(&fixture);
	while (next_out < total) {
		for (int i = 0; i < 40 && next_in < total; i++) {
			if (write(fixture.source[1], &next_in, sizeof(next_in)) < 0)
				break;
			next_in++;
			ASSERT_EQ(ttrpc_loop_dispatch(&fixture.loop, 0), 0);
		}
		turns(&fixture);
		for (int i = 0; i < 30 && next_out < next_in; i++) {
			if (read(fixture.sink[0], &got, sizeof(got)) < 0)
				break;
			ASSERT_EQ(got, next_out++);
		}
	}
	fixture_deinit(&fixture);
}

/* A small piece upon the last one; a slow machine has as much time as it likes. */
static void put_piece(struct fixture *fixture)
{
	fixture->stream.pieces.at = (uint32_t)(ttrpc_now() / 1000) + 1000000000u;
	ASSERT_EQ(write(fixture->source[1], "s", 1), 1);
	ASSERT_EQ(ttrpc_loop_dispatch(&fixture->loop, 0), 0);
}

/* Small pieces, until they are left to gather. */
static void gather(struct fixture *fixture)
{
	char byte;

	while (!fixture->stream.pieces.gather) {
		put_piece(fixture);
		ASSERT_EQ(read(fixture->sink[0], &byte, 1), 1);
	}
}

TEST(small_pieces_in_a_row_gather)
{
	struct fixture fixture;
	char text[8] = {0};
	unsigned turn = 0;

	fixture_init(&fixture);
	gather(&fixture);
	for (int i = 0; i < 5; i++)
		ASSERT_EQ(write(fixture.source[1], &"abcde"[i], 1), 1);
	/* none of them wakes us: what comes is the timer, once, with all of them */
	while (read(fixture.sink[0], text, sizeof(text)) < 0) {
		ASSERT_EQ(ttrpc_loop_dispatch(&fixture.loop, -1), 0);
		ASSERT(turn++ < 10);
	}
	ASSERT_STR(text, "abcde");
	/* with nothing to be fetched it sleeps again, and is woken by the next one */
	while (fixture.stream.pieces.gather)
		ASSERT_EQ(ttrpc_loop_dispatch(&fixture.loop, -1), 0);
	turns(&fixture);
	ASSERT_EQ(ttrpc_loop_timeout(&fixture.loop), -1);
	ASSERT_EQ(write(fixture.source[1], "f", 1), 1);
	turns(&fixture);
	ASSERT_EQ(read(fixture.sink[0], text, sizeof(text)), 1);
	fixture_deinit(&fixture);
}

TEST(end_does_not_wait_for_what_gathers)
{
	struct fixture fixture;

	fixture_init(&fixture);
	gather(&fixture);
	expect_end(&fixture);
	ASSERT_EQ(ttrpc_loop_timeout(&fixture.loop), -1);
	fixture_deinit(&fixture);
}

TEST(what_gathers_waits_for_a_full_sink)
{
	struct fixture fixture;
	char full[65536] = {0}, byte;
	ssize_t n;

	fixture_init(&fixture);
	gather(&fixture);
	while (write(fixture.sink[1], full, sizeof(full)) > 0)
		;
	ASSERT_EQ(write(fixture.source[1], "x", 1), 1);
	while (fixture.stream.pieces.gather) /* nothing moves, so it is not tried time and again */
		ASSERT_EQ(ttrpc_loop_dispatch(&fixture.loop, -1), 0);
	turns(&fixture);
	ASSERT_EQ(ttrpc_loop_timeout(&fixture.loop), -1);
	do
		n = read(fixture.sink[0], full, sizeof(full));
	while (n == sizeof(full));
	turns(&fixture);
	ASSERT_EQ(read(fixture.sink[0], &byte, 1), 1);
	ASSERT_EQ(byte, 'x');
	fixture_deinit(&fixture);
}

TEST(a_reader_that_left_ends_it)
{
	struct fixture fixture;
	fixture_init(&fixture);
	close(fixture.sink[0]);
	fixture.sink[0] = -1;
	ASSERT_EQ(write(fixture.source[1], "x", 1), 1);
	turns(&fixture);
	ASSERT(fixture.ended);
	fixture_deinit(&fixture);
}

/* Writes as much as the pipes take and reads in bits; nothing is lost or out of order. */
TEST(slow_reader_loses_nothing)
{
	struct fixture fixture;
	unsigned char buffer[1000];
	unsigned next_in = 0, next_out = 0;
	const unsigned total = 3000000;
	fixture_init(&fixture);
	while (next_out < total) {
		while (next_in < total) {
			size_t n = 0;
			for (; n < sizeof(buffer) && next_in + n < total; n++)
				buffer[n] = (unsigned char)((next_in + n) % 251);
			ssize_t written = write(fixture.source[1], buffer, n);
			if (written <= 0)
				break;
			next_in += (unsigned)written;
		}
		turns(&fixture);
		ssize_t n = read(fixture.sink[0], buffer, 777);
		ASSERT(n > 0);
		for (ssize_t i = 0; i < n; i++, next_out++)
			ASSERT_EQ(buffer[i], next_out % 251);
	}
	fixture_deinit(&fixture);
}

TEST(idle_stream_does_not_spin)
{
	struct fixture fixture;
	char buffer[65536] = {0};
	fixture_init(&fixture);
	/* both pipes full: nothing can move, and a turn has to find nothing to do */
	while (write(fixture.source[1], buffer, sizeof(buffer)) > 0)
		turns(&fixture);
	turns(&fixture); /* a write that found it full has woken us once more */
	struct ttrpc_loop *loop = &fixture.loop;
	uint64_t before = ttrpc_now();
	ASSERT_EQ(ttrpc_loop_dispatch(loop, 50), 0);
	ASSERT(ttrpc_now() - before >= 45 * UINT64_C(1000000));
	/* nor when the source hung up meanwhile */
	close(fixture.source[1]);
	fixture.source[1] = -1;
	turns(&fixture);
	before = ttrpc_now();
	ASSERT_EQ(ttrpc_loop_dispatch(loop, 50), 0);
	ASSERT(ttrpc_now() - before >= 45 * UINT64_C(1000000));
	ASSERT(!fixture.ended);
	fixture_deinit(&fixture);
}

TEST(file_that_is_appended_to)
{
	struct ttrpc_loop loop;
	struct stream stream;
	struct fixture fixture = {.ended = false};
	char path[] = "/tmp/mote-stream.XXXXXX", text[8] = {0};
	int source[2], file = mkstemp(path);
	ASSERT(file >= 0);
	close(file);
	file = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	ASSERT_EQ(pipe2(source, O_CLOEXEC | O_NONBLOCK), 0);
	ASSERT_EQ(ttrpc_loop_init(&loop), 0);
	ASSERT_EQ(stream_start(&stream, &loop, source[0], file, -1, ended, &fixture), 0);
	ASSERT_EQ(write(source[1], "abc", 3), 3);
	ASSERT_EQ(ttrpc_loop_dispatch(&loop, 0), 0);
	close(source[1]);
	for (int i = 0; i < 10; i++)
		ASSERT_EQ(ttrpc_loop_dispatch(&loop, 0), 0);
	ASSERT(fixture.ended);
	int reader = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_EQ(read(reader, text, sizeof(text)), 3);
	ASSERT_STR(text, "abc");
	close(reader);
	unlink(path);
	stream_stop(&stream);
	ttrpc_loop_deinit(&loop);
}

TEST(pieces_for_a_file)
{
	struct fixture fixture;
	char path[] = "/tmp/mote-stream-XXXXXX", text[64] = {0};
	int file = mkostemp(path, O_CLOEXEC | O_APPEND);
	ssize_t n = 0;
	ASSERT(file >= 0);
	unlink(path);
	fixture_init(&fixture);
	stream_stop(&fixture.stream);
	close(fixture.source[1]);
	ASSERT_EQ(pipe2(fixture.source, O_CLOEXEC | O_NONBLOCK), 0);
	int sink = fcntl(file, F_DUPFD_CLOEXEC, 3);
	ASSERT_EQ(stream_start(&fixture.stream, &fixture.loop, fixture.source[0], sink, -1, ended,
			       &fixture),
		  0);
	while (!fixture.stream.pieces.gather) {
		put_piece(&fixture);
		n++;
	}
	ASSERT_EQ(write(fixture.source[1], "end", 3), 3);
	while (pread(file, text, sizeof(text), n) == 0)
		ASSERT_EQ(ttrpc_loop_dispatch(&fixture.loop, -1), 0);
	ASSERT_STR(text, "end");
	close(file);
	fixture_deinit(&fixture);
}

/* Standard input from a file, which epoll does not take, into a pipe that is smaller. */
TEST(file_that_is_read)
{
	static char bytes[300000], got[sizeof(bytes) + 1];
	struct ttrpc_loop loop;
	struct stream stream;
	struct fixture fixture = {.ended = false};
	char path[] = "/tmp/mote-stream.XXXXXX";
	int sink[2], file = mkstemp(path);
	size_t n = 0;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i % 251);
	ASSERT_EQ(write(file, bytes, sizeof(bytes)), sizeof(bytes));
	ASSERT_EQ(lseek(file, 0, SEEK_SET), 0);
	ASSERT_EQ(pipe2(sink, O_CLOEXEC | O_NONBLOCK), 0);
	ASSERT_EQ(ttrpc_loop_init(&loop), 0);
	ASSERT_EQ(stream_start(&stream, &loop, file, sink[1], -1, ended, &fixture), 0);
	ASSERT(stream_open(&stream));
	for (ssize_t size = 1; size != 0;) {
		ASSERT_EQ(ttrpc_loop_dispatch(&loop, 0), 0);
		size = read(sink[0], got + n, sizeof(got) - n);
		ASSERT(size >= 0 || errno == EAGAIN);
		n += size > 0 ? (size_t)size : 0;
	}
	ASSERT_EQ(n, sizeof(bytes));
	ASSERT_MEM(got, bytes, sizeof(bytes));
	ASSERT(fixture.ended);
	close(sink[0]);
	unlink(path);
	stream_stop(&stream);
	ttrpc_loop_deinit(&loop);
}
