/* SPDX-License-Identifier: Apache-2.0 */
/* JSON that is passed on: what is refused, with which words, and that nothing else is changed. */
#include "shim/runc_json.h"

#include <stdlib.h>
#include <string.h>

#include "test/test.h"

static struct failure failure;

static const struct {
	const char *json, *text;
} refused[] = {
	{"", "process: JSON: line 1: '[' or '{' expected near end of file"},
	{" ", "process: JSON: line 1: '[' or '{' expected near end of file"},
	{"[]", "process: JSON: it is not an object"},
	{"null", "process: JSON: line 1: '[' or '{' expected near 'null'"},
	{"{", "process: JSON: line 1: string or '}' expected near end of file"},
	{"{\"args\":[\"a\"", "process: JSON: line 1: ']' expected near end of file"},
	{"{\"args\":\n[\"a", "process: JSON: line 2: premature end of input near '\"a'"},
	{"{} {}", "process: JSON: line 1: end of file expected near '{'"},
	{"{\"a\":1e999}", "process: JSON: line 1: real number overflow near '1e999'"},
};

TEST(refused)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		ASSERT_EQ(runc_json_check("process", refused[i].json, strlen(refused[i].json),
					  &failure),
			  FAILURE_REFUSED);
		ASSERT_STR(failure.text, refused[i].text);
	}
	ASSERT_EQ(runc_json_check("process", "{\"a\":-1e5\0}", 11, &failure), FAILURE_REFUSED);
	ASSERT_STR(failure.text, "process: JSON: a byte is zero");
}

TEST(refused_deep)
{
	char *json = malloc(100000);

	memset(json, '[', 100000);
	memcpy(json, "{\"a\":", 5);
	ASSERT_EQ(runc_json_check("process", json, 100000, &failure), FAILURE_REFUSED);
	ASSERT_STR(failure.text, "process: JSON: line 1: maximum parsing depth reached near '['");
	free(json);
}

TEST(refused_huge)
{
	char *json = malloc(RUNC_JSON_MAX + 2);

	memset(json, ' ', RUNC_JSON_MAX + 2);
	json[0] = '{';
	json[RUNC_JSON_MAX - 1] = '}';
	json[RUNC_JSON_MAX] = json[RUNC_JSON_MAX + 1] = '\0';
	ASSERT_EQ(runc_json_check("resources", json, RUNC_JSON_MAX, &failure), 0);
	ASSERT_EQ(runc_json_check("resources", json, RUNC_JSON_MAX + 1, &failure), FAILURE_REFUSED);
	ASSERT_STR(failure.text, "resources: 2097153 bytes of JSON, 2097152 are allowed");
	free(json);
}

static const struct {
	const char *json, *expected;
} changed[] = {
	{"{}", "{\"terminal\":true}"},
	{" { } \n", "{\"terminal\":true}"},
	{"{\"terminal\":false}", "{\"terminal\":true}"},
	{"{\"a\":1,\"terminal\" : false , \"b\":2}", "{\"terminal\":true,\"a\":1,\"b\":2}"},
	/* the last one counts in Go, the first in C; and Go looks at no case */
	{"{\"Terminal\":false,\"terminal\":false,\"TERMINAL\":false}", "{\"terminal\":true}"},
	{"{\"t\\u0065rminal\":false,\"terminals\":0}", "{\"terminal\":true,\"terminals\":0}"},
	/* of others only the outermost are ours */
	{"{\"a\":{\"terminal\":false},\"b\":[{\"terminal\":1}],\"c\":\"terminal\"}",
	 "{\"terminal\":true,\"a\":{\"terminal\":false},\"b\":[{\"terminal\":1}],"
	 "\"c\":\"terminal\"}"},
	/* brackets and quotes in strings are none */
	{"{\"a\":\"}\\\"{,\",\"terminal\":0,\"\\\"}\":[\"]\",\"\\\\\"]}",
	 "{\"terminal\":true,\"a\":\"}\\\"{,\",\"\\\"}\":[\"]\",\"\\\\\"]}"},
	/* numbers stay what they were */
	{"{\"rlimits\":[{\"hard\":18446744073709551615}],\"x\":-0.10e+2\n}",
	 "{\"terminal\":true,\"rlimits\":[{\"hard\":18446744073709551615}],\"x\":-0.10e+2}"},
	{"{\"terminal\":[[],{}],\"a\":null}", "{\"terminal\":true,\"a\":null}"},
};

TEST(one_member_is_set)
{
	for (size_t i = 0; i < sizeof(changed) / sizeof(changed[0]); i++) {
		const char *from = changed[i].json;
		size_t size = 0;
		char *json;

		ASSERT_EQ(runc_json_check("process", from, strlen(from), &failure), 0);
		ASSERT_EQ(runc_json_set(from, strlen(from), "terminal", true, &json, &size), 0);
		ASSERT_STR(json, changed[i].expected);
		ASSERT_EQ(size, strlen(json));
		free(json);
	}
}

TEST(or_to_false)
{
	size_t size = 0;
	char *json;

	ASSERT_EQ(runc_json_set("{\"terminal\":true}", 17, "terminal", false, &json, &size), 0);
	ASSERT_STR(json, "{\"terminal\":false}");
	free(json);
}

/* Anything that passes the check can be changed, and is an object still. */
TEST(random)
{
	static const char *const pieces[] = {
		"{",      "}",     "[", "]",        "\"",   "\\",   ",",       ":",
		"1",      "\"a\"", " ", "\"\\\"\"", "true", "null", "\"a\":1", "\"terminal\":",
		"{\"b\":"};
	enum { N = sizeof(pieces) / sizeof(pieces[0]) };
	unsigned state = 1, good = 0;

	for (int round = 0; round < 300000; round++) {
		char from[128] = "{", *json;
		size_t size;

		for (int i = 0; i < 2 + round % 7; i++) {
			state = state * 1103515245u + 12345u;
			strcat(from, pieces[(state >> 16) % N]);
		}
		strcat(from, "}");
		if (runc_json_check("process", from, strlen(from), &failure) != 0)
			continue;
		good++;
		ASSERT_EQ(runc_json_set(from, strlen(from), "terminal", true, &json, &size), 0);
		ASSERT_EQ(runc_json_check("process", json, size, &failure), 0);
		ASSERT_EQ(strncmp(json, "{\"terminal\":true", 16), 0);
		free(json);
	}
	ASSERT(good > 100);
}
