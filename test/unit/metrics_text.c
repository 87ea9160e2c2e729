/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers in the files of a cgroup, and what only looks like some. */
#include "shim/metrics_text.h"

#include <string.h>

#include "test/test.h"

TEST(numbers)
{
	static const struct {
		const char *text;
		bool taken;
		uint64_t number;
		const char *rest;
	} rows[] = {
		{"0\n", true, 0, "\n"},
		{"18446744073709551615", true, UINT64_MAX, ""},
		{"18446744073709551616", false, 0, ""},
		{"99999999999999999999999\n", false, 0, "\n"},
		{"max\n", true, UINT64_MAX, "\n"},
		{"maximum", false, 0, ""},
		{"12 13", true, 12, " 13"},
		{"12x 13", false, 0, " 13"},
		{"-1", false, 0, ""},
		{"+1", false, 0, ""},
		{" 1", false, 0, " 1"},
		{"", false, 0, ""},
		{"\n1", false, 0, "\n1"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *at = rows[i].text;
		uint64_t number = 0;
		ASSERT_EQ(metrics_number_take(&at, &number), rows[i].taken);
		ASSERT(number == rows[i].number);
		ASSERT_STR(at, rows[i].rest);
	}
}

TEST(decimals)
{
	static const struct {
		const char *text;
		bool taken;
		double number;
	} rows[] = {
		{"0.00 ", true, 0},
		{"0.07\n", true, 0.07},
		{"99.99", true, 99.99},
		{"100", true, 100},
		{".5", true, 0.5},
		{"5.", true, 5},
		{"0.000000000000001", false, 0}, /* 16 digits */
		{"123456789.012345", true, 123456789.012345},
		{".", false, 0},
		{"", false, 0},
		{"1.2.3", false, 0},
		{"-1.0", false, 0},
		{"1e5", false, 0},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *at = rows[i].text;
		double number = 0;
		ASSERT_EQ(metrics_decimal_take(&at, &number), rows[i].taken);
		ASSERT(number == rows[i].number);
		ASSERT_EQ(at - rows[i].text, strcspn(rows[i].text, " \n"));
	}
}

TEST(devices)
{
	static const struct {
		const char *text;
		bool taken;
		uint64_t major, minor;
	} rows[] = {
		{"254:16 ", true, 254, 16}, {"0:0", true, 0, 0},  {"254:", false, 7, 7},
		{":16", false, 7, 7},       {"254", false, 7, 7}, {"1:2:3", false, 7, 7},
		{"1 :2", false, 7, 7},      {"", false, 7, 7},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *at = rows[i].text;
		uint64_t major = 7, minor = 7;
		ASSERT_EQ(metrics_device_take(&at, &major, &minor), rows[i].taken);
		ASSERT_EQ(major, rows[i].major);
		ASSERT_EQ(minor, rows[i].minor);
	}
}

struct message {
	uint64_t guard, first, second, third, end;
};

static const struct metrics_key keys[] = {
	METRICS_KEY(struct message, first),
	METRICS_KEY(struct message, second),
	METRICS_KEY_AS(struct message, "3rd", third),
};

static void check(const struct message *message, uint64_t first, uint64_t second, uint64_t third)
{
	ASSERT_EQ(message->first, first);
	ASSERT_EQ(message->second, second);
	ASSERT_EQ(message->third, third);
	ASSERT_EQ(message->guard, 99);
	ASSERT_EQ(message->end, 99);
}

TEST(lines)
{
	static const struct {
		const char *text;
		uint64_t first, second, third;
	} rows[] = {
		{"first 1\nsecond 2\n3rd 3\n", 1, 2, 3},
		{"3rd 3\nsecond 2\nfirst 1", 1, 2, 3},
		{"second 2\nsecond 4\n", 5, 4, 5},
		{"firs 1\nfirst_ 1\nsecond\n3rd max\n", 5, 5, UINT64_MAX},
		{"first 1 2\nsecond  2\n3rd\t3\n", 1, 5, 5},
		{"\n\n \n", 5, 5, 5},
		{"", 5, 5, 5},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct message message = {99, 5, 5, 5, 99};
		metrics_lines_read(rows[i].text, keys, 3, &message);
		check(&message, rows[i].first, rows[i].second, rows[i].third);
	}
}

TEST(pairs)
{
	static const struct {
		const char *text;
		size_t taken;
		uint64_t first, second, third;
		const char *rest;
	} rows[] = {
		{"first=1 second=2 3rd=3\nfirst=9\n", 3, 1, 2, 3, "\nfirst=9\n"},
		{"3rd=3  first=1", 2, 1, 5, 3, ""},
		{" other=1 first= second=x =7 3rd 3rd=max", 1, 5, 5, UINT64_MAX, ""},
		{"first=1=2", 0, 5, 5, 5, ""},
		{"\n", 0, 5, 5, 5, "\n"},
		{"", 0, 5, 5, 5, ""},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct message message = {99, 5, 5, 5, 99};
		const char *at = rows[i].text;
		ASSERT_EQ(metrics_pairs_take(&at, keys, 3, &message), rows[i].taken);
		check(&message, rows[i].first, rows[i].second, rows[i].third);
		ASSERT_STR(at, rows[i].rest);
	}
}

TEST(counting_lines)
{
	ASSERT_EQ(metrics_lines_count(""), 0);
	ASSERT_EQ(metrics_lines_count("one"), 1);
	ASSERT_EQ(metrics_lines_count("one\n"), 1);
	ASSERT_EQ(metrics_lines_count("\n\n"), 2);
	ASSERT_EQ(metrics_lines_count("one\n\ntwo"), 3);
}
