/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text to socket addresses. Hosts are numbers: looking names up would block, and a static program
 * can't.
 */
#include "ttrpc/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

static bool skip_prefix(const char **text, const char *prefix)
{
	size_t size = strlen(prefix);

	if (strncmp(*text, prefix, size) != 0)
		return false;
	*text += size;
	return true;
}

static int parse_number(const char *text, uint32_t max, uint32_t *ret_number)
{
	uint64_t number = 0;

	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		number = 10 * number + (uint64_t)(*text - '0');
		if (number > max)
			return -EINVAL;
	}
	*ret_number = (uint32_t)number;
	return 0;
}

/* Cuts "host:port" in two. */
static int split_port(const char *text, char *ret_host, size_t size, uint32_t max,
		      uint32_t *ret_port)
{
	const char *colon = strrchr(text, ':');

	if (!colon || (size_t)(colon - text) >= size)
		return -EINVAL;
	memcpy(ret_host, text, (size_t)(colon - text));
	ret_host[colon - text] = '\0';
	return parse_number(colon + 1, max, ret_port);
}

static int parse_unix(const char *text, struct address *ret_address)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	size_t length = strlen(text);
	size_t size = offsetof(struct sockaddr_un, sun_path) + length;

	if (length == 0 || (text[0] == '@' && length == 1))
		return -EINVAL;
	/* A path ends with a NUL, so it is shorter by one than an abstract name may be. */
	if (length >= sizeof(name.sun_path) + (text[0] == '@'))
		return -ENAMETOOLONG;
	memcpy(name.sun_path, text, length);
	if (text[0] == '@') {
		name.sun_path[0] = '\0';
		if (length > 2 && text[length - 1] == '@')
			name.sun_path[length - 1] = '\0';
	} else {
		size++;
	}
	memcpy(&ret_address->name, &name, sizeof(name));
	ret_address->size = (socklen_t)size;
	return 0;
}

static int parse_tcp(const char *text, struct address *ret_address)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6};
	struct sockaddr_in four = {.sin_family = AF_INET};
	char host[64];
	uint32_t port;
	size_t length;

	if (split_port(text, host, sizeof(host), UINT16_MAX, &port) < 0)
		return -EINVAL;
	length = strlen(host);
	if (length > 2 && host[0] == '[' && host[length - 1] == ']') {
		host[length - 1] = '\0';
		six.sin6_port = htons((uint16_t)port);
		if (inet_pton(AF_INET6, host + 1, &six.sin6_addr) != 1)
			return -EINVAL;
		memcpy(&ret_address->name, &six, sizeof(six));
		ret_address->size = sizeof(six);
		return 0;
	}
	four.sin_port = htons((uint16_t)port);
	if (inet_pton(AF_INET, host, &four.sin_addr) != 1)
		return -EINVAL;
	memcpy(&ret_address->name, &four, sizeof(four));
	ret_address->size = sizeof(four);
	return 0;
}

static int parse_vsock(const char *text, struct address *ret_address)
{
	struct sockaddr_vm name = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY};
	uint32_t cid = VMADDR_CID_ANY, port;
	char host[16];

	if (split_port(text, host, sizeof(host), UINT32_MAX, &port) < 0 ||
	    (strcmp(host, "-1") != 0 && parse_number(host, UINT32_MAX, &cid) < 0))
		return -EINVAL;
	name.svm_cid = cid;
	name.svm_port = port;
	memcpy(&ret_address->name, &name, sizeof(name));
	ret_address->size = sizeof(name);
	return 0;
}

int address_parse(const char *text, struct address *ret_address)
{
	struct address address;
	int error;

	memset(&address, 0, sizeof(address));
	if (skip_prefix(&text, "tcp://"))
		error = parse_tcp(text, &address);
	else if (skip_prefix(&text, "vsock://"))
		error = parse_vsock(text, &address);
	else {
		skip_prefix(&text, "unix://");
		error = parse_unix(text, &address);
	}
	if (error == 0)
		*ret_address = address;
	return error;
}

void address_no_delay(int fd)
{
	int on = 1;

	/* Unix sockets don't know it, and needn't. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

int address_socket(const struct address *address, int flags, int *ret_fd)
{
	int fd = socket(address->name.ss_family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	if (fd < 0)
		return -errno;
	if (address->name.ss_family != AF_UNIX)
		address_no_delay(fd);
	*ret_fd = fd;
	return 0;
}
