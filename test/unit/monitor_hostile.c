/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor against a server that was taken over: whatever an honest one would not send ends
 * both, with one line in the log that says why, and no process of a container is touched. A server
 * that dies is no offence, but ends the monitor as well.
 */
#include "test/unit/monitor_fixture.h"

/* The container that every test has before: it must be left alone. */
#define VICTIM "plain-victim"

static int sealed(size_t size)
{
	static char bytes[1 << 16];
	int fd = memfd_create("payload", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ASSERT(fd >= 0);
	for (size_t n = 0; n < size; n += sizeof(bytes))
		ASSERT_EQ(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
	ASSERT_EQ(ftruncate(fd, (off_t)size), 0);
	ASSERT_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE), 0);
	return fd;
}

static void send_raw(struct fixture *fixture, const void *bytes, size_t size)
{
	ASSERT_EQ(send(fixture->fd, bytes, size, MSG_NOSIGNAL), (ssize_t)size);
}

static struct verb verb_of(struct fixture *fixture, enum verb_type type, const char *id)
{
	struct verb verb = {.type = type, .tag = ++fixture->last_tag};
	strcpy(verb.id, id);
	return verb;
}

/* ---- form ---- */

static void too_short(struct fixture *fixture)
{
	struct verb verb = verb_of(fixture, VERB_PIDS, VICTIM);
	send_raw(fixture, &verb, sizeof(verb) - 1);
}

static void too_long(struct fixture *fixture)
{
	struct verb verbs[2] = {verb_of(fixture, VERB_PIDS, VICTIM)};
	send_raw(fixture, verbs, sizeof(verbs[0]) + 1);
}

static void id_without_end(struct fixture *fixture)
{
	struct verb verb = verb_of(fixture, VERB_PIDS, VICTIM);
	memset(verb.id, 'a', sizeof(verb.id));
	send_raw(fixture, &verb, sizeof(verb));
}

static void exec_id_without_end(struct fixture *fixture)
{
	struct verb verb = verb_of(fixture, VERB_PIDS, VICTIM);
	memset(verb.exec_id, 'a', sizeof(verb.exec_id));
	send_raw(fixture, &verb, sizeof(verb));
}

static void two_payloads(struct fixture *fixture)
{
	struct verb verb = verb_of(fixture, VERB_CREATE, "plain-2");
	struct iovec part = {.iov_base = &verb, .iov_len = sizeof(verb)};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))] = {0};
	struct msghdr header = {.msg_iov = &part,
				.msg_iovlen = 1,
				.msg_control = control,
				.msg_controllen = sizeof(control)};
	struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
	int fds[] = {sealed(10), sealed(10)};
	rights->cmsg_level = SOL_SOCKET;
	rights->cmsg_type = SCM_RIGHTS;
	rights->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(rights), fds, sizeof(fds));
	ASSERT_EQ(sendmsg(fixture->fd, &header, MSG_NOSIGNAL), sizeof(verb));
	close(fds[0]);
	close(fds[1]);
}

/* ---- type, tag, id ---- */

static void type_zero(struct fixture *fixture)
{
	fixture_send(fixture, 0, VICTIM, -1);
}

static void type_beyond(struct fixture *fixture)
{
	fixture_send(fixture, VERB_MAX, VICTIM, -1);
}

static void type_huge(struct fixture *fixture)
{
	struct verb verb = verb_of(fixture, VERB_MAX, VICTIM);
	verb.type = UINT32_MAX;
	send_raw(fixture, &verb, sizeof(verb));
}

static void tag_zero(struct fixture *fixture)
{
	struct verb verb = verb_of(fixture, VERB_PIDS, VICTIM);
	verb.tag = 0;
	send_raw(fixture, &verb, sizeof(verb));
}

static void tag_in_use(struct fixture *fixture)
{
	struct verb verb = verb_of(fixture, VERB_PUBLISH, "");
	verb.tag = fixture_send_create(fixture, "hang-1");
	send_raw(fixture, &verb, sizeof(verb));
}

static void id_unknown(struct fixture *fixture)
{
	fixture_send(fixture, VERB_PIDS, "plain-unknown", -1);
}

static void id_with_dots(struct fixture *fixture)
{
	fixture_send(fixture, VERB_CREATE, "../other", sealed(10));
}

static void id_only_dots(struct fixture *fixture)
{
	fixture_send(fixture, VERB_CREATE, "..", sealed(10));
}

static void id_empty(struct fixture *fixture)
{
	fixture_send(fixture, VERB_CREATE, "", sealed(10));
}

static void id_where_none_belongs(struct fixture *fixture)
{
	fixture_send(fixture, VERB_CLOSE, VICTIM, -1);
}

