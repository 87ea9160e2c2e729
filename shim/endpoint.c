/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making and sweeping the socket: see endpoint.h. The lock is flock(2) on the folder itself: it needs
 * no file that would stay behind, and a holder that dies gives it up. Nothing that can wait is done
 * under it: connect is non-blocking, and on a Unix socket it is decided at once.
 */
#include "shim/endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* The kernel lowers it to net.core.somaxconn. */
#define ENDPOINT_BACKLOG 4096

static struct sockaddr_un socket_address(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	return address;
}

/* The folder of a socket's path, which has one. */
static const char *folder_of(const char *path, char folder[static ADDRESS_PATH_SIZE])
{
	size_t length = (size_t)(strrchr(path, '/') - path);
	memcpy(folder, path, length);
	folder[length] = 0;
	return length ? folder : "/";
}

static int folder_make(const char *folder)
{
	char part[ADDRESS_PATH_SIZE];
	for (const char *end = folder; *end;) {
		end += strspn(end, "/");
		end += strcspn(end, "/");
		memcpy(part, folder, (size_t)(end - folder));
		part[end - folder] = 0;
		if (mkdir(part, 0700) < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

/* Returns the folder's descriptor, locked, or a negative errno. */
static int folder_lock(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (flock(fd, LOCK_EX) < 0) {
		if (errno == EINTR)
			continue;
		int result = -errno;
		close(fd);
		return result;
	}
	return fd;
}

static int folder_open(const char *path)
{
	char buffer[ADDRESS_PATH_SIZE];
	const char *folder = folder_of(path, buffer);
	int fd = folder_lock(folder);
	if (fd != -ENOENT)
		return fd;
	int result = folder_make(folder);
	return result < 0 ? result : folder_lock(folder);
}

/* Whoever may write to it could put a socket of his own where containerd connects. */
static bool folder_safe(int fd)
{
	struct stat file;
	return fstat(fd, &file) == 0 && (file.st_uid == 0 || file.st_uid == geteuid()) &&
	       !(file.st_mode & (S_IWGRP | S_IWOTH));
}

/* 1: somebody listens there; 0: nobody, a socket file stands there alone; or a negative errno. */
static int socket_probe(const char *path)
{
	struct sockaddr_un address = socket_address(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	int result = connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 1;
	close(fd);
	/* EAGAIN: its backlog is full, so there is one who listens */
	return result == -EAGAIN ? 1 : result == -ECONNREFUSED ? 0 : result;
}

/* The mode comes from the mask: there is no moment at which others could connect. */
static int socket_bind(int fd, const char *path)
{
	struct sockaddr_un address = socket_address(path);
	mode_t mask = umask(0177);
	int result = bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
	umask(mask);
	return result;
}

/* As bind, but takes the place of a socket on which nobody listens; 1: somebody does. */
static int socket_claim(int fd, const char *path)
{
	int result = socket_bind(fd, path);
	if (result != -EADDRINUSE)
		return result;
	result = socket_probe(path);
	if (result == 0 && unlink(path) < 0 && errno != ENOENT)
		return -errno;
	return result == 0 || result == -ENOENT ? socket_bind(fd, path) : result;
}

/* What the file system knows of the socket, so that it is told from a later one of the same name. */
static int endpoint_listen(struct endpoint *endpoint)
{
	struct stat file;
	if (listen(endpoint->fd, ENDPOINT_BACKLOG) < 0 || lstat(endpoint->path, &file) < 0) {
		int result = -errno;
		unlink(endpoint->path);
		return result;
	}
	endpoint->device = file.st_dev;
	endpoint->inode = file.st_ino;
	return 0;
}

static int endpoint_make(struct endpoint *endpoint)
{
	endpoint->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (endpoint->fd < 0)
		return -errno;
	int result = socket_claim(endpoint->fd, endpoint->path);
	if (result == 0)
		result = endpoint_listen(endpoint);
	if (result == 0)
		return 0;
	endpoint_close(endpoint);
	endpoint->served = result > 0;
	return result > 0 ? 0 : result;
}

int endpoint_open(const char *path, struct endpoint *ret_endpoint, struct failure *ret_failure)
{
	struct endpoint endpoint = {.fd = -1};
	memcpy(endpoint.path, path, strlen(path) + 1);

	int folder = folder_open(path);
	bool safe = folder < 0 || folder_safe(folder);
	int result = folder < 0 || !safe ? folder : endpoint_make(&endpoint);
	if (folder >= 0)
		close(folder);
	if (result < 0 || !safe)
		return failure_set(ret_failure, "cannot listen on %s: %s", path,
				   safe ? failure_errno(-result)
					: "others may write to that folder");
	*ret_endpoint = endpoint;
	return 0;
}

void endpoint_close(struct endpoint *endpoint)
{
	if (endpoint->fd >= 0)
		close(endpoint->fd);
	endpoint->fd = -1;
}

void endpoint_remove(struct endpoint *endpoint)
{
	char buffer[ADDRESS_PATH_SIZE];
	struct stat file;
	int folder = endpoint->fd >= 0 ? folder_lock(folder_of(endpoint->path, buffer)) : -1;

	if (folder >= 0 && lstat(endpoint->path, &file) == 0 && file.st_dev == endpoint->device &&
	    file.st_ino == endpoint->inode)
		unlink(endpoint->path);
	if (folder >= 0)
		close(folder);
	endpoint_close(endpoint);
}

int endpoint_sweep(const char *path)
{
	char buffer[ADDRESS_PATH_SIZE];
	struct stat file;

	/* the usual case: the shim removed its socket, and nothing is to be locked */
	if (lstat(path, &file) < 0)
		return errno == ENOENT ? 0 : -errno;
	int folder = folder_lock(folder_of(path, buffer));
	if (folder < 0)
		return folder == -ENOENT ? 0 : folder;
	int result = lstat(path, &file) < 0 ? -errno : 0;
	if (result == 0 && S_ISSOCK(file.st_mode)) {
		result = socket_probe(path);
		if (result == 0 && unlink(path) < 0)
			result = -errno;
	}
	close(folder);
	return result > 0 || result == -ENOENT ? 0 : result;
}
