/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's side of OOM kills, with a kernel that the test plays: pread() of the file is answered
 * here, an eventfd stands for v1's, and a socket with urgent data for a file that is ready for
 * EPOLLPRI until it is read. The real kernel's turn is in cgroup_v1.c and cgroup_v2.c.
 */
#include "shim/oom.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test/test.h"

/* What stands before the number. */
#define EVENTS "low 0\nhigh 0\nmax 7\noom 9\noom_kill "
#define CONTROL "oom_kill_disable 0\nunder_oom 0\noom_kill "

struct fixture {
	struct ttrpc_loop loop;
	struct oom oom;
	int file[2]; /* the file that is watched, and what makes it ready */
	int event;   /* a second descriptor of the eventfd; -1: v2 */
	int calls;
	uint64_t told;
	bool stop; /* killed is to stop the oom */
};

static struct {
	unsigned long kills;
	int error, reads;
	const char *before; /* NULL: the real one answers */
} kernel;

ssize_t __real_pread(int fd, void *bytes, size_t size, off_t offset);
ssize_t __wrap_pread(int fd, void *bytes, size_t size, off_t offset);

ssize_t __wrap_pread(int fd, void *bytes, size_t size, off_t offset)
{
	char byte;
	if (!kernel.before)
		return __real_pread(fd, bytes, size, offset);
	ASSERT_EQ(offset, 0);
	kernel.reads++;
	recv(fd, &byte, 1, MSG_OOB | MSG_DONTWAIT);
	if (kernel.error) {
		errno = kernel.error;
		return -1;
	}
	return snprintf(bytes, size, "%s%lu\noom_group_kill 0\n", kernel.before, kernel.kills);
}

static void killed(struct oom *oom, uint64_t n, void *userdata)
{
	struct fixture *fixture = userdata;
	fixture->calls++;
	fixture->told += n;
	if (fixture->stop) {
		oom_stop(oom);
		memset(oom, 0xa5, sizeof(*oom)); /* as if it were freed */
	}
}

