/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As monitor_hostile.c, for the verbs about what runs: exec, restore, pause, resume, update, checkpoint,
 * stats, end of a logger, cancel. What no honest server sends ends the pair; what is wrong in a payload
 * is a worker's to refuse, and changes nothing; what is in vain is answered so. The container that was
 * there before is left alone.
 */
#include "test/unit/monitor_fixture.h"

#define VICTIM "plain-victim"

static int bytes_sealed(const void *bytes, size_t size)
{
	int fd = payload_seal(bytes, size);
	ASSERT(fd >= 0);
	return fd;
}

static int message_sealed(const ProtobufCMessage *message)
{
	uint8_t bytes[512];
	ASSERT(protobuf_c_message_get_packed_size(message) <= sizeof(bytes));
	return bytes_sealed(bytes, protobuf_c_message_pack(message, bytes));
}

static int exec_payload(const char *id, const char *exec_id, const char *json)
{
	Containerd__Task__V2__ExecProcessRequest request =
		CONTAINERD__TASK__V2__EXEC_PROCESS_REQUEST__INIT;
	Google__Protobuf__Any spec = GOOGLE__PROTOBUF__ANY__INIT;
	request.id = (char *)(uintptr_t)id;
	request.exec_id = (char *)(uintptr_t)exec_id;
	request.spec = &spec;
	spec.value.data = (uint8_t *)(uintptr_t)json;
	spec.value.len = strlen(json);
	return message_sealed(&request.base);
}

static int update_payload(const char *id, const char *json)
{
	Containerd__Task__V2__UpdateTaskRequest request =
		CONTAINERD__TASK__V2__UPDATE_TASK_REQUEST__INIT;
	Google__Protobuf__Any resources = GOOGLE__PROTOBUF__ANY__INIT;
	request.id = (char *)(uintptr_t)id;
	request.resources = &resources;
	resources.value.data = (uint8_t *)(uintptr_t)json;
	resources.value.len = strlen(json);
	return message_sealed(&request.base);
}

static int checkpoint_payload(const char *id, const char *path)
{
	Containerd__Task__V2__CheckpointTaskRequest request =
		CONTAINERD__TASK__V2__CHECKPOINT_TASK_REQUEST__INIT;
	request.id = (char *)(uintptr_t)id;
	request.path = (char *)(uintptr_t)path;
	return message_sealed(&request.base);
}

/* Returns the verb's tag; takes payload, -1: none. */
static uint32_t send_exec(struct fixture *fixture, enum verb_type type, const char *id,
			  const char *exec_id, int payload)
{
	struct verb verb = {.type = type, .tag = ++fixture->last_tag};
	strcpy(verb.id, id);
	strcpy(verb.exec_id, exec_id);
	ASSERT_EQ(verb_send(fixture->fd, &verb, payload), 0);
	if (payload >= 0)
		close(payload);
	return verb.tag;
}

/* ---- what ends the pair ---- */

