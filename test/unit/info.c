/* SPDX-License-Identifier: Apache-2.0 */
/* -info and -v: answered without a bundle, a namespace or an id. */
#include "proto/google/protobuf/any.pb-c.h"
#include "proto/runtime_info.pb-c.h"
#include "shim/version.h"
#include "test/unit/program.h"

#define NAME "io.containerd.test.v2"
#define JSON "{\"ociVersionMin\":\"1.0.0\"}"
#define FEATURES_TYPE "types.containerd.io/opencontainers/runtime-spec/1/features/Features"

static int features_write(struct runtime_task *task, int fd)
{
	(void)task;
	return write(fd, JSON, strlen(JSON)) == (ssize_t)strlen(JSON) ? 0 : -EIO;
}

/* Shows that the options come through. */
static int features_echo(struct runtime_task *task, int fd)
{
	ASSERT_STR(task->options.type_url, "containerd.runc.v1.Options");
	return write(fd, task->options.value, task->options.size) < 0 ? -errno : 0;
}

static int features_lacking(struct runtime_task *task, int fd)
{
	ASSERT_EQ(write(fd, "usage", 5), 5);
	return runtime_fail(task, RUNTIME_UNIMPLEMENTED, "no such command");
}

static int features_missing(struct runtime_task *task, int fd)
{
	(void)fd;
	return runtime_fail(task, RUNTIME_NOT_FOUND,
			    "exec: \"crun\": executable file not found in $PATH");
}

static Containerd__Types__RuntimeInfo *info_get(int (*features)(struct runtime_task *, int),
						const void *input, size_t size)
{
	const struct runtime runtime = {.name = NAME, .features = features};
	struct program program = {.runtime = &runtime, .input = input, .input_size = size};

	program_run(&program, "shim -info");
	ASSERT_STR(program.err, "");
	ASSERT_EQ(program.status, 0);
	Containerd__Types__RuntimeInfo *info = containerd__types__runtime_info__unpack(
		NULL, program.out_size, (const uint8_t *)program.out);
	ASSERT(info && info->version);
	ASSERT_STR(info->name, NAME);
	ASSERT_STR(info->version->version, SHIM_VERSION);
	ASSERT_STR(info->version->revision, shim_revision);
	ASSERT_EQ(info->n_annotations, 0);
	return info;
}

TEST(without_features)
{
	static int (*const none[])(struct runtime_task *, int) = {NULL, features_lacking};
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		Containerd__Types__RuntimeInfo *info = info_get(none[i], "", 0);
		ASSERT(!info->options && !info->features);
		protobuf_c_message_free_unpacked(&info->base, NULL);
	}
}

TEST(with_features)
{
	Containerd__Types__RuntimeInfo *info = info_get(features_write, "", 0);
	ASSERT(!info->options && info->features);
	ASSERT_STR(info->features->type_url, FEATURES_TYPE);
	ASSERT_EQ(info->features->value.len, strlen(JSON));
	ASSERT_MEM(info->features->value.data, JSON, strlen(JSON));
	protobuf_c_message_free_unpacked(&info->base, NULL);
}

/* Options with binary_name "crun". */
#define ANY                                                                                        \
	"\x0a\x1a"                                                                                 \
	"containerd.runc.v1.Options"                                                               \
	"\x12\x06\x32\x04"                                                                         \
	"crun"

TEST(options_are_given_back)
{
	Containerd__Types__RuntimeInfo *info = info_get(features_echo, ANY, sizeof(ANY) - 1);
	ASSERT(info->options && info->features);
	ASSERT_STR(info->options->type_url, "containerd.runc.v1.Options");
	ASSERT_EQ(info->options->value.len, 6);
	ASSERT_MEM(info->options->value.data,
		   "\x32\x04"
		   "crun",
		   6);
	ASSERT_EQ(info->features->value.len, 6);
	ASSERT_MEM(info->features->value.data,
		   "\x32\x04"
		   "crun",
		   6);
	protobuf_c_message_free_unpacked(&info->base, NULL);
}

TEST(runtime_that_is_not_there)
{
	const struct runtime runtime = {.name = NAME, .features = features_missing};
	struct program program = {.runtime = &runtime};

	program_run(&program, "shim -info");
	ASSERT_EQ(program.status, 1);
	ASSERT_EQ(program.out_size, 0);
	ASSERT_STR(program.err, NAME ": exec: \"crun\": executable file not found in $PATH");
}

TEST(malformed_input)
{
	const struct runtime runtime = {.name = NAME};
	struct program program = {.runtime = &runtime, .input = "\x0a\x05", .input_size = 2};

	program_run(&program, "shim -info");
	ASSERT_EQ(program.status, 1);
	ASSERT_EQ(program.out_size, 0);
	ASSERT_STR(program.err, NAME ": bootstrap parameters on standard input are malformed");
}

TEST(versions)
{
	static const char *const lines[] = {"/usr/bin/the-shim -v", "/usr/bin/the-shim -version",
					    "/usr/bin/the-shim -info -v start"};
	const struct runtime runtime = {.name = NAME};
	char expected[256];

	snprintf(expected, sizeof(expected),
		 "the-shim:\n  Version:  " SHIM_VERSION "\n  Revision: %s\n  Runtime:  " NAME
		 "\n\n",
		 shim_revision);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct program program = {.runtime = &runtime};
		program_run(&program, lines[i]);
		ASSERT_EQ(program.status, 0);
		ASSERT_STR(program.err, "");
		ASSERT_STR(program.out, expected);
	}
}

TEST(help)
{
	const struct runtime runtime = {.name = NAME};
	struct program program = {.runtime = &runtime};

	program_run(&program, "/usr/bin/the-shim -h");
	ASSERT_EQ(program.status, 0);
	ASSERT_EQ(program.out_size, 0);
	ASSERT(strncmp(program.err, "Usage of the-shim:\n", 19) == 0);
}
