/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts of refusals: whatever goes in, what comes out is one line of valid UTF-8 that fits.
 */
#include "shim/failure.h"

#include <errno.h>
#include <string.h>

#include "test/test.h"

static void cleaned(const char *from, const char *to)
{
	char text[64];

	ASSERT(strlen(from) < sizeof(text));
	memcpy(text, from, strlen(from) + 1);
	failure_clean(text);
	ASSERT_STR(text, to);
}

TEST(plain_text_stays)
{
	cleaned("exec: \"x\": not found", "exec: \"x\": not found");
	cleaned("", "");
	cleaned("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
		"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80");
}

TEST(one_line)
{
	cleaned("  a\nb\tc\x7f\x01 \r\n", "a b c");
	cleaned(" \n\t ", "");
}

TEST(not_utf8)
{
	cleaned("a\xff"
		"b",
		"a?b");
	cleaned("\xc3", "?");                /* cut off */
	cleaned("\xc0\xaf", "??");           /* too long a form of a slash */
	cleaned("\xed\xa0\x80", "???");      /* a surrogate */
	cleaned("\xf4\x90\x80\x80", "????"); /* beyond the last character */
	cleaned("\x80x", "?x");
}

TEST(long_text_is_cut_to_valid_text)
{
	struct failure failure;
	char text[RUNTIME_ERROR_MAX + 10];

	/* Characters of two bytes: the cut falls into the last. */
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = i % 2 ? '\xbc' : '\xc3';
	text[sizeof(text) - 1] = '\0';
	ASSERT_EQ(failure_set(&failure, "%s", text), FAILURE_REFUSED);
	ASSERT_EQ(strlen(failure.text), RUNTIME_ERROR_MAX - 1);
	ASSERT_EQ(failure.text[RUNTIME_ERROR_MAX - 3], '\xbc');
	ASSERT_EQ(failure.text[RUNTIME_ERROR_MAX - 2], '?');
}

TEST(errnos_in_the_words_of_go)
{
	ASSERT_STR(failure_errno(ENOENT), "no such file or directory");
	ASSERT_STR(failure_errno(EACCES), "permission denied");
	ASSERT_STR(failure_errno(EBUSY), "device or resource busy");
	ASSERT_STR(failure_errno(EIO), "input/output error");
	ASSERT_STR(failure_errno(EPERM), "operation not permitted");
	ASSERT_STR(failure_errno(ENOEXEC), "exec format error");
	ASSERT_STR(failure_errno(ENFILE), "too many open files in system");
	ASSERT_STR(failure_errno(E2BIG), "argument list too long");
	ASSERT_STR(failure_errno(ENOSPC), "no space left on device");
	ASSERT_STR(failure_errno(EDQUOT), "disk quota exceeded");
	ASSERT_STR(failure_errno(EUCLEAN), "structure needs cleaning");
	ASSERT_STR(failure_errno(EOPNOTSUPP), "operation not supported");
	ASSERT_STR(failure_errno(EADDRINUSE), "address already in use");
	ASSERT_STR(failure_errno(ECONNREFUSED), "connection refused");
	ASSERT_STR(failure_errno(ETIMEDOUT), "connection timed out");
}

TEST(prefix)
{
	struct failure failure;

	failure_set(&failure, "why");
	failure_prefix(&failure, "not done: ");
	ASSERT_STR(failure.text, "not done: why");
}