static const struct ending {
	const char *name;
	enum verb_type type;
	const char *id, *exec_id;
	enum { NONE, EMPTY, UNSEALED, CHANNEL } payload;
	const char *reason;
} endings[] = {
	{"exec in a foreign container", VERB_EXEC, "plain-other", "e", EMPTY, "no such container"},
	{"exec in no container", VERB_EXEC, "", "e", EMPTY, "bad id"},
	{"exec in a folder above", VERB_EXEC, "..", "e", EMPTY, "bad id"},
	{"exec id of dots", VERB_EXEC, VICTIM, "..", EMPTY, "bad exec id"},
	{"exec id that is a path", VERB_EXEC, VICTIM, "e/../../x", EMPTY, "bad exec id"},
	{"exec id with a newline", VERB_EXEC, VICTIM, "e\nx", EMPTY, "bad exec id"},
	{"exec without seals", VERB_EXEC, VICTIM, "e", UNSEALED, "bad payload"},
	{"exec of the channel", VERB_EXEC, VICTIM, "e", CHANNEL, "bad payload"},
	{"restore without payload", VERB_RESTORE, VICTIM, "", NONE, "bad payload"},
	{"restore of a foreign one", VERB_RESTORE, "plain-other", "", EMPTY, "no such container"},
	{"restore of what runs", VERB_RESTORE, VICTIM, "", EMPTY, "container has a process"},
	{"pause of a foreign one", VERB_PAUSE, "plain-other", "", NONE, "no such container"},
	{"pause of an exec", VERB_PAUSE, VICTIM, "e", NONE, "exec id where none belongs"},
	{"pause with payload", VERB_PAUSE, VICTIM, "", EMPTY, "bad payload"},
	{"resume of a folder above", VERB_RESUME, "../x", "", NONE, "bad id"},
	{"resume with payload", VERB_RESUME, VICTIM, "", EMPTY, "bad payload"},
	{"update without payload", VERB_UPDATE, VICTIM, "", NONE, "bad payload"},
	{"update without seals", VERB_UPDATE, VICTIM, "", UNSEALED, "bad payload"},
	{"update of an exec", VERB_UPDATE, VICTIM, "e", EMPTY, "exec id where none belongs"},
	{"checkpoint without payload", VERB_CHECKPOINT, VICTIM, "", NONE, "bad payload"},
	{"checkpoint of a foreign one", VERB_CHECKPOINT, "other", "", EMPTY, "no such container"},
	{"stats of a foreign one", VERB_STATS, "plain-other", "", NONE, "no such container"},
	{"stats with payload", VERB_STATS, VICTIM, "", EMPTY, "bad payload"},
	{"pids of an exec", VERB_PIDS, VICTIM, "e", NONE, "exec id where none belongs"},
	{"logger of a foreign one", VERB_END_LOGGER, "plain-other", "", NONE, "no such container"},
	{"logger of dots", VERB_END_LOGGER, VICTIM, "..", NONE, "bad exec id"},
	{"logger with payload", VERB_END_LOGGER, VICTIM, "", EMPTY, "bad payload"},
	{"cancel of dots", VERB_CANCEL, VICTIM, "..", NONE, "bad exec id"},
	{"cancel of a path", VERB_CANCEL, "a/b", "", NONE, "bad id"},
	{"publish with an id", VERB_PUBLISH, VICTIM, "", NONE, "bad id"},
	{"publish with payload", VERB_PUBLISH, "", "", EMPTY, "bad payload"},
	{"publish of an exec", VERB_PUBLISH, "", "e", NONE, "exec id where none belongs"},
	{"close with an id", VERB_CLOSE, VICTIM, "", NONE, "bad id"},
	{"close with payload", VERB_CLOSE, "", "", EMPTY, "bad payload"},
};

static int ending_payload(const struct fixture *fixture, const struct ending *ending)
{
	switch (ending->payload) {
	case EMPTY:
		return bytes_sealed("", 0);
	case UNSEALED:
		return memfd_create("payload", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	case CHANNEL:
		return fcntl(fixture->fd, F_DUPFD_CLOEXEC, 0);
	default:
		return -1;
	}
}

/* The pair has ended; the victim's gate closed, and nobody killed it. */
static void check_ended(struct fixture *fixture, const char *name, pid_t victim, const char *reason)
{
	char log[4096], expected[128];
	int status;
	if (fixture_end(fixture) != 1)
		test_fail(__FILE__, __LINE__, "%s: the monitor ended well", name);
	fixture_await(victim, &status);
	ASSERT_EQ(status, 0);
	fixture_deinit(fixture, log, sizeof(log));
	snprintf(expected, sizeof(expected), "of the server refused: %s\"", reason);
	if (!strstr(log, expected) || strchr(log, '\n') != log + strlen(log) - 1)
		test_fail(__FILE__, __LINE__, "%s: log is \"%s\"", name, log);
}

TEST(verbs_that_end_the_pair)
{
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		const struct ending *ending = &endings[i];
		struct fixture fixture = {0};
		fixture_init(&fixture);
		pid_t victim = fixture_create(&fixture, VICTIM);
		send_exec(&fixture, ending->type, ending->id, ending->exec_id,
			  ending_payload(&fixture, ending));
		check_ended(&fixture, ending->name, victim, ending->reason);
	}
}

