/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runtime: the smallest program with the command line of an OCI runtime, for runs of a hundred
 * thousand processes. A container is one process without any namespace: it waits for a signal.
 *
 *     runtime --root ROOT ... create --bundle B --pid-file FILE ID   forks the container
 *     runtime ... start ID        sends SIGUSR1: it ends with 0. One whose id begins with "hold" stays
 *     runtime ... exec ... --pid-file FILE ... ID                    forks a process that ends with 0
 *     runtime ... kill ID SIGNAL, delete [--force] ID
 *
 * ROOT/ID holds the pid. The container keeps the standard streams, as a real one does.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct arguments {
	const char *root, *pid_file, *command;
	const char *operands[2];
	int n_operands;
};

static int fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	return 1;
}

static bool has_value(const char *flag)
{
	static const char *const flags[] = {"--root",     "--log",     "--log-format",
					    "--pid-file", "--process", "--bundle"};

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (strcmp(flags[i], flag) == 0)
			return true;
	return false;
}

static void parse(struct arguments *arguments, char **argv)
{
	for (char **word = argv + 1; *word; word++) {
		if (has_value(*word) && word[1]) {
			if (strcmp(*word, "--root") == 0)
				arguments->root = word[1];
			if (strcmp(*word, "--pid-file") == 0)
				arguments->pid_file = word[1];
			word++;
		} else if (**word == '-') {
			continue;
		} else if (!arguments->command) {
			arguments->command = *word;
		} else if (arguments->n_operands < 2) {
			arguments->operands[arguments->n_operands++] = *word;
		}
	}
}

static int write_pid(const char *path, pid_t pid)
{
	FILE *file = fopen(path, "we");

	if (!file)
		return -1;
	fprintf(file, "%d", pid);
	return fclose(file);
}

static pid_t read_pid(const char *path)
{
	FILE *file = fopen(path, "re");
	int pid = 0;

	if (!file)
		return -1;
	if (fscanf(file, "%d", &pid) != 1)
		pid = -1;
	fclose(file);
	return pid;
}

/* The container: its signals are blocked since before the fork, so none is lost. */
static void __attribute__((noreturn)) wait_for_end(void)
{
	int number;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	sigwait(&set, &number);
	_exit(number == SIGUSR1 ? 0 : 128 + number);
}

/* The shim's root of a namespace: two folders that nobody else makes. */
static void make_root(const char *root)
{
	char parent[PATH_MAX];
	char *slash;

	snprintf(parent, sizeof(parent), "%s", root);
	slash = strrchr(parent, '/');
	if (slash && slash > parent) {
		*slash = '\0';
		mkdir(parent, 0700);
	}
	mkdir(root, 0700);
}

static int create(const struct arguments *arguments, const char *state)
{
	sigset_t set;
	pid_t pid;

	sigfillset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	make_root(arguments->root);
	pid = fork();
	if (pid < 0)
		return fail("fork");
	if (pid == 0)
		wait_for_end();
	if (write_pid(state, pid) < 0 || write_pid(arguments->pid_file, pid) < 0)
		return fail(arguments->pid_file);
	return 0;
}

static int exec(const struct arguments *arguments)
{
	pid_t pid = fork();

	if (pid < 0)
		return fail("fork");
	if (pid == 0)
		_exit(0);
	return write_pid(arguments->pid_file, pid) < 0 ? fail(arguments->pid_file) : 0;
}

static int send_signal(const char *state, int number)
{
	pid_t pid = read_pid(state);

	if (pid > 1 && kill(pid, number) == 0)
		return 0;
	fprintf(stderr, "container not running\n");
	return 1;
}

static bool holds(const struct arguments *arguments)
{
	return strncmp(arguments->operands[0], "hold", 4) == 0;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {.root = NULL};
	char state[PATH_MAX];

	parse(&arguments, argv);
	if (argc < 2 || !arguments.root || !arguments.command || arguments.n_operands == 0 ||
	    snprintf(state, sizeof(state), "%s/%s", arguments.root, arguments.operands[0]) >=
		    PATH_MAX)
		return 2;
	if (strcmp(arguments.command, "create") == 0 && arguments.pid_file)
		return create(&arguments, state);
	if (strcmp(arguments.command, "exec") == 0 && arguments.pid_file)
		return exec(&arguments);
	if (strcmp(arguments.command, "start") == 0)
		return holds(&arguments) ? 0 : send_signal(state, SIGUSR1);
	if (strcmp(arguments.command, "kill") == 0)
		return send_signal(state, arguments.n_operands > 1 ? atoi(arguments.operands[1])
								   : SIGTERM);
	if (strcmp(arguments.command, "delete") == 0)
		return unlink(state) < 0 && errno != ENOENT ? fail(state) : 0;
	return 2;
}
