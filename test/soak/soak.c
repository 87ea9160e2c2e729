/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 10 million calls, a million streams and 100,000 connects, and what they leave behind: nothing. After
 * each phase both processes must have the descriptors that they had before it, and not more private
 * memory (USS), but for a tolerance.
 *
 * "Before" is after a small run of all phases: what is kept for the next call is there then. What is
 * merely late, such as buffers that are given back after a second, is waited for.
 *
 * SOAK_SCALE divides the numbers; 1000 without, for the ordinary tests.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "test/soak/soak.h"

#define TOLERANCE 64        /* kB */
#define CONNECTION_MAX 1024 /* bytes of the server's own memory for an idle connection */
#define SETTLE 10000000000u /* ns, for what is late */
#define SECONDS_MAX 3600    /* of all; it ends by itself */
#define LISTENER_FD 10      /* of the server program */
#define CONTROL_FD 11

static const struct phase {
	const char *name;
	uint64_t n, warm; /* warm: of the small run before */
	void (*run)(struct load *load, uint64_t n);
} phases[] = {
	{"calls", 10000000, 20000, load_calls},
	{"streams", 1000000, 4000, load_streams},
	{"connects", 100000, 400, load_connects},
};

#define N_PHASES (sizeof(phases) / sizeof(phases[0]))

struct usage {
	unsigned memory; /* kB */
	unsigned descriptors;
};

static const char *phase_name = "start";

void soak_fail(const char *format, ...)
{
	va_list arguments;

	printf("not ok soak.%s: ", phase_name);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
	fflush(stdout);
	_exit(1);
}

/* ---- what a process has ---- */

static unsigned memory_of(pid_t pid)
{
	char path[64], line[256];
	unsigned kb, sum = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	file = fopen(path, "re");
	if (!file)
		soak_fail("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "Private_Clean: %u", &kb) == 1 ||
		    sscanf(line, "Private_Dirty: %u", &kb) == 1)
			sum += kb;
	fclose(file);
	return sum;
}

static unsigned descriptors_of(pid_t pid)
{
	struct dirent *entry;
	char path[64];
	unsigned n = 0;
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	folder = opendir(path);
	if (!folder)
		soak_fail("%s: %s", path, strerror(errno));
	while ((entry = readdir(folder)))
		n += entry->d_name[0] != '.';
	closedir(folder);
	/* The one that reads the folder is nobody's but ours. */
	return pid == getpid() ? n - 1 : n;
}

static struct usage usage_of(pid_t pid)
{
	return (struct usage){memory_of(pid), descriptors_of(pid)};
}

static bool usage_is_flat(struct usage before, struct usage now)
{
	return now.descriptors == before.descriptors && now.memory <= before.memory + TOLERANCE;
}

/* ---- the server ---- */

static int server_listener(struct load *load)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	load->name = (struct sockaddr_un){.sun_family = AF_UNIX};
	load->name_size = sizeof(load->name);
	/* A name of the kernel's choice. */
	SOAK_CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&load->name, sizeof(sa_family_t)) == 0);
	SOAK_CHECK(listen(fd, 4096) == 0);
	SOAK_CHECK(getsockname(fd, (struct sockaddr *)&load->name, &load->name_size) == 0);
	return fd;
}

static pid_t server_start(struct load *load, int *ret_control)
{
	int listener = server_listener(load), fds[2];
	char ready;
	pid_t pid;

	SOAK_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	pid = fork();
	SOAK_CHECK(pid >= 0);
	if (pid == 0) {
		SOAK_CHECK(dup2(listener, LISTENER_FD) >= 0 && dup2(fds[1], CONTROL_FD) >= 0);
		execl("/proc/self/exe", "soak", "server", NULL);
		_exit(127);
	}
	close(listener);
	close(fds[1]);
	SOAK_CHECK(read(fds[0], &ready, 1) == 1);
	*ret_control = fds[0];
	return pid;
}

static void server_stop(pid_t pid, int control)
{
	int status;

	close(control);
	while (waitpid(pid, &status, 0) < 0)
		SOAK_CHECK(errno == EINTR);
	if (status != 0)
		soak_fail("the server ended with status %#x", (unsigned)status);
	printf("ok soak.shutdown\n");
}

/* Turns the loop until the server and we have what we had, for as long as that may take. */
static bool phase_settle(struct load *load, pid_t server, const struct usage before[2],
			 struct usage now[2])
{
	uint64_t end = ttrpc_now() + SETTLE;

	do {
		SOAK_CHECK(ttrpc_loop_dispatch(&load->loop, 20) == 0);
		now[0] = usage_of(server);
		now[1] = usage_of(getpid());
		if (usage_is_flat(before[0], now[0]) && usage_is_flat(before[1], now[1]))
			return true;
	} while (ttrpc_now() < end);
	return false;
}

/* ---- the phases ---- */

