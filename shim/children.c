/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor's tables and its reaping: see children.h. A zombie is looked at with WNOWAIT first, so
 * its pid and /proc entry are still its own while it is matched and its start time is read; only then
 * is it reaped and the pid free to be used again.
 */
#include "shim/children.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shim/log.h"

struct monitor_container *children_find(struct children *children, const char *id)
{
	for (size_t i = 0; i < children->n_containers; i++) {
		struct monitor_container *container = &children->containers[i];
		if (container->phase != CONTAINER_FREE && strcmp(container->id, id) == 0)
			return container;
	}
	return NULL;
}

struct monitor_container *children_add(struct children *children, const char *id)
{
	size_t i = 0;
	while (i < CONTAINERS_MAX && children->containers[i].phase != CONTAINER_FREE)
		i++;
	if (i == CONTAINERS_MAX)
		return NULL;
	if (i >= children->n_containers)
		children->n_containers = i + 1;

	struct monitor_container *container = &children->containers[i];
	*container = (struct monitor_container){.phase = CONTAINER_CREATING};
	for (size_t k = 0; k < RUNTIME_KEEP_MAX; k++)
		container->keep[k] = -1;
	memccpy(container->id, id, 0, ID_SIZE);
	return container;
}

void children_remove(struct children *children, struct monitor_container *container)
{
	for (size_t k = 0; k < RUNTIME_KEEP_MAX; k++)
		if (container->keep[k] >= 0)
			close(container->keep[k]);
	children->n_waiting -= container->waiting;
	for (size_t i = 0; i < WORKERS_MAX; i++)
		if (children->workers[i].container == container)
			children->workers[i].container = NULL;
	*container = (struct monitor_container){.phase = CONTAINER_FREE};
}

int children_bundle(const struct children *children, const char *id, char *path, size_t size)
{
	char *end = path + size, *at = memccpy(path, children->folder, 0, size);
	if (!at)
		return -ENAMETOOLONG;
	at[-1] = '/';
	return memccpy(at, id, 0, (size_t)(end - at)) ? 0 : -ENAMETOOLONG;
}

struct monitor_worker *worker_find(struct children *children, pid_t pid)
{
	for (size_t i = 0; i < WORKERS_MAX; i++)
		if (children->workers[i].pid == pid)
			return &children->workers[i];
	return NULL;
}

struct monitor_worker *worker_find_tag(struct children *children, uint32_t tag)
{
	for (size_t i = 0; i < WORKERS_MAX; i++)
		if (children->workers[i].pid != 0 && children->workers[i].tag == tag)
			return &children->workers[i];
	return NULL;
}

/* The one that makes this container and has not reported. */
struct monitor_worker *worker_find_create(struct children *children, const char *id)
{
	for (size_t i = 0; i < WORKERS_MAX; i++) {
		struct monitor_worker *worker = &children->workers[i];
		if (worker->pid != 0 && worker->type == VERB_CREATE && !worker->reported &&
		    worker->container && strcmp(worker->container->id, id) == 0)
			return worker;
	}
	return NULL;
}

struct monitor_worker *worker_allocate(struct children *children)
{
	struct monitor_worker *worker = worker_find(children, 0);
	if (worker) {
		children->n_workers++;
		children->n_unreported++;
	}
	return worker;
}

void worker_free(struct children *children, struct monitor_worker *worker)
{
	*worker = (struct monitor_worker){0};
	children->n_workers--;
}

static void exit_record(struct children *children, struct monitor_container *container)
{
	char bundle[512];
	container->waiting = true;
	children->n_waiting++;
	int result = children_bundle(children, container->id, bundle, sizeof(bundle));
	if (result == 0)
		result = state_write(bundle, &container->init, 1);
	if (result < 0)
		log_write(SHIM_LOG_WARNING, container->id,
			  "the exit was not written to the bundle: %s", strerror(-result));
}

static void process_copy_exit(struct state_process *to, const struct state_process *from)
{
	to->exited = true;
	to->exit_status = from->exit_status;
	to->exited_at = from->exited_at;
	to->exited_at_nanos = from->exited_at_nanos;
}

static struct monitor_container *container_of_pid(struct children *children, pid_t pid)
{
	for (size_t i = 0; i < children->n_containers; i++) {
		struct monitor_container *container = &children->containers[i];
		if (container->phase != CONTAINER_FREE && container->init.pid == pid &&
		    !container->init.exited)
			return container;
	}
	return NULL;
}

bool children_may_register(struct children *children, pid_t pid)
{
	uint64_t start_time;
	for (size_t i = 0; i < children->n_strays; i++)
		if (children->strays[i].pid == pid)
			return true;
	return !worker_find(children, pid) && !container_of_pid(children, pid) &&
	       process_start_time(pid, &start_time) == 0;
}

void children_register(struct children *children, struct monitor_container *container, pid_t pid)
{
	struct state_process *init = &container->init;
	char bundle[512];

	init->pid = pid;
	/* the newest first: a number may have been given out twice meanwhile */
	for (size_t i = children->n_strays; i > 0; i--) {
		const struct stray *stray = &children->strays[i - 1];
		if (stray->pid != pid)
			continue;
		init->start_time = stray->exit.start_time;
		process_copy_exit(init, &stray->exit);
		exit_record(children, container);
		return;
	}
	process_start_time(pid, &init->start_time);
	int result = children_bundle(children, container->id, bundle, sizeof(bundle));
	if (result == 0)
		result = state_write(bundle, init, 1);
	if (result < 0)
		log_write(SHIM_LOG_WARNING, container->id,
			  "the pid was not written to the bundle: %s", strerror(-result));
}

