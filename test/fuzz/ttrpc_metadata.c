/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A metadata object, changed and asked as the input says, beside a simple list that must agree with
 * it. Each step is a byte for what, one for the number of values, and lines: the key, the values.
 */
#include "ttrpc/metadata.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "test/fuzz/input.h"

#define VALUES_MAX 4
#define PAIRS_MAX 256

struct list_pair {
	char *key, *value;
};

static struct list_pair list[PAIRS_MAX];
static size_t n_list;

static char *input_line(struct input *input)
{
	const uint8_t *end = input->left > 0 ? memchr(input->at, '\n', input->left) : NULL;
	size_t size = end ? (size_t)(end - input->at) : input->left;
	const uint8_t *bytes;
	char *line;

	input_take(input, size, &bytes);
	if (end)
		input_byte(input);
	line = size > 0 ? strndup((const char *)bytes, size) : strdup("");
	CHECK(line);
	return line;
}

/* ---- the list ---- */

/* NULL: of all keys. */
static void list_delete(const char *key)
{
	size_t kept = 0;

	for (size_t i = 0; i < n_list; i++) {
		if (key && strcasecmp(list[i].key, key) != 0) {
			list[kept++] = list[i];
			continue;
		}
		free(list[i].key);
		free(list[i].value);
	}
	n_list = kept;
}

static void list_append_values(const char *key, char *const *values, size_t n)
{
	for (size_t i = 0; i < n && n_list < PAIRS_MAX; i++)
		list[n_list++] = (struct list_pair){strdup(key), strdup(values[i])};
}

static void check_same(const struct ttrpc_metadata *metadata)
{
	size_t n;
	const struct ttrpc_pair *pairs = ttrpc_metadata_pairs(metadata, &n);

	CHECK(n == n_list);
	for (size_t i = 0; i < n; i++) {
		size_t index = 0;

		for (size_t k = 0; k < i; k++)
			index += strcasecmp(list[k].key, list[i].key) == 0;
		CHECK(strcmp(ttrpc_metadata_get_all(metadata, list[i].key, index), list[i].value) ==
		      0);
		for (const char *letter = pairs[i].key; *letter; letter++)
			CHECK(*letter < 'A' || *letter > 'Z');
	}
}

/* ---- the steps ---- */

static struct ttrpc_metadata *change(struct ttrpc_metadata *metadata, uint8_t what, const char *key,
				     char **values, size_t n)
{
	const char *const *given = (const char *const *)values;
	struct ttrpc_metadata *clone;
	int error = 0;

	switch (what % 4) {
	case 0:
		error = ttrpc_metadata_set(metadata, key, given, n);
		if (error == 0)
			list_delete(key);
		break;
	case 1:
		error = ttrpc_metadata_append(metadata, key, given, n);
		break;
	case 2:
		clone = ttrpc_metadata_clone(metadata);
		CHECK(clone);
		/* What happens to the old one is nothing to the new one. */
		ttrpc_metadata_set(metadata, key, given, n);
		ttrpc_metadata_free(metadata);
		return clone;
	default:
		CHECK(!ttrpc_metadata_get(metadata, key) ==
		      !ttrpc_metadata_get_all(metadata, key, 0));
		return metadata;
	}
	CHECK(error == 0 || error == -EINVAL);
	if (error == 0)
		list_append_values(key, values, n);
	return metadata;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ttrpc_metadata *metadata = ttrpc_metadata_new();
	struct input input = {data, size};

	CHECK(metadata);
	while (input.left > 0 && n_list < PAIRS_MAX - VALUES_MAX) {
		uint8_t what = input_byte(&input);
		size_t n = input_byte(&input) % (VALUES_MAX + 1);
		char *values[VALUES_MAX], *key = input_line(&input);

		for (size_t i = 0; i < n; i++)
			values[i] = input_line(&input);
		metadata = change(metadata, what, key, values, n);
		check_same(metadata);
		free(key);
		for (size_t i = 0; i < n; i++)
			free(values[i]);
	}
	ttrpc_metadata_free(metadata);
	list_delete(NULL);
	return 0;
}
