/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of the allowed calls, and for those that are allowed with some arguments only a function
 * that tells which. Arguments are taken as the 64 bits that the caller put into the register: one
 * whose upper half is not empty where the kernel looks at 32 bits is refused, since no honest caller
 * makes it.
 */
#include "test/filter/expected.h"

#include <string.h>

typedef bool (*arguments_fn)(const uint64_t *arguments);

static bool fcntl_allowed(const uint64_t *arguments)
{
	switch (arguments[1]) {
	case 3:    /* F_GETFL */
	case 1032: /* F_GETPIPE_SZ */
	case 1033: /* F_ADD_SEALS */
	case 1034: /* F_GET_SEALS */
		return true;
	case 4:                                  /* F_SETFL */
		return !(arguments[2] & 020000); /* O_ASYNC */
	default:
		return false;
	}
}

static bool ioctl_allowed(const uint64_t *arguments)
{
	return arguments[1] == 0x541b /* FIONREAD */ || arguments[1] == 0x5414 /* TIOCSWINSZ */;
}

static bool getsockopt_allowed(const uint64_t *arguments)
{
	return arguments[1] == 1 /* SOL_SOCKET */ &&
	       (arguments[2] == 4 /* SO_ERROR */ || arguments[2] == 17 /* SO_PEERCRED */);
}

static bool mmap_allowed(const uint64_t *arguments)
{
	return !(arguments[2] & 4 /* PROT_EXEC */) && (arguments[3] & 0x20 /* MAP_ANONYMOUS */);
}

static bool mprotect_allowed(const uint64_t *arguments)
{
	return !(arguments[2] & 4 /* PROT_EXEC */);
}

static const struct expected_call {
	const char *name;
	int number[EXPECTED_ARCHITECTURES]; /* -1: does not exist */
	arguments_fn allowed;               /* NULL: with all */
} calls[] = {
	{"accept4", {288, 242}, NULL},
	{"brk", {12, 214}, NULL},
	{"clock_gettime", {228, 113}, NULL},
	{"close", {3, 57}, NULL},
	{"epoll_ctl", {233, 21}, NULL},
	{"epoll_pwait", {281, 22}, NULL},
	{"epoll_pwait2", {441, 441}, NULL},
	{"epoll_wait", {232, -1}, NULL},
	{"exit", {60, 93}, NULL},
	{"exit_group", {231, 94}, NULL},
	{"fcntl", {72, 25}, fcntl_allowed},
	{"fstat", {5, 80}, NULL},
	{"getsockopt", {55, 209}, getsockopt_allowed},
	{"ioctl", {16, 29}, ioctl_allowed},
	{"madvise", {28, 233}, NULL},
	{"memfd_create", {319, 279}, NULL},
	{"mmap", {9, 222}, mmap_allowed},
	{"mprotect", {10, 226}, mprotect_allowed},
	{"mremap", {25, 216}, NULL},
	{"munmap", {11, 215}, NULL},
	{"pread64", {17, 67}, NULL},
	{"read", {0, 63}, NULL},
	{"recvfrom", {45, 207}, NULL},
	{"recvmsg", {47, 212}, NULL},
	{"restart_syscall", {219, 128}, NULL},
	{"rt_sigprocmask", {14, 135}, NULL},
	{"rt_sigreturn", {15, 139}, NULL},
	{"sendmsg", {46, 211}, NULL},
	{"sendto", {44, 206}, NULL},
	{"splice", {275, 76}, NULL},
	{"write", {1, 64}, NULL},
};

#define N_CALLS (sizeof(calls) / sizeof(*calls))

uint32_t expected_action(enum expected_architecture architecture, const struct seccomp_data *data)
{
	uint64_t arguments[6];

	for (size_t i = 0; i < 6; i++)
		arguments[i] = data->args[i];
	for (size_t i = 0; i < N_CALLS; i++) {
		if (calls[i].number[architecture] != data->nr || data->nr < 0)
			continue;
		if (!calls[i].allowed || calls[i].allowed(arguments))
			return SECCOMP_RET_ALLOW;
	}
	return SECCOMP_RET_TRAP;
}

size_t expected_calls(void)
{
	return N_CALLS;
}

int expected_number(enum expected_architecture architecture, const char *name)
{
	for (size_t i = 0; i < N_CALLS; i++) {
		if (strcmp(calls[i].name, name) == 0)
			return calls[i].number[architecture];
	}
	return -1;
}
