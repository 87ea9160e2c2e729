/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether it is JSON is jansson's to say, which limits the depth of it. What is passed on is the
 * client's text and not jansson's: an rlimit of 2^64 - 1 is more than its integers hold, and a runtime
 * takes no 1.8e19 for it. So one member is replaced in the text, which is simple in one that is known
 * to be an object: a value ends where its brackets close, outside of strings.
 *
 * Members are compared as Go does it: runc takes "Terminal" for "terminal", and of two the last;
 * crun takes the first. So all that are of the name go, and one comes.
 */
#include "shim/runc_json.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BLANKS " \t\r\n"

int runc_json_check(const char *what, const char *json, size_t size, struct failure *ret_failure)
{
	json_error_t error;
	json_t *root;
	bool object;

	if (size > RUNC_JSON_MAX)
		return failure_set(ret_failure, "%s: %zu bytes of JSON, %u are allowed", what, size,
				   RUNC_JSON_MAX);
	if (memchr(json, 0, size)) /* jansson passes over some */
		return failure_set(ret_failure, "%s: JSON: a byte is zero", what);
	root = json_loadb(json, size, JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, &error);
	object = json_is_object(root);
	if (!root && json_error_code(&error) == json_error_out_of_memory)
		return -ENOMEM;
	if (!root)
		return failure_set(ret_failure, "%s: JSON: line %d: %s", what, error.line,
				   error.text);
	json_decref(root);
	return object ? 0 : failure_set(ret_failure, "%s: JSON: it is not an object", what);
}

/* Behind the string that begins at text. */
static const char *string_end(const char *text)
{
	for (text++; *text != '"'; text++)
		if (*text == '\\')
			text++;
	return text + 1;
}

/* Behind the value that begins at text. */
static const char *value_end(const char *text)
{
	size_t depth = 0;

	if (*text != '"' && *text != '{' && *text != '[')
		return text + strcspn(text, ",}" BLANKS);
	do {
		if (*text == '"') {
			text = string_end(text);
			continue;
		}
		if (*text == '{' || *text == '[')
			depth++;
		else if (*text == '}' || *text == ']')
			depth--;
		text++;
	} while (depth > 0);
	return text;
}

/* key is a string with its quotes, and may be written with escapes. */
static bool is_named(const char *key, size_t size, const char *name)
{
	json_t *text = json_loadb(key, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	bool named = text && strcasecmp(json_string_value(text), name) == 0;

	json_decref(text);
	return named;
}

static char *copy_members(const char *json, const char *name, char *to)
{
	const char *at = strchr(json, '{') + 1;

	for (at += strspn(at, BLANKS ","); *at != '}'; at += strspn(at, BLANKS ",")) {
		const char *key = at, *key_end = string_end(at), *end;

		at = strchr(key_end, ':') + 1;
		end = value_end(at + strspn(at, BLANKS));
		if (!is_named(key, (size_t)(key_end - key), name)) {
			*to++ = ',';
			to = mempcpy(to, key, (size_t)(end - key));
		}
		at = end;
	}
	return to;
}

int runc_json_set(const char *json, size_t size, const char *name, bool value, char **ret_json,
		  size_t *ret_size)
{
	size_t room = size + strlen(name) + sizeof("{\"\":false,}");
	char *text = malloc(room), *end;

	if (!text)
		return -ENOMEM;
	end = text + snprintf(text, room, "{\"%s\":%s", name, value ? "true" : "false");
	end = stpcpy(copy_members(json, name, end), "}");
	*ret_json = text;
	*ret_size = (size_t)(end - text);
	return 0;
}
