/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of a server that is its alone (not the kernel's for its sockets), and what its file is large.
 *
 *   fresh        it listens
 *   idle         1000 connections, nothing sent
 *   called       a call was made on each
 *   closed       all are closed, and it had a moment
 *   unread       one client asked for 100 answers of 1 MiB and reads none
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "test/bench-ttrpc/bench.h"
#include "test/bench-ttrpc/figures.h"
#include "test/bench-ttrpc/frames.h"

#define CONNECTIONS 1000
#define UNREAD_ANSWERS 100
#define UNREAD_SIZE (1u << 20)
#define CLOSED_NEAR (64 * 1024) /* of fresh, where it is near enough to go on */
#define CLOSED_TIME 3000        /* ms that a server gets to give memory back */
#define SETTLED_TIME 5000       /* ms that it gets to do what it was asked */

struct memory {
	struct figure fresh, idle, called, closed, unread;
};

static int connect_to(const char *path)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strncpy(name.sun_path, path, sizeof(name.sun_path) - 1);
	/* A short backlog refuses for a while. */
	for (int i = 0; connect(fd, (const struct sockaddr *)&name, sizeof(name)) < 0; i++) {
		if (i == 1000 || errno != EAGAIN)
			die("%s: %s", path, strerror(errno));
		process_pause(1);
	}
	return fd;
}

static void call_on(int fd)
{
	uint8_t frame[FRAMES_OVERHEAD + 16];
	size_t size = (size_t)(frames_echo(frame, 1, 16) - frame);
	ssize_t got = 0, n;

	if (write(fd, frame, size) != (ssize_t)size)
		die("a call on an idle connection: %s", strerror(errno));
	while (got < (ssize_t)FRAMES_HEADER || got < (ssize_t)frames_size(frame)) {
		n = read(fd, frame + got, sizeof(frame) - (size_t)got);
		if (n <= 0)
			die("no answer on an idle connection");
		got += n;
	}
}

/* Until it has so many descriptors and used no CPU for a while. */
static void settle(pid_t pid, int descriptors)
{
	uint64_t cpu = 0;

	for (int i = 0, quiet = 0; i < SETTLED_TIME / 10 && quiet < 5; i++) {
		uint64_t now = process_cpu(pid);

		quiet = now - cpu < 500000 && process_descriptors(pid) >= descriptors ? quiet + 1
										      : 0;
		cpu = now;
		process_pause(10);
	}
}

static long private_after_close(pid_t pid, long fresh)
{
	long now = process_private(pid);

	for (int i = 0; i < CLOSED_TIME / 50 && now > fresh + CLOSED_NEAR; i++) {
		process_pause(50);
		now = process_private(pid);
	}
	return now;
}

static void measure_unread(const char *path, pid_t pid, struct memory *memory)
{
	uint8_t frame[FRAMES_OVERHEAD];
	int fd = connect_to(path);
	long before;

	settle(pid, 0);
	before = process_private(pid);
	for (uint32_t i = 0; i < UNREAD_ANSWERS; i++) {
		size_t size = (size_t)(frames_fetch(frame, 2 * i + 1, UNREAD_SIZE) - frame);

		if (write(fd, frame, size) != (ssize_t)size)
			die("a request for an unread answer: %s", strerror(errno));
	}
	process_pause(50);
	settle(pid, 0);
	figure_add(&memory->unread, (double)(process_private(pid) - before) / 1e6);
	close(fd);
}

static struct process start(const struct peer *peer, char *path, size_t size)
{
	snprintf(path, size, PEERS_SOCKET, peer->name);
	return process_serve(-1, peer->server, path, NULL);
}

