/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Create, pause, resume, update, checkpoint and restore: the words that the runtime is called with, and
 * those that clients get.
 */
#include "test/unit/runc_fixture.h"

static const char record[] = "echo '{\"level\":\"error\",\"msg\":\"why not\"}' >>$log; exit 1";

/* ---- create ---- */

static void create_begin(const char *program, const char *script)
{
	Containerd__Runc__V1__Options options;

	fixture_begin(program, script);
	fixture_options(&options, program);
	options.no_pivot_root = true;
	options.no_new_keyring = true;
	fixture_send(&options);
	fixture_task.state_size = 0;
}

/* @: the bundle */
static void expect_words(const char *words)
{
	char expected[1024], *to = expected;

	for (; *words; words++) {
		if (*words == '@')
			to = stpcpy(to, fixture_bundle);
		else
			*to++ = *words;
	}
	*to = '\0';
	fixture_expect_words(expected);
}

TEST(create)
{
	create_begin("runc", "printf 4711 >$pid_file");
	ASSERT_EQ(fixture_call(fixture_create), 0);
	ASSERT_EQ(fixture_shared->pid, 4711);
	expect_words("create --bundle @ --pid-file @/init.pid --no-pivot --no-new-keyring one");
	fixture_end();
}

TEST(create_with_a_terminal)
{
	create_begin("runc", "printf 4711 >$pid_file");
	fixture_task.console_socket = "/run/x/pty.sock";
	ASSERT_EQ(fixture_call(fixture_create), 0);
	expect_words("create --bundle @ --pid-file @/init.pid --console-socket /run/x/pty.sock "
		     "--no-pivot --no-new-keyring one");
	fixture_end();
}

TEST(create_fails)
{
	create_begin("runc", record);
	fixture_failed(fixture_create, RUNTIME_UNKNOWN, "OCI runtime create failed: why not");
	fixture_script("runc", "");
	fixture_failed(fixture_create, RUNTIME_UNKNOWN,
		       "failed to retrieve OCI runtime container pid: open @/init.pid: "
		       "no such file or directory");
	fixture_task.options.type_url = "some.other.Type";
	fixture_failed(fixture_create, RUNTIME_INVALID_ARGUMENT,
		       "runtime options of type \"some.other.Type\" are not understood");
	fixture_end();
}

/* The stock shim's words, in its order: Docker makes exit codes of what it finds in them. */
TEST(create_without_a_log)
{
	Containerd__Runc__V1__Options options;

	create_begin("runc", "");
	fixture_options(&options, "runc");
	options.binary_name = (char *)(uintptr_t) "no-runc";
	fixture_send(&options);
	fixture_failed(fixture_create, RUNTIME_UNKNOWN,
		       "OCI runtime create failed: unable to retrieve OCI runtime error "
		       "(open @/log.json: no such file or directory): exec: \"no-runc\": "
		       "executable file not found in $PATH");
	fixture_end();
}

/* ---- checkpoint and restore ---- */

static void restore_begin(const char *program, const char *script)
{
	create_begin(program, script);
	fixture_task.checkpoint = "/image";
	fixture_task.parent_checkpoint = "/parent";
	fixture_shared->pid = -1;
	ASSERT_EQ(fixture_call(fixture_create), 0);
	ASSERT_EQ(fixture_shared->pid, 0);
	ASSERT(!fixture_exists("argv"));
	ASSERT(fixture_exists("bundle/options.json"));
}

TEST(restore_of_runc)
{
	restore_begin("runc", "printf 4711 >$pid_file");
	ASSERT_EQ(fixture_call(fixture_restore), 0);
	ASSERT_EQ(fixture_shared->pid, 4711);
	expect_words("restore --image-path /image --work-path @/work --detach --pid-file "
		     "@/init.pid --no-pivot -no-subreaper --bundle @ one");
	fixture_end();
}

TEST(restore_of_crun)
{
	restore_begin("crun", "printf 4711 >$pid_file");
	fixture_task.console_socket = "/run/x/pty.sock";
	ASSERT_EQ(fixture_call(fixture_restore), 0);
	expect_words("restore --image-path /image --work-path @/work --detach --pid-file "
		     "@/init.pid --console-socket /run/x/pty.sock --bundle @ one");
	fixture_end();
}

TEST(restore_of_another)
{
	Containerd__Runc__V1__Options options;
	struct failure failure;

	restore_begin("other", "printf 4711 >$pid_file");
	fixture_options(&options, "other");
	options.criu_work_path = (char *)(uintptr_t) "/w";
	ASSERT_EQ(runc_options_keep(&options, &fixture_task, &failure), 0);
	ASSERT_EQ(fixture_call(fixture_restore), 0);
	expect_words("restore --image-path /image --work-path /w --parent-path /parent --detach "
		     "--pid-file @/init.pid -no-subreaper --bundle @ one");
	fixture_end();
}

