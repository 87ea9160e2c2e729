/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runtime options through all their forms: sent, kept, written, and as TOML.
 */
#include "shim/runc_options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/runtimeoptions.pb-c.h"
#include "shim/config.h"
#include "shim/file.h"
#include "shim/log.h"
#include "test/test.h"

typedef Containerd__Runc__V1__Options options_message;

static struct failure failure;
static char folder[] = "/tmp/mote-options-XXXXXX";

static void enter_folder(void)
{
	ASSERT(mkdtemp(folder));
	ASSERT_EQ(chdir(folder), 0);
}

static void leave_folder(void)
{
	unlink("options.json");
	unlink("runtime");
	unlink("file");
	ASSERT_EQ(chdir("/"), 0);
	ASSERT_EQ(rmdir(folder), 0); /* nothing else is left */
}

static void write_file(const char *name, const char *text)
{
	FILE *file = fopen(name, "we");

	ASSERT(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void expect_file(const char *name, const char *text)
{
	struct stat status;
	char *found;
	size_t size;

	ASSERT_EQ(file_read(name, 0, 4096, &found, &size), 0);
	ASSERT_STR(found, text);
	free(found);
	ASSERT_EQ(stat(name, &status), 0);
	ASSERT_EQ(status.st_mode & 07777, 0600);
}

/* Strings of it must not be freed as if they were decoded. */
static options_message sample(void)
{
	options_message options = CONTAINERD__RUNC__V1__OPTIONS__INIT;

	options.no_pivot_root = true;
	options.io_uid = 1000;
	options.binary_name = (char *)(uintptr_t) "/usr/bin/crun";
	options.root = (char *)(uintptr_t) "/run/x \"q\"";
	options.systemd_cgroup = true;
	return options;
}

static void expect_sample(const options_message *options)
{
	ASSERT(options->no_pivot_root && options->systemd_cgroup && !options->no_new_keyring);
	ASSERT_EQ(options->io_uid, 1000);
	ASSERT_EQ(options->io_gid, 0);
	ASSERT_STR(options->binary_name, "/usr/bin/crun");
	ASSERT_STR(options->root, "/run/x \"q\"");
	ASSERT_STR(options->shim_cgroup, "");
}

static int decode(const char *type, const void *value, size_t size, options_message **ret_options)
{
	struct runtime_task task = {.id = "one",
				    .options = {.type_url = type, .value = value, .size = size}};

	return runc_options_decode(&task, ret_options, &failure);
}

TEST(decode_sent)
{
	static const char *const types[] = {
		"containerd.runc.v1.Options",
		"type.googleapis.com/containerd.runc.v1.Options",
		"a/b/containerd.runc.v1.Options",
	};
	options_message message = sample(), *options;
	unsigned char bytes[256];
	size_t size = containerd__runc__v1__options__pack(&message, bytes);

	for (size_t i = 0; i < 3; i++) {
		ASSERT_EQ(decode(types[i], bytes, size, &options), 0);
		expect_sample(options);
		runc_options_free(options);
	}
}

TEST(decode_nothing)
{
	options_message *options;

	ASSERT_EQ(decode("", NULL, 0, &options), 0);
	ASSERT_STR(options->binary_name, "");
	runc_options_free(options);
	ASSERT_EQ(decode("some.other.Type", NULL, 0, &options), 0);
	runc_options_free(options);
}

TEST(decode_refused)
{
	options_message *options;

	ASSERT_EQ(decode("some.other.Type", "x", 1, &options), FAILURE_REFUSED);
	ASSERT_STR(failure.text, "runtime options of type \"some.other.Type\" are not understood");
	ASSERT_EQ(decode("containerd.runc.v1.Options", "\xff", 1, &options), FAILURE_REFUSED);
	ASSERT_STR(failure.text, "runtime options: not a valid message");
	ASSERT_EQ(decode("runtimeoptions.v1.Options", "\xff", 1, &options), FAILURE_REFUSED);
}

/* Any bytes: refused or decoded, never more. */
TEST(decode_random)
{
	unsigned char bytes[64];
	unsigned state = 1;

	for (int round = 0; round < 20000; round++) {
		options_message *options = NULL;
		size_t size = (size_t)round % sizeof(bytes);

		for (size_t i = 0; i < size; i++) {
			state = state * 1103515245u + 12345u;
			bytes[i] = (unsigned char)(state >> 16);
		}
		if (decode("containerd.runc.v1.Options", bytes, size, &options) == 0)
			runc_options_free(options);
		if (decode("runtimeoptions.v1.Options", bytes, size, &options) == 0)
			runc_options_free(options);
	}
}

static int decode_generic(const char *path, const char *body, options_message **ret_options)
{
	Runtimeoptions__V1__Options message = RUNTIMEOPTIONS__V1__OPTIONS__INIT;
	unsigned char bytes[512];
	size_t size;

	message.type_url = (char *)(uintptr_t) "anything";
	message.config_path = (char *)(uintptr_t)path;
	message.config_body.data = (uint8_t *)(uintptr_t)body;
	message.config_body.len = strlen(body);
	size = runtimeoptions__v1__options__pack(&message, bytes);
	return decode("runtimeoptions.v1.Options", bytes, size, ret_options);
}

TEST(decode_generic_options)
{
	options_message *options;

	ASSERT_EQ(decode_generic("", "", &options), 0);
	ASSERT_STR(options->binary_name, "");
	runc_options_free(options);
	ASSERT_EQ(decode_generic("/no/such", "BinaryName = 'crun'", &options), 0);
	ASSERT_STR(options->binary_name, "crun");
	runc_options_free(options);
	ASSERT_EQ(decode_generic("/no/such", "", &options), FAILURE_REFUSED);
	ASSERT_STR(failure.text, "open /no/such: no such file or directory");
	enter_folder();
	write_file("file", "BinaryName = \"crun\"\nSystemdCgroup = true\n");
	ASSERT_EQ(decode_generic("file", "", &options), 0);
	ASSERT_STR(options->binary_name, "crun");
	ASSERT(options->systemd_cgroup);
	runc_options_free(options);
	write_file("file", "# of crun\nBinaryName = crun\n");
	ASSERT_EQ(decode_generic("file", "", &options), FAILURE_REFUSED);
	ASSERT_STR(failure.text, "file: line 2: a string is wanted");
	leave_folder();
}

TEST(kept_and_loaded)
{
	static struct runtime_task task;
	options_message message = sample(), *options;

	task.bundle = "/no/such";
	ASSERT_EQ(runc_options_keep(&message, &task, &failure), 0);
	ASSERT_EQ(runc_options_load(&task, &options, &failure), 0);
	expect_sample(options);
	runc_options_free(options);
	/* Nothing but defaults is kept too: it is not the same as nothing kept. */
	containerd__runc__v1__options__init(&message);
	ASSERT_EQ(runc_options_keep(&message, &task, &failure), 0);
	ASSERT_EQ(task.state_size, 3);
	ASSERT_EQ(runc_options_load(&task, &options, &failure), 0);
	ASSERT_STR(options->binary_name, "");
	runc_options_free(options);
	task.state[0] = 9;
	ASSERT_EQ(runc_options_load(&task, &options, &failure), FAILURE_REFUSED);
}

TEST(text_beside_the_options)
{
	static struct runtime_task task;
	options_message message = sample(), *options;
	char text[RUNTIME_STATE_MAX];

	task.bundle = "/no/such";
	runc_options_keep_more(&task, "lost: there are no options");
	ASSERT_EQ(task.state_size, 0);
	ASSERT(!runc_options_more(&task));
	ASSERT_EQ(runc_options_keep(&message, &task, &failure), 0);
	ASSERT(!runc_options_more(&task));
	runc_options_keep_more(&task, "/sys/fs/cgroup/one");
	ASSERT_STR(runc_options_more(&task), "/sys/fs/cgroup/one");
	runc_options_keep_more(&task, "/two");
	ASSERT_STR(runc_options_more(&task), "/two");
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	runc_options_keep_more(&task, text);
	ASSERT_STR(runc_options_more(&task), "/two");
	ASSERT_EQ(runc_options_load(&task, &options, &failure), 0);
	expect_sample(options);
	runc_options_free(options);
}

/* What was kept may have been cut short with the bundle's disk full. */
TEST(kept_and_cut)
{
	static struct runtime_task task;
	options_message message = sample(), *options;
	size_t whole;

	task.bundle = "/no/such";
	ASSERT_EQ(runc_options_keep(&message, &task, &failure), 0);
	whole = task.state_size;
	runc_options_keep_more(&task, "/one");
	for (task.state_size--; task.state_size > whole; task.state_size--)
		ASSERT(!runc_options_more(&task));
	for (task.state_size--; task.state_size > 0; task.state_size--)
		ASSERT_EQ(runc_options_load(&task, &options, &failure), FAILURE_REFUSED);
}

TEST(too_long_to_keep)
{
	static struct runtime_task task;
	options_message message = sample();
	char name[RUNTIME_STATE_MAX + 1];

	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	message.binary_name = name;
	ASSERT_EQ(runc_options_keep(&message, &task, &failure), FAILURE_REFUSED);
	ASSERT_STR(failure.text, "runtime options are longer than 4093 bytes");
	ASSERT_EQ(task.state_size, 0);
}

TEST(files_are_those_of_the_stock_shim)
{
	options_message message = sample();

	enter_folder();
	ASSERT_EQ(runc_options_write(&message, ".", &failure), 0);
	expect_file("options.json", "{\"no_pivot_root\":true,\"io_uid\":1000,"
				    "\"binary_name\":\"/usr/bin/crun\","
				    "\"root\":\"/run/x \\\"q\\\"\",\"systemd_cgroup\":true}");
	expect_file("runtime", "/usr/bin/crun");
	containerd__runc__v1__options__init(&message);
	ASSERT_EQ(runc_options_write(&message, ".", &failure), 0);
	expect_file("options.json", "{}");
	expect_file("runtime", "");
	leave_folder();
}

TEST(files_where_nothing_can_be_written)
{
	options_message message = sample();

	ASSERT_EQ(runc_options_write(&message, "/no/such", &failure), FAILURE_REFUSED);
	ASSERT_STR(failure.text, "open /no/such/options.json: no such file or directory");
}

static int load_folder(options_message **ret_options)
{
	static struct runtime_task task;

	task.bundle = ".";
	return runc_options_load(&task, ret_options, &failure);
}

TEST(files_read_back)
{
	options_message message = sample(), *options;

	enter_folder();
	ASSERT_EQ(load_folder(&options), 0); /* neither file is there */
	ASSERT_STR(options->root, "");
	runc_options_free(options);
	ASSERT_EQ(runc_options_write(&message, ".", &failure), 0);
	ASSERT_EQ(load_folder(&options), 0);
	expect_sample(options);
	runc_options_free(options);
	/* `runtime` has the last word, as with the stock shim; unknown keys do not matter. */
	write_file("runtime", "other");
	write_file("options.json", "{\"binary_name\":\"crun\",\"criu_path\":\"x\",\"io_gid\":7}");
	ASSERT_EQ(load_folder(&options), 0);
	ASSERT_STR(options->binary_name, "other");
	ASSERT_EQ(options->io_gid, 7);
	runc_options_free(options);
	leave_folder();
}

TEST(files_malformed)
{
	options_message *options;

	enter_folder();
	write_file("options.json", "{\n\"root\": }");
	ASSERT_EQ(load_folder(&options), FAILURE_REFUSED);
	ASSERT_STR(failure.text, "options.json: line 2: unexpected token near '}'");
	write_file("options.json", "{\"io_uid\": -1}");
	ASSERT_EQ(load_folder(&options), FAILURE_REFUSED);
	ASSERT_STR(failure.text, "options.json: io_uid has the wrong type");
	write_file("options.json", "{\"root\": 1}");
	ASSERT_EQ(load_folder(&options), FAILURE_REFUSED);
	ASSERT_EQ(unlink("options.json"), 0);
	ASSERT_EQ(symlink("runtime", "options.json"), 0);
	ASSERT_EQ(load_folder(&options), FAILURE_REFUSED);
	ASSERT_STR(failure.text, "open ./options.json: too many levels of symbolic links");
	leave_folder();
}

static void toml_refused(const char *text, const char *reason)
{
	options_message *options;

	ASSERT_EQ(decode_generic("", text, &options), FAILURE_REFUSED);
	ASSERT_STR(failure.text, reason);
}

TEST(toml)
{
	options_message *options;

	ASSERT_EQ(decode_generic("",
				 "# comment\r\n\r\n"
				 "  BinaryName = \"/opt/\\\"x\\\"\"  # why\n"
				 "root='C:\\x'\n"
				 "\"SystemdCgroup\" = true\n"
				 "IoUid = 1_000\n"
				 "io_gid = 0x10\n"
				 "NoPivotRoot=false\n"
				 "Unknown = 3.5\n"
				 "[table]\n"
				 "BinaryName = [ not ours",
				 &options),
		  0);
	ASSERT_STR(options->binary_name, "/opt/\"x\"");
	ASSERT_STR(options->root, "C:\\x");
	ASSERT(options->systemd_cgroup && !options->no_pivot_root);
	ASSERT_EQ(options->io_uid, 1000);
	ASSERT_EQ(options->io_gid, 16);
	runc_options_free(options);
}

TEST(toml_refused)
{
	toml_refused("\nBinaryName", "runtime options: line 2: key = value is wanted");
	toml_refused("= 1", "runtime options: line 1: key = value is wanted");
	toml_refused("[foo", "runtime options: line 1: a table's name does not end");
	toml_refused("BinaryName =\n", "runtime options: line 1: a value is missing");
	toml_refused("BinaryName = crun", "runtime options: line 1: a string is wanted");
	toml_refused("BinaryName = \"crun", "runtime options: line 1: a string does not end");
	toml_refused("BinaryName = \"crun\" x",
		     "runtime options: line 1: something follows the value");
	toml_refused("BinaryName = \"\\x\"",
		     "runtime options: line 1: an escape sequence is not supported");
	toml_refused("BinaryName = \"\"\"x\"\"\"",
		     "runtime options: line 1: a string of several lines is not supported");
	toml_refused("SystemdCgroup = \"true\"", "runtime options: line 1: a boolean is wanted");
	toml_refused("IoUid = 4294967296",
		     "runtime options: line 1: an integer from 0 to 4294967295 is wanted");
	toml_refused("IoUid = -1",
		     "runtime options: line 1: an integer from 0 to 4294967295 is wanted");
	toml_refused("Unknown = [1]",
		     "runtime options: line 1: not a string, a boolean or an integer");
}

#define KEY_64 "k23456789012345678901234567890123456789012345678901234567890abcd"

static void expect_warning(FILE *log, int line, const char *key)
{
	char text[1024], message[256];

	snprintf(message, sizeof(message),
		 " level=warning msg=\"file: line %d: unknown key \\\"%s\\\"\" id=one ", line, key);
	ASSERT(fgets(text, sizeof(text), log));
	if (!strstr(text, message))
		test_fail(__FILE__, __LINE__, "%s is not in %s", message, text);
}

/* A line each, the first eight of them; and one for what is in tables. */
TEST(toml_unknown_keys)
{
	static const char *const keys[] = {"c", "d", "e", "f", "g"};
	const struct runtime runtime = {.name = "io.containerd.mote.v2"};
	const struct shim_config config = {.runtime = &runtime, .namespace_ = "ns"};
	options_message *options;
	char text[1024];
	int ends[2];
	FILE *log;

	enter_folder();
	write_file("file", "\nBinaryNam = 'crun'\nroot = '/r'\n\"quoted\" = 1\n" KEY_64 "x = 1\n"
			   "c=1\nd=1\ne=1\nf=1\ng=1\nh=1\nBinaryName = 'b'\n[Table]\ni=1\n");
	ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
	log_open(&config, ends[1], false);
	ASSERT_EQ(decode_generic("file", "", &options), 0);
	ASSERT_STR(options->root, "/r");
	ASSERT_STR(options->binary_name, "b");
	runc_options_free(options);
	close(ends[1]);
	log = fdopen(ends[0], "r");
	ASSERT(log);
	expect_warning(log, 2, "BinaryNam");
	expect_warning(log, 4, "quoted");
	expect_warning(log, 5, KEY_64);
	for (int i = 0; i < 5; i++)
		expect_warning(log, 6 + i, keys[i]);
	ASSERT(fgets(text, sizeof(text), log));
	ASSERT(strstr(
		text,
		" level=warning msg=\"file: line 13: tables, and all behind, are not read\" "));
	ASSERT_EQ(fgetc(log), EOF);
	fclose(log);
	leave_folder();
}
