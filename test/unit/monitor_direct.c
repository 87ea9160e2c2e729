/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kill, Pids and Stats that the monitor does without a worker, when it leaves them to one, and that it
 * stays as small as it was. The container's cgroups are a folder of the test's.
 */
#include "proto/cgroup_v1.pb-c.h"
#include "test/unit/monitor_fixture.h"

#define ID "direct-1"

#define ROOM (4 * RUNTIME_ERROR_MAX)

static uint32_t send_verb(struct fixture *fixture, struct verb *verb, int payload)
{
	verb->tag = ++fixture->last_tag;
	strcpy(verb->id, ID);
	ASSERT_EQ(verb_send(fixture->fd, verb, payload), 0);
	return verb->tag;
}

static void expect_kill(struct fixture *fixture, uint32_t signal, bool all, enum ttrpc_code code,
			const char *text)
{
	struct verb verb = {.type = VERB_KILL, .signal = signal, .all = all};
	fixture_expect_done(fixture, send_verb(fixture, &verb, -1), code);
	ASSERT_STR(fixture->text, text);
}

TEST(kill)
{
	struct fixture fixture = {0};
	fixture_init(&fixture);
	fixture_create(&fixture, ID);
	expect_kill(&fixture, 0, false, TTRPC_OK, "");
	expect_kill(&fixture, SIGCONT, false, TTRPC_OK, "");
	expect_kill(&fixture, SIGKILL, false, TTRPC_INTERNAL, "the runtime was asked");
	expect_kill(&fixture, SIGTERM, true, TTRPC_INTERNAL, "the runtime was asked");
	expect_kill(&fixture, SIGTERM, false, TTRPC_OK, "");
	fixture_expect_exit(&fixture, ID, 128 + SIGTERM);
	expect_kill(&fixture, SIGTERM, false, TTRPC_NOT_FOUND,
		    "process already finished: not found");
	fixture_call(&fixture, VERB_DELETE, ID, TTRPC_OK);
	fixture_leave(&fixture);
}

static void start_exec(struct fixture *fixture)
{
	Containerd__Task__V2__ExecProcessRequest request =
		CONTAINERD__TASK__V2__EXEC_PROCESS_REQUEST__INIT;
	Google__Protobuf__Any spec = GOOGLE__PROTOBUF__ANY__INIT;
	struct verb verb = {.type = VERB_EXEC, .exec_id = "e"};
	uint8_t bytes[128];
	request.id = (char *)(uintptr_t)ID;
	request.exec_id = verb.exec_id;
	request.spec = &spec;
	spec.value.data = (uint8_t *)(uintptr_t) "{}";
	spec.value.len = 2;
	int payload = payload_seal(bytes, protobuf_c_message_pack(&request.base, bytes));
	ASSERT(payload >= 0);
	fixture_expect_done(fixture, send_verb(fixture, &verb, payload), TTRPC_OK);
	close(payload);
}

/* An exec can be killed directly: it is never what holds a freezer. */
TEST(kill_of_an_exec)
{
	struct verb verb = {.type = VERB_KILL, .signal = SIGKILL, .exec_id = "e"};
	struct fixture fixture = {0};
	fixture_init(&fixture);
	fixture_create(&fixture, ID);
	start_exec(&fixture);
	fixture_expect_done(&fixture, send_verb(&fixture, &verb, -1), TTRPC_OK);
	const struct report *report = fixture_receive(&fixture);
	ASSERT_EQ(report->type, REPORT_EXIT);
	ASSERT_STR(report->exec_id, "e");
	ASSERT_EQ(report->exit_status, 128 + SIGKILL);
	fixture_expect_done(&fixture, send_verb(&fixture, &verb, -1), TTRPC_NOT_FOUND);
	ASSERT_STR(fixture.text, "process already finished: not found");
	fixture_leave(&fixture);
}

/* The cgroups of a container as a worker writes them down. */
static void write_groups(const struct fixture *fixture)
{
	char text[512];
	const char *group = fixture_path(fixture, "group");
	snprintf(text, sizeof(text), "mote-cgroup 1\nmemory %s\npids %s\ncpuacct %s\n", group,
		 group, group);
	fixture_file(fixture, ID "/mote.cgroup", text);
}

