/* SPDX-License-Identifier: Apache-2.0 */
/* Streams from and to a terminal: what its errors mean, where it ends, that nothing is lost. */
#include "shim/stream.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#include "test/unit/terminal.h"

#define MUCH 200000

struct fixture {
	struct ttrpc_loop loop;
	struct stream stream;
	int master, slave; /* -1: closed */
	int pipe[2];       /* the test's end is pipe[0] for output, pipe[1] for input */
	int n_ended;
};

static void ended(struct stream *stream, void *userdata)
{
	struct fixture *fixture = userdata;
	ASSERT(!stream_open(stream));
	fixture->n_ended++;
}

/* output: from the terminal into a pipe; else from a pipe into the terminal. */
static void begin(struct fixture *fixture, bool output)
{
	signal(SIGPIPE, SIG_IGN);
	fixture->n_ended = 0;
	terminal_open(&fixture->master, &fixture->slave);
	ASSERT_EQ(fcntl(fixture->slave, F_SETFL, O_NONBLOCK), 0);
	ASSERT_EQ(fcntl(fixture->master, F_SETFL, O_NONBLOCK), 0);
	int end = fcntl(fixture->master, F_DUPFD_CLOEXEC, 3);
	ASSERT_EQ(pipe2(fixture->pipe, O_CLOEXEC | O_NONBLOCK), 0);
	ASSERT_EQ(ttrpc_loop_init(&fixture->loop), 0);
	ASSERT_EQ(stream_start(&fixture->stream, &fixture->loop, output ? end : fixture->pipe[0],
			       output ? fixture->pipe[1] : end, -1, ended, fixture),
		  0);
	fixture->pipe[output ? 1 : 0] = -1;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void end(struct fixture *fixture)
{
	stream_stop(&fixture->stream);
	close_fd(&fixture->master);
	close_fd(&fixture->slave);
	close_fd(&fixture->pipe[0]);
	close_fd(&fixture->pipe[1]);
	ttrpc_loop_deinit(&fixture->loop);
}

static void turn(struct fixture *fixture)
{
	ASSERT_EQ(ttrpc_loop_dispatch(&fixture->loop, 1), 0);
}

static void turns(struct fixture *fixture)
{
	for (int i = 0; i < 30; i++)
		turn(fixture);
}

/* Turns until size bytes have come out at fd. */
static void expect(struct fixture *fixture, int fd, const char *bytes, size_t size)
{
	static char got[MUCH];
	size_t n = 0;
	while (n < size) {
		turn(fixture);
		ssize_t more = read(fd, got + n, size - n);
		ASSERT(more >= 0 || errno == EAGAIN);
		n += more > 0 ? (size_t)more : 0;
	}
	ASSERT_MEM(got, bytes, size);
}

static void slave_open(struct fixture *fixture)
{
	fixture->slave = open(ptsname(fixture->master), O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	ASSERT(fixture->slave >= 0);
}

/* The process closes the terminal and opens it again, as an init system does: that is no end. */
TEST(output_goes_on_when_nobody_has_it_open)
{
	struct fixture fixture;
	begin(&fixture, true);
	ASSERT_EQ(write(fixture.slave, "one", 3), 3);
	expect(&fixture, fixture.pipe[0], "one", 3);
	ASSERT(!fixture.stream.buffer);
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(write(fixture.slave, "last", 4), 4);
		close_fd(&fixture.slave);
		expect(&fixture, fixture.pipe[0], "last", 4);
		turns(&fixture);
		ASSERT_EQ(fixture.n_ended, 0);
		slave_open(&fixture);
	}
	end(&fixture);
}

/* No event comes for it, and no timer runs. */
TEST(closed_terminal_does_not_spin)
{
	struct fixture fixture;
	begin(&fixture, true);
	close_fd(&fixture.slave);
	turns(&fixture);
	uint64_t before = ttrpc_now();
	ASSERT_EQ(ttrpc_loop_dispatch(&fixture.loop, 50), 0);
	ASSERT(ttrpc_now() - before >= 45 * UINT64_C(1000000));
	ASSERT_EQ(ttrpc_loop_timeout(&fixture.loop), -1);
	end(&fixture);
}

TEST(output_ends_behind_the_last_byte)
{
	struct fixture fixture;
	char byte;
	begin(&fixture, true);
	ASSERT_EQ(write(fixture.slave, "bye", 3), 3);
	close_fd(&fixture.slave);
	stream_finish(&fixture.stream);
	ASSERT_EQ(fixture.n_ended, 0); /* not from within the call */
	expect(&fixture, fixture.pipe[0], "bye", 3);
	turns(&fixture);
	ASSERT_EQ(fixture.n_ended, 1);
	ASSERT_EQ(read(fixture.pipe[0], &byte, 1), 0);
	stream_finish(&fixture.stream);
	turns(&fixture);
	ASSERT_EQ(fixture.n_ended, 1);
	end(&fixture);
}

/* Somebody whom the process left behind has the terminal still. */
TEST(output_ends_though_it_is_open)
{
	struct fixture fixture;
	begin(&fixture, true);
	ASSERT_EQ(write(fixture.slave, "bye", 3), 3);
	stream_finish(&fixture.stream);
	expect(&fixture, fixture.pipe[0], "bye", 3);
	turns(&fixture);
	ASSERT_EQ(fixture.n_ended, 1);
	/* the terminal itself stays as long as its master does */
	ASSERT_EQ(write(fixture.slave, "more", 4), 4);
	end(&fixture);
}

/* The client is away and its FIFO full: the end waits for it, with what had been read already. */
TEST(output_waits_for_a_full_sink)
{
	static char bytes[MUCH];
	struct fixture fixture;
	size_t n = 0;
	begin(&fixture, true);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i % 251);
	for (int idle = 0; idle < 100; idle++) {
		ssize_t more = write(fixture.slave, bytes + n, sizeof(bytes) - n);
		if (more > 0) {
			n += (size_t)more;
			idle = 0;
		}
		turn(&fixture);
	}
	ASSERT(n >= 65536 && n < sizeof(bytes));
	ASSERT(fixture.stream.buffer);
	close_fd(&fixture.slave);
	stream_finish(&fixture.stream);
	turns(&fixture);
	ASSERT_EQ(fixture.n_ended, 0);
	expect(&fixture, fixture.pipe[0], bytes, n);
	turns(&fixture);
	ASSERT_EQ(fixture.n_ended, 1);
	ASSERT(!fixture.stream.buffer);
	end(&fixture);
}

