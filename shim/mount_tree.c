/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The newer mount calls. Their constants are written down here: glibc's and the kernel's headers for
 * them exclude each other in some versions, and older ones lack them.
 *
 * An id-mapped mount takes several steps, each of them a mount that others would see, and that would
 * be left if the worker was killed between two. So they are done in a child with a mount namespace of
 * its own, and only the result, which stands nowhere, is handed over.
 */
#include "shim/mount_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define TREE_CLONE 1u
#define TREE_RECURSIVE 0x8000u /* AT_RECURSIVE */
#define ATTRIBUTE_READ_ONLY 1u
#define ATTRIBUTE_MAPPED 0x100000u
#define MOVE_FROM_EMPTY 4u
#define MOVE_TO_EMPTY 0x40u

struct tree_attributes {
	uint64_t set, clear, propagation, user_namespace;
};

static int returned(long result)
{
	return result < 0 ? -errno : (int)result;
}

int mount_tree_clone(int folder, const char *path, bool recursive)
{
	unsigned flags = TREE_CLONE | O_CLOEXEC | AT_EMPTY_PATH | (recursive ? TREE_RECURSIVE : 0);

	return returned(syscall(SYS_open_tree, folder, path, flags));
}

int mount_tree_map(int tree, int user_namespace, bool read_only, bool recursive)
{
	struct tree_attributes attributes = {
		.set = ATTRIBUTE_MAPPED | (read_only ? ATTRIBUTE_READ_ONLY : 0),
		.user_namespace = (uint64_t)user_namespace,
	};
	unsigned flags = AT_EMPTY_PATH | (recursive ? TREE_RECURSIVE : 0);

	return returned(
		syscall(SYS_mount_setattr, tree, "", flags, &attributes, sizeof(attributes)));
}

int mount_tree_attach(int tree, int target)
{
	return returned(
		syscall(SYS_move_mount, tree, "", target, "", MOVE_FROM_EMPTY | MOVE_TO_EMPTY));
}

union tree_control {
	struct cmsghdr head;
	char bytes[CMSG_SPACE(sizeof(int))];
};

static void send_tree(int to, int result)
{
	union tree_control control = {0};
	struct iovec piece = {&result, sizeof(result)};
	struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};

	if (result >= 0) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.head), &result, sizeof(int));
	}
	sendmsg(to, &message, MSG_NOSIGNAL);
}

static int receive_tree(int from)
{
	union tree_control control = {0};
	int result;
	struct iovec piece = {&result, sizeof(result)};
	struct msghdr message = {.msg_iov = &piece,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(from, &message, MSG_CMSG_CLOEXEC);

	if (n < 0)
		return -errno;
	if (n != sizeof(result))
		return -ECHILD; /* it ended without a word */
	if (result < 0)
		return result;
	if (!CMSG_FIRSTHDR(&message))
		return -EMFILE;
	memcpy(&result, CMSG_DATA(&control.head), sizeof(int));
	return result;
}

static int make_aside(int (*make)(void *argument), void *argument)
{
	if (unshare(CLONE_NEWNS) < 0 || mount("", "/", "", MS_REC | MS_PRIVATE, "") < 0)
		return -errno;
	return make(argument);
}

int mount_tree_aside(int (*make)(void *argument), void *argument)
{
	pid_t pid, parent = getpid();
	int ends[2], tree;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() == parent)
			send_tree(ends[1], make_aside(make, argument));
		_exit(0);
	}
	tree = pid < 0 ? -errno : 0;
	close(ends[1]);
	if (tree == 0)
		tree = receive_tree(ends[0]);
	close(ends[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return tree;
}
