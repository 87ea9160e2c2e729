/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target without a fuzzer: see fuzz.h. The program's name says which target it is. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test/fuzz/fuzz.h"
#include "test/test.h"

#define INPUT_MAX 65536

typedef void (*input_fn)(const uint8_t *bytes, size_t size);

/* In memory of its own, so that a byte too far is one too far for the sanitizer. */
static void give(const uint8_t *bytes, size_t size)
{
	uint8_t *copy = malloc(size + (size == 0));

	ASSERT(copy);
	memcpy(copy, bytes, size);
	ASSERT_EQ(LLVMFuzzerTestOneInput(copy, size), 0);
	free(copy);
}

static void give_cut_off(const uint8_t *bytes, size_t size)
{
	for (size_t cut = 0; cut < size; cut += 1 + size / 512)
		give(bytes, cut);
}

static void give_turned_over(const uint8_t *bytes, size_t size)
{
	uint8_t *copy = malloc(size + (size == 0));

	memcpy(copy, bytes, size);
	for (size_t at = 0; at < size; at += 1 + size / 200) {
		for (int bit = 0; bit < 8; bit++) {
			copy[at] ^= (uint8_t)(1 << bit);
			give(copy, size);
			copy[at] = bytes[at];
		}
	}
	free(copy);
}

static void read_input(int folder, const char *name, input_fn use)
{
	static uint8_t bytes[INPUT_MAX];
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, bytes, sizeof(bytes));

	ASSERT(fd >= 0 && n >= 0 && n < INPUT_MAX);
	close(fd);
	use(bytes, (size_t)n);
}

static void replay(input_fn use)
{
	const char *slash = strrchr(program_invocation_name, '/');
	char path[PATH_MAX];
	struct dirent *entry;
	int n = 0;

	snprintf(path, sizeof(path), "test/fuzz/%s", slash ? slash + 1 : program_invocation_name);
	DIR *folder = opendir(path);
	if (!folder)
		SKIP("no folder %s: run in the tree's", path);
	while ((entry = readdir(folder))) {
		if (entry->d_name[0] == '.')
			continue;
		read_input(dirfd(folder), entry->d_name, use);
		n++;
	}
	closedir(folder);
	ASSERT(n > 0);
}

TEST(fuzz_inputs)
{
	replay(give);
}

TEST(fuzz_inputs_cut_off)
{
	replay(give_cut_off);
}

TEST(fuzz_inputs_turned_over)
{
	replay(give_turned_over);
}