/* What the runtime made of it is taken away, so that it can be tried again. */
TEST(restore_fails)
{
	restore_begin("runc",
		      "case \" $* \" in *' delete --force one ') rm -r $top/root; "
		      "echo 'of delete' >&2; exit 1; esac\n"
		      "mkdir -p $top/root/ns/one\n"
		      "echo '{\"level\":\"error\",\"msg\":\"criu failed\"}' >>$log; exit 1");
	fixture_failed(fixture_restore, RUNTIME_UNKNOWN, "OCI runtime restore failed: criu failed");
	ASSERT(!fixture_exists("root"));
	fixture_end();
}

static void checkpoint_begin(const char *program, const char *script)
{
	fixture_begin(program, script);
	fixture_task.checkpoint = "/image";
}

static void checkpoint_send(const Containerd__Runc__V1__CheckpointOptions *options)
{
	static unsigned char bytes[512];

	fixture_task.options.type_url = "x/containerd.runc.v1.CheckpointOptions";
	fixture_task.options.value = bytes;
	fixture_task.options.size = containerd__runc__v1__checkpoint_options__pack(options, bytes);
}

TEST(checkpoint)
{
	checkpoint_begin("runc", "touch $work/dump.log $top/ran");
	ASSERT_EQ(fixture_call(fixture_checkpoint), 0);
	expect_words("checkpoint --image-path /image --work-path @/criu-work --leave-running one");
	ASSERT(fixture_exists("ran") && !fixture_exists("bundle/criu-work"));
	/* as containerd makes the bundle */
	ASSERT_EQ(mkdir(fixture_path("disk"), 0700), 0);
	ASSERT_EQ(symlink("../disk", fixture_path("bundle/work")), 0);
	ASSERT_EQ(fixture_call(fixture_checkpoint), 0);
	expect_words("checkpoint --image-path /image --work-path @/"
		     "work/criu-work --leave-running one");
	ASSERT(!fixture_exists("disk/criu-work") && fixture_exists("disk"));
	fixture_end();
}

static Containerd__Runc__V1__CheckpointOptions checkpoint_all(void)
{
	static char *empty[] = {(char *)(uintptr_t) "network", (char *)(uintptr_t) "uts"};
	Containerd__Runc__V1__CheckpointOptions options =
		CONTAINERD__RUNC__V1__CHECKPOINT_OPTIONS__INIT;

	options.exit = options.open_tcp = options.external_unix_sockets = true;
	options.terminal = options.file_locks = true;
	options.n_empty_namespaces = 2;
	options.empty_namespaces = empty;
	options.cgroups_mode = (char *)(uintptr_t) "full"; /* the stock shim ignores it, too */
	options.image_path = (char *)(uintptr_t) "/other";
	options.parent_path = (char *)(uintptr_t) "/parent";
	return options;
}

TEST(checkpoint_with_all_options)
{
	Containerd__Runc__V1__CheckpointOptions options = checkpoint_all();

	checkpoint_begin("runc", "");
	options.work_path = fixture_top;
	checkpoint_send(&options);
	ASSERT_EQ(fixture_call(fixture_checkpoint), 0);
	char words[512];
	snprintf(words, sizeof(words),
		 "checkpoint --image-path /image --work-path %s --parent-path /parent "
		 "--tcp-established --ext-unix-sk --shell-job --file-locks --empty-ns network "
		 "--empty-ns uts one",
		 fixture_top);
	expect_words(words);
	ASSERT(fixture_exists("bundle")); /* the client's folder stays */
	fixture_task.checkpoint = "";
	ASSERT_EQ(fixture_call(fixture_checkpoint), 0);
	memcpy(strstr(words, "/image"), "/other", 6);
	expect_words(words);
	fixture_end();
}

TEST(checkpoint_of_crun)
{
	Containerd__Runc__V1__CheckpointOptions options = checkpoint_all();

	checkpoint_begin("crun", "");
	checkpoint_send(&options);
	ASSERT_EQ(fixture_call(fixture_checkpoint), 0);
	expect_words("checkpoint --image-path /image --work-path @/criu-work --parent-path /parent "
		     "--tcp-established --ext-unix-sk --shell-job --file-locks one");
	fixture_end();
}

