/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_UNIT_WORKER_FIXTURE_H
#define TEST_UNIT_WORKER_FIXTURE_H
/*
 * A worker without a monitor: the test is its parent, gives it a job, and receives the report. Its
 * runtime's functions are the test's own; they run in the forked worker and tell what they saw through
 * memory that is shared.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proto/task.pb-c.h"
#include "shim/pair.h"
#include "test/test.h"
#include "ttrpc/ttrpc.h"

#undef stdin
#undef stdout
#undef stderr

/* A condition that comes true by itself, soon; if not, the test's time is up. */
#define UNTIL(condition)                                                                           \
	while (!(condition))                                                                       \
	nanosleep(&(const struct timespec){.tv_nsec = 1000000}, NULL)

struct worker_seen {
	char json[128], checkpoint[128], parent[128], options[128], exec_id[ID_SIZE], console[128];
	size_t json_size;
	pid_t pid; /* of the last process that was made */
	int removed, called;
	bool flag; /* as the test likes */
};

struct worker_fixture {
	char root[64]; /* a folder; the bundle is ROOT/one */
	char bundle[80];
	struct runtime runtime;
	struct shim_config config;
	struct rlimit files;
	struct verb verb;
	struct job job;
	int keep[RUNTIME_KEEP_MAX];
	int reports[2];
	struct report_message message;
	char text[RUNTIME_ERROR_MAX + 1];
};

static struct worker_seen *worker_seen;

static inline const char *worker_file(const struct worker_fixture *fixture, const char *name)
{
	static char paths[8][160];
	static unsigned next;
	char *path = paths[next++ % 8];
	snprintf(path, sizeof(paths[0]), "%s/%s", fixture->root, name);
	return path;
}

static inline void worker_init(struct worker_fixture *fixture)
{
	*fixture = (struct worker_fixture){.root = "/tmp/mote-worker.XXXXXX"};
	ASSERT_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	ASSERT(mkdtemp(fixture->root) != NULL);
	snprintf(fixture->bundle, sizeof(fixture->bundle), "%s/one", fixture->root);
	ASSERT_EQ(mkdir(fixture->bundle, 0700), 0);
	worker_seen = mmap(NULL, sizeof(*worker_seen), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT(worker_seen != MAP_FAILED);
	ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &fixture->files), 0);
	ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fixture->reports), 0);
	for (int i = 0; i < RUNTIME_KEEP_MAX; i++)
		fixture->keep[i] = -1;
	fixture->config = (struct shim_config){.runtime = &fixture->runtime, .namespace_ = "ns"};
	fixture->job = (struct job){.config = &fixture->config,
				    .verb = &fixture->verb,
				    .report_fd = fixture->reports[1],
				    .bundle = fixture->bundle,
				    .keep = fixture->keep,
				    .files = &fixture->files};
	fixture->message.text = fixture->text;
	report_init(&fixture->message);
}

static inline int worker_remove_one(const char *path, const struct stat *file, int kind,
				    struct FTW *where)
{
	(void)file;
	(void)kind;
	(void)where;
	return remove(path);
}