static void send_exec_id(struct fixture *fixture, enum verb_type type, const char *exec_id)
{
	struct verb verb = verb_of(fixture, type, VICTIM);
	strcpy(verb.exec_id, exec_id);
	send_raw(fixture, &verb, sizeof(verb));
}

static void exec_id_where_none_belongs(struct fixture *fixture)
{
	send_exec_id(fixture, VERB_DELETE, "e1");
}

static void exec_id_with_dots(struct fixture *fixture)
{
	send_exec_id(fixture, VERB_KILL, "../other");
}

static void exec_without_id(struct fixture *fixture)
{
	fixture_send(fixture, VERB_EXEC, VICTIM, sealed(10));
}

static void exec_without_payload(struct fixture *fixture)
{
	send_exec_id(fixture, VERB_EXEC, "e1");
}

static void container_twice(struct fixture *fixture)
{
	fixture_send(fixture, VERB_CREATE, VICTIM, sealed(10));
}

static void container_half_made(struct fixture *fixture)
{
	fixture_send_create(fixture, "hang-1");
	fixture_send(fixture, VERB_DELETE, "hang-1", -1);
}

static void container_half_made_twice(struct fixture *fixture)
{
	fixture_send_create(fixture, "hang-1");
	fixture_send(fixture, VERB_CREATE, "hang-1", sealed(10));
}

static void signal_absurd(struct fixture *fixture)
{
	struct verb verb = verb_of(fixture, VERB_KILL, VICTIM);
	verb.signal = 0x80000000;
	send_raw(fixture, &verb, sizeof(verb));
}

static void signal_where_none_belongs(struct fixture *fixture)
{
	struct verb verb = verb_of(fixture, VERB_DELETE, VICTIM);
	verb.signal = SIGKILL;
	send_raw(fixture, &verb, sizeof(verb));
}

/* ---- payloads ---- */

static void payload_missing(struct fixture *fixture)
{
	fixture_send(fixture, VERB_CREATE, "plain-2", -1);
}

