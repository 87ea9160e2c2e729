/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runner of the unit tests. Why not libcheck: Debian has it for glibc only, and what ships is
 * built with musl; and it counts neither descriptors nor processes that a test leaves behind.
 *
 * Three processes take part:
 *   runner   forks a child per test, waits for it, prints one line. It is a subreaper, so that
 *            nothing which a test starts can escape it.
 *   child    runs the test under alarm(2), compares its descriptors before and after, and leaves
 *            with exit(3), so that the leak check of a sanitizer runs.
 *   others   whatever the test forks. Those alive a second after the test are killed: a failure.
 *
 * The verdict is shared memory, so that it needs no descriptor and any of the processes can write it.
 * Its state only ever moves from RUNNING to one of the others: the first failure is the one shown.
 */
#include "test/test.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SECONDS 10 /* of a test; the environment's TEST_SECONDS overrules it, for slow machines */
#define GRACE 1    /* seconds for the processes that a test has already told to end */
#define DESCRIPTORS_MAX 4096 /* those that are remembered one by one; all are counted */

struct verdict {
	_Atomic int state;
	char text[1024];
};

enum { RUNNING, PASSED, FAILED, SKIPPED };

struct descriptors {
	size_t count;
	unsigned char open[DESCRIPTORS_MAX];
};

static struct test *tests;
static struct verdict *verdict;
static struct descriptors before, after;

void test_register(struct test *test)
{
	struct test **place = &tests;

	while (*place && (*place)->line < test->line)
		place = &(*place)->next;
	test->next = *place;
	*place = test;
}

__attribute__((format(printf, 4, 0))) static void decide(int state, const char *file, int line,
							 const char *format, va_list arguments)
{
	int running = RUNNING;
	size_t used = 0;

	if (!atomic_compare_exchange_strong(&verdict->state, &running, state))
		return;
	if (file) {
		used = (size_t)snprintf(verdict->text, sizeof(verdict->text), "%s:%d: ", file,
					line);
		if (used >= sizeof(verdict->text))
			return;
	}
	vsnprintf(verdict->text + used, sizeof(verdict->text) - used, format, arguments);
}

void test_fail(const char *file, int line, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	decide(FAILED, file, line, format, arguments);
	va_end(arguments);
	_exit(1);
}

void test_skip(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	decide(SKIPPED, NULL, 0, format, arguments);
	va_end(arguments);
	_exit(0);
}

void test_equal(const char *file, int line, const char *what, intmax_t left, intmax_t right)
{
	if (left != right)
		test_fail(file, line, "%s (%jd, %jd)", what, left, right);
}

void test_equal_string(const char *file, int line, const char *what, const char *left,
		       const char *right)
{
	if (left == right)
		return;
	if (!left || !right || strcmp(left, right) != 0)
		test_fail(file, line, "%s (\"%s\", \"%s\")", what, left ? left : "NULL",
			  right ? right : "NULL");
}

void test_equal_bytes(const char *file, int line, const char *what, const void *left,
		      const void *right, size_t size)
{
	const unsigned char *l = left, *r = right;

	for (size_t i = 0; i < size; i++)
		if (l[i] != r[i])
			test_fail(file, line, "%s (byte %zu: %#x, %#x)", what, i, l[i], r[i]);
}

static void descriptors_read(struct descriptors *descriptors)
{
	DIR *folder = opendir("/proc/self/fd");
	struct dirent *entry;

	memset(descriptors, 0, sizeof(*descriptors));
	if (!folder)
		test_fail(__FILE__, __LINE__, "/proc/self/fd: %s", strerror(errno));
	while ((entry = readdir(folder))) {
		int fd = entry->d_name[0] == '.' ? -1 : atoi(entry->d_name);

		if (fd < 0 || fd == dirfd(folder))
			continue;
		descriptors->count++;
		if (fd < DESCRIPTORS_MAX)
			descriptors->open[fd] = 1;
	}
	closedir(folder);
}

size_t test_descriptors(void)
{
	descriptors_read(&after);
	return after.count;
}

