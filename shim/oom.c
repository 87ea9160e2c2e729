/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watching a cgroup for OOM kills: see oom.h. Facts of the kernel behind it:
 *
 * v2  A file of kernfs that was changed is ready for EPOLLPRI, and stays so until it is read from its
 *     beginning through this very open file: pread(0) arms it again. memory.events tells of much else
 *     (low, high, max), so most reads find nothing. Within 10 ms of one message the next is held back,
 *     not lost; a process may have gone by then, which is what oom_check() is for.
 *
 * v1  The eventfd is signalled before a victim is chosen, let alone killed: the number grows some time
 *     later, which nobody tells. So after a signal the file is read again and again, at pauses that
 *     double, for some two seconds. The signal also comes to all groups below the one that ran out of
 *     memory, and when the group is removed; only the number tells.
 *
 * Both: when the cgroup is removed its open files fail with ENODEV, and v2's are ready for ever. There
 * is nothing more to be learnt then.
 */
#include "shim/oom.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define MILLISECOND UINT64_C(1000000)
#define PAUSE_MIN MILLISECOND
#define PAUSE_MAX (1024 * MILLISECOND)
#define FILE_SIZE 512 /* memory.events has some 100 bytes; what is cut off is not oom_kill */

#define container_of(pointer, type, member)                                                        \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

int oom_parse(const char *text, size_t size, uint64_t *ret_kills)
{
	static const char key[] = "oom_kill ";
	const char *end = text + size, *at = text;
	while (at && (size_t)(end - at) >= sizeof(key) && memcmp(at, key, sizeof(key) - 1) != 0) {
		at = memchr(at, '\n', (size_t)(end - at));
		at = at ? at + 1 : NULL;
	}
	if (!at || (size_t)(end - at) < sizeof(key))
		return -EBADMSG;
	at += sizeof(key) - 1;
	if (*at < '0' || *at > '9')
		return -EBADMSG;
	uint64_t kills = 0;
	for (; at < end && *at >= '0' && *at <= '9'; at++)
		kills = kills * 10 + (uint64_t)(*at - '0');
	*ret_kills = kills;
	return 0;
}

static int kills_read(int fd, uint64_t *ret_kills)
{
	char text[FILE_SIZE];
	ssize_t n = pread(fd, text, sizeof(text), 0);
	return n < 0 ? -errno : oom_parse(text, (size_t)n, ret_kills);
}

/* Nothing of oom may be used after it: it may have been freed. */
static void oom_look(struct oom *oom)
{
	uint64_t kills, now = ttrpc_now();
	if (kills_read(oom->file_fd, &kills) < 0) {
		oom_stop(oom);
		return;
	}
	if (kills <= oom->kills)
		return;
	uint64_t n = kills - oom->kills;
	bool told = now < oom->burst_end;
	oom->kills = kills;
	oom->burst_end = now + OOM_BURST;
	if (!told)
		oom->killed(oom, n, oom->userdata);
}

static void file_ready(struct ttrpc_watch *watch, uint32_t events)
{
	(void)events;
	oom_look(container_of(watch, struct oom, watch));
}

static void look_again(struct ttrpc_timer *timer)
{
	struct oom *oom = container_of(timer, struct oom, again);
	oom->pause *= 2;
	if (oom->pause <= PAUSE_MAX)
		ttrpc_timer_set(oom->loop, timer, ttrpc_now() + oom->pause, look_again);
	oom_look(oom);
}

static void event_ready(struct ttrpc_watch *watch, uint32_t events)
{
	struct oom *oom = container_of(watch, struct oom, watch);
	uint64_t signals;
	(void)events;
	if (read(oom->event_fd, &signals, sizeof(signals)) < 0 && errno != EAGAIN) {
		oom_stop(oom);
		return;
	}
	oom->pause = PAUSE_MIN;
	ttrpc_timer_set(oom->loop, &oom->again, ttrpc_now() + oom->pause, look_again);
	oom_look(oom);
}

int oom_start(struct oom *oom, struct ttrpc_loop *loop, int event_fd, int file_fd,
	      oom_killed_fn killed, void *userdata)
{
	int result = 0;
	*oom = OOM_NULL;
	oom->loop = loop;
	oom->event_fd = event_fd;
	oom->file_fd = file_fd;
	oom->killed = killed;
	oom->userdata = userdata;
	if (file_fd >= 0)
		result = kills_read(file_fd, &oom->kills);
	if (file_fd >= 0 && result == 0)
		result =
			event_fd >= 0
				? ttrpc_watch_add(loop, &oom->watch, event_fd, EPOLLIN, event_ready)
				: ttrpc_watch_add(loop, &oom->watch, file_fd, EPOLLPRI, file_ready);
	if (file_fd < 0 || result < 0)
		oom_stop(oom);
	return result;
}

void oom_check(struct oom *oom)
{
	if (oom->file_fd >= 0)
		oom_look(oom);
}

void oom_stop(struct oom *oom)
{
	ttrpc_timer_clear(&oom->again);
	ttrpc_watch_remove(&oom->watch);
	if (oom->event_fd >= 0)
		close(oom->event_fd);
	if (oom->file_fd >= 0)
		close(oom->file_fd);
	oom->event_fd = oom->file_fd = -1;
}

uint64_t oom_kills(const struct oom *oom)
{
	return oom->kills;
}