static void groups_init(struct fixture *fixture)
{
	fixture_init(fixture);
	fixture_create(fixture, ID);
	ASSERT_EQ(mkdir(fixture_path(fixture, "group"), 0700), 0);
	ASSERT_EQ(mkdir(fixture_path(fixture, "group/below"), 0700), 0);
	write_groups(fixture);
	fixture_file(fixture, "group/cgroup.procs", "21\n22\n");
	fixture_file(fixture, "group/below/cgroup.procs", "23\n");
	fixture_file(fixture, "group/memory.usage_in_bytes", "77\n");
}

static size_t receive_result(struct fixture *fixture, uint32_t tag, void *bytes)
{
	const struct report *report = fixture_expect_done(fixture, tag, TTRPC_OK);
	ASSERT(report->result_size <= ROOM);
	ASSERT_EQ(report_get_result(&fixture->message, bytes), 0);
	return report->result_size;
}

static void expect_pids(struct fixture *fixture, const pid_t *pids, size_t n)
{
	pid_t listed[ROOM / sizeof(pid_t)];
	uint32_t tag = fixture_send(fixture, VERB_PIDS, ID, -1);
	ASSERT_EQ(receive_result(fixture, tag, listed), n * sizeof(*pids));
	ASSERT_MEM(listed, pids, n * sizeof(*pids));
}

TEST(pids)
{
	static const pid_t three[] = {21, 22, 23}, asked[] = {ASKED};
	struct fixture fixture = {0};
	char many[8 * RUNTIME_ERROR_MAX], *end = many;
	groups_init(&fixture);
	expect_pids(&fixture, three, 3);
	/* more than one report holds */
	for (int i = 0; i < RUNTIME_ERROR_MAX / 4; i++)
		end += sprintf(end, "%d\n", 100 + i);
	fixture_file(&fixture, "group/cgroup.procs", many);
	expect_pids(&fixture, asked, 1);
	/* a cgroup that is gone has no processes */
	ASSERT_EQ(rename(fixture_path(&fixture, "group"), fixture_path(&fixture, "gone")), 0);
	expect_pids(&fixture, NULL, 0);
	ASSERT_EQ(unlink(fixture_path(&fixture, ID "/mote.cgroup")), 0);
	expect_pids(&fixture, asked, 1);
	fixture_leave(&fixture);
}

/* Of what is in the StatsResponse; to be freed. */
static Io__Containerd__Cgroups__V1__Metrics *receive_stats(struct fixture *fixture)
{
	uint8_t bytes[ROOM];
	uint32_t tag = fixture_send(fixture, VERB_STATS, ID, -1);
	size_t size = receive_result(fixture, tag, bytes);
	Containerd__Task__V2__StatsResponse *response =
		containerd__task__v2__stats_response__unpack(NULL, size, bytes);
	ASSERT(response && response->stats);
	Io__Containerd__Cgroups__V1__Metrics *metrics =
		io__containerd__cgroups__v1__metrics__unpack(NULL, response->stats->value.len,
							     response->stats->value.data);
	ASSERT(metrics);
	containerd__task__v2__stats_response__free_unpacked(response, NULL);
	return metrics;
}

static void expect_stats(struct fixture *fixture, uint64_t usage, size_t processors)
{
	Io__Containerd__Cgroups__V1__Metrics *metrics = receive_stats(fixture);
	ASSERT_EQ(metrics->memory->usage->usage, usage);
	ASSERT_EQ(metrics->cpu->usage->n_per_cpu, processors);
	io__containerd__cgroups__v1__metrics__free_unpacked(metrics, NULL);
}

