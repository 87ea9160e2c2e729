/* SPDX-License-Identifier: Apache-2.0 */
/* URIs of outputs: schemes, paths and queries, as Go's net/url reads them. */
#include "shim/uri.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "test/test.h"

TEST(schemes)
{
	ASSERT_EQ(uri_scheme("/run/out"), 0);
	ASSERT_EQ(uri_scheme(""), 0);
	ASSERT_EQ(uri_scheme("/a:b"), 0);
	ASSERT_EQ(uri_scheme("2a://x"), 0);
	ASSERT_EQ(uri_scheme("binary-v2:///x"), 9);
	ASSERT(uri_has_scheme("FILE:///x", "file"));
	ASSERT(!uri_has_scheme("file", "file"));
	ASSERT(!uri_has_scheme("files:///x", "file"));
	ASSERT(uri_has_scheme("/run/out", ""));
}

static void expect_path(const char *uri, const char *expected)
{
	char *path;
	ASSERT_EQ(uri_path(uri, &path), 0);
	ASSERT_STR(path, expected);
	free(path);
}

TEST(paths)
{
	char *path = NULL;
	expect_path("file:///var/log/a", "/var/log/a");
	expect_path("file://host/a", "/a");
	expect_path("file://host", "");
	expect_path("file:///a%20b%2Fc%c3%bc?x=y#z", "/a b/c\xc3\xbc");
	expect_path("file:///a+b", "/a+b");
	expect_path("file:///a#b?c", "/a");
	expect_path("/plain", "/plain");
	ASSERT_EQ(uri_path("file:///a%", &path), -EBADMSG);
	ASSERT_EQ(uri_path("file:///a%2", &path), -EBADMSG);
	ASSERT_EQ(uri_path("file:///a%g0", &path), -EBADMSG);
	ASSERT_EQ(uri_path("file:///a%00", &path), -EBADMSG);
	ASSERT(!path);
}

static void expect_arguments(const char *uri, const char *const *expected)
{
	const char **arguments;
	size_t n = 0;
	ASSERT_EQ(uri_arguments(uri, "program", &arguments), 0);
	ASSERT_STR(arguments[n++], "program");
	for (; expected[n - 1]; n++) {
		ASSERT(arguments[n] != NULL);
		ASSERT_STR(arguments[n], expected[n - 1]);
		free((char *)(uintptr_t)arguments[n]);
	}
	ASSERT(!arguments[n]);
	free(arguments);
}

#define EXPECT_ARGUMENTS(uri, ...) expect_arguments(uri, (const char *const[]){__VA_ARGS__})

TEST(arguments_in_their_order)
{
	EXPECT_ARGUMENTS("binary:///x", NULL);
	EXPECT_ARGUMENTS("binary:///x?", NULL);
	EXPECT_ARGUMENTS("binary:///x?b=1&a=2#c=3", "b", "1", "a", "2", NULL);
	EXPECT_ARGUMENTS("binary:///x?empty&other=", "empty", "", "other", "", NULL);
	EXPECT_ARGUMENTS("binary:///x?&&a=b=c&", "a", "b=c", NULL);
	EXPECT_ARGUMENTS("binary:///x?a=one+%2b%26", "a", "one +&", NULL);
	EXPECT_ARGUMENTS("binary:///x#?a=b", NULL);
}

TEST(arguments_that_are_left_out)
{
	char many[URI_PAIRS_MAX + 8] = "b:?";
	const char **arguments = NULL;
	EXPECT_ARGUMENTS("b:?a;b=c&d=e;&f=%zz&%=g&h=i", "h", "i", NULL);
	memset(many + 3, '&', URI_PAIRS_MAX);
	ASSERT_EQ(uri_arguments(many, "p", &arguments), -E2BIG);
	ASSERT(!arguments);
}
