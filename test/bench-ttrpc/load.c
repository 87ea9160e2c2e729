/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load SOCKET MILLISECONDS CALLS SIZE CONNECTIONS STREAMS UNDERWAY
 *
 * The generator: one thread, plain sockets, frames by hand. CONNECTIONS, on each either unary calls
 * (STREAMS 0) or so many streams, and on each of these UNDERWAY messages of SIZE bytes at any time:
 * what was answered is asked again, in one write for all that one read brought. CALLS 0: for as long
 * as there is time. A single call under way is a blocking write and a blocking read, each timed.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "test/bench-ttrpc/frames.h"
#include "test/bench-ttrpc/meter.h"

#define INPUT_SIZE 65536u
#define EVENTS_MAX 64

struct connection {
	int fd;
	uint32_t next_id;
	size_t filled; /* bytes in input: less than a frame */
	uint8_t *input;
};

struct load {
	size_t size;
	unsigned n_connections, n_streams, n_underway;
	struct connection *connections;
	uint8_t *request; /* the template: only its id changes */
	size_t request_size;
	uint8_t *output;
	struct meter meter;
};

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(1);
}

static void *allocate(size_t size)
{
	void *memory = malloc(size);

	if (!memory)
		die("malloc");
	memset(memory, 0, size);
	return memory;
}

static int connect_to(const char *path)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strncpy(name.sun_path, path, sizeof(name.sun_path) - 1);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&name, sizeof(name)) < 0)
		die(path);
	return fd;
}

static void write_all(int fd, const uint8_t *bytes, size_t size)
{
	while (size > 0) {
		ssize_t sent = write(fd, bytes, size);

		if (sent <= 0)
			die("write");
		bytes += sent;
		size -= (size_t)sent;
	}
}

static void read_all(int fd, uint8_t *bytes, size_t size)
{
	while (size > 0) {
		ssize_t got = read(fd, bytes, size);

		if (got <= 0)
			die("read");
		bytes += got;
		size -= (size_t)got;
	}
}

static void expect_ok(const uint8_t *frame)
{
	if (frames_is_ok(frame))
		return;
	fprintf(stderr, "load: not an answer: type %u, %zu bytes\n", frames_type(frame),
		frames_size(frame));
	exit(1);
}

/* ---- one call at a time ---- */

static void run_sequential(struct load *load)
{
	int fd = load->connections->fd;
	uint8_t *answer = allocate(load->size + FRAMES_OVERHEAD);
	uint32_t id = 1;
	size_t size;

	/* The first answer says how long all of them are. */
	write_all(fd, load->request, load->request_size);
	read_all(fd, answer, FRAMES_HEADER);
	size = frames_size(answer);
	if (size > load->size + FRAMES_OVERHEAD)
		exit(1);
	read_all(fd, answer + FRAMES_HEADER, size - FRAMES_HEADER);
	expect_ok(answer);
	do {
		frames_set_id(load->request, id += 2);
		write_all(fd, load->request, load->request_size);
		read_all(fd, answer, size);
	} while (meter_add(&load->meter, 1));
	expect_ok(answer);
	free(answer);
}

/* ---- many ---- */

/* Cuts the frames that came; what asks again is in output. Returns how many there were. */
static unsigned answer_all(struct load *load, struct connection *connection, size_t *ret_size)
{
	uint8_t *frame = connection->input, *end = frame + connection->filled;
	uint8_t *to = load->output;
	unsigned n = 0;

	while ((size_t)(end - frame) >= FRAMES_HEADER &&
	       (size_t)(end - frame) >= frames_size(frame)) {
		uint32_t id = frames_id(frame);

		expect_ok(frame);
		if (load->n_streams == 0)
			id = connection->next_id += 2;
		frames_set_id(load->request, id);
		memcpy(to, load->request, load->request_size);
		to += load->request_size;
		frame += frames_size(frame);
		n++;
	}
	connection->filled = (size_t)(end - frame);
	memmove(connection->input, frame, connection->filled);
	*ret_size = (size_t)(to - load->output);
	return n;
}

