/* SPDX-License-Identifier: Apache-2.0 */
#include "test/bench-ttrpc/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void die(const char *format, ...)
{
	va_list arguments;

	fputs("bench-ttrpc: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(1);
}

static _Noreturn void child(int cpu, const char *const *arguments, int output)
{
	char *copies[PROCESS_ARGUMENTS_MAX + 1] = {NULL};

	if (cpu >= 0) {
		cpu_set_t set;

		CPU_ZERO(&set);
		CPU_SET((unsigned)cpu, &set);
		if (sched_setaffinity(0, sizeof(set), &set) < 0)
			die("CPU %d: %s", cpu, strerror(errno));
	}
	/* Nothing outlives a bench that was interrupted. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(output, STDOUT_FILENO);
	for (int i = 0; i < PROCESS_ARGUMENTS_MAX && arguments[i]; i++)
		copies[i] = strdup(arguments[i]);
	execvp(copies[0], copies);
	die("%s: %s", arguments[0], strerror(errno));
}

struct process process_start(int cpu, const char *const *arguments)
{
	struct process process = {.name = arguments[0]};
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		die("pipe: %s", strerror(errno));
	fflush(stdout);
	process.pid = fork();
	if (process.pid < 0)
		die("fork: %s", strerror(errno));
	if (process.pid == 0)
		child(cpu, arguments, ends[1]);
	close(ends[1]);
	process.output = ends[0];
	return process;
}

void process_line(const struct process *process, char *ret_line, int size)
{
	int n = 0;

	while (n < size - 1 && read(process->output, ret_line + n, 1) == 1 && ret_line[n] != '\n')
		n++;
	ret_line[n] = '\0';
}

struct process process_serve(int cpu, const char *const *prefix, const char *socket,
			     const char *const *suffix)
{
	const char *arguments[PROCESS_ARGUMENTS_MAX + 1] = {NULL};
	struct process process;
	char line[64];
	int n = 0;

	while (*prefix)
		arguments[n++] = *prefix++;
	arguments[n++] = socket;
	while (suffix && *suffix)
		arguments[n++] = *suffix++;
	unlink(socket);
	process = process_start(cpu, arguments);
	process_line(&process, line, sizeof(line));
	if (strcmp(line, "ready") != 0)
		die("%s did not get ready: %s", process.name, line);
	return process;
}

static int process_end(struct process *process)
{
	int status = -1;

	close(process->output);
	while (waitpid(process->pid, &status, 0) < 0 && errno == EINTR)
		;
	process->pid = -1;
	return status;
}

bool process_result(struct process *process, struct result *ret_result)
{
	struct result result;
	char line[256];

	process_line(process, line, sizeof(line));
	if (process_end(process) != 0 ||
	    sscanf(line, "%lf %lf %lf %lf %lf", &result.calls, &result.measured,
		   &result.nanoseconds, &result.p50, &result.p99) != 5)
		return false;
	*ret_result = result;
	return true;
}

void process_stop(struct process *process)
{
	if (process->pid <= 0)
		return;
	kill(process->pid, SIGTERM);
	process_end(process);
}

uint64_t process_cpu(pid_t pid)
{
	struct timespec time;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) < 0)
		return 0;
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static long smaps_value(pid_t pid, const char *key)
{
	char path[64], line[256];
	long value = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	file = fopen(path, "re");
	if (!file)
		die("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, key, strlen(key)) == 0)
			value = strtol(line + strlen(key), NULL, 10) * 1024;
	fclose(file);
	return value;
}

long process_private(pid_t pid)
{
	return smaps_value(pid, "Private_Clean:") + smaps_value(pid, "Private_Dirty:");
}

long process_dirty(pid_t pid)
{
	return smaps_value(pid, "Private_Dirty:");
}

int process_descriptors(pid_t pid)
{
	char path[64];
	int n = 0;
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	folder = opendir(path);
	if (!folder)
		die("%s: %s", path, strerror(errno));
	while (readdir(folder))
		n++;
	closedir(folder);
	return n - 2;
}

void process_pause(unsigned milliseconds)
{
	struct timespec time = {milliseconds / 1000, (long)(milliseconds % 1000) * 1000000};

	nanosleep(&time, NULL);
}
