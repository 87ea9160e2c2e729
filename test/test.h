/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_TEST_H
#define TEST_TEST_H
/*
 * The unit tests' runner: a program is a file of TEST()s, linked with test/test.c.
 *
 *     TEST(adds_up)
 *     {
 *             ASSERT_EQ(1 + 1, 2);
 *     }
 *
 * Every TEST runs in a forked child of its own. The child's time is limited; the descriptors and
 * child processes that it leaves behind are failures. ASSERT ends the process that it is in, which
 * may also be a process that the test forked: the test has failed then, whatever follows.
 *
 * Usage: PROGRAM [substring of the names to be run]
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct test {
	const char *name;
	int line; /* tests run in the order of the file, whatever the order of constructors */
	void (*run)(void);
	struct test *next;
};

void test_register(struct test *test);

_Noreturn void test_fail(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
_Noreturn void test_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));
void test_equal(const char *file, int line, const char *what, intmax_t left, intmax_t right);
void test_equal_string(const char *file, int line, const char *what, const char *left,
		       const char *right);
void test_equal_bytes(const char *file, int line, const char *what, const void *left,
		      const void *right, size_t size);

/* Open descriptors of this process; for tests that count in the middle. */
size_t test_descriptors(void);

#define TEST(test_name)                                                                            \
	static void test_run_##test_name(void);                                                    \
	static struct test test_entry_##test_name = {                                              \
		.name = #test_name,                                                                \
		.line = __LINE__,                                                                  \
		.run = test_run_##test_name,                                                       \
	};                                                                                         \
	__attribute__((constructor)) static void test_register_##test_name(void)                   \
	{                                                                                          \
		test_register(&test_entry_##test_name);                                            \
	}                                                                                          \
	static void test_run_##test_name(void)

#define ASSERT(condition)                                                                          \
	do {                                                                                       \
		if (!(condition))                                                                  \
			test_fail(__FILE__, __LINE__, "%s", #condition);                           \
	} while (0)

/* Integers of any type; both are shown. */
#define ASSERT_EQ(left, right)                                                                     \
	test_equal(__FILE__, __LINE__, #left " == " #right, (intmax_t)(left), (intmax_t)(right))

#define ASSERT_STR(left, right)                                                                    \
	test_equal_string(__FILE__, __LINE__, #left " == " #right, left, right)

#define ASSERT_MEM(left, right, size)                                                              \
	test_equal_bytes(__FILE__, __LINE__, #left " == " #right, left, right, size)

#define SKIP(...) test_skip(__VA_ARGS__)

/* What valgrind can't run, or not in reasonable time. */
#define SKIP_UNDER_VALGRIND(why)                                                                   \
	do {                                                                                       \
		if (getenv("TEST_VALGRIND"))                                                       \
			SKIP("valgrind: %s", why);                                                 \
	} while (0)

#endif
