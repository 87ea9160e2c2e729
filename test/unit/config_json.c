/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.json: what is taken from it, what may be absent, and the one line that says what is wrong.
 */
#include "shim/config_json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test/test.h"

static struct failure failure;

static int read_bytes(const char *bytes, size_t size, struct config_json *ret_config)
{
	char path[] = "/tmp/mote-config-XXXXXX";
	int fd = mkstemp(path), r;

	ASSERT_EQ(write(fd, bytes, size), (ssize_t)size);
	close(fd);
	r = config_json_read(path, ret_config, &failure);
	unlink(path);
	return r;
}

static struct config_json read_good(const char *text)
{
	struct config_json config;

	ASSERT_EQ(read_bytes(text, strlen(text), &config), 0);
	return config;
}

static void refused(const char *text, const char *reason)
{
	struct config_json config = {.cwd = (char *)(uintptr_t) "untouched"};

	ASSERT_EQ(read_bytes(text, strlen(text), &config), FAILURE_REFUSED);
	ASSERT_STR(failure.text, reason);
	ASSERT_STR(config.cwd, "untouched");
}

TEST(process_and_root)
{
	struct config_json config = read_good(
		"{\"process\": {\"args\": [\"sh\", \"-c\"], \"env\": [\"A=1\"], \"cwd\": \"/w\"},"
		" \"root\": {\"path\": \"rootfs\"}}");

	ASSERT_STR(config.args[0], "sh");
	ASSERT_STR(config.args[1], "-c");
	ASSERT(!config.args[2]);
	ASSERT_STR(config.env[0], "A=1");
	ASSERT(!config.env[1]);
	ASSERT_STR(config.cwd, "/w");
	ASSERT_STR(config.root, "rootfs");
	config_json_deinit(&config);
}

TEST(all_of_it_may_be_absent)
{
	struct config_json config = read_good("{}");

	ASSERT(!config.group && !config.root && !config.private_pid_namespace);
	ASSERT(!config.args[0] && !config.env[0]);
	ASSERT_STR(config.cwd, "/");
	config_json_deinit(&config);
	config = read_good("{\"annotations\": null, \"process\": null, \"root\": null, "
			   "\"linux\": {\"namespaces\": null}}");
	ASSERT(!config.args[0]);
	config_json_deinit(&config);
}

TEST(group)
{
	struct config_json config =
		read_good("{\"annotations\": {\"io.kubernetes.cri.sandbox-id\": \"pod\"}}");

	ASSERT_STR(config.group, "pod");
	config_json_deinit(&config);
	config = read_good("{\"annotations\": {\"io.kubernetes.cri.sandbox-id\": \"pod\","
			   " \"io.containerd.runc.v2.group\": \"mine\"}}");
	ASSERT_STR(config.group, "mine");
	config_json_deinit(&config);
}

TEST(cgroups_path)
{
	struct config_json config = read_good("{\"linux\": {\"cgroupsPath\": \"/a/b\"}}");

	ASSERT_STR(config.cgroups_path, "/a/b");
	config_json_deinit(&config);
	config = read_good("{\"linux\": {}}");
	ASSERT(!config.cgroups_path);
	config_json_deinit(&config);
}

static bool private_pids(const char *namespaces)
{
	char text[256];
	struct config_json config;
	bool result;

	snprintf(text, sizeof(text), "{\"linux\": {\"namespaces\": %s}}", namespaces);
	config = read_good(text);
	result = config.private_pid_namespace;
	config_json_deinit(&config);
	return result;
}

TEST(pid_namespace)
{
	ASSERT(private_pids("[{\"type\": \"mount\"}, {\"type\": \"pid\"}]"));
	ASSERT(private_pids("[{\"type\": \"pid\", \"path\": \"\"}]"));
	ASSERT(!private_pids("[{\"type\": \"pid\", \"path\": \"/proc/1/ns/pid\"}]"));
	ASSERT(!private_pids("[{\"type\": \"mount\"}]"));
	ASSERT(!private_pids("[]"));
	ASSERT(!private_pids("[1, null, {\"type\": 3}]"));
}

TEST(missing_file)
{
	struct config_json config;

	ASSERT_EQ(config_json_read("/no/such/config.json", &config, &failure), -ENOENT);
}

TEST(not_a_file)
{
	struct config_json config;

	ASSERT_EQ(config_json_read("/tmp", &config, &failure), FAILURE_REFUSED);
	ASSERT_STR(failure.text, "config.json: not a regular file");
	ASSERT_EQ(config_json_read("/proc/self/exe", &config, &failure), FAILURE_REFUSED);
	ASSERT_STR(failure.text, "open config.json: too many levels of symbolic links");
}

