/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes of which each says where it belongs: numbers of eight bytes, counted from 0.
 *
 *     pattern write BYTES [PIECE]   to standard output, in writes of PIECE bytes (65536)
 *     pattern read BYTES [FILE...]  from standard input: exactly these; stops at each tenth of them
 *                                   until FILE is there (the next FILE at the next tenth)
 *
 * Ends with 0, or with 1 and a line that says what is wrong and where. BYTES and PIECE are multiples
 * of eight.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATTERN_BUFFER (1024 * 1024)

static uint64_t buffer[PATTERN_BUFFER / sizeof(uint64_t)];

static int fail(const char *what, uint64_t at)
{
	fprintf(stderr, "pattern: %s at byte %llu\n", what, (unsigned long long)at);
	return 1;
}

static int pattern_write(uint64_t size, size_t piece)
{
	for (uint64_t done = 0; done < size;) {
		size_t rest = size - done < piece ? (size_t)(size - done) : piece;
		const char *at = (const char *)buffer;

		for (size_t i = 0; i < rest / sizeof(*buffer); i++)
			buffer[i] = done / sizeof(*buffer) + i;
		done += rest;
		while (rest > 0) {
			ssize_t n = write(STDOUT_FILENO, at, rest);

			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0)
				return fail(strerror(errno), done - rest);
			at += n;
			rest -= (size_t)n;
		}
	}
	return 0;
}

/* Whether the bytes are those from `at` on; they need not begin with a whole number. */
static int pattern_check(const unsigned char *bytes, size_t size, uint64_t at)
{
	for (size_t i = 0; i < size; i++) {
		uint64_t number = (at + i) / sizeof(number);
		unsigned char expected;

		memcpy(&expected, (unsigned char *)&number + (at + i) % sizeof(number), 1);
		if (bytes[i] != expected)
			return fail("another byte than expected", at + i);
	}
	return 0;
}

static void wait_for_file(const char *path)
{
	static const struct timespec step = {.tv_nsec = 10000000};

	while (access(path, F_OK) < 0)
		nanosleep(&step, NULL);
}

static int pattern_read(uint64_t size, char **files)
{
	uint64_t tenth = size / 10, next = tenth;

	for (uint64_t done = 0;;) {
		ssize_t n = read(STDIN_FILENO, buffer, sizeof(buffer));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(strerror(errno), done);
		if (n == 0)
			return done == size ? 0 : fail("the end", done);
		if (pattern_check((unsigned char *)buffer, (size_t)n, done) != 0)
			return 1;
		done += (uint64_t)n;
		if (done > size)
			return fail("more than expected", size);
		for (; done >= next && *files; next += tenth)
			wait_for_file(*files++);
	}
}

int main(int argc, char **argv)
{
	size_t piece = 65536;

	if (argc >= 3 && strcmp(argv[1], "read") == 0)
		return pattern_read(strtoull(argv[2], NULL, 10), argv + 3);
	if (argc >= 4)
		piece = (size_t)strtoull(argv[3], NULL, 10);
	if (argc >= 3 && strcmp(argv[1], "write") == 0 && piece > 0 && piece <= sizeof(buffer))
		return pattern_write(strtoull(argv[2], NULL, 10), piece);
	fputs("usage: pattern write BYTES [PIECE] | read BYTES [FILE...]\n", stderr);
	return 2;
}
