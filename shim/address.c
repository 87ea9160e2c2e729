/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of sockets: see address.h. Only text is handled here; endpoint.c makes the socket. */
#include "shim/address.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shim/file.h"
#include "shim/sha256.h"

/* Drops the last component of the n characters at path, with its '/'; that of "/x" without. */
static size_t component_drop(const char *path, size_t n, size_t root)
{
	while (n > root && path[n - 1] != '/')
		n--;
	return n > root ? n - 1 : n;
}

static size_t component_append(char *path, size_t n, size_t root, const char *component,
			       size_t length)
{
	if (n > root)
		path[n++] = '/';
	memmove(path + n, component, length);
	return n + length;
}

/*
 * In place: what is written never passes what is read. fixed is what ".." may not take away: the
 * leading '/', or the leading ".." components of a relative path.
 */
static void path_clean(char *path)
{
	size_t root = path[0] == '/', n = root, fixed = root;
	const char *next = path + root;

	while (*next) {
		size_t length = strcspn(next, "/");
		bool up = length == 2 && next[0] == '.' && next[1] == '.';
		if (length == 0 || (length == 1 && next[0] == '.')) {
			/* nothing */
		} else if (!up) {
			n = component_append(path, n, root, next, length);
		} else if (n > fixed) {
			n = component_drop(path, n, fixed);
		} else if (!root) {
			n = component_append(path, n, root, next, length);
			fixed = n;
		}
		next += length;
		next += *next == '/';
	}
	if (n == 0)
		path[n++] = '.';
	path[n] = 0;
}

char *address_join(const char *const *parts, size_t n_parts)
{
	size_t size = 2;
	for (size_t i = 0; i < n_parts; i++)
		size += strlen(parts[i]) + 1;
	char *path = malloc(size), *end = path;
	if (!path)
		return NULL;
	for (size_t i = 0; i < n_parts; i++) {
		if (!*parts[i])
			continue;
		if (end > path)
			*end++ = '/';
		end = stpcpy(end, parts[i]);
	}
	*end = 0;
	if (end > path)
		path_clean(path);
	return path;
}

int address_socket_path(const char *folder, const char *containerd, const char *namespace_,
			const char *group, char ret_path[static ADDRESS_PATH_SIZE],
			struct failure *ret_failure)
{
	const char *const parts[] = {containerd, namespace_, group};
	char hex[SHA256_HEX_SIZE], *joined;
	size_t length = strlen(folder);

	while (length > 0 && folder[length - 1] == '/')
		length--;
	if (folder[0] != '/')
		return failure_set(ret_failure, "socket folder \"%s\" is not an absolute path",
				   folder);
	if (length + 1 + sizeof(hex) > ADDRESS_PATH_SIZE)
		return failure_set(ret_failure, "socket path is too long: %s/ and 64 characters",
				   folder);
	joined = address_join(parts, sizeof(parts) / sizeof(parts[0]));
	if (!joined)
		return -ENOMEM;
	sha256_hex(joined, strlen(joined), hex);
	free(joined);
	memcpy(ret_path, folder, length);
	ret_path[length] = '/';
	memcpy(ret_path + length + 1, hex, sizeof(hex));
	return 0;
}

const char *address_path(const char *address)
{
	size_t length = strlen(ADDRESS_SCHEME);
	return strncmp(address, ADDRESS_SCHEME, length) == 0 ? address + length : address;
}

int address_publisher(const char *ttrpc, const char *grpc, char ret_path[static ADDRESS_PATH_SIZE],
		      struct failure *ret_failure)
{
	const char *path = address_path(*ttrpc ? ttrpc : grpc);
	const char *ending = *ttrpc || !*path ? "" : ".ttrpc";

	if (strlen(path) + strlen(ending) >= ADDRESS_PATH_SIZE)
		return failure_set(ret_failure, "containerd's address is too long: %s%s", path,
				   ending);
	stpcpy(stpcpy(ret_path, path), ending);
	return 0;
}

int address_file_write(const char *path)
{
	char text[sizeof(ADDRESS_SCHEME) + ADDRESS_PATH_SIZE];
	size_t size = (size_t)(stpcpy(stpcpy(text, ADDRESS_SCHEME), path) - text);

	return file_replace(".", ADDRESS_FILE, text, size, 0644);
}

void address_file_remove(void)
{
	unlink(ADDRESS_FILE);
}

/* An absolute path whose last component is what sha256_hex() makes: nothing else is ever removed. */
static bool path_is_ours(const char *path)
{
	const char *name = strrchr(path, '/');
	return path[0] == '/' && strlen(name + 1) == SHA256_HEX_SIZE - 1 &&
	       strspn(name + 1, "0123456789abcdef") == SHA256_HEX_SIZE - 1;
}

int address_file_read(char ret_path[static ADDRESS_PATH_SIZE])
{
	size_t size;
	char *text;
	int result = file_read(ADDRESS_FILE, O_NOFOLLOW, sizeof(ADDRESS_SCHEME) + ADDRESS_PATH_SIZE,
			       &text, &size);
	if (result < 0)
		return result == -EFBIG ? -EBADMSG : result;
	const char *path = address_path(text);
	if (path == text || strlen(path) >= ADDRESS_PATH_SIZE || !path_is_ours(path))
		result = -EBADMSG;
	else
		stpcpy(ret_path, path);
	free(text);
	return result;
}
