/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_UNIT_PROGRAM_H
#define TEST_UNIT_PROGRAM_H
/*
 * Runs shim_main() as a program: in a process and a bundle of its own, with standard input from
 * memory and both outputs caught until their end. So a resident process that keeps one of them open
 * makes the test run out of time.
 *
 * The test is the subreaper: what `start` leaves running becomes its child.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/shim.h"
#include "test/test.h"

#define PROGRAM_WORDS_MAX 24

struct program {
	/* what it is given */
	const struct runtime *runtime;
	const char *cwd; /* a name below the test's folder; NULL: "/" */
	const void *input;
	size_t input_size;
	const char *output;   /* a file instead of the pipe; NULL: none */
	int leak;             /* a descriptor that it inherits besides 0, 1 and 2; 0: none */
	int ignored;          /* a signal that it inherits as ignored; 0: none */
	const char *variable; /* NAME=VALUE of its environment; NULL: none */

	/* what came of it */
	int status; /* of its exit */
	char out[4096];
	size_t out_size;
	char err[4096];
};

/* ---- a folder with a bundle: ROOT/ns/ID ---- */

static char program_root[64];

static inline const char *program_path(const char *name)
{
	static char paths[4][256];
	static unsigned next;
	char *path = paths[next++ % 4];
	snprintf(path, sizeof(paths[0]), "%s/%s", program_root, name);
	return path;
}

static inline bool program_exists(const char *name)
{
	struct stat file;
	return lstat(program_path(name), &file) == 0;
}

static inline void program_file(const char *name, const char *text)
{
	int fd = open(program_path(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	ASSERT(fd >= 0);
	ASSERT_EQ(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static inline void program_bundle(const char *name, const char *config)
{
	ASSERT_EQ(mkdir(program_path(name), 0700), 0);
	char file[128];
	snprintf(file, sizeof(file), "%s/config.json", name);
	if (config)
		program_file(file, config);
}

static inline void program_prepare(void)
{
	strcpy(program_root, "/tmp/mote-program.XXXXXX");
	ASSERT(mkdtemp(program_root) != NULL);
	ASSERT_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
}

static inline int program_remove_one(const char *path, const struct stat *file, int kind,
				     struct FTW *where)
{
	(void)file;
	(void)kind;
	(void)where;
	return remove(path);
}

static inline void program_clean(void)
{
	ASSERT_EQ(nftw(program_root, program_remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* ---- processes ---- */

/* Its argv stands in one piece, as a kernel makes it: the shim writes its title over it. */
static inline int program_main(const struct program *program, const char *line)
{
	static char words[1024];
	static char *argv[PROGRAM_WORDS_MAX + 1];
	char *rest = words, *word;
	int argc = 0;

	ASSERT(strlen(line) < sizeof(words));
	strcpy(words, line);
	while ((word = strsep(&rest, " ")) && argc < PROGRAM_WORDS_MAX)
		argv[argc++] = word;
	ASSERT(rest == NULL);
	return shim_main(program->runtime, argc, argv);
}

static inline size_t program_drain(int fd, char *text, size_t size)
{
	size_t filled = 0;
	ssize_t n;
	while ((n = read(fd, text + filled, size - 1 - filled)) > 0)
		filled += (size_t)n;
	ASSERT_EQ(n, 0);
	ASSERT(filled < size - 1);
	text[filled] = 0;
	close(fd);
	return filled;
}

static inline void program_run(struct program *program, const char *line)
{
	int in[2], out[2], err[2], status;

	ASSERT(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0 &&
	       pipe2(err, O_CLOEXEC) == 0);
	pid_t pid = fork();
	ASSERT(pid >= 0);
	if (pid == 0) {
		if (program->output)
			dup2(open(program->output, O_WRONLY | O_CLOEXEC), out[1]);
		dup2(in[0], 0);
		dup2(out[1], 1);
		dup2(err[1], 2);
		for (int fd = 3; fd < 64; fd++)
			if (fd != program->leak)
				close(fd);
		if (program->ignored)
			signal(program->ignored, SIG_IGN);
		unsetenv("TTRPC_ADDRESS");
		unsetenv("SCHED_CORE");
		if (program->variable)
			putenv((char *)(uintptr_t)program->variable);
		ASSERT_EQ(chdir(program->cwd ? program_path(program->cwd) : "/"), 0);
		exit(program_main(program, line));
	}
	close(in[0]);
	close(out[1]);
	close(err[1]);
	ASSERT_EQ(write(in[1], program->input, program->input_size), program->input_size);
	close(in[1]);
	program->out_size = program_drain(out[0], program->out, sizeof(program->out));
	program_drain(err[0], program->err, sizeof(program->err));
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	ASSERT(WIFEXITED(status));
	program->status = WEXITSTATUS(status);
}

/* The first child of this process; 0: it has none. */
static inline pid_t program_child(void)
{
	char text[512];
	int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
	ASSERT(fd >= 0);
	program_drain(fd, text, sizeof(text));
	return (pid_t)strtol(text, NULL, 10);
}

/* Ends what `start` left running, and waits until all of it is gone. */
static inline void program_end_residents(void)
{
	pid_t pid = program_child();
	if (pid > 0)
		kill(pid, SIGTERM);
	while (waitpid(-1, NULL, 0) > 0)
		;
	ASSERT_EQ(errno, ECHILD);
}

#endif