/* Page faults of the children that the monitor has waited for: more with each worker. */
static unsigned long faults_of_workers(pid_t monitor)
{
	unsigned long faults = 0;
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/stat", monitor);
	FILE *file = fopen(path, "re");
	ASSERT(file && fscanf(file, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %lu", &faults) == 1);
	fclose(file);
	return faults;
}

TEST(stats)
{
	struct fixture fixture = {0};
	char processors[16384], *end = processors;
	groups_init(&fixture);
	/* that of the create may have to be waited for still */
	UNTIL(faults_of_workers(fixture.monitor) > 0);
	unsigned long before = faults_of_workers(fixture.monitor);
	fixture_file(&fixture, "group/cpuacct.usage_percpu", "1 2 3\n");
	expect_stats(&fixture, 77, 3);
	ASSERT_EQ(faults_of_workers(fixture.monitor), before);
	/* a machine so large that the stack will not do */
	for (int i = 0; i < 2000; i++)
		end += sprintf(end, "%d ", i % 10);
	fixture_file(&fixture, "group/cpuacct.usage_percpu", processors);
	expect_stats(&fixture, 77, 2000);
	UNTIL(faults_of_workers(fixture.monitor) > before);
	fixture_leave(&fixture);
}

/* In kB, of the mapping whose line ends with name; 0: there is none. */
static unsigned long mapped(pid_t pid, const char *name)
{
	char path[64], line[512];
	unsigned long anonymous = 0;
	bool found = false;
	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	FILE *file = fopen(path, "re");
	ASSERT(file);
	while (fgets(line, sizeof(line), file)) {
		unsigned long number;
		if (strchr(line, '-') && strchr(line, ':') && !strstr(line, "kB"))
			found = strstr(line, name) != NULL;
		if (found && sscanf(line, "Anonymous: %lu", &number) == 1)
			anonymous += number;
	}
	fclose(file);
	return anonymous;
}

/* In kB, what of the stack lies above a frame: the environment, main() and all that is in between. */
static unsigned long above(const void *frame)
{
	unsigned long begin, end = 0;
	char line[512];
	FILE *file = fopen("/proc/self/maps", "re");
	ASSERT(file);
	while (fgets(line, sizeof(line), file))
		if (strstr(line, "[stack]"))
			ASSERT_EQ(sscanf(line, "%lx-%lx", &begin, &end), 2);
	fclose(file);
	ASSERT(end > (uintptr_t)frame);
	return (end - (uintptr_t)frame) / 1024;
}

TEST(nothing_stays_behind)
{
	enum {
		MONITOR = 18
	}; /* kB of its own frames; 5 to 16 were seen, and 22 to 48 if none is given back */
	struct fixture fixture = {0};
	char path[64];
	groups_init(&fixture);
	unsigned long stack = above(__builtin_frame_address(0)) + MONITOR;
	unsigned long heap = mapped(fixture.monitor, "[heap]"); /* the test's own */
	for (int i = 0; i < 64; i++) {
		fixture_call(&fixture, VERB_STATS, ID, TTRPC_OK);
		fixture_call(&fixture, VERB_PIDS, ID, TTRPC_OK);
	}
	UNTIL(mapped(fixture.monitor, "[stack]") <= stack);
	ASSERT_EQ(mapped(fixture.monitor, "[heap]"), heap);
	snprintf(path, sizeof(path), "/proc/%d/fd/40", fixture.monitor);
	ASSERT(access(path, F_OK) < 0);
	fixture_leave(&fixture);
}

static void narrow(struct monitor *monitor, const struct fixture *fixture)
{
	int size = 0; /* the least that there is: room for some four reports */
	(void)fixture;
	ASSERT_EQ(setsockopt(monitor->server_fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
}

/* A server that is slow to read gets every answer once, whoever waited to give it. */
TEST(socket_that_is_full)
{
	enum { N = 24 };
	struct fixture fixture = {.prepare = narrow};
	bool seen[N] = {0};
	uint32_t first = 0;
	groups_init(&fixture);
	for (int i = 0; i < N; i++) {
		uint32_t tag = fixture_send(&fixture, VERB_PIDS, ID, -1);
		first = i == 0 ? tag : first;
	}
	for (int i = 0; i < N; i++) {
		const struct report *report = fixture_receive(&fixture);
		ASSERT_EQ(report->code, TTRPC_OK);
		ASSERT(report->tag - first < N && !seen[report->tag - first]);
		seen[report->tag - first] = true;
	}
	fixture_leave(&fixture);
}
