/* SPDX-License-Identifier: Apache-2.0 */
/* The listening socket: made, found, taken over, swept; and by many starts at once. */
#include "shim/endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/test.h"

#define RIVALS 20

static char folder[64], path[ADDRESS_PATH_SIZE];

/* A folder that is not there yet, two levels below one that is. */
static void folder_prepare(void)
{
	strcpy(folder, "/tmp/mote-endpoint.XXXXXX");
	ASSERT(mkdtemp(folder) != NULL);
	snprintf(path, sizeof(path), "%s/run/s/socket", folder);
}

static void folder_remove(void)
{
	char inner[80];
	snprintf(inner, sizeof(inner), "%s/run/s", folder);
	ASSERT_EQ(rmdir(inner), 0); /* fails if anything was left */
	snprintf(inner, sizeof(inner), "%s/run", folder);
	ASSERT_EQ(rmdir(inner), 0);
	ASSERT_EQ(rmdir(folder), 0);
}

static bool exists(void)
{
	struct stat file;
	return lstat(path, &file) == 0;
}

static int connect_to(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	strcpy(address.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int result = connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
	close(fd);
	return result;
}

TEST(made_with_its_folder)
{
	struct endpoint endpoint;
	struct failure failure;
	struct stat file;

	folder_prepare();
	umask(0);
	ASSERT_EQ(endpoint_open(path, &endpoint, &failure), 0);
	ASSERT(!endpoint.served && endpoint.fd >= 0);
	ASSERT_STR(endpoint.path, path);
	ASSERT_EQ(stat(path, &file), 0);
	ASSERT(S_ISSOCK(file.st_mode));
	ASSERT_EQ(file.st_mode & 07777, 0600);
	ASSERT_EQ(umask(0), 0);
	char inner[80];
	snprintf(inner, sizeof(inner), "%s/run/s", folder);
	ASSERT_EQ(stat(inner, &file), 0);
	ASSERT_EQ(file.st_mode & 07777, 0700);
	ASSERT_EQ(connect_to(), 0);
	endpoint_remove(&endpoint);
	ASSERT(!exists());
	ASSERT_EQ(endpoint.fd, -1);
	endpoint_remove(&endpoint);
	folder_remove();
}

TEST(found_when_served)
{
	struct endpoint first, second;
	struct failure failure;

	folder_prepare();
	ASSERT_EQ(endpoint_open(path, &first, &failure), 0);
	ASSERT_EQ(endpoint_open(path, &second, &failure), 0);
	ASSERT(second.served);
	ASSERT_EQ(second.fd, -1);
	ASSERT_STR(second.path, path);
	/* it is the first's: nothing happens to it */
	endpoint_remove(&second);
	ASSERT(exists());
	ASSERT_EQ(endpoint_sweep(path), 0);
	ASSERT(exists());
	endpoint_remove(&first);
	folder_remove();
}

/* Nobody accepts, and there is no room left: there is still one who listens. */
TEST(found_when_its_backlog_is_full)
{
	struct endpoint first, second;
	struct failure failure;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int waiting[8];
	size_t n = 0;

	folder_prepare();
	strcpy(address.sun_path, path);
	ASSERT_EQ(endpoint_open(path, &first, &failure), 0);
	ASSERT_EQ(listen(first.fd, 1), 0);
	do {
		ASSERT(n < sizeof(waiting) / sizeof(waiting[0]));
		waiting[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	} while (connect(waiting[n++], (struct sockaddr *)&address, sizeof(address)) == 0);
	ASSERT_EQ(errno, EAGAIN);
	ASSERT_EQ(endpoint_open(path, &second, &failure), 0);
	ASSERT(second.served);
	ASSERT_EQ(endpoint_sweep(path), 0);
	ASSERT(exists());
	while (n > 0)
		close(waiting[--n]);
	endpoint_remove(&first);
	folder_remove();
}

TEST(stale_socket_is_taken_over)
{
	struct endpoint first, second;
	struct failure failure;

	folder_prepare();
	ASSERT_EQ(endpoint_open(path, &first, &failure), 0);
	endpoint_close(&first);
	ASSERT_EQ(connect_to(), -ECONNREFUSED);
	ASSERT_EQ(endpoint_open(path, &second, &failure), 0);
	ASSERT(!second.served && second.fd >= 0);
	ASSERT_EQ(connect_to(), 0);
	endpoint_remove(&second);
	folder_remove();
}

TEST(removes_no_other_socket)
{
	struct endpoint first, second;
	struct failure failure;

	folder_prepare();
	ASSERT_EQ(endpoint_open(path, &first, &failure), 0);
	/* kept under another name, so that the file system cannot give its number to the next */
	char aside[sizeof(path) + 8];
	snprintf(aside, sizeof(aside), "%s.aside", path);
	ASSERT_EQ(rename(path, aside), 0);
	ASSERT_EQ(endpoint_open(path, &second, &failure), 0);
	endpoint_remove(&first);
	ASSERT(exists());
	ASSERT_EQ(connect_to(), 0);
	endpoint_remove(&second);
	ASSERT(!exists());
	ASSERT_EQ(unlink(aside), 0);
	folder_remove();
}

TEST(sweep)
{
	struct endpoint endpoint;
	struct failure failure;

	folder_prepare();
	ASSERT_EQ(endpoint_sweep(path), 0); /* not even its folder is there */
	ASSERT_EQ(endpoint_open(path, &endpoint, &failure), 0);
	endpoint_close(&endpoint);
	ASSERT_EQ(endpoint_sweep(path), 0);
	ASSERT(!exists());
	ASSERT_EQ(endpoint_sweep(path), 0);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ASSERT(fd >= 0);
	close(fd);
	ASSERT_EQ(endpoint_sweep(path), 0); /* a file is no socket */
	ASSERT(exists());
	ASSERT_EQ(unlink(path), 0);
	folder_remove();
}

/* Who may write there could put a socket of his own in the place of the shim's. */
TEST(folder_of_others_is_refused)
{
	struct endpoint endpoint;
	struct failure failure;
	char inner[80], expected[256];

	if (geteuid() != 0)
		SKIP("needs root, to give a folder away");
	folder_prepare();
	snprintf(inner, sizeof(inner), "%s/run", folder);
	ASSERT_EQ(mkdir(inner, 0755), 0);
	snprintf(inner, sizeof(inner), "%s/run/s", folder);
	snprintf(expected, sizeof(expected), "cannot listen on %s: others may write to that folder",
		 path);
	ASSERT_EQ(mkdir(inner, 0755), 0);
	ASSERT_EQ(chmod(inner, 0720), 0);
	ASSERT_EQ(endpoint_open(path, &endpoint, &failure), FAILURE_REFUSED);
	ASSERT_STR(failure.text, expected);
	ASSERT_EQ(chmod(inner, 01702), 0);
	ASSERT_EQ(endpoint_open(path, &endpoint, &failure), FAILURE_REFUSED);
	ASSERT_EQ(chmod(inner, 0755) | chown(inner, 12345, 0), 0);
	ASSERT_EQ(endpoint_open(path, &endpoint, &failure), FAILURE_REFUSED);
	ASSERT_STR(failure.text, expected);
	ASSERT(!exists());
	folder_remove();
}

TEST(folder_that_is_a_link_is_refused)
{
	struct endpoint endpoint;
	struct failure failure;
	char inner[80], expected[256];

	folder_prepare();
	snprintf(inner, sizeof(inner), "%s/run", folder);
	ASSERT_EQ(mkdir(inner, 0700), 0);
	snprintf(inner, sizeof(inner), "%s/run/s", folder);
	ASSERT_EQ(symlink(folder, inner), 0);
	ASSERT_EQ(endpoint_open(path, &endpoint, &failure), FAILURE_REFUSED);
	snprintf(expected, sizeof(expected), "cannot listen on %s: not a directory", path);
	ASSERT_STR(failure.text, expected);
	ASSERT_EQ(unlink(inner), 0);
	ASSERT_EQ(mkdir(inner, 0700), 0);
	folder_remove();
}

TEST(refusals_name_the_path)
{
	struct endpoint endpoint = {.fd = 77};
	struct failure failure;

	folder_prepare();
	ASSERT_EQ(endpoint_open("/proc/no/s/socket", &endpoint, &failure), FAILURE_REFUSED);
	ASSERT_STR(failure.text, "cannot listen on /proc/no/s/socket: no such file or directory");
	ASSERT_EQ(endpoint_open("/dev/null/s/socket", &endpoint, &failure), FAILURE_REFUSED);
	ASSERT_STR(failure.text, "cannot listen on /dev/null/s/socket: not a directory");
	ASSERT_EQ(endpoint.fd, 77);
	ASSERT_EQ(rmdir(folder), 0);
}

/* One of the rivals, which holds what it got until told to let go. Exit status 1: it made the socket. */
static void rival(int go, int done)
{
	struct endpoint endpoint;
	struct failure failure;
	char byte;

	ASSERT_EQ(read(go, &byte, 1), 0);
	int result = endpoint_open(path, &endpoint, &failure);
	ASSERT_EQ(write(done, "", 1), 1);
	if (result != 0)
		_exit(2);
	ASSERT_EQ(read(done, &byte, 1), 0);
	_exit(!endpoint.served);
}

/* A stale socket, and many starts at once: one makes a new one, and all others find it. */
TEST(one_of_many_wins)
{
	struct endpoint endpoint;
	struct failure failure;
	int go[2], done[2], made = 0;

	folder_prepare();
	ASSERT_EQ(endpoint_open(path, &endpoint, &failure), 0);
	endpoint_close(&endpoint);
	ASSERT_EQ(pipe(go), 0);
	ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, done), 0);
	for (int i = 0; i < RIVALS; i++) {
		if (fork() == 0) {
			close(go[1]);
			close(done[0]);
			rival(go[0], done[1]);
		}
	}
	close(go[0]);
	close(go[1]);
	close(done[1]);
	for (int i = 0; i < RIVALS; i++) {
		char byte;
		ASSERT_EQ(read(done[0], &byte, 1), 1);
	}
	ASSERT_EQ(connect_to(), 0);
	close(done[0]);
	for (int i = 0; i < RIVALS; i++) {
		int status;
		ASSERT(wait(&status) > 0);
		ASSERT(WIFEXITED(status) && WEXITSTATUS(status) < 2);
		made += WEXITSTATUS(status);
	}
	ASSERT_EQ(made, 1);
	ASSERT_EQ(unlink(path), 0);
	folder_remove();
}