/* False: the time is over. */
static bool serve(struct load *load, struct connection *connection)
{
	ssize_t got = read(connection->fd, connection->input + connection->filled,
			   INPUT_SIZE - connection->filled);
	size_t size;
	unsigned n;

	if (got <= 0)
		die("read");
	connection->filled += (size_t)got;
	n = answer_all(load, connection, &size);
	write_all(connection->fd, load->output, size);
	return meter_add(&load->meter, n);
}

static void begin(struct load *load, struct connection *connection)
{
	unsigned n_streams = load->n_streams > 0 ? load->n_streams : 1;
	uint8_t open[FRAMES_OVERHEAD];

	for (unsigned i = 0; i < load->n_streams; i++)
		write_all(connection->fd, open, (size_t)(frames_open(open, 2 * i + 1) - open));
	for (unsigned i = 0; i < n_streams; i++)
		for (unsigned k = 0; k < load->n_underway; k++) {
			uint32_t id = 2 * i + 1;

			if (load->n_streams == 0)
				id = connection->next_id += 2;
			frames_set_id(load->request, id);
			write_all(connection->fd, load->request, load->request_size);
		}
}

static void run_many(struct load *load)
{
	struct epoll_event events[EVENTS_MAX], event = {.events = EPOLLIN};
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	bool goes_on = true;

	if (epoll < 0)
		die("epoll_create1");
	for (unsigned i = 0; i < load->n_connections; i++) {
		event.data.u32 = i;
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, load->connections[i].fd, &event) < 0)
			die("epoll_ctl");
		begin(load, &load->connections[i]);
	}
	while (goes_on) {
		int n = epoll_wait(epoll, events, EVENTS_MAX, 5000);

		if (n <= 0)
			die("no answer for 5 s");
		for (int i = 0; i < n && goes_on; i++)
			goes_on = serve(load, &load->connections[events[i].data.u32]);
	}
	close(epoll);
}

/* With one connection there is nothing to wait for but its read. */
static void run_one(struct load *load)
{
	begin(load, load->connections);
	while (serve(load, load->connections))
		;
}

static void prepare(struct load *load, const char *path)
{
	unsigned n = load->n_connections;

	load->request = allocate(load->size + FRAMES_OVERHEAD);
	load->request_size =
		(size_t)((load->n_streams > 0 ? frames_message(load->request, 1, load->size)
					      : frames_echo(load->request, 1, load->size)) -
			 load->request);
	/* No more answers than INPUT_SIZE holds come at once, and none is shorter than its header. */
	load->output = allocate(INPUT_SIZE / FRAMES_HEADER * load->request_size);
	load->connections = allocate(n * sizeof(*load->connections));
	for (unsigned i = 0; i < n; i++) {
		load->connections[i].fd = connect_to(path);
		load->connections[i].next_id = (uint32_t)-1;
		load->connections[i].input = allocate(INPUT_SIZE);
	}
}

int main(int argc, char **argv)
{
	struct load load;
	bool sequential;

	if (argc != 8) {
		fprintf(stderr,
			"load SOCKET MILLISECONDS CALLS SIZE CONNECTIONS STREAMS UNDERWAY\n");
		return 2;
	}
	load.size = strtoul(argv[4], NULL, 10);
	load.n_connections = (unsigned)strtoul(argv[5], NULL, 10);
	load.n_streams = (unsigned)strtoul(argv[6], NULL, 10);
	load.n_underway = (unsigned)strtoul(argv[7], NULL, 10);
	sequential = load.n_connections == 1 && load.n_streams == 0 && load.n_underway == 1;
	prepare(&load, argv[1]);
	meter_init(&load.meter, (unsigned)strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10),
		   sequential);
	if (sequential)
		run_sequential(&load);
	else if (load.n_connections == 1)
		run_one(&load);
	else
		run_many(&load);
	meter_print(&load.meter);
	return 0;
}
