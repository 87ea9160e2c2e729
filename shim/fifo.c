/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening containerd's FIFOs.
 *
 * One look-up a stream: an O_PATH descriptor holds the inode, and both ends are opened through its
 * name in /proc, so that they are the same FIFO even if the name is unlinked or made anew
 * meanwhile.
 *
 *   stdin            reader first, then the keeper (a writer), which finds that reader: no waiting
 *   stdout, stderr   writer first: without O_NONBLOCK open(2) would wait for a client for ever,
 *                    with it ENXIO says that nobody reads yet; the keeper (a reader) only after
 *                    that, since it would look like a client
 *
 * An output that is not a FIFO (a log file) is appended to and needs no keeper.
 */
#include "shim/fifo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WAIT_STEP_NANOSECONDS (10 * 1000 * 1000)

static uint64_t milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t fifo_deadline(void)
{
	return milliseconds() + FIFO_WAIT_SECONDS * 1000u;
}

static int open_end(const char *name, int flags)
{
	int fd = open(name, flags | O_NONBLOCK | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* No wake-up comes from the kernel when a reader opens a FIFO: it is asked again and again. */
static int open_writer(const char *name, uint64_t deadline)
{
	static const struct timespec step = {.tv_nsec = WAIT_STEP_NANOSECONDS};

	for (;;) {
		int fd = open_end(name, O_WRONLY);
		if (fd != -ENXIO || milliseconds() >= deadline)
			return fd;
		nanosleep(&step, NULL);
	}
}

static int open_fifo(const char *name, enum fifo_stream stream, uint64_t deadline,
		     struct fifo_ends *ends)
{
	bool input = stream == FIFO_STDIN;

	ends->fd = input ? open_end(name, O_RDONLY) : open_writer(name, deadline);
	if (ends->fd < 0)
		return ends->fd;
	ends->keeper = open_end(name, input ? O_WRONLY : O_RDONLY);
	return ends->keeper < 0 ? ends->keeper : 0;
}

static int open_other(const char *name, enum fifo_stream stream, struct fifo_ends *ends)
{
	ends->fd = open_end(name, stream == FIFO_STDIN ? O_RDONLY : O_WRONLY | O_APPEND);
	return ends->fd < 0 ? ends->fd : 0;
}

static int refuse(const char *path, const char *kind, int error, struct failure *ret_failure)
{
	static const char prefix[] =
		"failed to start io pipe copy: unable to copy pipes: containerd-shim: opening";

	if (error == ENXIO)
		return failure_set(ret_failure,
				   "%s %s \"%s\" failed: nobody read from it within %d s: context "
				   "deadline exceeded",
				   prefix, kind, path, FIFO_WAIT_SECONDS);
	return failure_set(ret_failure, "%s %s \"%s\" failed: open %s: %s", prefix, kind, path,
			   path, failure_errno(error));
}

int fifo_open(const char *path, enum fifo_stream stream, uint64_t deadline,
	      struct fifo_ends *ret_ends, struct failure *ret_failure)
{
	struct fifo_ends ends = FIFO_ENDS_NULL;
	int inode = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC), r;
	const char *kind = "file";
	struct stat status;
	char name[32];

	if (inode < 0)
		return refuse(path, kind, errno, ret_failure);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", inode);
	r = fstat(inode, &status) < 0 ? -errno : 0;
	if (r == 0 && S_ISFIFO(status.st_mode)) {
		kind = stream == FIFO_STDIN ? "r/o fifo" : "w/o fifo";
		r = open_fifo(name, stream, deadline, &ends);
	} else if (r == 0) {
		r = open_other(name, stream, &ends);
	}
	close(inode);
	if (r < 0) {
		fifo_close(&ends);
		return refuse(path, kind, -r, ret_failure);
	}
	*ret_ends = ends;
	return 0;
}

void fifo_close(struct fifo_ends *ends)
{
	if (ends->fd >= 0)
		close(ends->fd);
	if (ends->keeper >= 0)
		close(ends->keeper);
	*ends = FIFO_ENDS_NULL;
}
