/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the server may ask for. The server parses bytes that come from outside and is taken to be
 * hostile here: a verb that an honest server would not send now ends the pair, without an answer.
 *
 * Fixed at start and out of the server's reach: the namespace, the folder above the bundles, the
 * address of the event service, the socket's path, the runtime's code. It names a container by an id
 * that the monitor registered, never a process, a path or a program.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "shim/direct.h"
#include "shim/failure.h"
#include "shim/log.h"
#include "shim/pair.h"
#include "ttrpc/ttrpc.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define LOCK_TRIES 50 /* for the lock of the socket's folder, which `start` has for a millisecond */
#define LOCK_STEP_MS 20

enum container_need {
	NEED_UNKNOWN = 0, /* there is no such verb */
	NEED_NONE,        /* the id is empty */
	NEED_FRESH,       /* valid, and not that of a container */
	NEED_VALID,       /* valid: the container may have gone while the verb came */
	NEED_LIVE,        /* a container's */
};

enum exec_need {
	EXEC_NONE = 0, /* the exec id is empty */
	EXEC_MAY,      /* empty, or valid: the exec may have ended while the verb came */
	EXEC_FRESH,    /* valid, and not that of an exec that runs or is being made */
};

struct verb_rule {
	enum container_need need;
	enum exec_need exec;
	enum { PAYLOAD_NONE, PAYLOAD_MAY, PAYLOAD_MUST } payload; /* a sealed memfd */
	bool exclusive; /* not while another exclusive verb of the container runs */
	bool hold;      /* the exit of the init waits for the report */
	int (*act)(struct monitor *monitor, const struct verb *verb); /* NULL: a worker does it */
	/* NULL, or tried before a worker is forked: see direct.h */
	bool (*direct)(struct monitor *monitor, const struct verb *verb,
		       struct monitor_container *container);
};

static int act_publish(struct monitor *monitor, const struct verb *verb);
static int act_close(struct monitor *monitor, const struct verb *verb);
static int act_cancel(struct monitor *monitor, const struct verb *verb);

static const struct verb_rule rules[VERB_MAX] = {
	/*
	 * May make a container in the fixed folder, from the config.json that containerd put there,
	 * with mounts below its own rootfs and the runtime named in the request: what containerd may
	 * ask for. The worker parses the request and checks the bundle's path against the id.
	 */
	[VERB_CREATE] = {.need = NEED_FRESH,
			 .payload = PAYLOAD_MUST,
			 .exclusive = true,
			 .hold = true},
	/*
	 * Lets run what was created, and opens the FIFO that is to be its standard input: a path, which
	 * create takes from the server as well.
	 */
	[VERB_START] = {.need = NEED_LIVE, .payload = PAYLOAD_MAY, .exclusive = true, .hold = true},
	/* Reaches only processes of a container that this pair made. */
	[VERB_KILL] = {.need = NEED_LIVE, .exec = EXEC_MAY, .direct = direct_kill},
	/* Undoes a create of this pair. */
	[VERB_DELETE] = {.need = NEED_LIVE, .exclusive = true},
	/* Reads which processes a container of this pair has. */
	[VERB_PIDS] = {.need = NEED_LIVE, .direct = direct_pids},
	/*
	 * Runs a process in a container of this pair, as containerd may ask for. The worker parses the
	 * request and checks its ids against the verb's.
	 */
	[VERB_EXEC] = {.need = NEED_LIVE, .exec = EXEC_FRESH, .payload = PAYLOAD_MUST},
	/* A start from an image: the request is that of the create, as are its limits. */
	[VERB_RESTORE] = {.need = NEED_LIVE,
			  .payload = PAYLOAD_MUST,
			  .exclusive = true,
			  .hold = true},
	/* Stop and let go on what this pair made. */
	[VERB_PAUSE] = {.need = NEED_LIVE, .exclusive = true},
	[VERB_RESUME] = {.need = NEED_LIVE, .exclusive = true},
	/* Changes the limits of a container of this pair, through its runtime. */
	[VERB_UPDATE] = {.need = NEED_LIVE, .payload = PAYLOAD_MUST, .exclusive = true},
	/* Has the runtime write an image where the request says, as containerd may ask for. */
	[VERB_CHECKPOINT] = {.need = NEED_LIVE, .payload = PAYLOAD_MUST, .exclusive = true},
	/* Reads the cgroup of a container of this pair. */
	[VERB_STATS] = {.need = NEED_LIVE, .direct = direct_stats},
	/* Ends a program that a create or exec of this pair started to take its output. */
	[VERB_END_LOGGER] = {.need = NEED_LIVE, .exec = EXEC_MAY},
	/*
	 * Ends the work on a container that this pair has begun and not answered; of a create, what it
	 * did is undone, as a delete of the container would; of an exec or restore, its process ends.
	 */
	[VERB_CANCEL] = {.need = NEED_VALID, .exec = EXEC_MAY, .act = act_cancel},
	/* Gives a connection to the one address that containerd gave us, which speaks to any client. */
	[VERB_PUBLISH] = {.need = NEED_NONE, .act = act_publish},
	/* Unlinks the one socket that `start` made: the shim becomes unreachable, as if it had died. */
	[VERB_CLOSE] = {.need = NEED_NONE, .act = act_close},
};

