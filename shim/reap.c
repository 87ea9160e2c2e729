/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor's reaping: see children.h. A zombie is looked at with WNOWAIT first, so its pid and /proc
 * entry are still its own while it is matched and its start time is read; only then is it reaped and
 * the pid free to be used again.
 */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shim/children.h"
#include "shim/log.h"

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
		if (worker->pid != 0 && !worker->reported && verb_names_process(worker->type))
			return true;
	}
	return false;
}

/* The number belongs to another process of ours by now: a stray may be kept for long. */
static bool stray_is_stale(struct children *children, const struct stray *stray)
{
	uint64_t start_time;
	pid_t parent;
	return process_start_time(stray->pid, &start_time) == 0 &&
	       start_time != stray->exit.start_time && process_parent(stray->pid, &parent) == 0 &&
	       (parent == getpid() || worker_find(children, parent));
}

bool strays_find(struct children *children, pid_t pid, struct state_process *process)
{
	/* the newest first: a number may have been given out twice meanwhile */
	for (size_t i = children->n_strays; i > 0; i--) {
		const struct state_process *exit = &children->strays[i - 1].exit;
		if (children->strays[i - 1].pid != pid)
			continue;
		if (stray_is_stale(children, &children->strays[i - 1]))
			return false;
		process->start_time = exit->start_time;
		process->exited = true;
		process->exit_status = exit->exit_status;
		process->exited_at = exit->exited_at;
		process->exited_at_nanos = exit->exited_at_nanos;
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

static void child_ended(struct children *children, struct monitor_child *child,
			const siginfo_t *info)
{
	exit_from_siginfo(info, &child->process);
	child->waiting = true;
	children->n_waiting++;
	children_record(children, child);
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

static void child_look(struct children *children, struct monitor_child *child)
{
	siginfo_t info;
	pid_t pid = child->container ? child_living(child) : 0;
	if (pid == 0 || !peek(P_PID, pid, &info))
		return;
	child_ended(children, child, &info);
	children_reap(pid);
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
	for (size_t i = 0; i < children->n_containers; i++)
		child_look(children, &children->containers[i].init);
	for (size_t i = 0; i < children->n_others; i++)
		child_look(children, &children->others[i]);
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

	struct monitor_child *child = children_of_pid(children, info.si_pid);
	if (child)
		child_ended(children, child, &info);
	else if (stray_take(children, &info) == CHILDREN_FULL)
		return collect_past_strays(children, ret_worker, ret_status);
	children_reap(info.si_pid);
	return CHILDREN_TAKEN;
}

void children_end_init(struct children *children, struct monitor_container *container)
{
	siginfo_t info = {.si_code = CLD_KILLED, .si_status = SIGKILL};
	pid_t pid = info.si_pid = children_pid(&container->init);
	if (pid == 0)
		return;
	bool mine = peek(P_PID, pid, &info);
	child_ended(children, &container->init, &info);
	if (mine)
		children_reap(pid);
}