TEST(malformed)
{
	refused("", "config.json: line 1: '[' or '{' expected near end of file");
	refused("{\n\"a\": 1,\n\"b\" 2}", "config.json: line 3: ':' expected near '2'");
	refused("{} {}", "config.json: line 1: end of file expected near '{'");
	refused("[]", "config.json: it is not an object");
	refused("{\"a\": \"\xff\"}", "config.json: line 1: unable to decode byte 0xff near '\"'");
}

TEST(wrong_types)
{
	refused("{\"process\": []}", "config.json: process is not an object");
	refused("{\"process\": {\"args\": \"sh\"}}",
		"config.json: process.args is not a list of strings");
	refused("{\"process\": {\"args\": [\"sh\", 1]}}",
		"config.json: process.args is not a list of strings");
	refused("{\"process\": {\"cwd\": 1}}", "config.json: process.cwd is not a string");
	refused("{\"root\": {\"path\": {}}}", "config.json: root.path is not a string");
	refused("{\"linux\": {\"namespaces\": {}}}", "config.json: linux.namespaces is not a list");
	refused("{\"linux\": {\"cgroupsPath\": 1}}",
		"config.json: linux.cgroupsPath is not a string");
	refused("{\"annotations\": {\"io.containerd.runc.v2.group\": 1}}",
		"config.json: io.containerd.runc.v2.group is not a string");
}

/* No limit is written as the largest number of 64 bits without a sign. */
TEST(numbers_of_others_do_not_matter)
{
	struct config_json config = read_good(
		"{\"process\": {\"args\": [\"sh\"], \"rlimits\": [{\"type\": "
		"\"RLIMIT_CORE\", \"hard\": 18446744073709551615, \"soft\": "
		"18446744073709551615}]}, \"linux\": {\"n\": [-9223372036854775809, 1.5e3]}}");

	ASSERT_STR(config.args[0], "sh");
	config_json_deinit(&config);
}

/* A string of C would end there; elsewhere it is nobody's concern here. */
TEST(zero_in_a_string)
{
	struct config_json config = read_good("{\"annotations\": {\"a\": \"b\\u0000c\"}}");

	config_json_deinit(&config);
	refused("{\"root\": {\"path\": \"a\\u0000b\"}}", "config.json: root.path is not a string");
	refused("{\"process\": {\"args\": [\"sh\", \"\\u0000\"]}}",
		"config.json: process.args is not a list of strings");
	refused("{\"annotations\": {\"io.containerd.runc.v2.group\": \"x\\u0000\"}}",
		"config.json: io.containerd.runc.v2.group is not a string");
}

/* Nesting costs the parser stack: jansson's limit has to be there. */
TEST(deep_nesting)
{
	size_t size = 1u << 20;
	char *text = malloc(size);
	struct config_json config;

	memset(text, '[', size);
	ASSERT_EQ(read_bytes(text, size, &config), FAILURE_REFUSED);
	ASSERT_STR(failure.text, "config.json: line 1: maximum parsing depth reached near '['");
	free(text);
}

TEST(too_large)
{
	char path[] = "/tmp/mote-config-XXXXXX";
	struct config_json config;
	int fd = mkstemp(path);

	ASSERT_EQ(ftruncate(fd, (off_t)CONFIG_JSON_SIZE_MAX + 1), 0);
	close(fd);
	ASSERT_EQ(config_json_read(path, &config, &failure), FAILURE_REFUSED);
	ASSERT_STR(failure.text, "config.json: larger than 16777216 bytes");
	unlink(path);
}

/* No prefix of a good file is good, and none crashes the reader. */
TEST(cut_off_anywhere)
{
	static const char text[] =
		"{\"annotations\": {\"io.containerd.runc.v2.group\": \"g\"}, \"process\": "
		"{\"args\":"
		" [\"a\\u00e9\", \"b\"], \"env\": []}, \"linux\": {\"namespaces\": [{\"type\": "
		"\"pid\"}]}}";
	struct config_json config;

	for (size_t size = 0; size < sizeof(text) - 1; size++)
		ASSERT_EQ(read_bytes(text, size, &config), FAILURE_REFUSED);
	config = read_good(text);
	ASSERT_STR(config.args[0], "a\xc3\xa9");
	config_json_deinit(&config);
}