/* AF_UNIX has no urgent data without a kernel option; TCP over the loopback has. */
static void urgent_pair(int fds[static 2])
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ASSERT_EQ(listen(listener, 1), 0);
	ASSERT_EQ(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	fds[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ASSERT_EQ(connect(fds[1], (struct sockaddr *)&address, size), 0);
	fds[0] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	ASSERT(fds[0] >= 0);
	close(listener);
}

static void fixture_init(struct fixture *fixture, bool v1)
{
	*fixture = (struct fixture){.event = -1};
	kernel.kills = 3;
	kernel.error = kernel.reads = 0;
	kernel.before = v1 ? CONTROL : EVENTS;
	ASSERT_EQ(ttrpc_loop_init(&fixture->loop), 0);
	urgent_pair(fixture->file);
	int event = v1 ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
	if (v1)
		fixture->event = dup(event);
	ASSERT_EQ(
		oom_start(&fixture->oom, &fixture->loop, event, fixture->file[0], killed, fixture),
		0);
	ASSERT_EQ(oom_kills(&fixture->oom), 3);
	ASSERT_EQ(fixture->calls, 0);
}

static void fixture_deinit(struct fixture *fixture)
{
	if (!fixture->stop)
		oom_stop(&fixture->oom);
	if (fixture->event >= 0)
		close(fixture->event);
	close(fixture->file[1]);
	ttrpc_loop_deinit(&fixture->loop);
}

static void change(struct fixture *fixture, unsigned long kills)
{
	kernel.kills = kills;
	if (fixture->event >= 0)
		ASSERT_EQ(eventfd_write(fixture->event, 1), 0);
	else
		ASSERT_EQ(send(fixture->file[1], "x", 1, MSG_OOB), 1);
}

static void turn(struct fixture *fixture)
{
	ASSERT_EQ(ttrpc_loop_dispatch(&fixture->loop, -1), 0);
}

/* As if a long time went by. */
static void burst_end(struct fixture *fixture)
{
	fixture->oom.burst_end = 0;
}

TEST(a_kill_is_told_once)
{
	struct fixture fixture;
	fixture_init(&fixture, false);
	change(&fixture, 4);
	turn(&fixture);
	ASSERT_EQ(fixture.calls, 1);
	ASSERT_EQ(fixture.told, 1);
	ASSERT_EQ(oom_kills(&fixture.oom), 4);
	oom_check(&fixture.oom);
	burst_end(&fixture);
	oom_check(&fixture.oom);
	ASSERT_EQ(fixture.calls, 1);
	fixture_deinit(&fixture);
}

TEST(kills_seen_together_are_one)
{
	struct fixture fixture;
	fixture_init(&fixture, false);
	change(&fixture, 45);
	turn(&fixture);
	ASSERT_EQ(fixture.calls, 1);
	ASSERT_EQ(fixture.told, 42);
	fixture_deinit(&fixture);
}

/* Each of the kills is one change of the file; the burst ends when none comes for a while. */
TEST(a_burst_is_told_once)
{
	struct fixture fixture;
	fixture_init(&fixture, false);
	for (unsigned long kills = 4; kills < 24; kills++) {
		change(&fixture, kills);
		turn(&fixture);
		/* on a slow machine the burst would be over; it is extended by each kill */
		ASSERT(fixture.oom.burst_end > 0);
		fixture.oom.burst_end = UINT64_MAX;
	}
	ASSERT_EQ(fixture.calls, 1);
	ASSERT_EQ(oom_kills(&fixture.oom), 23);
	burst_end(&fixture);
	change(&fixture, 25);
	turn(&fixture);
	ASSERT_EQ(fixture.calls, 2);
	fixture_deinit(&fixture);
}

TEST(other_changes_are_no_kill)
{
	struct fixture fixture;
	fixture_init(&fixture, false);
	change(&fixture, 3);
	turn(&fixture);
	ASSERT_EQ(kernel.reads, 2);
	ASSERT_EQ(fixture.calls, 0);
	fixture_deinit(&fixture);
}

/* Read once, the file is silent: the loop sleeps, and hears of the next change. */
TEST(a_change_is_one_wake_up)
{
	struct fixture fixture;
	fixture_init(&fixture, false);
	change(&fixture, 4);
	turn(&fixture);
	int reads = kernel.reads;
	for (int i = 0; i < 10; i++)
		ASSERT_EQ(ttrpc_loop_dispatch(&fixture.loop, 0), 0);
	ASSERT_EQ(kernel.reads, reads);
	ASSERT_EQ(ttrpc_loop_timeout(&fixture.loop), -1);
	burst_end(&fixture);
	change(&fixture, 5);
	turn(&fixture);
	ASSERT_EQ(fixture.calls, 2);
	fixture_deinit(&fixture);
}

/* The kernel's message was held back, and the process has ended. */
TEST(a_check_finds_what_nobody_told)
{
	struct fixture fixture;
	fixture_init(&fixture, false);
	kernel.kills = 5;
	oom_check(&fixture.oom);
	ASSERT_EQ(fixture.calls, 1);
	ASSERT_EQ(fixture.told, 2);
	fixture_deinit(&fixture);
}

TEST(a_cgroup_that_goes_is_no_kill)
{
	for (int v1 = 0; v1 < 2; v1++) {
		struct fixture fixture;
		fixture_init(&fixture, v1);
		kernel.error = ENODEV;
		change(&fixture, 4);
		turn(&fixture);
		ASSERT_EQ(fixture.calls, 0);
		ASSERT_EQ(fixture.oom.file_fd, -1);
		ASSERT_EQ(fixture.oom.event_fd, -1);
		ASSERT_EQ(ttrpc_loop_timeout(&fixture.loop), -1);
		ASSERT_EQ(oom_kills(&fixture.oom), 3);
		oom_check(&fixture.oom);
		oom_stop(&fixture.oom);
		ASSERT_EQ(ttrpc_loop_dispatch(&fixture.loop, 0), 0);
		fixture_deinit(&fixture);
	}
}

/* v1 signals first and kills afterwards. */
TEST(a_kill_after_the_signal_is_found)
{
	struct fixture fixture;
	fixture_init(&fixture, true);
	change(&fixture, 3);
	turn(&fixture);
	ASSERT_EQ(fixture.calls, 0);
	turn(&fixture); /* the first look again */
	kernel.kills = 4;
	while (fixture.calls == 0)
		turn(&fixture);
	ASSERT_EQ(fixture.told, 1);
	fixture_deinit(&fixture);
}

/* Nobody is killed when the user switched that off: the looking ends. */
TEST(looking_again_ends)
{
	struct fixture fixture;
	fixture_init(&fixture, true);
	change(&fixture, 3);
	while (turn(&fixture), ttrpc_loop_timeout(&fixture.loop) >= 0)
		if (fixture.oom.again.loop)
			fixture.oom.again.deadline = 0; /* time flies */
	ASSERT_EQ(fixture.calls, 0);
	ASSERT_EQ(kernel.reads, 13); /* at the start, at the signal, after 1, 2, 4 ... 1024 ms */
	burst_end(&fixture);
	change(&fixture, 4);
	turn(&fixture);
	ASSERT_EQ(fixture.calls, 1);
	fixture_deinit(&fixture);
}

TEST(who_is_told_may_free_it)
{
	for (int how = 0; how < 4; how++) {
		struct fixture fixture;
		fixture_init(&fixture, how >= 2);
		fixture.stop = true;
		if (how == 0 || how == 2) {
			change(&fixture, 4);
			turn(&fixture);
		} else if (how == 1) {
			kernel.kills = 4;
			oom_check(&fixture.oom);
		} else {
			change(&fixture, 3);
			turn(&fixture);
			kernel.kills = 4;
			turn(&fixture); /* looks again */
		}
		ASSERT_EQ(fixture.calls, 1);
		ASSERT_EQ(ttrpc_loop_timeout(&fixture.loop), -1);
		fixture_deinit(&fixture);
	}
}

TEST(what_cannot_be_watched_is_closed)
{
	struct ttrpc_loop loop;
	struct oom oom;
	int fds[2];
	ASSERT_EQ(ttrpc_loop_init(&loop), 0);
	size_t before = test_descriptors();

	/* nothing to watch */
	ASSERT_EQ(oom_start(&oom, &loop, -1, -1, killed, NULL), 0);
	oom_check(&oom);
	ASSERT_EQ(oom_kills(&oom), 0);
	ASSERT_EQ(oom_start(&oom, &loop, eventfd(0, EFD_CLOEXEC), -1, killed, NULL), 0);
	ASSERT_EQ(test_descriptors(), before);

	kernel.before = "no such key ";
	urgent_pair(fds);
	ASSERT_EQ(oom_start(&oom, &loop, -1, fds[0], killed, NULL), -EBADMSG);
	close(fds[1]);
	kernel.error = ENODEV;
	urgent_pair(fds);
	ASSERT_EQ(oom_start(&oom, &loop, eventfd(0, EFD_CLOEXEC), fds[0], killed, NULL), -ENODEV);
	close(fds[1]);
	/* a regular file is never ready */
	kernel.error = 0;
	kernel.before = EVENTS;
	ASSERT_EQ(oom_start(&oom, &loop, -1, open("/proc/self/exe", O_RDONLY | O_CLOEXEC), killed,
			    NULL),
		  -EPERM);
	oom_check(&oom);
	oom_stop(&oom);
	ASSERT_EQ(test_descriptors(), before);
	ttrpc_loop_deinit(&loop);
}

TEST(the_number_is_found)
{
	static const struct {
		const char *text;
		int result;
		uint64_t kills;
	} rows[] = {
		{"oom_kill 5\n", 0, 5},
		{"oom_kill 18446744073709551615", 0, UINT64_MAX},
		{"low 1\nhigh 2\nmax 3\noom 4\noom_kill 6\noom_group_kill 7\n", 0, 6},
		{"oom_kill_disable 1\nunder_oom 1\noom_kill 8\n", 0, 8},
		{"oom_group_kill 7\noom_kill 0", 0, 0},
		{"", -EBADMSG, 0},
		{"\n\n\n", -EBADMSG, 0},
		{"oom_kill", -EBADMSG, 0},
		{"oom_kill ", -EBADMSG, 0},
		{"oom_kill \n", -EBADMSG, 0},
		{"oom_kill max\n", -EBADMSG, 0},
		{"oom_kill_disable 1\n", -EBADMSG, 0},
		{"xoom_kill 1\n", -EBADMSG, 0},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t kills = 0;
		ASSERT_EQ(oom_parse(rows[i].text, strlen(rows[i].text), &kills), rows[i].result);
		ASSERT_EQ(kills, rows[i].kills);
	}
}