static void exit_from_siginfo(const siginfo_t *info, struct state_process *exit)
{
	struct timespec now;
	/* not through the vDSO: with its page and the tables that lead there it would cost 12 kB */
	syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
	exit->pid = info->si_pid;
	exit->exited = true;
	exit->exit_status =
		(uint32_t)(info->si_code == CLD_EXITED ? info->si_status : 128 + info->si_status);
	exit->exited_at = now.tv_sec;
	exit->exited_at_nanos = (uint32_t)now.tv_nsec;
}

static bool strays_wanted(const struct children *children)
{
	for (size_t i = 0; i < WORKERS_MAX; i++) {
		const struct monitor_worker *worker = &children->workers[i];
		if (worker->pid != 0 && !worker->reported && worker->type == VERB_CREATE)
			return true;
	}
	return false;
}

void children_drop_strays(struct children *children)
{
	if (!strays_wanted(children))
		children->n_strays = 0;
}

static enum children_result stray_take(struct children *children, const siginfo_t *info)
{
	if (!strays_wanted(children))
		return CHILDREN_TAKEN;
	if (children->n_strays == STRAYS_MAX)
		return CHILDREN_FULL;
	struct stray *stray = &children->strays[children->n_strays++];
	*stray = (struct stray){.pid = info->si_pid};
	exit_from_siginfo(info, &stray->exit);
	process_start_time(info->si_pid, &stray->exit.start_time);
	return CHILDREN_TAKEN;
}

void children_reap(pid_t pid)
{
	while (waitid(P_PID, (id_t)pid, &(siginfo_t){0}, WEXITED | WNOHANG) < 0 && errno == EINTR)
		;
}

/* Whether there is a zombie; it stays one. */
static bool peek(idtype_t type, pid_t pid, siginfo_t *ret_info)
{
	siginfo_t info = {0};
	int result;
	do
		result = waitid(type, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT);
	while (result < 0 && errno == EINTR);
	if (result < 0 || info.si_pid == 0)
		return false;
	*ret_info = info;
	return true;
}

static void init_ended(struct children *children, struct monitor_container *container,
		       const siginfo_t *info)
{
	exit_from_siginfo(info, &container->init);
	exit_record(children, container);
}

static enum children_result worker_ended(struct monitor_worker *worker, const siginfo_t *info,
					 struct monitor_worker **ret_worker, int *ret_status)
{
	struct state_process exit;
	exit_from_siginfo(info, &exit);
	*ret_worker = worker;
	*ret_status = (int)exit.exit_status;
	return CHILDREN_WORKER;
}

/*
 * The kernel shows the same zombie first for as long as it is one, so a stray that there is no room
 * for hides all behind it. A worker among these may be the one that the strays are kept for: they
 * are asked for by their numbers.
 */
static enum children_result collect_past_strays(struct children *children,
						struct monitor_worker **ret_worker, int *ret_status)
{
	siginfo_t info;
	for (size_t i = 0; i < WORKERS_MAX; i++) {
		struct monitor_worker *worker = &children->workers[i];
		if (worker->pid != 0 && peek(P_PID, worker->pid, &info))
			return worker_ended(worker, &info, ret_worker, ret_status);
	}
	for (size_t i = 0; i < children->n_containers; i++) {
		struct monitor_container *container = &children->containers[i];
		if (container->init.pid == 0 || container->init.exited ||
		    !peek(P_PID, container->init.pid, &info))
			continue;
		init_ended(children, container, &info);
		children_reap(info.si_pid);
	}
	return CHILDREN_FULL;
}

enum children_result children_collect(struct children *children, pid_t server_pid,
				      struct monitor_worker **ret_worker, int *ret_status)
{
	siginfo_t info;
	if (!peek(P_ALL, 0, &info))
		return CHILDREN_NONE;
	if (info.si_pid == server_pid)
		return CHILDREN_SERVER;

	struct monitor_worker *worker = worker_find(children, info.si_pid);
	if (worker)
		return worker_ended(worker, &info, ret_worker, ret_status);

	struct monitor_container *container = container_of_pid(children, info.si_pid);
	if (container)
		init_ended(children, container, &info);
	else if (stray_take(children, &info) == CHILDREN_FULL)
		return collect_past_strays(children, ret_worker, ret_status);
	children_reap(info.si_pid);
	return CHILDREN_TAKEN;
}

void children_end_init(struct children *children, struct monitor_container *container)
{
	siginfo_t info = {.si_code = CLD_KILLED, .si_status = SIGKILL};
	pid_t pid = info.si_pid = container->init.pid;
	if (pid == 0 || container->init.exited)
		return;
	bool mine = peek(P_PID, pid, &info);
	init_ended(children, container, &info);
	if (mine)
		children_reap(pid);
}

void children_close_others(const struct children *children, const struct monitor_container *own)
{
	for (size_t i = 0; i < children->n_containers; i++) {
		const struct monitor_container *container = &children->containers[i];
		for (size_t k = 0; k < RUNTIME_KEEP_MAX; k++)
			if (container != own && container->phase != CONTAINER_FREE &&
			    container->keep[k] >= 0)
				close(container->keep[k]);
	}
}

struct monitor_container *children_next_exit(struct children *children)
{
	if (children->n_waiting == 0)
		return NULL;
	for (size_t i = 0; i < children->n_containers; i++) {
		struct monitor_container *container = &children->containers[i];
		if (container->waiting && !container->hold)
			return container;
	}
	return NULL;
}

void children_exit_sent(struct children *children, struct monitor_container *container)
{
	container->waiting = false;
	children->n_waiting--;
}
