/* SPDX-License-Identifier: Apache-2.0 */
/* Taking URIs apart, as Go's net/url does, whose readings clients know: see uri.h. */
#include "shim/uri.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

size_t uri_scheme(const char *uri)
{
	size_t n = 0;

	if (!isalpha((unsigned char)*uri))
		return 0;
	while (isalnum((unsigned char)uri[n]) || (uri[n] && strchr("+-.", uri[n])))
		n++;
	return uri[n] == ':' ? n : 0;
}

bool uri_has_scheme(const char *uri, const char *scheme)
{
	size_t length = uri_scheme(uri);

	return length == strlen(scheme) && strncasecmp(uri, scheme, length) == 0;
}

static int hex(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	digit |= 0x20;
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* In a query a plus sign is a space. */
static int decode(const char *from, size_t size, bool query, char **ret_text)
{
	char *text = malloc(size + 1), *to = text;

	if (!text)
		return -ENOMEM;
	for (size_t i = 0; i < size; i++) {
		int high, low;

		if (from[i] != '%') {
			*to++ = query && from[i] == '+' ? ' ' : from[i];
			continue;
		}
		high = size - i > 2 ? hex(from[i + 1]) : -1;
		low = high >= 0 ? hex(from[i + 2]) : -1;
		if (low < 0 || (high == 0 && low == 0)) {
			free(text);
			return -EBADMSG;
		}
		*to++ = (char)(high * 16 + low);
		i += 2;
	}
	*to = '\0';
	*ret_text = text;
	return 0;
}

int uri_path(const char *uri, char **ret_path)
{
	size_t scheme = uri_scheme(uri);
	const char *start = scheme > 0 ? uri + scheme + 1 : uri;

	if (strncmp(start, "//", 2) == 0)
		start += 2 + strcspn(start + 2, "/?#");
	return decode(start, strcspn(start, "?#"), false, ret_path);
}

static bool is_known(const char *const *arguments, size_t n, const char *key)
{
	for (size_t i = 1; i < n; i += 2)
		if (strcmp(arguments[i], key) == 0)
			return true;
	return false;
}

/* One KEY=VALUE. A semicolon was a separator once: what has one is left out. */
static int add_pair(const char *pair, size_t size, const char **arguments, size_t *n)
{
	const char *equals = memchr(pair, '=', size);
	size_t length = equals ? (size_t)(equals - pair) : size;
	char *key, *value;

	if (size == 0 || memchr(pair, ';', size))
		return 0;
	int result = decode(pair, length, true, &key);
	if (result < 0)
		return result == -EBADMSG ? 0 : result;
	length += equals != NULL;
	result = decode(pair + length, size - length, true, &value);
	if (result == 0 && !is_known(arguments, *n, key)) {
		arguments[(*n)++] = key;
		arguments[(*n)++] = value;
		return 0;
	}
	if (result == 0)
		free(value);
	free(key);
	return result == -EBADMSG ? 0 : result;
}

int uri_arguments(const char *uri, const char *program, const char ***ret_arguments)
{
	size_t size = strcspn(uri, "?#"), pairs = 1, n = 0;
	const char *query = uri[size] == '?' ? uri + size + 1 : "";

	for (const char *at = query; *at; at++)
		pairs += *at == '&';
	if (pairs > URI_PAIRS_MAX)
		return -E2BIG;
	const char **arguments = calloc(2 * pairs + 2, sizeof(*arguments));
	if (!arguments)
		return -ENOMEM;
	arguments[n++] = program;
	for (const char *end = query + strcspn(query, "#"); query < end;) {
		size = strcspn(query, "&#");
		int result = add_pair(query, size, arguments, &n);
		if (result < 0)
			return result;
		query += size + (query[size] == '&');
	}
	*ret_arguments = arguments;
	return 0;
}
