/* SPDX-License-Identifier: Apache-2.0 */
#include "test/interop/serve.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

struct program {
	const char *name, *socket;
	struct ttrpc_policy policy;
	struct ttrpc_loop loop;
	struct ttrpc_server *server;
	struct ttrpc_watch signals;
};

static struct program program = {.loop = {.epoll_fd = -1}, .signals = {.fd = -1}};

static void drained(void *userdata, int error)
{
	(void)userdata;
	if (error)
		fprintf(stderr, "%s: shutdown: %s\n", program.name, strerror(-error));
	ttrpc_loop_stop(&program.loop, error ? 1 : 0);
}

static void signalled(struct ttrpc_watch *watch, uint32_t events)
{
	struct signalfd_siginfo info;

	(void)events;
	if (read(watch->fd, &info, sizeof(info)) == sizeof(info))
		ttrpc_server_shutdown(program.server, SERVE_DRAIN, drained, NULL);
}

static int watch_signals(void)
{
	sigset_t signals;
	int fd;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
		return -errno;
	fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	return ttrpc_watch_add(&program.loop, &program.signals, fd, EPOLLIN, signalled);
}

/* A socket that is left of a server that was killed is in the way; one that is served stays. */
static void remove_stale(const char *path)
{
	struct stat about;
	int fd, error;

	if (lstat(path, &about) < 0 || !S_ISSOCK(about.st_mode))
		return;
	error = ttrpc_connect(path, SERVE_DRAIN, &fd);
	if (error == 0)
		close(fd);
	else if (error == -ECONNREFUSED)
		unlink(path);
}

static int parse_uid(const char *text, uid_t *ret_uid)
{
	char *end;
	unsigned long uid;

	errno = 0;
	uid = strtoul(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || uid >= (uid_t)-1)
		return -EINVAL;
	*ret_uid = (uid_t)uid;
	return 0;
}

/* By hand: musl's getopt() takes no option behind the socket. */
static int parse(int argc, char **argv)
{
	program.name = argc > 0 ? argv[0] : "server";
	program.policy = *TTRPC_POLICY_SAME_USER;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-u") == 0) {
			if (++i == argc || parse_uid(argv[i], &program.policy.uid) < 0)
				return -EINVAL;
			program.policy.allow = ttrpc_allow_ids;
			program.policy.gid = (gid_t)-1;
		} else if (program.socket || argv[i][0] == '-') {
			return -EINVAL;
		} else {
			program.socket = argv[i];
		}
	}
	return program.socket ? 0 : -EINVAL;
}

static int begin(const struct served *services)
{
	int error = ttrpc_loop_init(&program.loop);

	if (!error)
		error = ttrpc_server_new(&program.loop, &program.policy, &program.server);
	for (; !error && services->service; services++)
		error = ttrpc_server_register(program.server, services->service, services->handlers,
					      &program.loop);
	if (!error)
		error = watch_signals();
	remove_stale(program.socket);
	return error ? error : ttrpc_server_listen_on(program.server, program.socket);
}

int serve(int argc, char **argv, const struct served *services)
{
	int result;

	if (parse(argc, argv) < 0) {
		fprintf(stderr, "usage: %s SOCKET [-u UID]\n", program.name);
		return 2;
	}
	result = begin(services);
	if (result == 0) {
		puts("ready");
		fflush(stdout);
		result = ttrpc_loop_run(&program.loop);
		unlink(program.socket);
	}
	ttrpc_server_free(program.server);
	if (program.signals.fd >= 0) {
		int fd = program.signals.fd;

		ttrpc_watch_remove(&program.signals);
		close(fd);
	}
	if (program.loop.epoll_fd >= 0)
		ttrpc_loop_deinit(&program.loop);
	if (result < 0)
		fprintf(stderr, "%s: %s: %s\n", program.name, program.socket, strerror(-result));
	return result ? 1 : 0;
}
