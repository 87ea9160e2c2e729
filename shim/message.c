/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sending and receiving verbs and reports: see message.h. Everything received is checked for its form
 * here; what it means is checked by whoever acts on it.
 */
#include "shim/message.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "shim/file.h"

#define FDS_MAX ROLE_MAX

struct parcel {
	struct msghdr header;
	struct iovec parts[2];
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * FDS_MAX)];
};

static void parcel_attach(struct parcel *parcel, const int *fds, size_t n)
{
	if (n == 0)
		return;
	/* the padding of a control message would be sent as it lies in memory */
	memset(parcel->control, 0, sizeof(parcel->control));
	parcel->header.msg_control = parcel->control;
	parcel->header.msg_controllen = (socklen_t)CMSG_SPACE(sizeof(int) * n);

	struct cmsghdr *control = CMSG_FIRSTHDR(&parcel->header);
	control->cmsg_level = SOL_SOCKET;
	control->cmsg_type = SCM_RIGHTS;
	control->cmsg_len = (socklen_t)CMSG_LEN(sizeof(int) * n);
	memcpy(CMSG_DATA(control), fds, sizeof(int) * n);
}

static int parcel_send(int fd, struct parcel *parcel, int flags)
{
	ssize_t size;
	do
		size = sendmsg(fd, &parcel->header, MSG_NOSIGNAL | flags);
	while (size < 0 && errno == EINTR);
	return size < 0 ? -errno : 0;
}

static void fds_close(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
}

static size_t parcel_fds(struct parcel *parcel, int fds[static FDS_MAX])
{
	struct cmsghdr *control = CMSG_FIRSTHDR(&parcel->header);
	if (!control || control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS)
		return 0;
	size_t n = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(fds, CMSG_DATA(control), n * sizeof(int));
	return n;
}

/* Returns the bytes received; the fds are the caller's only if it returns more than 0. */
static ssize_t parcel_receive(int fd, struct parcel *parcel, int flags, int fds[static FDS_MAX],
			      size_t *ret_n)
{
	parcel->header.msg_control = parcel->control;
	/* not its size: the kernel would fill the padding with one descriptor more than fds has room for */
	parcel->header.msg_controllen = (socklen_t)CMSG_LEN(sizeof(int) * FDS_MAX);

	ssize_t size;
	do
		size = recvmsg(fd, &parcel->header, MSG_CMSG_CLOEXEC | flags);
	while (size < 0 && errno == EINTR);
	if (size < 0)
		return -errno;

	size_t n = parcel_fds(parcel, fds);
	if (size == 0 || parcel->header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		fds_close(fds, n);
		return size == 0 ? -ENODATA : -EBADMSG;
	}
	*ret_n = n;
	return size;
}

int verb_send(int fd, const struct verb *verb, int payload_fd)
{
	struct parcel parcel = {
		.parts = {{.iov_base = (void *)(uintptr_t)verb, .iov_len = sizeof(*verb)}},
		.header = {.msg_iov = parcel.parts, .msg_iovlen = 1},
	};
	parcel_attach(&parcel, &payload_fd, payload_fd >= 0);
	return parcel_send(fd, &parcel, 0);
}

int verb_receive(int fd, struct verb *ret_verb, int *ret_payload_fd)
{
	struct verb verb;
	struct parcel parcel = {
		.parts = {{.iov_base = &verb, .iov_len = sizeof(verb)}},
		.header = {.msg_iov = parcel.parts, .msg_iovlen = 1},
	};
	int fds[FDS_MAX];
	size_t n = 0;

	ssize_t size = parcel_receive(fd, &parcel, MSG_DONTWAIT, fds, &n);
	if (size < 0)
		return (int)size;
	if (size != (ssize_t)sizeof(verb) || n > 1 || !memchr(verb.id, 0, ID_SIZE) ||
	    !memchr(verb.exec_id, 0, ID_SIZE)) {
		fds_close(fds, n);
		return -EBADMSG;
	}
	*ret_verb = verb;
	*ret_payload_fd = n == 1 ? fds[0] : -1;
	return 0;
}

