/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_UNIT_RUNC_FIXTURE_H
#define TEST_UNIT_RUNC_FIXTURE_H
/*
 * A bundle, and a program in the place of runc: a shell script that notes how it was called in the
 * file `argv`, one word a line, and then does what the test says. In the script $log, $process,
 * $pid_file, $console and $work are what the options of these names were; the working directory is
 * the bundle, $top the folder above it, where the test looks.
 *
 * The functions run in a process of their own, as they do in a worker: nothing in them is freed.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/file.h"
#include "shim/runc.h"
#include "shim/runc_options.h"
#include "test/test.h"

static char fixture_top[64], fixture_bundle[80];

/* Shared with the process that runs a function. */
static struct fixture_shared {
	struct runtime_task task;
	int result;
	/* arguments and results of functions that have some */
	pid_t pid;
	pid_t pids[1024];
	size_t n;
	int signal;
	bool all, force;
} * fixture_shared;
#define fixture_task (fixture_shared->task)

static inline const char *fixture_path(const char *name)
{
	static char paths[4][256];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", fixture_top, name);
	return path;
}

static inline bool fixture_exists(const char *name)
{
	struct stat status;

	return lstat(fixture_path(name), &status) == 0;
}

static inline void fixture_write(const char *name, const char *text, mode_t mode)
{
	int fd = open(fixture_path(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	ASSERT(fd >= 0);
	ASSERT_EQ(file_write_all(fd, text, strlen(text)), 0);
	close(fd);
}

/* To be freed. */
static inline char *fixture_read(const char *name)
{
	char *text;
	size_t size;

	if (file_read(fixture_path(name), 0, 1u << 20, &text, &size) < 0)
		test_fail(__FILE__, __LINE__, "%s can't be read", name);
	return text;
}

static inline void fixture_expect(const char *name, const char *text)
{
	char *found = fixture_read(name);

	ASSERT_STR(found, text);
	free(found);
}

/* Options as the client sends them: the program and the root of its state. */
static inline void fixture_options(Containerd__Runc__V1__Options *options, const char *program)
{
	static char binary[256], root[256];

	containerd__runc__v1__options__init(options);
	snprintf(binary, sizeof(binary), "%s/%s", fixture_top, program);
	snprintf(root, sizeof(root), "%s/root", fixture_top);
	options->binary_name = binary;
	options->root = root;
}

static inline void fixture_send(const Containerd__Runc__V1__Options *options)
{
	static unsigned char bytes[1024];

	ASSERT(containerd__runc__v1__options__get_packed_size(options) <= sizeof(bytes));
	fixture_task.options.type_url = "containerd.runc.v1.Options";
	fixture_task.options.value = bytes;
	fixture_task.options.size = containerd__runc__v1__options__pack(options, bytes);
}

static inline void fixture_script(const char *program, const char *script)
{
	char text[4096];
	int length = snprintf(text, sizeof(text),
			      "#!/bin/sh\n"
			      "top=%s\n"
			      "printf '%%s\\n' \"$@\" >$top/argv\n"
			      "for word; do\n"
			      "	case $last in\n"
			      "	--log) log=$word ;; --process) process=$word ;;\n"
			      "	--pid-file) pid_file=$word ;; --console-socket) console=$word ;;\n"
			      "	--work-path) work=$word ;;\n"
			      "	esac\n"
			      "	last=$word\n"
			      "done\n"
			      "%s\n",
			      fixture_top, script);

	ASSERT(length < (int)sizeof(text));
	fixture_write(program, text, 0755);
}

/* The words behind the global ones, which are checked here, with blanks between them. */
static inline void fixture_expect_words(const char *words)
{
	char *argv = fixture_read("argv"), head[512];
	size_t size;

	/* the log may be one for this command alone: its name is not of interest here */
	size = (size_t)snprintf(head, sizeof(head), "--root\n%s/root/ns\n--log\n%s/", fixture_top,
				fixture_bundle);
	ASSERT_EQ(strncmp(argv, head, size), 0);
	size += strcspn(argv + size, "\n");
	ASSERT_EQ(strncmp(argv + size, "\n--log-format\njson\n", 19), 0);
	size += 19;
	for (char *at = argv + size; (at = strchr(at, '\n'));)
		*at = at[1] ? ' ' : '\0';
	ASSERT_STR(argv + size, words);
	free(argv);
}

/* script runs after $log and the others are set; see above. */
static inline void fixture_begin(const char *program, const char *script)
{
	struct failure failure;
	Containerd__Runc__V1__Options options;
	struct runtime_task *task;

	fixture_shared = mmap(NULL, sizeof(*fixture_shared), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT(fixture_shared != MAP_FAILED);
	task = &fixture_task;
	strcpy(fixture_top, "/tmp/mote-runc.XXXXXX");
	ASSERT(mkdtemp(fixture_top));
	snprintf(fixture_bundle, sizeof(fixture_bundle), "%s/bundle", fixture_top);
	ASSERT_EQ(mkdir(fixture_bundle, 0700), 0);
	ASSERT_EQ(chdir(fixture_bundle), 0);
	fixture_script(program, script);
	task->namespace_ = "ns";
	task->id = "one";
	task->exec_id = task->console_socket = task->json = "";
	task->checkpoint = task->parent_checkpoint = task->options.type_url = "";
	task->bundle = fixture_bundle;
	task->log_fd = -1;
	for (int i = 0; i < 3; i++)
		task->stdio[i] = i;
	fixture_options(&options, program);
	ASSERT_EQ(runc_options_keep(&options, task, &failure), 0);
}

static inline int fixture_remove_one(const char *path, const struct stat *status, int kind,
				     struct FTW *place)
{
	(void)status;
	(void)kind;
	(void)place;
	return remove(path);
}

static inline void fixture_end(void)
{
	ASSERT_EQ(chdir("/"), 0);
	ASSERT_EQ(nftw(fixture_top, fixture_remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static inline void fixture_json(const char *json)
{
	fixture_task.json = json;
	fixture_task.json_size = strlen(json);
}

/* What the function returns, if it is none of signals. */
static inline int fixture_call(int (*function)(void))
{
	int status;
	pid_t pid = fork();

	ASSERT(pid >= 0);
	if (pid == 0) {
		fixture_task.error[0] = '\0';
		fixture_shared->result = function();
		_exit(0);
	}
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	ASSERT_EQ(status, 0);
	return fixture_shared->result;
}

static inline int fixture_create(void)
{
	return runc_create(&fixture_task, &fixture_shared->pid);
}

static inline int fixture_start(void)
{
	return runc_start(&fixture_task);
}

static inline int fixture_restore(void)
{
	return runc_restore(&fixture_task, &fixture_shared->pid);
}

static inline int fixture_exec(void)
{
	return runc_exec(&fixture_task, &fixture_shared->pid);
}

static inline int fixture_kill(void)
{
	return runc_kill(&fixture_task, fixture_shared->signal, fixture_shared->all);
}

static inline int fixture_pids(void)
{
	return runc_pids(&fixture_task, fixture_shared->pids, 1024, &fixture_shared->n);
}

static inline int fixture_remove(void)
{
	return runc_remove(&fixture_task, fixture_shared->force);
}

static inline int fixture_pause(void)
{
	return runc_pause(&fixture_task);
}

static inline int fixture_resume(void)
{
	return runc_resume(&fixture_task);
}

static inline int fixture_update(void)
{
	return runc_update(&fixture_task);
}

static inline int fixture_checkpoint(void)
{
	return runc_checkpoint(&fixture_task);
}

static inline int fixture_send_signal(int signal, bool all)
{
	fixture_shared->signal = signal;
	fixture_shared->all = all;
	return fixture_call(fixture_kill);
}

/* The function failed with this, for the client. @: the bundle */
static inline void fixture_failed(int (*function)(void), enum runtime_code code, const char *text)
{
	char expected[1024], *to = expected;

	for (; *text; text++) {
		if (*text == '@')
			to = stpcpy(to, fixture_bundle);
		else
			*to++ = *text;
	}
	*to = '\0';
	ASSERT(fixture_call(function) < 0);
	ASSERT_STR(fixture_task.error, expected);
	ASSERT_EQ(fixture_task.error_code, code);
}

#endif
