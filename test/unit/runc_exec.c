/* SPDX-License-Identifier: Apache-2.0 */
/* Exec: how the runtime is called, what it reads, what clients are told, and what is left: nothing. */
#include "test/unit/runc_fixture.h"

#define COPY "cp $process $top/process; stat -c %a $process >$top/mode; printf 4711 >$pid_file"

static void begin(const char *script)
{
	fixture_begin("runc", script);
	fixture_task.exec_id = "e1";
	fixture_json("{\"args\":[\"true\"],\"terminal\":true}");
}

static void expect_words(const char *between, const char *exec_id)
{
	char words[512];

	snprintf(words, sizeof(words),
		 "exec --process %s/.%s.process%s --detach --pid-file %s/%s.pid one",
		 fixture_bundle, exec_id, between, fixture_bundle, exec_id);
	fixture_expect_words(words);
}

/* The bundle holds nothing but its log. */
static void end(void)
{
	unlink(fixture_path("bundle/log.json"));
	ASSERT_EQ(chdir("/"), 0);
	ASSERT_EQ(rmdir(fixture_bundle), 0);
	fixture_end();
}

TEST(runs)
{
	begin(COPY);
	ASSERT_EQ(fixture_call(fixture_exec), 0);
	ASSERT_EQ(fixture_shared->pid, 4711);
	expect_words("", "e1");
	fixture_expect("process", "{\"terminal\":false,\"args\":[\"true\"]}");
	fixture_expect("mode", "600\n");
	end();
}

TEST(with_a_terminal)
{
	begin(COPY);
	fixture_task.console_socket = "/run/x/pty.sock";
	fixture_json("{\"terminal\":false,\"args\":[\"true\"]}");
	ASSERT_EQ(fixture_call(fixture_exec), 0);
	expect_words(" --console-socket /run/x/pty.sock", "e1");
	fixture_expect("process", "{\"terminal\":true,\"args\":[\"true\"]}");
	end();
}

/* init.pid is the container's, and the delete verb's. */
TEST(named_init)
{
	begin(COPY);
	fixture_task.exec_id = "init";
	fixture_write("bundle/init.pid", "1", 0600);
	ASSERT_EQ(fixture_call(fixture_exec), 0);
	ASSERT_EQ(fixture_shared->pid, 4711);
	fixture_expect("bundle/init.pid", "1");
	unlink(fixture_path("bundle/init.pid"));
	end();
}

/* The log of all commands holds this one's records, too; other errors in it are not this one's. */
TEST(fails_with_a_record)
{
	begin("echo '{\"level\":\"error\",\"msg\":\"exec: \\\"foo\\\": not found\"}' >>$log\n"
	      "echo '{\"level\":\"error\",\"msg\":\"of another\"}' >>log.json\n"
	      "printf 4711 >$pid_file; exit 255");
	fixture_write("bundle/log.json", "{\"level\":\"error\",\"msg\":\"old\"}\n", 0600);
	fixture_failed(fixture_exec, RUNTIME_UNKNOWN,
		       "OCI runtime exec failed: exec: \"foo\": not found");
	fixture_expect("bundle/log.json", "{\"level\":\"error\",\"msg\":\"old\"}\n"
					  "{\"level\":\"error\",\"msg\":\"of another\"}\n"
					  "{\"level\":\"error\",\"msg\":"
					  "\"exec: \\\"foo\\\": not found\"}\n");
	end();
}

TEST(fails_without_a_word)
{
	char text[256];

	begin("exit 3");
	snprintf(text, sizeof(text),
		 "OCI runtime exec failed: %s/runc did not terminate successfully: exit status 3",
		 fixture_top);
	fixture_failed(fixture_exec, RUNTIME_UNKNOWN, text);
	end();
}

TEST(no_such_runtime)
{
	char text[256];

	begin("");
	unlink(fixture_path("runc"));
	snprintf(text, sizeof(text),
		 "OCI runtime exec failed: fork/exec %s/runc: no such file or directory",
		 fixture_top);
	fixture_failed(fixture_exec, RUNTIME_UNKNOWN, text);
	end();
}

TEST(pid_file_that_is_none)
{
	begin("echo nothing >$pid_file");
	fixture_failed(fixture_exec, RUNTIME_UNKNOWN,
		       "failed to retrieve OCI runtime exec pid: @/e1.pid: \"nothing \" is not a "
		       "pid");
	end();
	begin("");
	fixture_write("bundle/e1.pid", "4711",
		      0600); /* of an earlier one, whose worker was killed */
	fixture_write("bundle/.e1.process", "{}", 0600);
	fixture_failed(fixture_exec, RUNTIME_UNKNOWN,
		       "failed to retrieve OCI runtime exec pid: open @/e1.pid: no such file or "
		       "directory");
	end();
}

TEST(process_that_is_none)
{
	begin("");
	fixture_json("");
	fixture_failed(fixture_exec, RUNTIME_INVALID_ARGUMENT,
		       "process: JSON: line 1: '[' or '{' expected near end of file: invalid "
		       "argument");
	fixture_json("[1]");
	fixture_failed(fixture_exec, RUNTIME_INVALID_ARGUMENT,
		       "process: JSON: it is not an object: invalid argument");
	ASSERT(!fixture_exists("argv"));
	end();
}

TEST(id_that_is_no_name)
{
	static char longest[300];

	begin("");
	fixture_task.exec_id = "../e1";
	fixture_failed(fixture_exec, RUNTIME_INVALID_ARGUMENT,
		       "exec id \"../e1\" can't be a file's name: invalid argument");
	memset(longest, 'x', sizeof(longest) - 1);
	fixture_task.exec_id = longest;
	ASSERT(fixture_call(fixture_exec) < 0);
	ASSERT_EQ(fixture_task.error_code, RUNTIME_INVALID_ARGUMENT);
	ASSERT(!fixture_exists("argv"));
	end();
}

/* Where io_uid and io_gid are set the pipes are theirs, as with create. */
TEST(stdio_is_given_away)
{
	Containerd__Runc__V1__Options options;
	struct failure failure;
	struct stat status;
	int ends[2];

	if (getuid() != 0)
		SKIP("only root can give files away");
	begin(COPY);
	fixture_options(&options, "runc");
	options.io_uid = 1000;
	options.io_gid = 1001;
	ASSERT_EQ(runc_options_keep(&options, &fixture_task, &failure), 0);
	ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
	fixture_task.stdio[1] = ends[1];
	ASSERT_EQ(fixture_call(fixture_exec), 0);
	ASSERT_EQ(fstat(ends[0], &status), 0);
	ASSERT_EQ(status.st_uid, 1000);
	ASSERT_EQ(status.st_gid, 1001);
	close(ends[0]);
	close(ends[1]);
	end();
}