void report_init(struct report_message *message)
{
	memset(&message->report, 0, sizeof(message->report));
	for (int role = 0; role < ROLE_MAX; role++)
		message->fds[role] = -1;
}

void report_deinit(struct report_message *message)
{
	for (int role = 0; role < ROLE_MAX; role++) {
		if (message->fds[role] >= 0)
			close(message->fds[role]);
		message->fds[role] = -1;
	}
}

int report_put_result(struct report_message *message, const void *bytes, size_t size)
{
	if (size <= RUNTIME_ERROR_MAX) {
		memcpy(message->text, bytes, size);
		message->report.text_size = (uint32_t)size;
	} else {
		int fd = memfd_create("result", MFD_CLOEXEC);
		int result = fd < 0 ? -errno : file_write_all(fd, bytes, size);
		if (result < 0) {
			if (fd >= 0)
				close(fd);
			return result;
		}
		message->fds[ROLE_RESULT] = fd;
	}
	message->report.result_size = (uint32_t)size;
	return 0;
}

int report_get_result(const struct report_message *message, void *ret_bytes)
{
	int fd = message->fds[ROLE_RESULT];
	size_t size = message->report.result_size;
	if (fd >= 0)
		return pread(fd, ret_bytes, size, 0) == (ssize_t)size ? 0 : -EBADMSG;
	if (size != message->report.text_size)
		return -EBADMSG;
	memcpy(ret_bytes, message->text, size);
	return 0;
}

int report_send(int fd, const struct report *report, const int *fds, const char *text, int flags)
{
	struct report sent = *report;
	struct parcel parcel = {
		.parts = {{.iov_base = &sent, .iov_len = sizeof(sent)},
			  {.iov_base = (void *)(uintptr_t)text, .iov_len = report->text_size}},
		.header = {.msg_iov = parcel.parts, .msg_iovlen = 2},
	};
	int compact[FDS_MAX];
	size_t n = 0;

	sent.roles = 0;
	for (int role = 0; fds && role < ROLE_MAX; role++) {
		if (fds[role] < 0)
			continue;
		sent.roles |= 1u << role;
		compact[n++] = fds[role];
	}
	parcel_attach(&parcel, compact, n);
	return parcel_send(fd, &parcel, flags);
}

static bool report_valid(const struct report *report, size_t size, size_t n_fds)
{
	return size == sizeof(*report) + report->text_size &&
	       report->text_size <= RUNTIME_ERROR_MAX && report->roles < 1u << ROLE_MAX &&
	       (size_t)__builtin_popcount(report->roles) == n_fds &&
	       memchr(report->id, 0, ID_SIZE) && memchr(report->exec_id, 0, ID_SIZE);
}

int report_receive(int fd, struct report_message *ret_message, int flags)
{
	struct report_message *message = ret_message;
	struct parcel parcel = {
		.parts = {{.iov_base = &message->report, .iov_len = sizeof(message->report)},
			  {.iov_base = message->text, .iov_len = RUNTIME_ERROR_MAX}},
		.header = {.msg_iov = parcel.parts, .msg_iovlen = 2},
	};
	int fds[FDS_MAX];
	size_t n = 0, next = 0;

	report_init(message);
	ssize_t size = parcel_receive(fd, &parcel, flags, fds, &n);
	if (size < 0)
		return (int)size;
	if ((size_t)size < sizeof(message->report) ||
	    !report_valid(&message->report, (size_t)size, n)) {
		fds_close(fds, n);
		return -EBADMSG;
	}
	for (int role = 0; role < ROLE_MAX; role++)
		if (message->report.roles & 1u << role)
			message->fds[role] = fds[next++];
	return 0;
}

static bool alphanumeric(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool id_valid(const char *id)
{
	size_t length = strnlen(id, ID_SIZE);
	if (length == 0 || length >= ID_SIZE || !alphanumeric(id[0]) ||
	    !alphanumeric(id[length - 1]))
		return false;
	for (size_t i = 0; i < length; i++) {
		bool separator = id[i] == '-' || id[i] == '_' || id[i] == '.';
		if (!alphanumeric(id[i]) && !separator)
			return false;
		if (id[i] == '.' && id[i + 1] == '.')
			return false;
	}
	return true;
}