static void descriptors_compare(void)
{
	char path[64], target[128] = "?";
	int fd = 0;

	descriptors_read(&after);
	while (fd < DESCRIPTORS_MAX && before.open[fd] == after.open[fd])
		fd++;
	if (fd == DESCRIPTORS_MAX && before.count == after.count)
		return;
	if (fd < DESCRIPTORS_MAX && after.open[fd]) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		target[sizeof(target) - 1] = '\0';
		if (readlink(path, target, sizeof(target) - 1) < 0)
			strcpy(target, "?");
	}
	test_fail("descriptors", fd, "%zu before, %zu after; the first that differs is %d (%s)",
		  before.count, after.count, fd,
		  fd < DESCRIPTORS_MAX && after.open[fd] ? target : "closed");
}

static unsigned int seconds_get(void)
{
	const char *text = getenv("TEST_SECONDS");
	int seconds = text ? atoi(text) : 0;

	return seconds > 0 ? (unsigned int)seconds : SECONDS;
}

static _Noreturn void child_main(const struct test *test, pid_t runner)
{
	sigset_t none;
	int running = RUNNING;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != runner)
		_exit(1);
	descriptors_read(&before);
	alarm(seconds_get());
	test->run();
	descriptors_compare();
	alarm(0);
	atomic_compare_exchange_strong(&verdict->state, &running, PASSED);
	exit(0);
}

/* Kills what has become a child of ours; its own children will be in the next round. */
static void kill_children(void)
{
	char path[64];
	FILE *file;
	int pid;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	file = fopen(path, "re");
	if (!file)
		return;
	while (fscanf(file, "%d", &pid) == 1)
		kill(pid, SIGKILL);
	fclose(file);
}

/* Whether processes of the test were alive GRACE after it; none is when this returns. */
static bool reap_strays(void)
{
	struct timespec grace = {.tv_sec = GRACE};
	bool strays = false;
	sigset_t child;
	pid_t pid;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	while ((pid = waitpid(-1, NULL, WNOHANG)) >= 0) {
		if (pid > 0 || sigtimedwait(&child, NULL, &grace) == SIGCHLD || errno == EINTR)
			continue;
		strays = true;
		kill_children();
		grace.tv_sec = 0;
		grace.tv_nsec = 1000000;
	}
	return strays;
}

/* The verdict of a test whose child has ended with status. */
static void judge(int status, bool strays)
{
	int state = atomic_load(&verdict->state);
	char *text = verdict->text;
	size_t size = sizeof(verdict->text);

	if (state == FAILED)
		return;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		snprintf(text, size, "time: took longer than %u s", seconds_get());
	else if (WIFSIGNALED(status))
		snprintf(text, size, "signal: died by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else if (status != 0)
		snprintf(text, size, "exit: left with status %d", WEXITSTATUS(status));
	else if (strays)
		snprintf(text, size, "processes: one was left behind");
	else if (state == RUNNING)
		snprintf(text, size, "exit: left before its end");
	else
		return;
	atomic_store(&verdict->state, FAILED);
}

static bool run(const char *program, const struct test *test)
{
	pid_t runner = getpid(), child;
	int status, state;

	memset(verdict->text, 0, sizeof(verdict->text));
	atomic_store(&verdict->state, RUNNING);
	fflush(NULL);
	child = fork();
	if (child < 0) {
		fprintf(stderr, "%s: fork: %s\n", program, strerror(errno));
		exit(2);
	}
	if (child == 0)
		child_main(test, runner);
	while (waitpid(child, &status, 0) < 0)
		;
	judge(status, reap_strays());
	state = atomic_load(&verdict->state);
	for (char *c = verdict->text; *c; c++)
		if ((unsigned char)*c < ' ')
			*c = ' ';
	if (state == PASSED)
		printf("ok %s.%s\n", program, test->name);
	else
		printf("%s %s.%s: %s\n", state == SKIPPED ? "skip" : "not ok", program, test->name,
		       verdict->text);
	fflush(stdout);
	return state != FAILED;
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	const char *program = slash ? slash + 1 : argv[0];
	bool passed = true, any = false;
	sigset_t child;

	verdict = mmap(NULL, sizeof(*verdict), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	if (verdict == MAP_FAILED || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) {
		perror(program);
		return 2;
	}
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	for (const struct test *test = tests; test; test = test->next) {
		if (argc > 1 && !strstr(test->name, argv[1]))
			continue;
		any = true;
		passed &= run(program, test);
	}
	if (!any)
		fprintf(stderr, "%s: no test has such a name\n", program);
	return passed && any ? 0 : 1;
}