bool verb_exclusive(enum verb_type type)
{
	return rules[type].exclusive;
}

static int answer(struct monitor *monitor, const struct verb *verb, int result, int fd)
{
	struct report_message *message = &monitor->message;
	report_init(message);
	message->report.type = REPORT_DONE;
	message->report.tag = verb->tag;
	message->report.code = result < 0 ? ttrpc_code_from_errno(result) : TTRPC_OK;
	message->report.exit_status = (uint32_t)-result;
	message->fds[ROLE_RESULT] = fd;
	monitor->outgoing = true;
	return 0;
}

/* What the client is told; what the server alone reads goes without. */
static void answer_text(struct monitor *monitor, const char *text)
{
	size_t size = strlen(text);
	memcpy(monitor->message.text, text, size);
	monitor->message.report.text_size = (uint32_t)size;
}

static int publisher_connect(const char *path, int *ret_fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (!path[0])
		return -ENOENT;
	memccpy(address.sun_path, path, 0, sizeof(address.sun_path));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* a unix socket connects at once or not at all; EAGAIN: the backlog is full */
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int result = -errno;
		close(fd);
		return result;
	}
	*ret_fd = fd;
	return 0;
}

static int act_publish(struct monitor *monitor, const struct verb *verb)
{
	int fd = -1;
	int result = publisher_connect(monitor->setup.publisher_path, &fd);
	return answer(monitor, verb, result, fd);
}

static bool socket_is_ours(const struct monitor *monitor, const struct stat *file)
{
	return file->st_dev == monitor->socket_device && file->st_ino == monitor->socket_inode &&
	       file->st_mtim.tv_sec == monitor->socket_changed.tv_sec &&
	       file->st_mtim.tv_nsec == monitor->socket_changed.tv_nsec;
}

/* The lock of the socket's folder; false: `start` keeps it for long. */
static bool folder_lock(int directory)
{
	for (int tries = LOCK_TRIES; flock(directory, LOCK_EX | LOCK_NB) < 0; tries--) {
		if (tries == 0 || (errno != EWOULDBLOCK && errno != EINTR))
			return false;
		poll(NULL, 0, LOCK_STEP_MS);
	}
	return true;
}

/*
 * Under the lock of the socket's folder, which `start` holds while it binds: so the file cannot be
 * replaced by that of a newer shim between the look and the unlink. A `start` that was stopped may hold
 * it for ever, and then the file stays: without the lock it might be another's by the time of the
 * unlink, and that one could never be reached again. Nobody is led astray by ours: whoever looks at
 * it (a `start`, `delete`) has the lock first, finds that nobody listens, and removes it.
 */
