/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_UNIT_MONITOR_FIXTURE_H
#define TEST_UNIT_MONITOR_FIXTURE_H
/*
 * A monitor in a process of its own, put together by hand as launch.c does it, with this test in the
 * server's place: the test sends verbs and receives reports. The child that the monitor takes for
 * its server only sleeps.
 *
 * The runtime does what the part of the container's id before the first '-' says:
 *
 *     plain   create forks a process that waits at a gate, which is kept; start opens it
 *     early   its process has exited with 7 and been reaped before create returns
 *     quick   its process has exited with 7 and been reaped before start returns
 *     refuse  every function refuses           hang    every function hangs
 *     die     the worker dies by SIGKILL       stay    start hangs, all else as plain
 *     wait    exec and pids hang, all else as plain
 *     litter  create leaves LITTER processes behind, which have ended, and hangs
 *     direct  the monitor may signal its processes and list its pids itself; the runtime, if asked,
 *             refuses and says that it was, and knows one pid, ASKED
 *
 * When the gate is closed, by the monitor's end, the process exits with 0: so one that was killed
 * is told from one that was left alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proto/task.pb-c.h"
#include "shim/config.h"
#include "shim/log.h"
#include "shim/pair.h"
#include "shim/server.h"
#include "test/test.h"
#include "ttrpc/ttrpc.h"

#undef stdin
#undef stdout
#undef stderr

struct fixture {
	char root[64];
	pid_t monitor, server;
	int fd;     /* the server's end */
	int log_fd; /* what the monitor logs */
	uint32_t last_tag;
	struct report_message message; /* the one received last */
	char text[RUNTIME_ERROR_MAX + 1];
	void (*prepare)(struct monitor *monitor, const struct fixture *fixture); /* or NULL */
};

#define LITTER (STRAYS_MAX + 20)
#define ASKED 4711

/* A condition that comes true by itself, soon; if not, the test's time is up. */
#define UNTIL(condition)                                                                           \
	while (!(condition))                                                                       \
	nanosleep(&(const struct timespec){.tv_nsec = 1000000}, NULL)

/* ---- the runtime ---- */

static inline bool fake_is(const struct runtime_task *task, const char *kind)
{
	size_t size = strlen(kind);
	return strncmp(task->id, kind, size) == 0 && task->id[size] == '-';
}

static inline int fake_act(struct runtime_task *task)
{
	if (fake_is(task, "refuse"))
		return runtime_fail(task, RUNTIME_FAILED_PRECONDITION, "refused by the runtime");
	if (fake_is(task, "die"))
		raise(SIGKILL);
	while (fake_is(task, "hang"))
		pause();
	return 0;
}

static inline void fake_await_end(pid_t pid)
{
	UNTIL(kill(pid, 0) < 0 && errno == ESRCH);
}

static inline _Noreturn void fake_process(int gate)
{
	char byte;
	prctl(PR_SET_PDEATHSIG, 0);
	while (read(gate, &byte, 1) == 1)
		if (byte == 'x')
			_exit(7);
	_exit(0);
}

static inline int fake_fork(struct runtime_task *task, int keep, pid_t *ret_pid)
{
	int gate[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, gate) < 0)
		return -errno;
	pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		fake_process(runtime_child_init(task, gate[0]));
	task->keep[keep] = gate[1];
	*ret_pid = pid;
	return 0;
}

/* A process whose parent has gone, so that it is the monitor who reaps it. */
static inline pid_t fake_orphan(void)
{
	int channel[2];
	pid_t pid, parent;
	if (pipe2(channel, O_CLOEXEC) < 0)
		return -errno;
	parent = fork();
	if (parent == 0) {
		pid = fork();
		if (pid == 0)
			_exit(7);
		_exit(write(channel[1], &pid, sizeof(pid)) == (ssize_t)sizeof(pid) ? 0 : 1);
	}
	if (read(channel[0], &pid, sizeof(pid)) != (ssize_t)sizeof(pid))
		return -EIO;
	waitpid(parent, NULL, 0);
	fake_await_end(pid);
	return pid;
}

/* Their parent ends while they are zombies: the monitor inherits them all. */
static inline void fake_litter(void)
{
	pid_t parent = fork();
	if (parent > 0) {
		waitpid(parent, NULL, 0);
		return;
	}
	for (int i = 0; i < LITTER; i++)
		if (fork() == 0)
			_exit(0);
	_exit(0);
}

static inline int fake_create(struct runtime_task *task, pid_t *ret_pid)
{
	int result = fake_act(task);
	if (result != 0)
		return result;
	if (fake_is(task, "litter")) {
		fake_litter();
		for (;;)
			pause();
	}
	if (fake_is(task, "direct"))
		task->direct = RUNTIME_DIRECT_KILL | RUNTIME_DIRECT_PIDS;
	task->state_size = (size_t)snprintf((char *)task->state, 64, "made %s", task->id);
	if (!fake_is(task, "early"))
		return fake_fork(task, 0, ret_pid);
	*ret_pid = fake_orphan();
	return *ret_pid < 0 ? *ret_pid : 0;
}

