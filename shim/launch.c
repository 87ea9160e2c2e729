/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the resident pair comes to be. `start` forks the monitor first of all, while its own memory is
 * still as the kernel made it, and goes on to read standard input, JSON and the socket's folder; the
 * monitor meanwhile turns itself into what it will be and waits. Told to launch, it forks the server.
 *
 *   start --fork--> monitor: new group, /dev/null, subreaper, title, limits; recvmsg(channel)
 *     |                |
 *     |--setup, listening socket-->|--fork--> server
 *     |<---- 0, or an errno -------|
 *   exit                        monitor_run()
 *
 * The channel's end without a setup means that `start` failed or found a running shim: exit.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/log.h"
#include "shim/pair.h"

#define DATA_PAGE 4096
#define TITLE_SIZE 1024

/*
 * A common symbol lies behind all other data: its first part shares their page, its tables cost only
 * the pages that are used. The server empties its copy and puts itself there.
 */
struct monitor monitor_instance __attribute__((common));

/*
 * Only the first page is written to, since it holds other data too. So does the last: it is left as
 * it is, and the server has no use for it.
 */
static void *monitor_empty(struct monitor *monitor)
{
	char *begin = (char *)monitor;
	size_t first = DATA_PAGE - (uintptr_t)monitor % DATA_PAGE;
	size_t whole = (sizeof(*monitor) - first) / DATA_PAGE * DATA_PAGE;
	memset(begin, 0, first);
	if (madvise(begin + first, whole, MADV_DONTNEED) < 0) /* where pages are larger */
		memset(begin + first, 0, whole);
	return monitor;
}

static void stdio_to_null(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		_exit(1);
	for (int fd = 0; fd <= 2; fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
}

/* Appends the word; *word becomes the place in area where it will stand. */
static size_t title_append(char *title, size_t used, const char *area, const char **word)
{
	size_t length = strlen(*word) + 1;
	if (used + length <= TITLE_SIZE)
		memcpy(title + used, *word, length);
	*word = area + used;
	return used + length;
}

/*
 * Writes the server's form of the command line over that of `start`; the strings of config move with
 * it. It is a part of it and fits, but for odd command lines, which stay as they are.
 */
static void __attribute__((noinline)) title_set(struct shim_config *config)
{
	char **argv = config->argv;
	char *area = argv[0], title[TITLE_SIZE];
	size_t size = (size_t)(argv[config->argc - 1] + strlen(argv[config->argc - 1]) + 1 - area);
	struct shim_config moved = *config;
	const char *words[] = {argv[0], "-namespace", "-id", "-address", "-debug"};

	size_t used = title_append(title, 0, area, &words[0]);
	used = title_append(title, used, area, &words[1]);
	used = title_append(title, used, area, &moved.namespace_);
	used = title_append(title, used, area, &words[2]);
	used = title_append(title, used, area, &moved.id);
	used = title_append(title, used, area, &words[3]);
	used = title_append(title, used, area, &moved.address);
	if (config->debug)
		used = title_append(title, used, area, &words[4]);
	if (used > size || used > sizeof(title))
		return;

	memset(area, 0, size);
	memcpy(area, title, used);
	*config = moved;
	config->bundle = config->publish_binary = config->socket = config->debug_socket = "";
	config->verb = "";
	/* without CAP_SYS_RESOURCE the title keeps its old length and ends in empty words */
	prctl(PR_SET_MM, PR_SET_MM_ARG_END, area + used, 0, 0);
}

static int files_raise(struct rlimit *ret_original)
{
	if (getrlimit(RLIMIT_NOFILE, ret_original) < 0)
		return -errno;
	struct rlimit raised = {.rlim_cur = ret_original->rlim_max,
				.rlim_max = ret_original->rlim_max};
	return setrlimit(RLIMIT_NOFILE, &raised) < 0 ? -errno : 0;
}

static int folder_find(char *folder, size_t size)
{
	if (!getcwd(folder, size))
		return -errno;
	char *slash = strrchr(folder, '/');
	if (!slash || slash == folder)
		return -EINVAL;
	*slash = 0;
	return strlen(folder) + 1 + ID_SIZE <= size ? 0 : -ENAMETOOLONG;
}

static int signals_prepare(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	/* the log's reader may go away; sockets are written with MSG_NOSIGNAL anyway */
	signal(SIGPIPE, SIG_IGN);
	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

static int monitor_prepare(struct monitor *monitor)
{
	int pair[2];

	setpgid(0, 0);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return -errno;
	int result = files_raise(&monitor->files);
	if (result == 0)
		result = folder_find(monitor->folder, sizeof(monitor->folder));
	if (result < 0)
		return result;
	monitor->children.folder = monitor->folder;

	int log = open("log", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	log_open(monitor->config, log, monitor->config->debug);
	if (chdir("/") < 0) /* the bundle is to be removable while this process lives */
		return -errno;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	monitor->report_fd = pair[0];
	monitor->worker_report_fd = pair[1];
	monitor->signal_fd = signals_prepare();
	return monitor->signal_fd < 0 ? monitor->signal_fd : 0;
}

/* Returns the listening socket, or a negative errno; -ENODATA: nothing is to be launched. */
static int setup_receive(int channel, struct monitor_setup *ret_setup)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	struct iovec part = {.iov_base = ret_setup, .iov_len = sizeof(*ret_setup)};
	struct msghdr header = {.msg_iov = &part,
				.msg_iovlen = 1,
				.msg_control = control,
				.msg_controllen = sizeof(control)};
	int fd;
	ssize_t size;
	do
		size = recvmsg(channel, &header, MSG_CMSG_CLOEXEC);
	while (size < 0 && errno == EINTR);
	struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
	if (size == 0)
		return -ENODATA;
	if (size != (ssize_t)sizeof(*ret_setup) || !rights || rights->cmsg_type != SCM_RIGHTS)
		return -EBADMSG;
	memcpy(&fd, CMSG_DATA(rights), sizeof(fd));
	return fd;
}

static int server_spawn(struct monitor *monitor, int listen_fd, int channel)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	pid_t parent = getpid();
	pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		close(pair[0]);
		close(channel);
		close(monitor->report_fd);
		close(monitor->worker_report_fd);
		close(monitor->signal_fd);
		struct server_parameters parameters = {.config = monitor->config,
						       .listen_fd = listen_fd,
						       .monitor_fd = pair[1],
						       .log_fd = log_fd(),
						       .debug = monitor->setup.debug};
		parameters.memory = monitor_empty(monitor);
		_exit(server_main(&parameters));
	}
	close(pair[1]);
	monitor->server_fd = pair[0];
	monitor->server_pid = pid;
	return 0;
}

