/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor's tables: see children.h. What happens to them when a process ends is in reap.c. */
#include "shim/children.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
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
	container->init.container = container;
	memccpy(container->id, id, 0, ID_SIZE);
	return container;
}

static void child_free(struct children *children, struct monitor_child *child)
{
	children->n_waiting -= child->waiting;
	*child = (struct monitor_child){0};
	while (children->n_others > 0 && !children->others[children->n_others - 1].container)
		children->n_others--;
}

/* Its worker may have reaped it, so that the number is another's by now. */
static void child_kill(const struct monitor_child *child)
{
	const struct state_process *process = &child->process;
	uint64_t start_time;
	if (!process->exited && process->start_time != 0 &&
	    process_start_time(process->pid, &start_time) == 0 && start_time == process->start_time)
		kill(process->pid, SIGKILL);
}

void children_remove(struct children *children, struct monitor_container *container)
{
	for (size_t k = 0; k < RUNTIME_KEEP_MAX; k++)
		if (container->keep[k] >= 0)
			close(container->keep[k]);
	for (size_t i = children->n_others; i-- > 0;) {
		struct monitor_child *child = &children->others[i];
		if (i >= children->n_others || child->container != container)
			continue;
		if (child->early)
			child_kill(child);
		child_free(children, child);
	}
	children->n_waiting -= container->init.waiting;
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

static bool works_for(const struct monitor_worker *worker,
		      const struct monitor_container *container)
{
	return worker->pid != 0 && !worker->reported && container && worker->container == container;
}

struct monitor_worker *worker_find_exclusive(struct children *children, const char *id)
{
	const struct monitor_container *container = children_find(children, id);
	for (size_t i = 0; i < WORKERS_MAX; i++)
		if (works_for(&children->workers[i], container) && children->workers[i].exclusive)
			return &children->workers[i];
	return NULL;
}

struct monitor_worker *worker_find_exec(struct children *children,
					const struct monitor_container *container,
					const char *exec_id)
{
	for (size_t i = 0; i < WORKERS_MAX; i++) {
		struct monitor_worker *worker = &children->workers[i];
		if (works_for(worker, container) && worker->type == VERB_EXEC &&
		    strcmp(worker->exec_id, exec_id) == 0)
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

struct monitor_child *children_child(struct children *children, struct monitor_container *container,
				     const char *exec_id, bool logger)
{
	if (!exec_id[0] && !logger)
		return container->init.process.pid != 0 ? &container->init : NULL;
	for (size_t i = 0; i < children->n_others; i++) {
		struct monitor_child *child = &children->others[i];
		if (child->container == container && child->process.logger == logger &&
		    strcmp(child->process.exec_id, exec_id) == 0)
			return child;
	}
	return NULL;
}

pid_t child_living(const struct monitor_child *child)
{
	return child->process.exited ? 0 : child->process.pid;
}

pid_t children_pid(const struct monitor_child *child)
{
	return child && !child->early ? child_living(child) : 0;
}

struct monitor_child *children_of_pid(struct children *children, pid_t pid)
{
	for (size_t i = 0; i < children->n_containers; i++) {
		struct monitor_container *container = &children->containers[i];
		if (container->phase != CONTAINER_FREE && child_living(&container->init) == pid)
			return &container->init;
	}
	for (size_t i = 0; i < children->n_others; i++)
		if (children->others[i].container && child_living(&children->others[i]) == pid)
			return &children->others[i];
	return NULL;
}

/* Goes through a container's processes, for state_write_each(). */
struct record_position {
	const struct children *children;
	const struct monitor_container *container;
	size_t next; /* of the others; the init comes first */
	bool begun;
};

static const struct state_process *record_next(void *userdata)
{
	struct record_position *at = userdata;
	bool first = !at->begun;
	at->begun = true;
	if (first && at->container->init.process.pid != 0)
		return &at->container->init.process;
	while (at->next < at->children->n_others) {
		const struct monitor_child *child = &at->children->others[at->next++];
		if (child->container == at->container)
			return &child->process;
	}
	return NULL;
}

void children_record(struct children *children, const struct monitor_child *child)
{
	const struct monitor_container *container = child->container;
	struct record_position position = {.children = children, .container = container};
	char bundle[512];
	int result = children_bundle(children, container->id, bundle, sizeof(bundle));
	if (result == 0)
		result = state_write_each(bundle, record_next, &position);
	if (result < 0)
		log_write(SHIM_LOG_WARNING, container->id,
			  child->process.exited ? "the exit was not written to the bundle: %s"
						: "the pid was not written to the bundle: %s",
			  strerror(-result));
}

bool children_may_register(struct children *children, pid_t pid)
{
	struct state_process known;
	uint64_t start_time;
	return strays_find(children, pid, &known) ||
	       (!worker_find(children, pid) && !children_of_pid(children, pid) &&
		process_start_time(pid, &start_time) == 0);
}

size_t children_execs(const struct children *children)
{
	size_t n = 0;
	for (size_t i = 0; i < children->n_others; i++) {
		const struct monitor_child *child = &children->others[i];
		/* one that is early is its worker's */
		n += child->container && !child->process.logger && !child->early;
	}
	for (size_t i = 0; i < WORKERS_MAX; i++) {
		const struct monitor_worker *worker = &children->workers[i];
		n += worker->type == VERB_EXEC && works_for(worker, worker->container);
	}
	return n;
}

bool children_room(const struct children *children, size_t n)
{
	size_t free = OTHERS_MAX - children->n_others;
	for (size_t i = 0; i < children->n_others && free < n; i++)
		free += !children->others[i].container;
	return free >= n;
}

static struct monitor_child *child_allocate(struct children *children)
{
	size_t i = 0;
	while (i < children->n_others && children->others[i].container)
		i++;
	if (i == children->n_others)
		children->n_others++;
	return &children->others[i];
}

/* The logger of an earlier exec of that name may still be ending: its exit is nobody's now. */
static void logger_forget(struct children *children, struct monitor_container *container,
			  const char *exec_id)
{
	struct monitor_child *old =
		exec_id[0] ? children_child(children, container, exec_id, true) : NULL;
	if (old && !old->early)
		child_free(children, old);
}

static struct monitor_child *child_register(struct children *children,
					    struct monitor_container *container,
					    const char *exec_id, bool logger, pid_t pid)
{
	bool init = !exec_id[0] && !logger;
	logger_forget(children, container, exec_id);
	struct monitor_child *child = init ? &container->init : child_allocate(children);
	child->container = container;
	child->hold = true;
	child->process = (struct state_process){.pid = pid, .logger = logger};
	memccpy(child->process.exec_id, exec_id, 0, ID_SIZE);
	if (strays_find(children, pid, &child->process)) {
		child->waiting = true;
		children->n_waiting++;
	} else {
		process_start_time(pid, &child->process.start_time);
	}
	children_record(children, child);
	return child;
}

void children_register(struct children *children, struct monitor_container *container,
		       const char *exec_id, bool logger, pid_t pid)
{
	struct monitor_child *child = children_child(children, container, exec_id, logger);
	if (child && child->early)
		child->early = false;
	else
		child_register(children, container, exec_id, logger, pid);
}

void children_register_early(struct children *children, struct monitor_container *container,
			     const char *exec_id, bool logger, pid_t pid)
{
	child_register(children, container, exec_id, logger, pid)->early = true;
}

static bool is_early(const struct monitor_child *child, const struct monitor_container *container,
		     const char *exec_id)
{
	return child->early && (!container || (child->container == container &&
					       strcmp(child->process.exec_id, exec_id) == 0));
}

void children_end_early(struct children *children, const struct monitor_container *container,
			const char *exec_id)
{
	for (size_t i = children->n_others; i-- > 0;) {
		if (i >= children->n_others || !is_early(&children->others[i], container, exec_id))
			continue;
		child_kill(&children->others[i]);
		child_free(children, &children->others[i]);
	}
	for (size_t i = 0; i < children->n_containers; i++) {
		struct monitor_child *init = &children->containers[i].init;
		if (!is_early(init, container, exec_id))
			continue;
		child_kill(init);
		children->n_waiting -= init->waiting;
		*init = (struct monitor_child){.container = init->container, .hold = init->hold};
	}
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

static bool may_forward(const struct monitor_child *child)
{
	return child->waiting && !child->hold;
}

/* Those of the execs first: a client is to see them before that of their init. */
struct monitor_child *children_next_exit(struct children *children)
{
	if (children->n_waiting == 0)
		return NULL;
	for (size_t i = 0; i < children->n_others; i++)
		if (may_forward(&children->others[i]))
			return &children->others[i];
	for (size_t i = 0; i < children->n_containers; i++)
		if (may_forward(&children->containers[i].init))
			return &children->containers[i].init;
	return NULL;
}

void children_exit_sent(struct children *children, struct monitor_child *child)
{
	child->waiting = false;
	children->n_waiting--;
	if (child != &child->container->init)
		child_free(children, child);
}

void children_unhold(struct children *children)
{
	for (size_t i = 0; i < children->n_others; i++)
		children->others[i].hold &= children->others[i].early;
}