static inline int fake_start(struct runtime_task *task)
{
	bool quick = fake_is(task, "quick");
	int result = fake_act(task);
	if (result != 0)
		return result;
	while (fake_is(task, "stay"))
		pause();
	if (send(task->keep[0], quick ? "x" : "g", 1, MSG_NOSIGNAL) != 1)
		return -errno;
	if (quick)
		fake_await_end(task->pid);
	return 0;
}

static inline int fake_kill(struct runtime_task *task, int signal, bool all)
{
	int result = fake_act(task);
	if (result != 0)
		return result;
	if (fake_is(task, "direct"))
		return runtime_fail(task, RUNTIME_INTERNAL, "the runtime was asked");
	if (task->pid > 0 && kill(task->pid, signal) == 0)
		return 0;
	return runtime_fail(task, RUNTIME_NOT_FOUND, "all %d: not found", all);
}

static inline int fake_remove(struct runtime_task *task, bool force)
{
	int result = force ? 0 : fake_act(task);
	if (task->pid > 0)
		kill(task->pid, SIGKILL);
	return result;
}

static inline int fake_pids(struct runtime_task *task, pid_t *pids, size_t max, size_t *ret_n)
{
	int result = fake_act(task);
	while (fake_is(task, "wait"))
		pause();
	*ret_n = max > 0;
	pids[0] = fake_is(task, "direct") ? ASKED : task->pid;
	return result;
}

static inline int fake_exec(struct runtime_task *task, pid_t *ret_pid)
{
	int result = fake_act(task);
	if (result != 0)
		return result;
	while (fake_is(task, "wait"))
		pause();
	return fake_fork(task, 1, ret_pid);
}

/* It names the process that there is already. */
static inline int fake_restore(struct runtime_task *task, pid_t *ret_pid)
{
	*ret_pid = task->pid;
	return fake_act(task);
}

static const struct runtime fake = {
	.name = "io.containerd.fake.v2",
	.create = fake_create,
	.start = fake_start,
	.kill = fake_kill,
	.remove = fake_remove,
	.pids = fake_pids,
	.exec = fake_exec,
	.pause = fake_act,
	.resume = fake_act,
	.update = fake_act,
	.checkpoint = fake_act,
	.restore = fake_restore,
};

/* ---- the monitor ---- */

static inline const char *fixture_path(const struct fixture *fixture, const char *name)
{
	static char paths[4][256];
	static unsigned next;
	char *path = paths[next++ % 4];
	snprintf(path, sizeof(paths[0]), "%s/%s", fixture->root, name);
	return path;
}

static inline int fixture_signals(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	ASSERT_EQ(sigprocmask(SIG_BLOCK, &set, NULL), 0);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static inline pid_t fixture_server(void)
{
	pid_t pid = fork();
	ASSERT(pid >= 0);
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		pause();
}

static inline _Noreturn void fixture_monitor(const struct fixture *fixture, int fd, int log,
					     int ready)
{
	static const struct shim_config config = {
		.runtime = &fake, .namespace_ = "ns", .id = "shim", .address = ""};
	struct monitor *monitor = &monitor_instance;
	int pair[2];

	ASSERT_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	monitor->config = &config;
	monitor->message.text = monitor->text;
	monitor->report_fd = pair[0];
	monitor->worker_report_fd = pair[1];
	monitor->server_fd = fd;
	strcpy(monitor->folder, fixture->root);
	monitor->children.folder = monitor->folder;
	ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &monitor->files), 0);
	monitor->server_pid = fixture_server();
	monitor->signal_fd = fixture_signals();
	log_open(&config, log, false);
	if (fixture->prepare)
		fixture->prepare(monitor, fixture);
	ASSERT_EQ(chdir("/"), 0);
	ASSERT_EQ(write(ready, &monitor->server_pid, sizeof(pid_t)), sizeof(pid_t));
	close(ready);
	_exit(monitor_run(monitor) < 0 ? 1 : 0);
}

static inline void fixture_init(struct fixture *fixture)
{
	int pair[2], log[2], ready[2];

	signal(SIGPIPE, SIG_IGN);
	strcpy(fixture->root, "/tmp/mote-monitor.XXXXXX");
	ASSERT(mkdtemp(fixture->root) != NULL);
	ASSERT_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	ASSERT(pipe2(log, O_CLOEXEC) == 0 && pipe2(ready, O_CLOEXEC) == 0);
	fixture->message.text = fixture->text;
	report_init(&fixture->message);
	fixture->monitor = fork();
	ASSERT(fixture->monitor >= 0);
	if (fixture->monitor == 0) {
		close(pair[0]);
		close(log[0]);
		close(ready[0]);
		fixture_monitor(fixture, pair[1], log[1], ready[1]);
	}
	close(pair[1]);
	close(log[1]);
	close(ready[1]);
	fixture->fd = pair[0];
	fixture->log_fd = log[0];
	ASSERT_EQ(read(ready[0], &fixture->server, sizeof(pid_t)), sizeof(pid_t));
	close(ready[0]);
}

