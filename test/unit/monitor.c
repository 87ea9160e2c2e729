/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor with an honest server: what it answers, in which order, what it keeps and writes
 * down, and that nothing is lost or burnt while the server does not listen.
 */
#include <dirent.h>

#include "test/unit/monitor_fixture.h"

#define MANY 100 /* the socket is made to hold a few only */

static void state_expect(const struct fixture *fixture, const char *id, pid_t pid, bool exited,
			 uint32_t exit_status)
{
	struct state state;
	ASSERT_EQ(state_read(fixture_path(fixture, id), &state), 0);
	ASSERT_EQ(state.n_processes, 1);
	ASSERT_EQ(state.processes[0].pid, pid);
	ASSERT_EQ(state.processes[0].exited, exited);
	ASSERT_EQ(state.processes[0].exit_status, exit_status);
	ASSERT_STR(state.processes[0].exec_id, "");
	state_deinit(&state);
}

TEST(life_of_a_container)
{
	struct fixture fixture = {0};
	unsigned char bytes[RUNTIME_STATE_MAX];
	uint64_t start_time;
	size_t size = 0;
	pid_t listed;

	fixture_init(&fixture);
	pid_t pid = fixture_create(&fixture, "plain-1");
	state_expect(&fixture, "plain-1", pid, false, 0);
	ASSERT_EQ(process_start_time(pid, &start_time), 0);
	ASSERT_EQ(state_read_runtime(fixture_path(&fixture, "plain-1"), bytes, &size), 0);
	ASSERT_EQ(size, strlen("made plain-1"));
	ASSERT_MEM(bytes, "made plain-1", size);

	fixture_call(&fixture, VERB_START, "plain-1", TTRPC_OK);
	fixture_call(&fixture, VERB_PIDS, "plain-1", TTRPC_OK);
	ASSERT_EQ(fixture.message.report.result_size, sizeof(listed));
	ASSERT_EQ(report_get_result(&fixture.message, &listed), 0);
	ASSERT_EQ(listed, pid);

	/* the signal may take effect before the worker has reported, and after */
	uint32_t tag = fixture_send(&fixture, VERB_KILL, "plain-1", -1);
	const struct report *report = fixture_receive(&fixture);
	bool exit_first = report->type == REPORT_EXIT;
	if (exit_first)
		ASSERT_EQ(report->exit_status, 128 + SIGTERM);
	else
		ASSERT_EQ(report->tag, tag);
	report = fixture_receive(&fixture);
	ASSERT_EQ(report->type, exit_first ? REPORT_DONE : REPORT_EXIT);
	state_expect(&fixture, "plain-1", pid, true, 128 + SIGTERM);

	fixture_call(&fixture, VERB_DELETE, "plain-1", TTRPC_OK);
	fixture_leave(&fixture);
}

TEST(id_of_a_deleted_container_is_free)
{
	struct fixture fixture = {0};

	fixture_init(&fixture);
	for (int i = 0; i < 3; i++) {
		fixture_create(&fixture, "plain-1");
		uint32_t tag = fixture_send(&fixture, VERB_DELETE, "plain-1", -1);
		fixture_expect_exit(&fixture, "plain-1", 128 + SIGKILL);
		fixture_expect_done(&fixture, tag, TTRPC_OK);
		ASSERT_EQ(nftw(fixture_path(&fixture, "plain-1"), fixture_remove_one, 8,
			       FTW_DEPTH | FTW_PHYS),
			  0);
	}
	fixture_leave(&fixture);
}

/* The process is gone before the monitor has heard of it. */
TEST(exit_before_the_report_of_its_create)
{
	struct fixture fixture = {0};

	fixture_init(&fixture);
	pid_t pid = fixture_create(&fixture, "early-1");
	state_expect(&fixture, "early-1", pid, true, 7);
	ASSERT_EQ(fixture_expect_exit(&fixture, "early-1", 7)->pid, pid);
	fixture_call(&fixture, VERB_DELETE, "early-1", TTRPC_OK);
	fixture_leave(&fixture);
}