/* A logger has crashed. The process is not to be stopped by that, nor by a hang-up. */
TEST(output_is_drained_when_its_sink_breaks)
{
	static char bytes[4000];
	struct fixture fixture;
	begin(&fixture, true);
	close_fd(&fixture.pipe[0]);
	for (size_t n = 0; n < MUCH;) {
		ssize_t more = write(fixture.slave, bytes, sizeof(bytes));
		n += more > 0 ? (size_t)more : 0;
		turn(&fixture);
	}
	ASSERT_EQ(fixture.n_ended, 0);
	stream_finish(&fixture.stream);
	turns(&fixture);
	ASSERT_EQ(fixture.n_ended, 1);
	end(&fixture);
}

/* More than a terminal holds, into a process that reads slowly. */
TEST(input_waits_for_the_process)
{
	static char bytes[MUCH], got[MUCH];
	struct fixture fixture;
	size_t in = 0, out = 0;
	begin(&fixture, false);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)('a' + i % 23);
	while (out < sizeof(bytes)) {
		ssize_t n = write(fixture.pipe[1], bytes + in, sizeof(bytes) - in);
		in += n > 0 ? (size_t)n : 0;
		turn(&fixture);
		n = read(fixture.slave, got + out,
			 sizeof(got) - out < 999 ? sizeof(got) - out : 999);
		out += n > 0 ? (size_t)n : 0;
	}
	ASSERT_MEM(got, bytes, sizeof(bytes));
	end(&fixture);
}

/* Small ones, one upon the other: once the terminal is full they wait, and none is forgotten. */
TEST(pieces_of_input_wait_for_the_process)
{
	static char bytes[MUCH];
	struct fixture fixture;
	size_t n = 0;
	begin(&fixture, false);
	while (n < sizeof(bytes)) {
		bytes[n] = n % 64 == 63 ? '\n' : (char)('a' + n % 26);
		if (write(fixture.pipe[1], bytes + n, 1) < 0)
			break;
		n++;
		fixture.stream.pieces.at = (uint32_t)(ttrpc_now() / 1000) + 1000000000u;
		ASSERT_EQ(ttrpc_loop_dispatch(&fixture.loop, 0), 0);
	}
	ASSERT(n < sizeof(bytes)); /* both are full */
	expect(&fixture, fixture.slave, bytes, n);
	end(&fixture);
}

