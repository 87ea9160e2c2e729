/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files: read up to a limit whatever stands there, replaced without a trace of what stood there. */
#include "shim/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test/test.h"

static struct failure failure;
static char folder[32];

static void folder_enter(void)
{
	strcpy(folder, "/tmp/mote-file.XXXXXX");
	ASSERT(mkdtemp(folder) != NULL);
	ASSERT_EQ(chdir(folder), 0);
}

static void folder_leave(void)
{
	ASSERT_EQ(chdir("/"), 0);
	ASSERT_EQ(rmdir(folder), 0); /* fails if anything was left */
}

static void expect(const char *name, const char *content, mode_t mode)
{
	struct stat status;
	size_t size;
	char *text;

	ASSERT_EQ(file_read(name, O_NOFOLLOW, 4096, &text, &size), 0);
	ASSERT_EQ(size, strlen(content));
	ASSERT_STR(text, content);
	free(text);
	ASSERT_EQ(lstat(name, &status), 0);
	ASSERT_EQ(status.st_mode & 07777, mode);
	ASSERT_EQ(unlink(name), 0);
}

TEST(read_up_to_the_limit)
{
	char *text = NULL;
	size_t size = 99;

	folder_enter();
	ASSERT_EQ(file_replace(".", "file", "a\0b", 3, 0600), 0);
	ASSERT_EQ(file_read("file", 0, 2, &text, &size), -EFBIG);
	ASSERT(!text && size == 99);
	ASSERT_EQ(file_read("file", 0, 3, &text, &size), 0);
	ASSERT_EQ(size, 3);
	ASSERT_MEM(text, "a\0b\0", 4);
	free(text);
	ASSERT_EQ(unlink("file"), 0);
	folder_leave();
}

TEST(read_what_is_no_file)
{
	char *text = NULL;
	size_t size;

	folder_enter();
	ASSERT_EQ(file_read("none", 0, 9, &text, &size), -ENOENT);
	ASSERT_EQ(file_read(".", 0, 9, &text, &size), -EINVAL);
	ASSERT_EQ(mkfifo("fifo", 0600), 0);
	ASSERT_EQ(file_read("fifo", 0, 9, &text, &size), -EINVAL);
	ASSERT_EQ(symlink("/dev/zero", "link"), 0);
	ASSERT_EQ(file_read("link", 0, 9, &text, &size), -EINVAL);
	ASSERT_EQ(file_read("link", O_NOFOLLOW, 9, &text, &size), -ELOOP);
	ASSERT(!text);
	ASSERT_EQ(unlink("fifo") | unlink("link"), 0);
	folder_leave();
}

TEST(refusals_in_words)
{
	ASSERT_EQ(file_refuse("a", 5, -EFBIG, &failure), FAILURE_REFUSED);
	ASSERT_STR(failure.text, "a: larger than 5 bytes");
	ASSERT_EQ(file_refuse("a", 5, -EINVAL, &failure), FAILURE_REFUSED);
	ASSERT_STR(failure.text, "a: not a regular file");
	ASSERT_EQ(file_refuse("a", 5, -ENOENT, &failure), FAILURE_REFUSED);
	ASSERT_STR(failure.text, "open a: no such file or directory");
	ASSERT_EQ(file_refuse("a", 5, -ENOMEM, &failure), -ENOMEM);
}

/* What stands under either name is not written to, nor waited for. */
TEST(replaces_whatever_is_there)
{
	static const char *const names[] = {"file", ".file.new"};

	folder_enter();
	umask(0777);
	for (size_t i = 0; i < 2; i++) {
		ASSERT_EQ(file_replace(".", "file", "one", 3, 0644), 0);
		expect("file", "one", 0644);
		ASSERT_EQ(mkfifo(names[i], 0600), 0);
		ASSERT_EQ(file_replace(folder, "file", "two", 3, 0600), 0);
		expect("file", "two", 0600);
		ASSERT_EQ(symlink("victim", names[i]), 0);
		ASSERT_EQ(file_replace(".", "file", "", 0, 0640), 0);
		expect("file", "", 0640);
		ASSERT_EQ(access("victim", F_OK), -1);
	}
	folder_leave();
}

TEST(leaves_nothing_when_it_fails)
{
	struct rlimit limit = {.rlim_cur = 2, .rlim_max = RLIM_INFINITY};

	folder_enter();
	ASSERT_EQ(file_replace("none", "file", "x", 1, 0600), -ENOENT);
	ASSERT_EQ(mkdir("file", 0700), 0);
	ASSERT_EQ(file_replace(".", "file", "x", 1, 0600), -EISDIR);
	ASSERT_EQ(rmdir("file"), 0);
	/* as on a full disk, a part is written */
	signal(SIGXFSZ, SIG_IGN);
	ASSERT_EQ(file_replace(".", "file", "xx", 2, 0600), 0);
	ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ASSERT_EQ(file_replace(".", "file", "abc", 3, 0600), -EFBIG);
	expect("file", "xx", 0600);
	folder_leave();
}

static int read_pid(const char *text, pid_t *ret_pid)
{
	ASSERT_EQ(file_replace(".", "pid", text, strlen(text), 0600), 0);
	int result = file_read_pid("pid", ret_pid, &failure);
	ASSERT_EQ(unlink("pid"), 0);
	return result;
}

TEST(pid_file)
{
	static const char *const bad[] = {
		"",    "0",          "-1",  "x",
		"12x", "4294967296", "1 2", "11111111111111111111111111111111111"};
	pid_t pid = 0;

	folder_enter();
	ASSERT_EQ(read_pid("4711", &pid), 0);
	ASSERT_EQ(pid, 4711);
	ASSERT_EQ(read_pid("42\n", &pid), 0);
	ASSERT_EQ(pid, 42);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ASSERT_EQ(read_pid(bad[i], &pid), FAILURE_REFUSED);
	ASSERT_EQ(pid, 42);
	ASSERT_EQ(file_read_pid("pid", &pid, &failure), FAILURE_REFUSED);
	ASSERT_STR(failure.text, "open pid: no such file or directory");
	ASSERT_EQ(file_replace(".", "other", "5", 1, 0600), 0);
	ASSERT_EQ(symlink("other", "pid"), 0);
	ASSERT_EQ(file_read_pid("pid", &pid, &failure), FAILURE_REFUSED);
	ASSERT_STR(failure.text, "open pid: too many levels of symbolic links");
	ASSERT_EQ(unlink("pid") | unlink("other"), 0);
	folder_leave();
}