void socket_unlink(struct monitor *monitor)
{
	const char *path = monitor->setup.socket_path;
	char folder[sizeof(monitor->setup.socket_path)];
	struct stat file;
	const char *slash = strrchr(path, '/');
	if (!slash || monitor->socket_inode == 0)
		return;
	memcpy(folder, path, (size_t)(slash - path));
	folder[slash - path] = 0;

	int directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return;
	if (folder_lock(directory) &&
	    fstatat(directory, slash + 1, &file, AT_SYMLINK_NOFOLLOW) == 0 &&
	    socket_is_ours(monitor, &file) && unlinkat(directory, slash + 1, 0) == 0)
		monitor->socket_inode = 0;
	close(directory);
}

static int act_close(struct monitor *monitor, const struct verb *verb)
{
	socket_unlink(monitor);
	return answer(monitor, verb, 0, -1);
}

static int act_cancel(struct monitor *monitor, const struct verb *verb)
{
	struct children *children = &monitor->children;
	struct monitor_worker *worker =
		verb->exec_id[0] ? worker_find_exec(children, children_find(children, verb->id),
						    verb->exec_id)
				 : worker_find_exclusive(children, verb->id);
	if (!worker)
		return answer(monitor, verb, -ENOENT, -1);
	if (!worker->undoes) {
		/* its runtime dies with it: PDEATHSIG; and what it has told of: children_end_early() */
		worker->cancelled = true;
		kill(worker->pid, SIGKILL);
	}
	return answer(monitor, verb, 0, -1);
}

static void worker_begin(struct monitor *monitor, const struct job *job,
			 const struct monitor_container *container, pid_t parent)
{
	sigset_t none;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	close(monitor->server_fd);
	close(monitor->report_fd);
	close(monitor->signal_fd);
	children_close_others(&monitor->children, container);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	worker_run(job);
	_exit(0);
}

/* Returns its pid, or a negative errno. */
static pid_t worker_fork(struct monitor *monitor, const struct verb *verb, int payload_fd,
			 struct monitor_container *container, bool undo)
{
	struct children *children = &monitor->children;
	char bundle[BUNDLE_SIZE];
	int result = children_bundle(children, container->id, bundle, sizeof(bundle));
	if (result < 0)
		return result;
	struct job job = {
		.config = monitor->config,
		.verb = verb,
		.payload_fd = payload_fd,
		.report_fd = monitor->worker_report_fd,
		.bundle = bundle,
		.keep = container->keep,
		.pid = children_pid(children_child(children, container, verb->exec_id, false)),
		.init_pid = children_pid(&container->init),
		.logger_pid =
			children_pid(children_child(children, container, verb->exec_id, true)),
		.files = &monitor->files,
		.undo = undo,
	};
	pid_t parent = getpid();
	pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		worker_begin(monitor, &job, container, parent);
	return pid;
}

static int worker_start(struct monitor *monitor, const struct verb *verb, int payload_fd,
			struct monitor_container *container)
{
	pid_t pid = worker_fork(monitor, verb, payload_fd, container, false);
	if (pid < 0)
		return pid;
	struct monitor_worker *worker = worker_allocate(&monitor->children);
	*worker = (struct monitor_worker){.pid = pid,
					  .tag = verb->tag,
					  .type = verb->type,
					  .exclusive = verb_exclusive(verb->type),
					  .container = container};
	memcpy(worker->exec_id, verb->exec_id, ID_SIZE);
	return 0;
}

int worker_replace(struct monitor *monitor, struct monitor_worker *dead)
{
	struct verb verb = {.type = VERB_CREATE, .tag = dead->tag};
	memccpy(verb.id, dead->container->id, 0, ID_SIZE);
	pid_t pid = worker_fork(monitor, &verb, -1, dead->container, true);
	if (pid < 0)
		return pid;
	children_reap(dead->pid);
	dead->pid = pid;
	dead->undoes = true;
	dead->cancelled = false;
	return 0;
}