static void measure_connections(const struct peer *peer, struct memory *memory)
{
	static int fds[CONNECTIONS];
	char path[64];
	struct process server = start(peer, path, sizeof(path));
	int descriptors = process_descriptors(server.pid);
	long fresh, now;

	settle(server.pid, 0);
	fresh = process_private(server.pid);
	figure_add(&memory->fresh, (double)fresh / 1024);
	for (int i = 0; i < CONNECTIONS; i++)
		fds[i] = connect_to(path);
	settle(server.pid, descriptors + CONNECTIONS);
	now = process_private(server.pid);
	figure_add(&memory->idle, (double)(now - fresh) / CONNECTIONS);
	for (int i = 0; i < CONNECTIONS; i++)
		call_on(fds[i]);
	settle(server.pid, 0);
	now = process_private(server.pid);
	figure_add(&memory->called, (double)(now - fresh) / CONNECTIONS);
	for (int i = 0; i < CONNECTIONS; i++)
		close(fds[i]);
	settle(server.pid, 0);
	now = private_after_close(server.pid, fresh);
	figure_add(&memory->closed, (double)(now - fresh) / 1024);
	process_stop(&server);
	/* A new one: what the connections have left behind would be used again. */
	server = start(peer, path, sizeof(path));
	measure_unread(path, server.pid, memory);
	process_stop(&server);
}

static void measure_echo(unsigned rounds)
{
	const char *const command[] = {PEERS_ECHO, NULL};
	char path[64];
	struct figure size = {.n = 0}, dirty = {.n = 0}, private = {.n = 0};
	struct stat file;

	snprintf(path, sizeof(path), PEERS_SOCKET, "echo");
	if (stat(PEERS_ECHO, &file) < 0)
		die("%s: %s", PEERS_ECHO, strerror(errno));
	figure_add(&size, (double)file.st_size / 1024);
	for (unsigned i = 0; i < rounds; i++) {
		struct process server = process_serve(-1, command, path, NULL);
		int fd = connect_to(path);

		call_on(fd);
		figure_add(&dirty, (double)process_dirty(server.pid) / 1024);
		figure_add(&private, (double)process_private(server.pid) / 1024);
		close(fd);
		process_stop(&server);
	}
	figure_judge("echo server, stripped", &size, "KiB", true, 64);
	figure_judge("echo server, private memory that is no file's", &dirty, "KiB", true, 64);
	printf("%-58s %8.2f KiB\n", "  with the pages of its file, where nobody else runs it",
	       figure_median(&private));
}

static void raise_limit(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur < CONNECTIONS + 100)
		die("%d descriptors are not to be had", CONNECTIONS + 100);
}

void bench_memory(const struct peer *peers, unsigned rounds)
{
	static struct memory memory[PEERS];

	raise_limit();
	for (unsigned round = 0; round < rounds; round++) {
		for (int peer = 0; peer < PEERS; peer++)
			if (peers[peer].there && peers[peer].server[0])
				measure_connections(&peers[peer], &memory[peer]);
		bench_progress("memory", round + 1, rounds);
	}
	printf("\n==== memory: %d connections ====\n%-12s %10s %12s %12s %16s %16s\n", CONNECTIONS,
	       "", "fresh KiB", "idle B each", "called B each", "closed +KiB", "unread +MB");
	for (int peer = 0; peer < PEERS; peer++)
		if (memory[peer].fresh.n > 0)
			printf("%-12s %10.0f %12.0f %12.0f %16.0f %16.1f\n", peers[peer].name,
			       figure_median(&memory[peer].fresh),
			       figure_median(&memory[peer].idle),
			       figure_median(&memory[peer].called),
			       figure_median(&memory[peer].closed),
			       figure_median(&memory[peer].unread));
	printf("\n==== goals: memory and size ====\n");
	figure_judge("an idle connection", &memory[PEER_MOTE].idle, "B", true, 1000);
	figure_judge("an idle connection after a call", &memory[PEER_MOTE].called, "B", true, 1000);
	figure_judge("after 1000 connections, above fresh", &memory[PEER_MOTE].closed, "KiB", true,
		     64);
	figure_judge("100 answers of 1 MiB that nobody reads", &memory[PEER_MOTE].unread, "MB",
		     true, 4);
	measure_echo(rounds);
}