TEST(exit_before_the_report_of_its_start)
{
	struct fixture fixture = {0};

	fixture_init(&fixture);
	pid_t pid = fixture_create(&fixture, "quick-1");
	fixture_call(&fixture, VERB_START, "quick-1", TTRPC_OK);
	ASSERT_EQ(fixture_expect_exit(&fixture, "quick-1", 7)->pid, pid);
	fixture_call(&fixture, VERB_DELETE, "quick-1", TTRPC_OK);
	fixture_leave(&fixture);
}

/* Only the exits of the container that starts wait. */
TEST(exit_beside_a_start_that_hangs)
{
	struct fixture fixture = {0};

	fixture_init(&fixture);
	pid_t other = fixture_create(&fixture, "plain-1");
	pid_t held = fixture_create(&fixture, "stay-1");
	fixture_send(&fixture, VERB_START, "stay-1", -1);
	uint32_t tag = fixture_send(&fixture, VERB_PIDS, "stay-1", -1);
	fixture_expect_done(&fixture, tag, TTRPC_OK);
	ASSERT_EQ(kill(held, SIGKILL), 0);
	fake_await_end(held);
	ASSERT_EQ(kill(other, SIGKILL), 0);
	ASSERT_EQ(fixture_expect_exit(&fixture, "plain-1", 128 + SIGKILL)->pid, other);
	state_expect(&fixture, "stay-1", held, true, 128 + SIGKILL);
	fixture_leave(&fixture);
}

TEST(what_a_runtime_refuses)
{
	struct fixture fixture = {0};

	fixture_init(&fixture);
	uint32_t tag = fixture_send_create(&fixture, "refuse-1");
	fixture_expect_done(&fixture, tag, TTRPC_FAILED_PRECONDITION);
	ASSERT_STR(fixture.text, "refused by the runtime");
	/* the id can be used again */
	tag = fixture_send(&fixture, VERB_CREATE, "refuse-1",
			   fixture_payload(&fixture, "refuse-1"));
	fixture_expect_done(&fixture, tag, TTRPC_FAILED_PRECONDITION);

	/* to kill what is gone is refused by the fake as by a real runtime */
	fixture_create(&fixture, "quick-1");
	fixture_call(&fixture, VERB_START, "quick-1", TTRPC_OK);
	fixture_expect_exit(&fixture, "quick-1", 7);
	fixture_call(&fixture, VERB_KILL, "quick-1", TTRPC_NOT_FOUND);
	ASSERT_STR(fixture.text, "all 0: not found");
	fixture_leave(&fixture);
}

TEST(worker_that_dies_without_a_report)
{
	struct fixture fixture = {0};
	char log[2048];

	fixture_init(&fixture);
	for (int i = 1; i <= 2; i++) {
		uint32_t tag = i == 1 ? fixture_send_create(&fixture, "die-1")
				      : fixture_send(&fixture, VERB_CREATE, "die-1",
						     fixture_payload(&fixture, "die-1"));
		fixture_expect_done(&fixture, tag, TTRPC_UNKNOWN);
		ASSERT_STR(fixture.text, "the shim's worker ended without an answer");
	}
	close(fixture.fd);
	fixture.fd = -1;
	ASSERT_EQ(fixture_end(&fixture), 0);
	fixture_deinit(&fixture, log, sizeof(log));
	ASSERT(strstr(log, "ended with status 137\" id=die-1 namespace=ns"));
}

/* Its worker is killed, what it did is undone by another one, and only then it is answered. */
TEST(create_that_is_cancelled)
{
	struct fixture fixture = {0};

	fixture_init(&fixture);
	uint32_t tag = fixture_send_create(&fixture, "hang-1");
	fixture_call(&fixture, VERB_CANCEL, "hang-1", TTRPC_OK);
	fixture_expect_done(&fixture, tag, TTRPC_UNKNOWN);
	fixture_call(&fixture, VERB_CANCEL, "hang-1", TTRPC_NOT_FOUND);
	tag = fixture_send(&fixture, VERB_CREATE, "hang-1", fixture_payload(&fixture, "hang-1"));
	fixture_call(&fixture, VERB_CANCEL, "hang-1", TTRPC_OK);
	/* twice is as good as once */
	uint32_t again = fixture_send(&fixture, VERB_CANCEL, "hang-1", -1);
	for (int i = 0; i < 2; i++) {
		const struct report *report = fixture_receive(&fixture);
		ASSERT(report->tag == tag || report->tag == again);
		ASSERT(report->tag == again || report->code == TTRPC_UNKNOWN);
	}
	/* it is too late for one that has been answered */
	fixture_create(&fixture, "plain-1");
	fixture_call(&fixture, VERB_CANCEL, "plain-1", TTRPC_NOT_FOUND);
	fixture_call(&fixture, VERB_START, "plain-1", TTRPC_OK);
	fixture_leave(&fixture);
}

