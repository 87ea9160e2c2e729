/* SPDX-License-Identifier: Apache-2.0 */
/* The bundle's memory: written, read back, damaged, from a newer version, on a full or missing disk. */
#include "shim/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/test.h"
#include "test/unit/state_array.h"

static char folder[] = "/tmp/mote-state.XXXXXX";

static void folder_make(void)
{
	ASSERT(mkdtemp(folder));
}

static void file_put(const char *name, const char *text)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	ASSERT(fd >= 0);
	ASSERT_EQ(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void folder_remove(void)
{
	static const char *const names[] = {"mote.task", "mote.runtime"};
	char path[256];
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
	/* fails if a temporary file was left */
	ASSERT_EQ(rmdir(folder), 0);
}

TEST(what_is_written_is_read)
{
	static struct state state;
	const struct state_process processes[] = {
		{.pid = 12, .start_time = 345},
		{.pid = 67,
		 .start_time = 890,
		 .exited = true,
		 .exit_status = 137,
		 .exited_at = 1790000000,
		 .exited_at_nanos = 999999999,
		 .exec_id = "exec-1"},
	};
	folder_make();
	ASSERT_EQ(state_read(folder, &state), -ENOENT);
	ASSERT_EQ(state_write_array(folder, processes, 2), 0);
	ASSERT_EQ(state_read(folder, &state), 0);
	ASSERT_EQ(state.n_processes, 2);
	ASSERT_EQ(state.processes[0].pid, 12);
	ASSERT(!state.processes[0].exited);
	ASSERT_STR(state.processes[0].exec_id, "");
	ASSERT_EQ(state.processes[1].exit_status, 137);
	ASSERT_EQ(state.processes[1].exited_at, 1790000000);
	ASSERT_EQ(state.processes[1].exited_at_nanos, 999999999);
	ASSERT_STR(state.processes[1].exec_id, "exec-1");
	folder_remove();
}

TEST(lines_of_a_newer_version_are_passed_over)
{
	static struct state state;
	folder_make();
	file_put("mote.task", "mote-task 1\n7 8 0 0 0 0 -\nlogger 9 9\n");
	ASSERT_EQ(state_read(folder, &state), 0);
	ASSERT_EQ(state.n_processes, 1);
	ASSERT_EQ(state.processes[0].pid, 7);
	folder_remove();
}

TEST(damage_is_told_apart_from_absence)
{
	static const char *const damaged[] = {
		"",
		"mote-task",
		"mote-task 2\n7 8 0 0 0 0 -\n",
		"mote-task 1\n7 8 0 0 0\n",
		"mote-task 1\n0 8 0 0 0 0 -\n",
	};
	static struct state state;
	folder_make();
	for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
		file_put("mote.task", damaged[i]);
		if (state_read(folder, &state) != -EBADMSG)
			test_fail(__FILE__, __LINE__, "case %zu", i);
	}
	folder_remove();
}

TEST(a_link_is_not_followed)
{
	static struct state state;
	char path[256];
	folder_make();
	snprintf(path, sizeof(path), "%s/mote.task", folder);
	ASSERT_EQ(symlink("/etc/passwd", path), 0);
	ASSERT_EQ(state_read(folder, &state), -ELOOP);
	ASSERT_EQ(state_write_array(folder, &(struct state_process){.pid = 1}, 1), 0);
	struct stat file;
	ASSERT_EQ(lstat(path, &file), 0);
	ASSERT(S_ISREG(file.st_mode));
	folder_remove();
}

TEST(runtime_bytes)
{
	unsigned char in[RUNTIME_STATE_MAX], out[RUNTIME_STATE_MAX];
	size_t n = 1;
	memset(in, 0xa5, sizeof(in));
	folder_make();
	ASSERT_EQ(state_read_runtime(folder, out, &n), 0);
	ASSERT_EQ(n, 0);
	ASSERT_EQ(state_write_runtime(folder, in, sizeof(in)), 0);
	ASSERT_EQ(state_read_runtime(folder, out, &n), 0);
	ASSERT_EQ(n, sizeof(in));
	ASSERT_MEM(in, out, n);
	folder_remove();
	ASSERT_EQ(state_write_runtime(folder, in, 1), -ENOENT);
}

TEST(start_time_is_that_of_the_process)
{
	uint64_t mine, zombie, again;
	ASSERT_EQ(process_start_time(getpid(), &mine), 0);
	ASSERT(mine > 0);
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	siginfo_t info;
	ASSERT_EQ(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	ASSERT_EQ(process_start_time(pid, &zombie), 0);
	ASSERT(zombie >= mine);
	ASSERT_EQ(waitpid(pid, NULL, 0), pid);
	ASSERT(process_start_time(pid, &again) < 0);
}

TEST(parent_is_that_of_the_process)
{
	pid_t parent = 0;
	ASSERT_EQ(process_parent(getpid(), &parent), 0);
	ASSERT_EQ(parent, getppid());
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	siginfo_t info;
	ASSERT_EQ(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	ASSERT_EQ(process_parent(pid, &parent), 0);
	ASSERT_EQ(parent, getpid());
	ASSERT_EQ(waitpid(pid, NULL, 0), pid);
	ASSERT(process_parent(pid, &parent) < 0);
}
