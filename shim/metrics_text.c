/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading numbers: see metrics_text.h. Of some thirty files a few are long, and a hundred containers
 * are asked every ten seconds: so there is one pass over the text, and no scanf.
 */
#include "shim/metrics_text.h"

#include <string.h>

#define DECIMAL_DIGITS_MAX 15 /* of which a double keeps every one */

static bool blank(char c)
{
	return c == ' ' || c == '\n' || c == 0;
}

static void word_skip(const char **at)
{
	while (!blank(**at))
		(*at)++;
}

void metrics_line_skip(const char **at)
{
	*at = strchrnul(*at, '\n');
	if (**at)
		(*at)++;
}

size_t metrics_lines_count(const char *text)
{
	size_t n = 0;
	for (; *text; metrics_line_skip(&text))
		n++;
	return n;
}

static bool digits_parse(const char *from, const char *to, uint64_t *ret_number)
{
	uint64_t number = 0;
	if (from == to)
		return false;
	for (; from < to; from++)
		if (*from < '0' || *from > '9' || __builtin_mul_overflow(number, 10u, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(*from - '0'), &number))
			return false;
	*ret_number = number;
	return true;
}

bool metrics_number_take(const char **at, uint64_t *ret_number)
{
	const char *word = *at;
	word_skip(at);
	if (*at - word != 3 || memcmp(word, "max", 3) != 0)
		return digits_parse(word, *at, ret_number);
	*ret_number = UINT64_MAX;
	return true;
}

bool metrics_digits_take(const char **at, uint64_t *ret_number)
{
	const char *end = *at + strspn(*at, "0123456789");
	if (!digits_parse(*at, end, ret_number))
		return false;
	*at = end;
	return true;
}

bool metrics_device_take(const char **at, uint64_t *ret_major, uint64_t *ret_minor)
{
	const char *word = *at;
	uint64_t major, minor;
	word_skip(at);
	const char *colon = memchr(word, ':', (size_t)(*at - word));
	if (!colon || !digits_parse(word, colon, &major) || !digits_parse(colon + 1, *at, &minor))
		return false;
	*ret_major = major;
	*ret_minor = minor;
	return true;
}

bool metrics_decimal_take(const char **at, double *ret_number)
{
	const char *digit = *at;
	uint64_t number = 0, divisor = 1;
	int digits = 0;
	bool fraction = false;

	word_skip(at);
	for (; digit < *at; digit++) {
		if (*digit == '.' && !fraction) {
			fraction = true;
			continue;
		}
		if (*digit < '0' || *digit > '9' || ++digits > DECIMAL_DIGITS_MAX)
			return false;
		number = number * 10 + (uint64_t)(*digit - '0');
		divisor *= fraction ? 10 : 1;
	}
	if (digits == 0)
		return false;
	/* both are exact, so the quotient is the double that is nearest to what was written */
	*ret_number = (double)number / (double)divisor;
	return true;
}

/* hint: where the key is expected to be; moved behind it. */
static const struct metrics_key *key_find(const struct metrics_key *keys, size_t n, size_t *hint,
					  const char *word, size_t length)
{
	for (size_t i = 0; i < n; i++) {
		size_t index = *hint + i < n ? *hint + i : *hint + i - n;
		if (keys[index].length != length || memcmp(keys[index].name, word, length) != 0)
			continue;
		*hint = index + 1 < n ? index + 1 : 0;
		return &keys[index];
	}
	return NULL;
}

static void key_set(const struct metrics_key *key, void *message, uint64_t number)
{
	memcpy((char *)message + key->offset, &number, sizeof(number));
}

void metrics_lines_read(const char *text, const struct metrics_key *keys, size_t n, void *message)
{
	size_t hint = 0;
	uint64_t number;
	for (const char *at = text; *at; metrics_line_skip(&at)) {
		const char *word = at;
		word_skip(&at);
		if (*at != ' ')
			continue;
		const struct metrics_key *key = key_find(keys, n, &hint, word, (size_t)(at - word));
		at++;
		if (key && metrics_number_take(&at, &number))
			key_set(key, message, number);
	}
}

size_t metrics_pairs_take(const char **at, const struct metrics_key *keys, size_t n, void *message)
{
	size_t hint = 0, taken = 0;
	uint64_t number;
	while (**at && **at != '\n') {
		const char *word = *at;
		if (*word == ' ') {
			(*at)++;
			continue;
		}
		while (!blank(**at) && **at != '=')
			(*at)++;
		if (**at != '=') {
			word_skip(at);
			continue;
		}
		const struct metrics_key *key =
			key_find(keys, n, &hint, word, (size_t)(*at - word));
		(*at)++;
		if (metrics_number_take(at, &number) && key) {
			key_set(key, message, number);
			taken++;
		}
	}
	return taken;
}
