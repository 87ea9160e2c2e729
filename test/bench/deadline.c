/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for others, but not for ever. */
#include "test/bench/deadline.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/bench/sample.h"

double deadline_in(unsigned int seconds)
{
	return sample_clock() + seconds * 1e3;
}

int deadline_poll(int fd, double deadline)
{
	struct pollfd file = {.fd = fd, .events = POLLIN};
	double rest;
	int ready;

	do {
		rest = deadline - sample_clock();
		ready = poll(&file, 1, rest > 0 ? (int)rest + 1 : 0);
	} while (ready < 0 && errno == EINTR);
	if (ready < 0)
		return -errno;
	return ready > 0 ? 0 : -ETIMEDOUT;
}

int deadline_wait(pid_t pid, double deadline, int *ret_status)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0), error;

	if (fd < 0)
		return -errno;
	error = deadline_poll(fd, deadline);
	close(fd);
	if (error < 0) {
		kill(pid, SIGKILL);
		return error;
	}
	return waitpid(pid, ret_status, 0) < 0 ? -errno : 0;
}

const char *deadline_text(int error)
{
	return error == -ETIMEDOUT ? "it did not end in time" : strerror(-error);
}