static void phase_print(const char *when, const struct usage usage[2])
{
	printf("  %-6s server %4u kB, %u descriptors; client %4u kB, %u descriptors\n", when,
	       usage[0].memory, usage[0].descriptors, usage[1].memory, usage[1].descriptors);
}

static void phase_run(struct load *load, const struct phase *phase, uint64_t n, pid_t server,
		      const struct usage before[2])
{
	uint64_t start = ttrpc_now();
	struct usage now[2];
	double seconds;
	bool flat;

	phase_name = phase->name;
	phase->run(load, n);
	seconds = (double)(ttrpc_now() - start) / 1e9;
	flat = phase_settle(load, server, before, now);
	printf("%llu %s in %.1f s, %.0f in a second\n", (unsigned long long)n, phase->name, seconds,
	       (double)n / seconds);
	phase_print("before", before);
	phase_print("after", now);
	if (!flat)
		soak_fail("memory or descriptors have grown");
	printf("ok soak.%s\n", phase->name);
	fflush(stdout);
}

/* ---- many connections at once ---- */

/* Against what the server had before the first connection of all. */
static void thousand(struct load *load, pid_t server)
{
	const struct usage before[2] = {usage_of(server), usage_of(getpid())};
	struct usage now[2];
	int *fds;

	phase_name = "thousand_connections";
	fds = crowd_come(load, 1000);
	crowd_call(fds, 1000, 1);
	now[0] = usage_of(server);
	crowd_go(fds, 1000);
	printf("1000 connections, gone again: the server had %u kB, then %u", before[0].memory,
	       now[0].memory);
	if (!phase_settle(load, server, before, now))
		soak_fail("%u kB of the server's memory stay", now[0].memory - before[0].memory);
	printf(", and has %u\nok soak.thousand_connections\n", now[0].memory);
}

/* Bytes of the server for each of so many connections. */
static long per_connection(pid_t server, struct usage before)
{
	return ((long)memory_of(server) - (long)before.memory) * 1024 / (long)SOAK_CROWD;
}

static void crowd(struct load *load, pid_t server)
{
	const struct usage before[2] = {usage_of(server), usage_of(getpid())};
	long idle, called;
	struct usage now[2];
	int *fds;

	phase_name = "ten_thousand_connections";
	if (!crowd_is_possible(SOAK_CROWD)) {
		printf("skip soak.%s: the hard limit of descriptors is too low\n", phase_name);
		return;
	}
	fds = crowd_come(load, SOAK_CROWD + 1);
	/* The answer on one more comes when all were accepted. */
	crowd_call(fds + SOAK_CROWD, 1, 1);
	SOAK_CHECK(descriptors_of(server) >= SOAK_CROWD);
	idle = per_connection(server, before[0]);
	for (uint32_t id = 1; id < 5; id += 2)
		crowd_call(fds, SOAK_CROWD, id);
	called = per_connection(server, before[0]);
	crowd_go(fds, SOAK_CROWD + 1);
	printf("%u connections at once: %ld bytes each, %ld after a call\n", SOAK_CROWD, idle,
	       called);
	if (idle > CONNECTION_MAX || called > CONNECTION_MAX)
		soak_fail("a connection costs more than %d bytes", CONNECTION_MAX);
	if (!phase_settle(load, server, before, now))
		soak_fail("the server has %u kB and %u descriptors instead of %u and %u",
			  now[0].memory, now[0].descriptors, before[0].memory,
			  before[0].descriptors);
	printf("ok soak.ten_thousand_connections\n");
}

/* So long that kept buffers were given back, which come again with the next large message. */
static void warm_up(struct load *load)
{
	uint64_t end;

	phase_name = "warm_up";
	for (size_t i = 0; i < N_PHASES; i++)
		phases[i].run(load, phases[i].warm);
	end = ttrpc_now() + 3000000000u;
	while (ttrpc_now() < end)
		SOAK_CHECK(ttrpc_loop_dispatch(&load->loop, 100) == 0);
}

static void soak(uint64_t scale)
{
	struct load load = {.left = 0};
	struct usage before[2];
	int control;
	pid_t server;

	SOAK_CHECK(ttrpc_loop_init(&load.loop) == 0);
	server = server_start(&load, &control);
	thousand(&load, server);
	warm_up(&load);
	crowd(&load, server);
	before[0] = usage_of(server);
	before[1] = usage_of(getpid());
	for (size_t i = 0; i < N_PHASES; i++)
		phase_run(&load, &phases[i], phases[i].n / scale, server, before);
	phase_name = "shutdown";
	server_stop(server, control);
	ttrpc_loop_deinit(&load.loop);
}

int main(int argc, char **argv)
{
	const char *text = getenv("SOAK_SCALE");
	long scale = text ? strtol(text, NULL, 10) : 1000;

	alarm(SECONDS_MAX);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1 && strcmp(argv[1], "server") == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		return soak_serve(LISTENER_FD, CONTROL_FD);
	}
	if (scale < 1)
		soak_fail("SOAK_SCALE=%s is no number above 0", text);
	soak((uint64_t)scale);
	return 0;
}
