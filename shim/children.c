/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor's tables and its reaping: see children.h. A zombie is looked at with WNOWAIT first, so
 * its pid and /proc entry are still its own while it is matched and its start time is read; only then
 * is it reaped and the pid free to be used again.
 */
#include "shim/children.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
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
	int length = snprintf(path, size, "%s/%s", children->folder, id);
	return length < 0 || (size_t)length >= size ? -ENAMETOOLONG : 0;
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
		log_write(SHIM_LOG_WARNING, container->id, "the exit was not written to the bundle: %s",
			  strerror(-result));
}

static void process_copy_exit(struct state_process *to, const struct state_process *from)
{
	to->exited = true;
	to->exit_status = from->exit_status;
	to->exited_at = from->exited_at;
	to->exited_at_nanos = from->exited_at_nanos;
}

void children_register(struct children *children, struct monitor_container *container, pid_t pid)
{
	struct state_process *init = &container->init;
	char bundle[512];

	init->pid = pid;
	for (size_t i = 0; i < children->n_strays; i++) {
		if (children->strays[i].pid != pid)
			continue;
		init->start_time = children->strays[i].exit.start_time;
		process_copy_exit(init, &children->strays[i].exit);
		exit_record(children, container);
		return;
	}
	process_start_time(pid, &init->start_time);
	int result = children_bundle(children, container->id, bundle, sizeof(bundle));
	if (result == 0)
		result = state_write(bundle, init, 1);
	if (result < 0)
		log_write(SHIM_LOG_WARNING, container->id, "the pid was not written to the bundle: %s",
			  strerror(-result));
}

static void exit_from_siginfo(const siginfo_t *info, struct state_process *exit)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	exit->pid = info->si_pid;
	exit->exited = true;
	exit->exit_status = (uint32_t)(info->si_code == CLD_EXITED ? info->si_status
								   : 128 + info->si_status);
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

void children_reap(pid_t pid)
{
	while (waitid(P_PID, (id_t)pid, &(siginfo_t){0}, WEXITED | WNOHANG) < 0 && errno == EINTR)
		;
}

enum children_result children_collect(struct children *children, pid_t server_pid,
				      struct monitor_worker **ret_worker, int *ret_status)
{
	siginfo_t info = {0};
	int result;
	do
		result = waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT);
	while (result < 0 && errno == EINTR);
	if (result < 0 || info.si_pid == 0)
		return CHILDREN_NONE;
	if (info.si_pid == server_pid)
		return CHILDREN_SERVER;

	struct monitor_worker *worker = worker_find(children, info.si_pid);
	if (worker) {
		struct state_process exit;
		exit_from_siginfo(&info, &exit);
		*ret_worker = worker;
		*ret_status = (int)exit.exit_status;
		return CHILDREN_WORKER;
	}

	struct monitor_container *container = container_of_pid(children, info.si_pid);
	enum children_result taken = CHILDREN_TAKEN;
	if (container) {
		exit_from_siginfo(&info, &container->init);
		exit_record(children, container);
	} else {
		taken = stray_take(children, &info);
	}
	if (taken == CHILDREN_TAKEN)
		children_reap(info.si_pid);
	return taken;
}

void children_collect_init(struct children *children, struct monitor_container *container)
{
	siginfo_t info = {0};
	pid_t pid = container->init.pid;
	if (pid == 0 || container->init.exited)
		return;
	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid != pid)
		return;
	exit_from_siginfo(&info, &container->init);
	exit_record(children, container);
	children_reap(pid);
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
