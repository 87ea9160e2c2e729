/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's way down, each step of which can't be undone:
 *
 *   no_new_privs   nothing that it executes could gain rights (and an ordinary user may load filters)
 *   capabilities   the bounding, ambient, inheritable, permitted and effective sets are emptied
 *   not dumpable   no core file, and no process of the same user may attach to it or read its memory
 *   SIGSYS         a handler that writes down which system call was blocked, then ends the process
 *   filter         seccomp/server.policy; the handler can no longer be replaced, rt_sigaction is out
 *
 * Nothing here allocates, and what runs in the handler is async-signal-safe: the blocked call may
 * have been made anywhere, by malloc too.
 */
#include "shim/harden.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "seccomp/server.h"

#ifndef SYS_SECCOMP /* the kernel's si_code; glibc leaves it out */
#define SYS_SECCOMP 1
#endif
#define CAPABILITIES_MAX 64 /* bits of a capability set */

struct line {
	size_t length;
	char text[256]; /* the longest name and six numbers fit */
};

static int harden_log_fd = -1;

static void line_add(struct line *line, const char *text)
{
	while (*text && line->length < sizeof(line->text))
		line->text[line->length++] = *text++;
}

static void line_add_number(struct line *line, uint64_t value, unsigned int base)
{
	char digits[21], *at = &digits[20];

	*at = '\0';
	do {
		*--at = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	line_add(line, at);
}

/* The names stand one behind the other, in the order of the numbers. */
static const char *call_name(int number)
{
	const char *name = SECCOMP_NAMES;
	const char *const end = SECCOMP_NAMES + sizeof(SECCOMP_NAMES);

	for (; number > 0 && name < end; number--)
		name += strlen(name) + 1;
	return number == 0 && name < end && *name ? name : "unknown";
}

/* The registers are as they were when the call was made. */
static uint64_t call_argument(const ucontext_t *context, unsigned int argument)
{
#ifdef __x86_64__
	static const unsigned char registers[] = {REG_RDI, REG_RSI, REG_RDX};

	return (uint64_t)context->uc_mcontext.gregs[registers[argument]];
#else
	return context->uc_mcontext.regs[argument];
#endif
}

static void describe(struct line *line, const siginfo_t *info, const ucontext_t *context)
{
	line_add(line, "level=error msg=\"server: blocked system call\" call=");
	line_add(line, call_name(info->si_syscall));
	line_add(line, " number=");
	line_add_number(line, (unsigned int)info->si_syscall, 10);
	for (unsigned int i = 0; i < 3; i++) {
		line_add(line, i == 0 ? " arguments=0x" : ",0x");
		line_add_number(line, call_argument(context, i), 16);
	}
	line_add(line, "\n");
}

static void on_blocked(int signal, siginfo_t *info, void *context)
{
	struct line line = {0};

	(void)signal;
	if (info->si_code == SYS_SECCOMP)
		describe(&line, info, context);
	else
		line_add(&line, "level=error msg=\"server: ended by SIGSYS from outside\"\n");
	/* A full log loses the line; the status still tells. */
	ssize_t written = write(harden_log_fd, line.text, line.length);
	(void)written;
	_exit(HARDEN_STATUS);
}

static int install_handler(void)
{
	struct sigaction action = {.sa_sigaction = on_blocked, .sa_flags = SA_SIGINFO};
	sigset_t blocked;

	sigemptyset(&action.sa_mask);
	if (sigaction(SIGSYS, &action, NULL) < 0)
		return -errno;
	/* A SIGSYS that the filter raises while it is blocked kills without the handler. */
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGSYS);
	return sigprocmask(SIG_UNBLOCK, &blocked, NULL) < 0 ? -errno : 0;
}

/*
 * A process without CAP_SETPCAP (an ordinary user, or root of a container that was not given it) may
 * not empty its bounding set: EPERM. Then the set stays as it is, which is harmless: it only limits
 * what an execve may gain, and with no_new_privs an execve gains nothing; besides, the filter has
 * none. EINVAL is the end of the capabilities that this kernel knows.
 */
static int drop_bounding_set(void)
{
	for (unsigned long capability = 0; capability < CAPABILITIES_MAX; capability++) {
		if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0)
			continue;
		return errno == EINVAL || errno == EPERM ? 0 : -errno;
	}
	return 0;
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};
	int result = drop_bounding_set();

	if (result < 0)
		return result;
	/* Ambient capabilities are newer than the rest; a kernel without them says EINVAL. */
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		return -errno;
	return syscall(SYS_capset, &header, none) < 0 ? -errno : 0;
}

static int load_filter(void)
{
	const struct sock_fprog program = {
		.len = sizeof(SECCOMP_SERVER) / sizeof(*SECCOMP_SERVER),
		.filter = (struct sock_filter *)(uintptr_t)SECCOMP_SERVER, /* only read */
	};

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0)
		return -errno;
	return 0;
}

int harden_server(int log_fd)
{
	int result;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	result = drop_capabilities();
	if (result < 0)
		return result;
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -errno;
	harden_log_fd = log_fd;
	result = install_handler();
	if (result < 0)
		return result;
	return load_filter();
}