/* Tells `start` how it went. 0, or a negative errno: then nobody hears. */
static int result_send(int channel, int result)
{
	return send(channel, &result, sizeof(result), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int result_receive(int channel)
{
	int result;
	ssize_t size;
	do /* a setup that the monitor did not come to read is a reset, once, before what it wrote */
		size = recv(channel, &result, sizeof(result), 0);
	while (size < 0 && (errno == EINTR || errno == ECONNRESET));
	return size == (ssize_t)sizeof(result) ? result : -ECHILD;
}

static _Noreturn void monitor_fail(int channel, int result)
{
	result_send(channel, result);
	_exit(1);
}

static void monitor_born(struct shim_config *config, int channel)
{
	struct monitor *monitor = &monitor_instance;
	struct stat socket_file;

	monitor->config = config;
	monitor->message.text = monitor->text;
	stdio_to_null();
	title_set(config);
	int result = monitor_prepare(monitor);
	if (result < 0)
		monitor_fail(channel, result);
	int listen_fd = setup_receive(channel, &monitor->setup);
	if (listen_fd == -ENODATA)
		_exit(0);
	if (listen_fd < 0)
		monitor_fail(channel, listen_fd);
	log_open(config, log_fd(), monitor->setup.debug);
	if (stat(monitor->setup.socket_path, &socket_file) == 0) {
		monitor->socket_device = socket_file.st_dev;
		monitor->socket_inode = socket_file.st_ino;
		monitor->socket_changed = socket_file.st_mtim;
	}
	result = server_spawn(monitor, listen_fd, channel);
	if (result < 0)
		monitor_fail(channel, result);
	if (result_send(channel, 0) < 0)
		_exit(1);
	close(listen_fd);
	close(channel);
	_exit(monitor_run(monitor) < 0 ? 1 : 0);
}

int monitor_spawn(const struct shim_config *config, struct monitor_handle *ret_handle)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	pid_t pid = fork();
	if (pid < 0) {
		int result = -errno;
		close(pair[0]);
		close(pair[1]);
		return result;
	}
	if (pid == 0) {
		static struct shim_config mine;
		mine = *config;
		close(pair[0]);
		monitor_born(&mine, pair[1]);
	}
	close(pair[1]);
	*ret_handle = (struct monitor_handle){.pid = pid, .channel = pair[0]};
	return 0;
}

void monitor_abandon(struct monitor_handle *handle)
{
	close(handle->channel);
	handle->channel = -1;
}

int monitor_launch(struct monitor_handle *handle, const struct monitor_setup *setup, int listen_fd)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec part = {.iov_base = (void *)(uintptr_t)setup, .iov_len = sizeof(*setup)};
	struct msghdr header = {.msg_iov = &part,
				.msg_iovlen = 1,
				.msg_control = control,
				.msg_controllen = sizeof(control)};
	struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
	rights->cmsg_level = SOL_SOCKET;
	rights->cmsg_type = SCM_RIGHTS;
	rights->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(rights), &listen_fd, sizeof(listen_fd));

	/* one that has failed meanwhile is not there to listen, but has said why */
	int result = sendmsg(handle->channel, &header, MSG_NOSIGNAL) < 0 ? -errno : 0;
	if (result == 0 || result == -EPIPE)
		result = result_receive(handle->channel);
	monitor_abandon(handle);
	return result;
}