/* While the first is being made, and when it runs. */
TEST(one_exec_twice)
{
	for (int i = 0; i < 2; i++) {
		struct fixture fixture = {0};
		const char *kind = i ? "plain-exec" : "wait-exec";
		fixture_init(&fixture);
		pid_t victim = fixture_create(&fixture, VICTIM),
		      pid = fixture_create(&fixture, kind);
		uint32_t tag =
			send_exec(&fixture, VERB_EXEC, kind, "e", exec_payload(kind, "e", "{}"));
		if (i)
			fixture_expect_done(&fixture, tag, TTRPC_OK);
		send_exec(&fixture, VERB_EXEC, kind, "e", exec_payload(kind, "e", "{}"));
		check_ended(&fixture, "one exec twice", victim, "exec exists");
		(void)pid;
	}
}

/* More than may be under way, none of which needs its container for itself. */
TEST(too_many_looks)
{
	struct fixture fixture = {0};
	fixture_init(&fixture);
	pid_t victim = fixture_create(&fixture, VICTIM);
	fixture_create(&fixture, "wait-1");
	for (int i = 0; i <= OPERATIONS_MAX; i++)
		fixture_send(&fixture, VERB_PIDS, "wait-1", -1);
	check_ended(&fixture, "too many looks", victim, "too many operations");
}

/* ---- what a worker refuses ---- */

static void refused(struct fixture *fixture, enum verb_type type, const char *exec_id, int payload)
{
	uint32_t tag = send_exec(fixture, type, VICTIM, exec_id, payload);
	const struct report *report = fixture_receive(fixture);
	ASSERT_EQ(report->type, REPORT_DONE);
	ASSERT_EQ(report->tag, tag);
	if (report->code == TTRPC_OK || report->pid != 0)
		test_fail(__FILE__, __LINE__, "verb %u with exec '%s' was carried out", type,
			  exec_id);
}

static void refused_payloads(struct fixture *fixture, const char *other)
{
	static const char junk[] = "\xff\xff\xff\xff";
	refused(fixture, VERB_EXEC, "e", exec_payload(other, "e", "{}"));
	refused(fixture, VERB_EXEC, "e", exec_payload(VICTIM, "f", "{}"));
	refused(fixture, VERB_EXEC, "e", exec_payload(VICTIM, "", "{}"));
	refused(fixture, VERB_EXEC, "e", exec_payload(VICTIM, "../e", "{}"));
	refused(fixture, VERB_EXEC, "e", exec_payload(VICTIM, "e", ""));
	refused(fixture, VERB_EXEC, "e", exec_payload(VICTIM, "e", "{"));
	refused(fixture, VERB_EXEC, "e", exec_payload(VICTIM, "e", "[]"));
	refused(fixture, VERB_EXEC, "e", bytes_sealed(junk, 4));
	refused(fixture, VERB_EXEC, "e", bytes_sealed("", 0));
	refused(fixture, VERB_UPDATE, "", update_payload(other, "{}"));
	refused(fixture, VERB_UPDATE, "", update_payload(VICTIM, "7"));
	refused(fixture, VERB_UPDATE, "", update_payload(VICTIM, "{\"a\":"));
	refused(fixture, VERB_UPDATE, "", bytes_sealed(junk, 4));
	refused(fixture, VERB_CHECKPOINT, "", checkpoint_payload(other, "/image"));
	refused(fixture, VERB_CHECKPOINT, "", checkpoint_payload(VICTIM, ""));
	refused(fixture, VERB_CHECKPOINT, "", bytes_sealed(junk, 4));
	refused(fixture, VERB_START, "", bytes_sealed("/no/such/fifo", 13));
}

TEST(payloads_of_others)
{
	struct fixture fixture = {0};
	fixture_init(&fixture);
	pid_t victim = fixture_create(&fixture, VICTIM);
	pid_t other = fixture_create(&fixture, "plain-other");
	refused_payloads(&fixture, "plain-other");
	ASSERT_EQ(kill(victim, 0), 0);
	ASSERT_EQ(kill(other, 0), 0);
	uint32_t tag = send_exec(&fixture, VERB_EXEC, VICTIM, "e", exec_payload(VICTIM, "e", "{}"));
	ASSERT(fixture_expect_done(&fixture, tag, TTRPC_OK)->pid > 0);
	fixture_leave(&fixture);
}

