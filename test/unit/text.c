/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts: the formatter against the C library's, and UTF-8 at its edges.
 */
#include "ttrpc/text.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "test/test.h"

static size_t format(char *buffer, size_t size, const char *format_, ...)
	__attribute__((format(printf, 3, 4)));

static size_t format(char *buffer, size_t size, const char *format_, ...)
{
	va_list arguments;
	size_t length;

	va_start(arguments, format_);
	length = text_format(buffer, size, format_, arguments);
	va_end(arguments);
	return length;
}

#define SAME(...)                                                                                  \
	do {                                                                                       \
		char ours[128], theirs[128];                                                       \
		int length = snprintf(theirs, sizeof(theirs), __VA_ARGS__);                        \
		ASSERT_EQ(format(ours, sizeof(ours), __VA_ARGS__), length);                        \
		ASSERT_STR(ours, theirs);                                                          \
		for (size_t cut_size = 1; cut_size < (size_t)length; cut_size += 3) {              \
			ASSERT_EQ(format(ours, cut_size, __VA_ARGS__), length);                    \
			ASSERT_EQ(strlen(ours), cut_size - 1);                                     \
			ASSERT(strncmp(ours, theirs, cut_size - 1) == 0);                          \
		}                                                                                  \
		ASSERT_EQ(format(NULL, 0, __VA_ARGS__), length);                                   \
	} while (0)

TEST(strings_are_formatted_as_the_library_does)
{
	SAME("nothing");
	SAME("%s and %s", "one", "two");
	SAME("%.*s|%.*s|%.*s", 2, "abc", 5, "abc", 0, "abc");
	SAME("%c%c 100%%", 'o', 'k');
}

TEST(numbers_are_formatted_as_the_library_does)
{
	SAME("%d %d %d %i", 0, INT_MAX, INT_MIN, -7);
	SAME("%u %u %x", 0u, UINT_MAX, 0xbeefu);
	SAME("%ld %lu %lx", LONG_MIN, ULONG_MAX, ULONG_MAX);
	SAME("%lld %llu", LLONG_MIN, ULLONG_MAX);
	SAME("%zu %zd", SIZE_MAX, (ssize_t)-1);
}

TEST(other_conversions_are_left_to_the_library)
{
	SAME("%5d|%-5s|%.3f|%#x|%o", 42, "ab", 1.5, 255u, 8u);
}

TEST(utf8_valid)
{
	static const char *const valid[] = {
		"",
		"plain",
		"\xc2\x80",
		"\xdf\xbf",
		"\xe0\xa0\x80",
		"\xed\x9f\xbf",
		"\xee\x80\x80",
		"\xef\xbf\xbf",
		"\xf0\x90\x80\x80",
		"\xf4\x8f\xbf\xbf",
		"a\xc3\xa4z",
	};

	for (size_t i = 0; i < sizeof(valid) / sizeof(valid[0]); i++)
		ASSERT(text_is_utf8(valid[i], strlen(valid[i])));
	ASSERT(text_is_utf8("nul\0nul", 7));
}

/* Not declared to be like printf: some of the formats here are none. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static size_t format_own(char *buffer, size_t size, const char *format_, ...)
{
	va_list arguments;
	size_t length;

	va_start(arguments, format_);
	length = text_format_own(buffer, size, format_, arguments);
	va_end(arguments);
	return length;
}
#pragma GCC diagnostic pop

/* What lies behind the end of a format isn't part of it. */
TEST(format_ends_within_a_conversion)
{
	static const char *const formats[] = {"50%\0more", "50%l\0more", "50%ll\0more",
					      "50%z\0more"};
	char text[16];

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		ASSERT_EQ(format_own(text, sizeof(text), formats[i]), 3);
		ASSERT_STR(text, "50%");
	}
}

TEST(utf8_invalid)
{
	static const char *const invalid[] = {
		"\x80",             /* a continuation alone */
		"\xc0\x80",         /* overlong */
		"\xc1\xbf",         /* overlong */
		"\xc3",             /* cut */
		"\xc3(",            /* no continuation */
		"\xe0\x9f\xbf",     /* overlong */
		"\xed\xa0\x80",     /* surrogate */
		"\xed\xbf\xbf",     /* surrogate */
		"\xe2\x82",         /* cut */
		"\xf0\x8f\xbf\xbf", /* overlong */
		"\xf4\x90\x80\x80", /* above U+10FFFF */
		"\xf5\x80\x80\x80", /* no such lead */
		"\xff",
		"ok\xfe",
	};

	for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++) {
		char copy[16];

		ASSERT(!text_is_utf8(invalid[i], strlen(invalid[i])));
		strcpy(copy, invalid[i]);
		text_repair_utf8(copy, strlen(copy));
		ASSERT(text_is_utf8(copy, strlen(invalid[i])));
		ASSERT(strchr(copy, '?'));
	}
}

TEST(utf8_is_cut_between_characters)
{
	static const char text[] = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80";
	static const size_t cuts[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10};

	for (size_t size = 0; size < sizeof(cuts) / sizeof(cuts[0]); size++)
		ASSERT_EQ(text_cut_utf8(text, size), cuts[size]);
}
