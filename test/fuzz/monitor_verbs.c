/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server that was taken over, and a monitor that has one container: any messages, in any order, with
 * any payload. Nothing is forked and nobody killed; what would be is checked.
 *
 * The input is a list of messages. Each begins with a byte that says what comes:
 *   bits 0, 1  payload: none, a sealed memfd, one that can still be changed, one that is too large
 *   bit 2      before the message the oldest worker ends and has done what it was to
 *   bit 4      there is no process to be had for a worker
 *   bit 3      the message follows as it is; else so: type, tag, signal, and the two ids, each as
 *              its length in a byte and its bytes
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shim/log.h"
#include "shim/pair.h"
#include "test/fuzz/fuzz.h"
#include "ttrpc/ttrpc.h"

#define VICTIM "victim"
#define VICTIM_PID ((1 << 28) - 1)
#define FIRST_PID (1 << 28) /* of the workers that there are not; beyond what a kernel gives out */

struct input {
	const uint8_t *data;
	size_t size;
};

static struct monitor *monitor;
static pid_t last_pid;

static bool playing; /* else it is the program that runs this target which forks */
static bool fork_fails;

pid_t __real_fork(void);
pid_t __wrap_fork(void);
int __real_kill(pid_t pid, int signal);
int __wrap_kill(pid_t pid, int signal);

pid_t __wrap_fork(void)
{
	if (!playing)
		return __real_fork();
	if (!fork_fails)
		return ++last_pid;
	errno = EAGAIN;
	return -1;
}

/*
 * Only workers, and the one process that the monitor itself sends signals to: never another one, a
 * group, or everybody.
 */
int __wrap_kill(pid_t pid, int signal)
{
	if (!playing)
		return __real_kill(pid, signal);
	if (pid == VICTIM_PID && signal >= 0 && signal <= SIGNAL_MAX && signal != SIGKILL)
		return 0;
	if (pid <= FIRST_PID || signal != SIGKILL || !worker_find(&monitor->children, pid))
		abort();
	return 0;
}

static size_t take(struct input *input, void *bytes, size_t size)
{
	if (size > input->size)
		size = input->size;
	memcpy(bytes, input->data, size);
	input->data += size;
	input->size -= size;
	return size;
}

static uint8_t take_byte(struct input *input)
{
	uint8_t byte = 0;
	take(input, &byte, 1);
	return byte;
}

/* Its length may be that of the field: then no zero ends it. */
static void take_id(struct input *input, char id[static ID_SIZE])
{
	size_t size = take_byte(input);
	take(input, id, size < ID_SIZE ? size : ID_SIZE);
}

static size_t take_verb(struct input *input, bool raw, struct verb *verb)
{
	if (raw)
		return take(input, verb, sizeof(*verb));
	verb->type = take_byte(input);
	verb->tag = take_byte(input);
	verb->signal = take_byte(input);
	take_id(input, verb->id);
	take_id(input, verb->exec_id);
	return sizeof(*verb);
}

static int payload_make(int kind)
{
	int fd = kind ? memfd_create("payload", MFD_CLOEXEC | MFD_ALLOW_SEALING) : -1;
	if (kind == 3 && ftruncate(fd, (off_t)TTRPC_MESSAGE_MAX + 1) < 0)
		abort();
	if (kind == 1 || kind == 3)
		fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
	return fd;
}

static void oldest_ends(void)
{
	struct children *children = &monitor->children;
	struct monitor_worker *oldest = NULL;

	for (int i = 0; i < WORKERS_MAX; i++) {
		struct monitor_worker *worker = &children->workers[i];
		if (worker->pid && (!oldest || worker->pid < oldest->pid))
			oldest = worker;
	}
	if (!oldest)
		return;
	oldest->container->phase = CONTAINER_LIVE;
	oldest->container->exclusive &= !oldest->exclusive;
	children->n_unreported--;
	worker_free(children, oldest);
}

/* As the monitor's loop does before it takes the next one in. What is settled here is a failure. */
static void answer_drop(void)
{
	struct monitor_container *failed = monitor->settle;

	if (monitor->outgoing)
		report_deinit(&monitor->message);
	monitor->outgoing = false;
	monitor->settle = NULL;
	if (!failed)
		return;
	failed->init.hold = failed->exclusive = false;
	if (failed->phase == CONTAINER_CREATING)
		children_remove(&monitor->children, failed);
}

/* What the monitor has answered at once. */
static void answers_drop(int fd)
{
	char bytes[1];
	while (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

static void check(void)
{
	const struct children *children = &monitor->children;
	const struct monitor_container *victim = children_find(&monitor->children, VICTIM);

	if (!victim || victim->phase != CONTAINER_LIVE || victim->init.process.exited)
		abort();
	if (children->n_unreported > OPERATIONS_MAX || children->n_workers > WORKERS_MAX)
		abort();
	for (size_t i = 0; i < children->n_containers; i++) {
		const struct monitor_container *container = &children->containers[i];
		if (container->phase != CONTAINER_FREE && !id_valid(container->id))
			abort();
	}
}

/* One message over a socket as the server has it. Whether the pair goes on. */
static bool deliver(struct input *input, const int *ends)
{
	struct verb verb = {.type = 0}, received;
	uint8_t control = take_byte(input);
	int payload = payload_make(control & 3), result;

	if (control & 4)
		oldest_ends();
	fork_fails = control & 16;
	size_t size = take_verb(input, control & 8, &verb);
	if (size == sizeof(verb))
		result = verb_send(ends[0], &verb, payload);
	else
		result = send(ends[0], &verb, size, MSG_NOSIGNAL) < 0 ? -errno : 0;
	if (result < 0)
		abort();
	if (payload >= 0)
		close(payload);
	payload = -1;
	if (size > 0 && (result = verb_receive(ends[1], &received, &payload)) == 0)
		result = verb_handle(monitor, &received, payload);
	if (payload >= 0)
		close(payload);
	if (result != 0 && result != -EPROTO && result != -EBADMSG)
		abort();
	answer_drop();
	answers_drop(ends[0]);
	check();
	return result == 0;
}

/* All zeros, as at start; it is large, and little of it is touched. */
static void monitor_clear(void)
{
	if (!monitor)
		monitor = mmap(NULL, sizeof(*monitor), PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (monitor == MAP_FAILED || madvise(monitor, sizeof(*monitor), MADV_DONTNEED) < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct runtime runtime = {.name = "io.containerd.fuzz.v2"};
	static const struct shim_config config = {
		.id = VICTIM, .namespace_ = "ns", .runtime = &runtime};
	struct input input = {.data = data, .size = size};
	int ends[2];

	monitor_clear();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		abort();
	last_pid = FIRST_PID;
	log_open(&config, -1, false);
	monitor->config = &config;
	monitor->message.text = monitor->text;
	monitor->children.folder = "/nowhere";
	strcpy(monitor->setup.publisher_path, "/nowhere/events");
	strcpy(monitor->setup.socket_path, "/nowhere/socket");
	monitor->socket_inode = 1;
	struct monitor_container *victim = children_add(&monitor->children, VICTIM);
	victim->phase = CONTAINER_LIVE;
	victim->init.container = victim;
	victim->init.process.pid = VICTIM_PID;
	victim->direct = RUNTIME_DIRECT_KILL | RUNTIME_DIRECT_PIDS;
	monitor->server_fd = ends[1];
	playing = true;
	while (input.size > 0 && deliver(&input, ends))
		;
	playing = false;
	close(ends[0]);
	close(ends[1]);
	return 0;
}