static void payload_not_sealed(struct fixture *fixture)
{
	int fd = memfd_create("payload", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	fixture_send(fixture, VERB_CREATE, "plain-2", fd);
}

static void payload_half_sealed(struct fixture *fixture)
{
	int fd = memfd_create("payload", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ASSERT_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
	fixture_send(fixture, VERB_CREATE, "plain-2", fd);
}

static void payload_too_large(struct fixture *fixture)
{
	fixture_send(fixture, VERB_CREATE, "plain-2", sealed(TTRPC_MESSAGE_MAX + 1));
}

static void payload_is_no_memfd(struct fixture *fixture)
{
	fixture_send(fixture, VERB_CREATE, "plain-2", open("/dev/zero", O_RDONLY | O_CLOEXEC));
}

static void payload_is_the_channel(struct fixture *fixture)
{
	fixture_send(fixture, VERB_CREATE, "plain-2", fcntl(fixture->fd, F_DUPFD_CLOEXEC, 0));
}

static void payload_where_none_belongs(struct fixture *fixture)
{
	fixture_send(fixture, VERB_KILL, VICTIM, sealed(10));
}

static void cancel_of_no_id(struct fixture *fixture)
{
	fixture_send(fixture, VERB_CANCEL, "", -1);
}

static void cancel_with_payload(struct fixture *fixture)
{
	fixture_send(fixture, VERB_CANCEL, VICTIM, sealed(10));
}

static void restore_of_what_runs(struct fixture *fixture)
{
	fixture_send(fixture, VERB_RESTORE, VICTIM, sealed(10));
}

/* ---- too much ---- */

static void exclusive_beside_exclusive(struct fixture *fixture)
{
	fixture_create(fixture, "stay-1");
	fixture_send(fixture, VERB_START, "stay-1", -1);
	fixture_send(fixture, VERB_DELETE, "stay-1", -1);
}

static void too_many_operations(struct fixture *fixture)
{
	char id[32];
	for (int i = 0; i <= OPERATIONS_MAX; i++) {
		snprintf(id, sizeof(id), "hang-%d", i);
		fixture_send_create(fixture, id);
	}
}

/* All but two of those that there may be; they have no process. */
static void containers_fill(struct monitor *monitor, const struct fixture *fixture)
{
	char id[32];
	(void)fixture;
	for (int i = 0; i < CONTAINERS_MAX - 2; i++) {
		snprintf(id, sizeof(id), "filler-%d", i);
		children_add(&monitor->children, id)->phase = CONTAINER_LIVE;
	}
}

static void too_many_containers(struct fixture *fixture)
{
	fixture_create(fixture, "plain-last");
	fixture_send_create(fixture, "plain-beyond");
}

static const struct {
	const char *name;
	void (*send)(struct fixture *fixture);
	const char *reason;
	void (*prepare)(struct monitor *monitor, const struct fixture *fixture);
} cases[] = {
	{"too short", too_short, "bad form", NULL},
	{"too long", too_long, "bad form", NULL},
	{"id without end", id_without_end, "bad form", NULL},
	{"exec id without end", exec_id_without_end, "bad form", NULL},
	{"two payloads", two_payloads, "bad form", NULL},
	{"type zero", type_zero, "unknown verb", NULL},
	{"type beyond", type_beyond, "unknown verb", NULL},
	{"type huge", type_huge, "unknown verb", NULL},
	{"tag zero", tag_zero, "tag in use", NULL},
	{"tag in use", tag_in_use, "tag in use", NULL},
	{"id unknown", id_unknown, "no such container", NULL},
	{"id with dots", id_with_dots, "bad id", NULL},
	{"id of dots", id_only_dots, "bad id", NULL},
	{"id empty", id_empty, "bad id", NULL},
	{"id where none belongs", id_where_none_belongs, "bad id", NULL},
	{"exec id", exec_id_where_none_belongs, "exec id where none belongs", NULL},
	{"exec id with dots", exec_id_with_dots, "bad exec id", NULL},
	{"exec without id", exec_without_id, "no exec id", NULL},
	{"exec without payload", exec_without_payload, "bad payload", NULL},
	{"container twice", container_twice, "container exists", NULL},
	{"half made", container_half_made, "no such container", NULL},
	{"half made twice", container_half_made_twice, "container exists", NULL},
	{"signal absurd", signal_absurd, "bad signal", NULL},
	{"signal where none belongs", signal_where_none_belongs, "bad signal", NULL},
	{"payload missing", payload_missing, "bad payload", NULL},
	{"payload not sealed", payload_not_sealed, "bad payload", NULL},
	{"payload half sealed", payload_half_sealed, "bad payload", NULL},
	{"payload too large", payload_too_large, "bad payload", NULL},
	{"payload is no memfd", payload_is_no_memfd, "bad payload", NULL},
	{"payload is the channel", payload_is_the_channel, "bad payload", NULL},
	{"payload where none belongs", payload_where_none_belongs, "bad payload", NULL},
	{"cancel of no id", cancel_of_no_id, "bad id", NULL},
	{"cancel with payload", cancel_with_payload, "bad payload", NULL},
	{"restore of what runs", restore_of_what_runs, "container has a process", NULL},
	{"exclusive twice", exclusive_beside_exclusive, "container is busy", NULL},
	{"too many operations", too_many_operations, "too many operations", NULL},
	{"too many containers", too_many_containers, "too many containers", containers_fill},
};

static void check(size_t i)
{
	struct fixture fixture = {.prepare = cases[i].prepare};
	char log[4096], expected[128];
	int status;

	fixture_init(&fixture);
	pid_t victim = fixture_create(&fixture, VICTIM);
	cases[i].send(&fixture);
	if (fixture_end(&fixture) != 1)
		test_fail(__FILE__, __LINE__, "%s: the monitor ended well", cases[i].name);
	/* its gate closed; nobody killed it */
	fixture_await(victim, &status);
	ASSERT_EQ(status, 0);
	ASSERT(access(fixture_path(&fixture, "../other"), F_OK) < 0);
	fixture_deinit(&fixture, log, sizeof(log));

	snprintf(expected, sizeof(expected), "of the server refused: %s\"", cases[i].reason);
	if (!strstr(log, expected) || strchr(log, '\n') != log + strlen(log) - 1)
		test_fail(__FILE__, __LINE__, "%s: log is \"%s\"", cases[i].name, log);
}

TEST(hostile_verbs)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check(i);
}

/* A payload may be empty or the largest: it is not the monitor who looks into it. */
TEST(payloads_at_the_limits)
{
	struct fixture fixture = {0};

	fixture_init(&fixture);
	fixture_bundle(&fixture, "plain-1");
	fixture_expect_done(&fixture, fixture_send(&fixture, VERB_CREATE, "plain-1", sealed(0)),
			    TTRPC_UNKNOWN);
	fixture_expect_done(
		&fixture, fixture_send(&fixture, VERB_CREATE, "plain-1", sealed(TTRPC_MESSAGE_MAX)),
		TTRPC_UNKNOWN);
	fixture_leave(&fixture);
}

/* A request for a bundle that is not the id's is a worker's to refuse. */
TEST(request_for_another_bundle)
{
	struct fixture fixture = {0};

	fixture_init(&fixture);
	fixture_bundle(&fixture, "plain-1");
	fixture_bundle(&fixture, "plain-2");
	uint32_t tag = fixture_send(&fixture, VERB_CREATE, "plain-1",
				    fixture_payload(&fixture, "plain-2"));
	fixture_expect_done(&fixture, tag, TTRPC_UNKNOWN);
	tag = fixture_send(&fixture, VERB_CREATE, "plain-1", fixture_payload(&fixture, "plain-1"));
	fixture_expect_done(&fixture, tag, TTRPC_OK);
	fixture_leave(&fixture);
}

/* ---- the end of a server ---- */

/* Its sockets are still open somewhere; that it died is enough. */
TEST(server_that_dies)
{
	struct fixture fixture = {0};
	char log[2048];
	int status;

	fixture_init(&fixture);
	pid_t pid = fixture_create(&fixture, "plain-1");
	fixture_send_create(&fixture, "hang-1");
	ASSERT_EQ(kill(fixture.server, SIGKILL), 0);
	ASSERT_EQ(fixture_end(&fixture), 0);
	fixture_await(pid, &status);
	ASSERT_EQ(status, 0);
	fixture_deinit(&fixture, log, sizeof(log));
	ASSERT_STR(log, "");
}

/* What it asked for last is not done any more: nobody is there to look after it. */
TEST(verbs_of_a_dead_server)
{
	struct fixture fixture = {0};

	fixture_init(&fixture);
	ASSERT_EQ(kill(fixture.monitor, SIGSTOP), 0);
	fixture_send_create(&fixture, "plain-1");
	close(fixture.fd);
	fixture.fd = -1;
	ASSERT_EQ(kill(fixture.monitor, SIGCONT), 0);
	ASSERT_EQ(fixture_end(&fixture), 0);
	ASSERT(access(fixture_path(&fixture, "plain-1/mote.task"), F_OK) < 0);
	ASSERT(access(fixture_path(&fixture, "plain-1/mote.runtime"), F_OK) < 0);
	char log[2048];
	fixture_deinit(&fixture, log, sizeof(log));
	ASSERT_STR(log, "");
}

static void socket_set(struct monitor *monitor, const struct fixture *fixture)
{
	struct stat file;
	strcpy(monitor->setup.socket_path, fixture_path(fixture, "s/socket"));
	ASSERT_EQ(stat(monitor->setup.socket_path, &file), 0);
	monitor->socket_device = file.st_dev;
	monitor->socket_inode = file.st_ino;
	monitor->socket_changed = file.st_mtim;
}

static void socket_prepare(struct monitor *monitor, const struct fixture *fixture)
{
	ASSERT_EQ(mkdir(fixture_path(fixture, "s"), 0700), 0);
	int fd = open(fixture_path(fixture, "s/socket"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ASSERT(fd >= 0);
	close(fd);
	socket_set(monitor, fixture);
}

TEST(socket_goes_with_the_server)
{
	struct fixture fixture = {.prepare = socket_prepare};
	char log[2048];

	fixture_init(&fixture);
	ASSERT_EQ(access(fixture_path(&fixture, "s/socket"), F_OK), 0);
	ASSERT_EQ(kill(fixture.server, SIGKILL), 0);
	ASSERT_EQ(fixture_end(&fixture), 0);
	ASSERT(access(fixture_path(&fixture, "s/socket"), F_OK) < 0);
	fixture_deinit(&fixture, log, sizeof(log));
	ASSERT_STR(log, "");
}

/* Another shim has put its own in the place: renamed, so that it has another inode for certain. */
TEST(socket_of_another_shim_stays)
{
	struct fixture fixture = {.prepare = socket_prepare};

	fixture_init(&fixture);
	int fd = open(fixture_path(&fixture, "s/new"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ASSERT(fd >= 0);
	close(fd);
	ASSERT_EQ(rename(fixture_path(&fixture, "s/new"), fixture_path(&fixture, "s/socket")), 0);
	ASSERT_EQ(kill(fixture.server, SIGKILL), 0);
	ASSERT_EQ(fixture_end(&fixture), 0);
	ASSERT_EQ(access(fixture_path(&fixture, "s/socket"), F_OK), 0);
	char log[2048];
	fixture_deinit(&fixture, log, sizeof(log));
}

/* Some file systems give a new file the number of the one that was just removed. */
TEST(socket_is_unlinked_once)
{
	struct fixture fixture = {.prepare = socket_prepare};

	fixture_init(&fixture);
	fixture_call(&fixture, VERB_CLOSE, "", TTRPC_OK);
	const char *path = fixture_path(&fixture, "s/socket");
	ASSERT(access(path, F_OK) < 0);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ASSERT(fd >= 0);
	close(fd);
	ASSERT_EQ(kill(fixture.server, SIGKILL), 0);
	ASSERT_EQ(fixture_end(&fixture), 0);
	ASSERT_EQ(access(path, F_OK), 0);
	char log[2048];
	fixture_deinit(&fixture, log, sizeof(log));
}