/* All processes that the test's runtime has made must be about to end. */
static inline void worker_deinit(struct worker_fixture *fixture)
{
	report_deinit(&fixture->message);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
	close(fixture->reports[0]);
	close(fixture->reports[1]);
	ASSERT_EQ(munmap(worker_seen, sizeof(*worker_seen)), 0);
	ASSERT_EQ(nftw(fixture->root, worker_remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static inline int worker_payload(const ProtobufCMessage *message)
{
	if (!message)
		return -1;
	size_t size = protobuf_c_message_get_packed_size(message);
	uint8_t *bytes = malloc(size + 1);
	protobuf_c_message_pack(message, bytes);
	int fd = memfd_create("payload", MFD_CLOEXEC);
	ASSERT_EQ(write(fd, bytes, size), size);
	free(bytes);
	return fd;
}

/* Begins one; to be followed by worker_end(). */
static inline pid_t worker_begin(struct worker_fixture *fixture, enum verb_type type,
				 const char *exec_id, const ProtobufCMessage *payload)
{
	report_deinit(&fixture->message);
	fixture->verb = (struct verb){.type = type, .tag = 7, .id = "one"};
	strcpy(fixture->verb.exec_id, exec_id);
	fixture->job.payload_fd = worker_payload(payload);
	pid_t worker = fork();
	if (worker == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		worker_run(&fixture->job);
		_exit(0);
	}
	if (fixture->job.payload_fd >= 0)
		close(fixture->job.payload_fd);
	return worker;
}

/* The report of its end, behind those of what it has made. */
static inline void worker_receive(struct worker_fixture *fixture)
{
	do
		ASSERT_EQ(report_receive(fixture->reports[0], &fixture->message, 0), 0);
	while (fixture->message.report.type == REPORT_MADE);
}

/* Takes its report: the code. */
static inline uint32_t worker_end(struct worker_fixture *fixture, pid_t worker)
{
	struct report_message *message = &fixture->message;
	int status;
	worker_receive(fixture);
	ASSERT_EQ(waitpid(worker, &status, 0), worker);
	ASSERT_EQ(status, 0);
	ASSERT_EQ(message->report.tag, 7);
	fixture->text[message->report.text_size] = 0;
	return message->report.code;
}

static inline uint32_t worker_do(struct worker_fixture *fixture, enum verb_type type,
				 const char *exec_id, const ProtobufCMessage *payload)
{
	return worker_end(fixture, worker_begin(fixture, type, exec_id, payload));
}

/* A FIFO with a reader that does not block. */
static inline int worker_fifo(const struct worker_fixture *fixture, const char *name)
{
	ASSERT_EQ(mkfifo(worker_file(fixture, name), 0600), 0);
	int fd = open(worker_file(fixture, name), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ASSERT(fd >= 0);
	return fd;
}

/* Reads until there are size bytes, or the end. */
static inline size_t worker_read(int fd, void *bytes, size_t size)
{
	size_t n = 0;
	while (n < size) {
		ssize_t more = read(fd, (char *)bytes + n, size - n);
		if (more == 0)
			break;
		if (more > 0)
			n += (size_t)more;
		else if (errno == EAGAIN)
			nanosleep(&(const struct timespec){.tv_nsec = 1000000}, NULL);
		else
			test_fail(__FILE__, __LINE__, "read: %s", strerror(errno));
	}
	return n;
}

static inline void worker_expect(int fd, const char *text)
{
	char got[256] = "";
	ASSERT(strlen(text) < sizeof(got));
	worker_read(fd, got, strlen(text));
	ASSERT_STR(got, text);
}

/* For a runtime: a process that runs this with the task's stdio. */
static inline int worker_process(struct runtime_task *task, void (*run)(void), pid_t *ret_pid)
{
	pid_t pid = fork();
	if (pid == 0) {
		runtime_child_init(task, task->stdio[0]);
		run();
		_exit(0);
	}
	worker_seen->pid = pid;
	*ret_pid = pid;
	return pid < 0 ? -errno : 0;
}

static inline void worker_note(const struct runtime_task *task)
{
	struct worker_seen *seen = worker_seen;
	seen->called++;
	snprintf(seen->json, sizeof(seen->json), "%s", task->json);
	snprintf(seen->checkpoint, sizeof(seen->checkpoint), "%s", task->checkpoint);
	snprintf(seen->parent, sizeof(seen->parent), "%s", task->parent_checkpoint);
	snprintf(seen->options, sizeof(seen->options), "%s %.*s", task->options.type_url,
		 (int)task->options.size, (const char *)task->options.value);
	snprintf(seen->exec_id, sizeof(seen->exec_id), "%s", task->exec_id);
	snprintf(seen->console, sizeof(seen->console), "%s", task->console_socket);
	seen->json_size = task->json_size;
}

#endif