/* So many forks fail, in the process in which it is set. */
static int forks_to_fail;

pid_t __real_fork(void);
pid_t __wrap_fork(void);

pid_t __wrap_fork(void)
{
	if (forks_to_fail == 0)
		return __real_fork();
	forks_to_fail--;
	errno = EAGAIN;
	return -1;
}

static void forks_fail(struct monitor *monitor, const struct fixture *fixture)
{
	(void)monitor;
	(void)fixture;
	forks_to_fail = 2;
}

/* Then a verb fails, and the container is as it was before. */
TEST(no_process_to_be_had)
{
	struct fixture fixture = {.prepare = forks_fail};

	fixture_init(&fixture);
	fixture_bundle(&fixture, "plain-1");
	for (int i = 0; i < 2; i++) {
		int payload = fixture_payload(&fixture, "plain-1");
		uint32_t tag = fixture_send(&fixture, VERB_CREATE, "plain-1", payload);
		fixture_expect_done(&fixture, tag, ttrpc_code_from_errno(-EAGAIN));
		ASSERT_STR(fixture.text, "resource temporarily unavailable");
	}
	uint32_t tag = fixture_send(&fixture, VERB_CREATE, "plain-1",
				    fixture_payload(&fixture, "plain-1"));
	fixture_expect_done(&fixture, tag, TTRPC_OK);
	fixture_call(&fixture, VERB_START, "plain-1", TTRPC_OK);
	fixture_leave(&fixture);
}

static size_t descriptors_of(pid_t pid)
{
	char path[64];
	size_t n = 0;
	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ASSERT(fd >= 0);
	DIR *folder = fdopendir(fd);
	while (readdir(folder))
		n++;
	closedir(folder);
	return n;
}

/* That start finds the gate that create kept is shown by `quick`; here that it is closed. */
TEST(kept_descriptors_end_with_their_container)
{
	struct fixture fixture = {0};

	fixture_init(&fixture);
	fixture_call(&fixture, VERB_PUBLISH, "", TTRPC_NOT_FOUND); /* it has come up */
	size_t before = descriptors_of(fixture.monitor);
	for (int i = 0; i < 5; i++) {
		char id[32];
		snprintf(id, sizeof(id), "plain-%d", i);
		fixture_create(&fixture, id);
		ASSERT_EQ(descriptors_of(fixture.monitor), before + 1);
		uint32_t tag = fixture_send(&fixture, VERB_DELETE, id, -1);
		fixture_expect_exit(&fixture, id, 128 + SIGKILL);
		fixture_expect_done(&fixture, tag, TTRPC_OK);
		/* it answers and then forgets; the next verb is taken in after that */
		fixture_call(&fixture, VERB_PUBLISH, "", TTRPC_NOT_FOUND);
		ASSERT_EQ(descriptors_of(fixture.monitor), before);
	}
	uint32_t tag = fixture_send_create(&fixture, "refuse-1");
	fixture_expect_done(&fixture, tag, TTRPC_FAILED_PRECONDITION);
	ASSERT_EQ(descriptors_of(fixture.monitor), before);
	fixture_leave(&fixture);
}

struct activity {
	unsigned long switches, ticks; /* voluntary ones; of the CPU */
	char state;
};

/* false: there is no such process any more. */
static bool activity_read(pid_t pid, struct activity *ret_activity)
{
	char path[64], text[4096];
	unsigned long user = 0, system = 0;
	size_t size;

	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "/proc/%d/%s", pid, i == 0 ? "status" : "stat");
		FILE *file = fopen(path, "re");
		size = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
		if (file)
			fclose(file);
		if (size == 0)
			return false;
		text[size] = 0;
		const char *line = i == 0 ? strstr(text, "\nvoluntary_ctxt_switches:") : text;
		if (i == 0)
			ret_activity->switches =
				line ? strtoul(strchr(line, ':') + 1, NULL, 10) : 0;
	}
	ASSERT_EQ(sscanf(strrchr(text, ')'), ") %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
			 &ret_activity->state, &user, &system),
		  3);
	ret_activity->ticks = user + system;
	return true;
}