/* ---- what is too much ---- */

/* Of a container that there is not else. */
static void others_fill(struct monitor *monitor, size_t n, bool loggers)
{
	struct children *children = &monitor->children;
	struct monitor_container *container = children_add(children, "plain-full");
	container->phase = CONTAINER_LIVE;
	for (; children->n_others < n; children->n_others++) {
		struct monitor_child *child = &children->others[children->n_others];
		child->container = container;
		child->process.pid = (1 << 28) + (pid_t)children->n_others;
		child->process.logger = loggers;
		snprintf(child->process.exec_id, ID_SIZE, "e%zu", children->n_others);
	}
}

static void execs_fill(struct monitor *monitor, const struct fixture *fixture)
{
	(void)fixture;
	others_fill(monitor, EXECS_MAX - 1, false);
}

static void loggers_fill(struct monitor *monitor, const struct fixture *fixture)
{
	(void)fixture;
	others_fill(monitor, OTHERS_MAX, true);
}

/* The server refuses that many; one that does not is none of ours. */
TEST(execs_beyond_their_number)
{
	struct fixture fixture = {.prepare = execs_fill};
	char log[2048];

	fixture_init(&fixture);
	fixture_create(&fixture, "wait-1");
	for (int i = 0; i < 2; i++) {
		const char *exec_id = i == 0 ? "e" : "f";
		send_exec(&fixture, VERB_EXEC, "wait-1", exec_id,
			  exec_payload("wait-1", exec_id, "{}"));
	}
	ASSERT_EQ(fixture_end(&fixture), 1);
	fixture_deinit(&fixture, log, sizeof(log));
	if (!strstr(log, "refused: too many execs"))
		test_fail(__FILE__, __LINE__, "the log says: %s", log);
}

/* Loggers that do not end may take all places: a process that has none is not left to itself. */
TEST(exec_without_a_place)
{
	struct fixture fixture = {.prepare = loggers_fill};
	char log[2048];

	fixture_init(&fixture);
	pid_t victim = fixture_create(&fixture, VICTIM);
	uint32_t tag = send_exec(&fixture, VERB_EXEC, VICTIM, "e", exec_payload(VICTIM, "e", "{}"));
	fixture_expect_done(&fixture, tag, TTRPC_RESOURCE_EXHAUSTED);
	ASSERT_STR(fixture.text, "a shim has no room for more processes");
	ASSERT_EQ(kill(victim, 0), 0);
	close(fixture.fd);
	fixture.fd = -1;
	ASSERT_EQ(fixture_end(&fixture), 0);
	fixture_deinit(&fixture, log, sizeof(log));
	ASSERT(strstr(log, "more processes than a shim can have"));
}

/* ---- what is in vain ---- */

TEST(ends_of_nothing)
{
	struct fixture fixture = {0};
	fixture_init(&fixture);
	pid_t victim = fixture_create(&fixture, VICTIM);
	/* what it names may have ended while the verb came */
	fixture_expect_done(&fixture, fixture_send(&fixture, VERB_CANCEL, VICTIM, -1),
			    TTRPC_NOT_FOUND);
	fixture_expect_done(&fixture, fixture_send(&fixture, VERB_CANCEL, "never", -1),
			    TTRPC_NOT_FOUND);
	fixture_expect_done(&fixture, send_exec(&fixture, VERB_CANCEL, VICTIM, "e", -1),
			    TTRPC_NOT_FOUND);
	fixture_expect_done(&fixture, send_exec(&fixture, VERB_CANCEL, "never", "e", -1),
			    TTRPC_NOT_FOUND);
	fixture_expect_done(&fixture, fixture_send(&fixture, VERB_END_LOGGER, VICTIM, -1),
			    TTRPC_OK);
	fixture_expect_done(&fixture, send_exec(&fixture, VERB_END_LOGGER, VICTIM, "e", -1),
			    TTRPC_OK);
	ASSERT_EQ(kill(victim, 0), 0);
	fixture_leave(&fixture);
}