TEST(checkpoint_fails)
{
	char text[512];

	checkpoint_begin("runc", "echo 'what criu said' >$work/dump.log\n"
				 "echo 'criu failed: type NOTIFY errno 0' >&2\n"
				 "echo \"log file: $work/dump.log\" >&2; exit 1");
	fixture_write("bundle/criu-dump.log", "of an older one, which said more than that", 0600);
	snprintf(text, sizeof(text),
		 "%s/runc did not terminate successfully: exit status 1: criu failed: type NOTIFY "
		 "errno 0 path= @/criu-dump.log",
		 fixture_top);
	fixture_failed(fixture_checkpoint, RUNTIME_UNKNOWN, text);
	fixture_expect("bundle/criu-dump.log", "what criu said\n");
	ASSERT(!fixture_exists("bundle/criu-work"));
	/* criu did not come so far */
	fixture_script("runc", "exit 1");
	snprintf(text, sizeof(text),
		 "%s/runc did not terminate successfully: exit status 1 path= @/criu-dump.log",
		 fixture_top);
	fixture_failed(fixture_checkpoint, RUNTIME_UNKNOWN, text);
	fixture_end();
}

TEST(checkpoint_refused)
{
	Containerd__Runc__V1__CheckpointOptions options =
		CONTAINERD__RUNC__V1__CHECKPOINT_OPTIONS__INIT;
	static char *many[80];

	checkpoint_begin("runc", "");
	checkpoint_send(&options);
	fixture_task.options.type_url = "containerd.runc.v1.Options";
	fixture_failed(fixture_checkpoint, RUNTIME_INVALID_ARGUMENT,
		       "checkpoint options of type \"containerd.runc.v1.Options\" are not "
		       "understood: invalid argument");
	fixture_task.options.type_url = "containerd.runc.v1.CheckpointOptions";
	fixture_task.options.value = "\xff";
	fixture_task.options.size = 1;
	fixture_failed(fixture_checkpoint, RUNTIME_INVALID_ARGUMENT,
		       "checkpoint options: not a valid message: invalid argument");
	fixture_task.options.size = 0;
	fixture_task.checkpoint = "";
	fixture_failed(fixture_checkpoint, RUNTIME_INVALID_ARGUMENT,
		       "no path to write a checkpoint to: invalid argument");
	fixture_task.checkpoint = "/image";
	for (size_t i = 0; i < 80; i++)
		many[i] = (char *)(uintptr_t) "x";
	options.n_empty_namespaces = 80;
	options.empty_namespaces = many;
	checkpoint_send(&options);
	ASSERT(fixture_call(fixture_checkpoint) < 0);
	ASSERT(strstr(fixture_task.error, "/runc: argument list too long path= "));
	ASSERT(!fixture_exists("argv"));
	fixture_end();
}

/* ---- pause, resume, update ---- */

TEST(pause_and_resume)
{
	fixture_begin("runc", "");
	ASSERT_EQ(fixture_call(fixture_pause), 0);
	expect_words("pause one");
	ASSERT_EQ(fixture_call(fixture_resume), 0);
	expect_words("resume one");
	fixture_script("runc", record);
	fixture_failed(fixture_pause, RUNTIME_UNKNOWN, "OCI runtime pause failed: why not");
	fixture_failed(fixture_resume, RUNTIME_UNKNOWN, "OCI runtime resume failed: why not");
	fixture_end();
}

TEST(update)
{
	char text[256];

	fixture_begin("runc", "cat >$top/resources");
	fixture_json("{\"memory\":{\"limit\":18446744073709551615}}");
	ASSERT_EQ(fixture_call(fixture_update), 0);
	expect_words("update --resources=- one");
	fixture_expect("resources", "{\"memory\":{\"limit\":18446744073709551615}}");
	/* the log is not looked at */
	fixture_script("runc", "echo '{\"level\":\"error\",\"msg\":\"no\"}' >>$log\n"
			       "echo 'container not running' >&2; exit 1");
	snprintf(text, sizeof(text),
		 "%s/runc did not terminate successfully: exit status 1: container not running",
		 fixture_top);
	fixture_failed(fixture_update, RUNTIME_UNKNOWN, text);
	fixture_end();
}

TEST(update_refused)
{
	fixture_begin("runc", "");
	fixture_json("{\"memory\":");
	fixture_failed(fixture_update, RUNTIME_INVALID_ARGUMENT,
		       "resources: JSON: line 1: unexpected token near end of file: "
		       "invalid argument");
	fixture_json("null");
	fixture_failed(fixture_update, RUNTIME_INVALID_ARGUMENT,
		       "resources: JSON: line 1: '[' or '{' expected near 'null': "
		       "invalid argument");
	ASSERT(!fixture_exists("argv"));
	fixture_end();
}

/* ---- remove ---- */

TEST(delete_of_what_a_checkpoint_ended)
{
	fixture_begin("runc", "echo 'container does not exist' >&2; exit 1");
	ASSERT_EQ(fixture_call(fixture_remove), 0);
	expect_words("delete one");
	fixture_script("runc", record);
	fixture_failed(fixture_remove, RUNTIME_UNKNOWN, "failed to delete task: why not");
	fixture_end();
}