static bool is_zombie_or_gone(pid_t pid)
{
	struct activity activity;
	return !activity_read(pid, &activity) || activity.state == 'Z';
}

/* The monitor comes to rest: a window in which it does not run at all, or the test's time is up. */
static void rest_expect(pid_t pid)
{
	struct activity before, now = {0};
	ASSERT(activity_read(pid, &now));
	do {
		before = now;
		nanosleep(&(const struct timespec){.tv_nsec = 300000000}, NULL);
		ASSERT(activity_read(pid, &now));
	} while (now.state != 'S' || now.switches != before.switches || now.ticks != before.ticks);
}

/* Children of the monitor that are zombies. */
static int zombies_of(pid_t pid)
{
	static char text[32768];
	struct activity activity;
	char path[64];
	int n = 0;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	FILE *file = fopen(path, "re");
	ASSERT(file != NULL);
	text[fread(text, 1, sizeof(text) - 1, file)] = 0;
	fclose(file);
	for (char *rest = text, *word; (word = strsep(&rest, " "));)
		n += *word && activity_read(atoi(word), &activity) && activity.state == 'Z';
	return n;
}

/* More strays than the monitor has room for hide what is behind them among its children. */
TEST(too_many_strays)
{
	struct fixture fixture = {0};
	char log[2048];

	fixture_init(&fixture);
	fixture_send_create(&fixture, "litter-1");
	UNTIL(zombies_of(fixture.monitor) == LITTER - STRAYS_MAX);
	pid_t pid = fixture_create(&fixture, "plain-1");
	ASSERT_EQ(kill(pid, SIGKILL), 0);
	ASSERT_EQ(fixture_expect_exit(&fixture, "plain-1", 128 + SIGKILL)->pid, pid);
	uint32_t tag = fixture_send_create(&fixture, "die-1");
	fixture_expect_done(&fixture, tag, TTRPC_UNKNOWN);
	rest_expect(fixture.monitor);
	close(fixture.fd);
	fixture.fd = -1;
	ASSERT_EQ(fixture_end(&fixture), 0);
	fixture_deinit(&fixture, log, sizeof(log));
}

static void socket_shrink(struct monitor *monitor, const struct fixture *fixture)
{
	(void)fixture;
	ASSERT_EQ(setsockopt(monitor->server_fd, SOL_SOCKET, SO_SNDBUF, &(int){1}, sizeof(int)), 0);
}

TEST(server_that_does_not_listen)
{
	struct fixture fixture = {.prepare = socket_shrink};
	static pid_t pids[MANY];
	char id[32];

	fixture_init(&fixture);
	for (int i = 0; i < MANY; i++) {
		snprintf(id, sizeof(id), "plain-%d", i);
		pids[i] = fixture_create(&fixture, id);
	}
	uint32_t tag = fixture_send(&fixture, VERB_PIDS, "plain-0", -1);
	for (int i = 0; i < MANY; i++)
		ASSERT_EQ(kill(pids[i], SIGKILL), 0);
	for (int i = 0; i < MANY; i++)
		UNTIL(is_zombie_or_gone(pids[i]));

	rest_expect(fixture.monitor);

	int exits = 0, answers = 0;
	while (exits + answers < MANY + 1) {
		const struct report *report = fixture_receive(&fixture);
		if (report->type == REPORT_DONE) {
			ASSERT_EQ(report->tag, tag);
			answers++;
			continue;
		}
		ASSERT_EQ(sscanf(report->id, "plain-%s", id), 1);
		int number = atoi(id);
		ASSERT_EQ(report->pid, pids[number]);
		ASSERT_EQ(report->exit_status, 128 + SIGKILL);
		pids[number] = 0;
		exits++;
	}
	ASSERT_EQ(answers, 1);
	fixture_call(&fixture, VERB_DELETE, "plain-0", TTRPC_OK);
	fixture_leave(&fixture);
}

TEST(idle_monitor_sleeps)
{
	struct fixture fixture = {0};

	fixture_init(&fixture);
	fixture_create(&fixture, "plain-1");
	rest_expect(fixture.monitor);
	fixture_leave(&fixture);
}