/* What is wrong with the exec that is named. */
static const char *exec_wrong(struct monitor *monitor, const struct verb *verb,
			      struct monitor_container *container)
{
	enum exec_need need = rules[verb->type].exec;
	if (!verb->exec_id[0])
		return need == EXEC_FRESH ? "no exec id" : NULL;
	if (need == EXEC_NONE)
		return "exec id where none belongs";
	if (!id_valid(verb->exec_id))
		return "bad exec id";
	if (need == EXEC_FRESH &&
	    (children_child(&monitor->children, container, verb->exec_id, false) ||
	     worker_find_exec(&monitor->children, container, verb->exec_id)))
		return "exec exists";
	/* the server counts those as well that have ended and are not deleted */
	if (need == EXEC_FRESH && children_execs(&monitor->children) >= EXECS_MAX)
		return "too many execs";
	return NULL;
}

static bool payload_valid(int fd)
{
	struct stat file;
	int seals = fcntl(fd, F_GET_SEALS);
	return seals >= 0 && (seals & SEALS) == SEALS && fstat(fd, &file) == 0 &&
	       file.st_size <= (off_t)TTRPC_MESSAGE_MAX;
}

/* The one place where a verb is weighed. NULL: an honest server sends this. */
static const char *verb_wrong(struct monitor *monitor, const struct verb *verb, int payload_fd,
			      struct monitor_container **ret_container)
{
	if (verb->type == 0 || verb->type >= VERB_MAX)
		return "unknown verb";
	const struct verb_rule *rule = &rules[verb->type];
	struct monitor_container *container = NULL;

	if (rule->need == NEED_UNKNOWN)
		return "unknown verb";
	if (verb->tag == 0 || worker_find_tag(&monitor->children, verb->tag))
		return "tag in use";
	if (rule->need == NEED_NONE ? verb->id[0] != 0 : !id_valid(verb->id))
		return "bad id";
	if (verb->signal > (verb->type == VERB_KILL ? SIGNAL_MAX : 0))
		return "bad signal";
	if (payload_fd < 0 ? rule->payload == PAYLOAD_MUST
			   : rule->payload == PAYLOAD_NONE || !payload_valid(payload_fd))
		return "bad payload";
	if (rule->need == NEED_FRESH || rule->need == NEED_LIVE)
		container = children_find(&monitor->children, verb->id);
	if (rule->need == NEED_FRESH && container)
		return "container exists";
	if (rule->need == NEED_LIVE && (!container || container->phase != CONTAINER_LIVE))
		return "no such container";
	if (rule->exclusive && container && container->exclusive)
		return "container is busy";
	/* the one that there is would be forgotten, and outlive the pair */
	if (verb->type == VERB_RESTORE && container->init.process.pid != 0)
		return "container has a process";
	if (!rule->act && monitor->children.n_unreported == OPERATIONS_MAX)
		return "too many operations";
	*ret_container = container;
	return exec_wrong(monitor, verb, container);
}

int verb_refuse(const struct monitor *monitor, uint32_t type, const char *why)
{
	log_write(SHIM_LOG_ERROR, monitor->config->id, "verb %u of the server refused: %s", type,
		  why);
	return -EPROTO;
}

int verb_handle(struct monitor *monitor, const struct verb *verb, int payload_fd)
{
	struct monitor_container *container = NULL;
	const char *wrong = verb_wrong(monitor, verb, payload_fd, &container);
	const struct verb_rule *rule = &rules[wrong ? 0 : verb->type];
	if (!wrong && rule->need == NEED_FRESH)
		container = children_add(&monitor->children, verb->id);
	if (!wrong && rule->need == NEED_FRESH && !container)
		wrong = "too many containers";
	if (wrong)
		return verb_refuse(monitor, verb->type, wrong);
	if (rule->act)
		return rule->act(monitor, verb);
	if (rule->direct && rule->direct(monitor, verb, container))
		return 0;

	container->exclusive |= rule->exclusive;
	container->init.hold |= rule->hold;
	int result = worker_start(monitor, verb, payload_fd, container);
	if (result < 0) {
		/* no process or no memory to be had: this verb failed, the pair goes on */
		answer(monitor, verb, result, -1);
		answer_text(monitor, failure_errno(-result));
		monitor->settle = rule->exclusive ? container : NULL;
	}
	return 0;
}