/* The monitor has ended: returns its status, with the child that stood for its server dead. */
static inline int fixture_end(struct fixture *fixture)
{
	int status, server;
	ASSERT_EQ(waitpid(fixture->monitor, &status, 0), fixture->monitor);
	ASSERT_EQ(waitpid(fixture->server, &server, 0), fixture->server);
	ASSERT(WIFEXITED(status));
	ASSERT(WIFSIGNALED(server) && WTERMSIG(server) == SIGKILL);
	return WEXITSTATUS(status);
}

/* A process of a container, of a monitor that has ended; its worker may have to end first. */
static inline void fixture_await(pid_t pid, int *ret_status)
{
	UNTIL(waitpid(pid, ret_status, WNOHANG) == pid);
}

static inline int fixture_remove_one(const char *path, const struct stat *file, int kind,
				     struct FTW *where)
{
	(void)file;
	(void)kind;
	(void)where;
	return remove(path);
}

/* The log of a monitor that has ended; every other process of the test must have ended as well. */
static inline void fixture_deinit(struct fixture *fixture, char *log, size_t size)
{
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
	ssize_t n = read(fixture->log_fd, log, size - 1);
	ASSERT(n >= 0);
	log[n] = 0;
	report_deinit(&fixture->message);
	close(fixture->fd);
	close(fixture->log_fd);
	ASSERT_EQ(nftw(fixture->root, fixture_remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* As a server that goes away does it; the monitor has nothing to complain of. */
static inline void fixture_leave(struct fixture *fixture)
{
	char log[2048];
	close(fixture->fd);
	fixture->fd = -1;
	ASSERT_EQ(fixture_end(fixture), 0);
	fixture_deinit(fixture, log, sizeof(log));
	ASSERT_STR(log, "");
}

/* ---- verbs and reports ---- */

static inline void fixture_bundle(const struct fixture *fixture, const char *id)
{
	ASSERT_EQ(mkdir(fixture_path(fixture, id), 0700), 0);
}

static inline int fixture_payload(const struct fixture *fixture, const char *id)
{
	Containerd__Task__V2__CreateTaskRequest request =
		CONTAINERD__TASK__V2__CREATE_TASK_REQUEST__INIT;
	uint8_t bytes[512];
	request.id = (char *)(uintptr_t)id;
	request.bundle = (char *)(uintptr_t)fixture_path(fixture, id);
	ASSERT(protobuf_c_message_get_packed_size(&request.base) <= sizeof(bytes));
	int fd = payload_seal(bytes, protobuf_c_message_pack(&request.base, bytes));
	ASSERT(fd >= 0);
	return fd;
}

/* name: below the fixture's root. */
static inline void fixture_file(const struct fixture *fixture, const char *name, const char *text)
{
	int fd = open(fixture_path(fixture, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ASSERT(fd >= 0);
	ASSERT_EQ(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* Returns the verb's tag; takes payload, -1: none. */
static inline uint32_t fixture_send(struct fixture *fixture, enum verb_type type, const char *id,
				    int payload)
{
	struct verb verb = {.type = type, .tag = ++fixture->last_tag};
	strcpy(verb.id, id);
	verb.signal = type == VERB_KILL ? SIGTERM : 0;
	ASSERT_EQ(verb_send(fixture->fd, &verb, payload), 0);
	if (payload >= 0)
		close(payload);
	return verb.tag;
}

static inline uint32_t fixture_send_create(struct fixture *fixture, const char *id)
{
	fixture_bundle(fixture, id);
	return fixture_send(fixture, VERB_CREATE, id, fixture_payload(fixture, id));
}

static inline const struct report *fixture_receive(struct fixture *fixture)
{
	report_deinit(&fixture->message);
	memset(fixture->text, 0, sizeof(fixture->text));
	ASSERT_EQ(report_receive(fixture->fd, &fixture->message, 0), 0);
	return &fixture->message.report;
}

static inline const struct report *fixture_expect_done(struct fixture *fixture, uint32_t tag,
						       enum ttrpc_code code)
{
	const struct report *report = fixture_receive(fixture);
	ASSERT_EQ(report->type, REPORT_DONE);
	ASSERT_EQ(report->tag, tag);
	ASSERT_EQ(report->code, code);
	return report;
}

static inline const struct report *fixture_expect_exit(struct fixture *fixture, const char *id,
						       uint32_t status)
{
	const struct report *report = fixture_receive(fixture);
	ASSERT_EQ(report->type, REPORT_EXIT);
	ASSERT_STR(report->id, id);
	ASSERT_STR(report->exec_id, "");
	ASSERT_EQ(report->exit_status, status);
	ASSERT(report->exited_at > 1500000000);
	return report;
}

/* The pid of a container that was made. */
static inline pid_t fixture_create(struct fixture *fixture, const char *id)
{
	uint32_t tag = fixture_send_create(fixture, id);
	pid_t pid = fixture_expect_done(fixture, tag, TTRPC_OK)->pid;
	ASSERT(pid > 0);
	return pid;
}

static inline void fixture_call(struct fixture *fixture, enum verb_type type, const char *id,
				enum ttrpc_code code)
{
	fixture_expect_done(fixture, fixture_send(fixture, type, id, -1), code);
}

#endif