TEST(input_waits_until_it_is_opened)
{
	struct fixture fixture;
	begin(&fixture, false);
	close_fd(&fixture.slave);
	ASSERT_EQ(write(fixture.pipe[1], "early\n", 6), 6);
	turns(&fixture);
	ASSERT_EQ(fixture.n_ended, 0);
	slave_open(&fixture);
	expect(&fixture, fixture.slave, "early\n", 6);
	end(&fixture);
}

/* The stock shim hangs up on the process then. */
TEST(end_of_input_is_not_the_end_of_the_terminal)
{
	struct fixture fixture;
	char text[8] = "";
	begin(&fixture, false);
	ASSERT_EQ(write(fixture.pipe[1], "in", 2), 2);
	close_fd(&fixture.pipe[1]);
	expect(&fixture, fixture.slave, "in", 2);
	turns(&fixture);
	ASSERT_EQ(fixture.n_ended, 1);
	ASSERT_EQ(write(fixture.slave, "out", 3), 3);
	ASSERT_EQ(read(fixture.master, text, sizeof(text)), 3);
	end(&fixture);
}

TEST(input_ends_with_the_process)
{
	struct fixture fixture;
	begin(&fixture, false);
	stream_finish(&fixture.stream);
	ASSERT_EQ(fixture.n_ended, 0);
	turns(&fixture);
	ASSERT_EQ(fixture.n_ended, 1);
	end(&fixture);
}

/* The terminal is full: what it has not read is for nobody. */
TEST(input_that_waits_ends_with_the_process)
{
	static char bytes[MUCH];
	struct fixture fixture;
	begin(&fixture, false);
	for (int idle = 0; idle < 100; idle++) {
		if (write(fixture.pipe[1], bytes, sizeof(bytes)) > 0)
			idle = 0;
		turn(&fixture);
	}
	ASSERT(fixture.stream.buffer);
	stream_finish(&fixture.stream);
	turns(&fixture);
	ASSERT_EQ(fixture.n_ended, 1);
	ASSERT(!fixture.stream.buffer);
	end(&fixture);
}

/* Of pipes others may hold the other end when the process has gone. */
TEST(pipes_do_not_end_with_the_process)
{
	struct fixture fixture = {.master = -1, .slave = -1};
	int source[2];
	ASSERT_EQ(pipe2(source, O_CLOEXEC | O_NONBLOCK), 0);
	ASSERT_EQ(pipe2(fixture.pipe, O_CLOEXEC | O_NONBLOCK), 0);
	ASSERT_EQ(ttrpc_loop_init(&fixture.loop), 0);
	ASSERT_EQ(stream_start(&fixture.stream, &fixture.loop, source[0], fixture.pipe[1], -1,
			       ended, &fixture),
		  0);
	fixture.pipe[1] = -1;
	stream_finish(&fixture.stream);
	turns(&fixture);
	ASSERT_EQ(fixture.n_ended, 0);
	ASSERT_EQ(write(source[1], "later", 5), 5);
	expect(&fixture, fixture.pipe[0], "later", 5);
	close(source[1]);
	turns(&fixture);
	ASSERT_EQ(fixture.n_ended, 1);
	end(&fixture);
}

/* Output that nobody wants: a terminal may say so by /dev/null. */
TEST(output_to_nowhere)
{
	static char bytes[1000];
	struct fixture fixture;
	begin(&fixture, true);
	stream_stop(&fixture.stream);
	int end_fd = fcntl(fixture.master, F_DUPFD_CLOEXEC, 3);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	ASSERT_EQ(stream_start(&fixture.stream, &fixture.loop, end_fd, null, -1, ended, &fixture),
		  0);
	for (size_t n = 0; n < MUCH;) {
		ssize_t more = write(fixture.slave, bytes, sizeof(bytes));
		n += more > 0 ? (size_t)more : 0;
		turn(&fixture);
	}
	ASSERT_EQ(fixture.n_ended, 0);
	end(&fixture);
}
