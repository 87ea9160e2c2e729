/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metadata objects: an array of pairs, in the order in which they go out. A pair's strings are one
 * piece of memory, which its key points at. Requests have few pairs, so looking one up is walking.
 */
#include "ttrpc/metadata.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ttrpc/server.h"
#include "ttrpc/text.h"

struct ttrpc_metadata {
	struct ttrpc_pair *pairs;
	size_t n, room;
};

static char lower(char letter)
{
	return letter >= 'A' && letter <= 'Z' ? (char)(letter - 'A' + 'a') : letter;
}

/* key is in lower case. */
static bool key_is(const char *key, const char *name)
{
	for (; *key && *key == lower(*name); key++)
		name++;
	return *key == lower(*name);
}

struct ttrpc_metadata *ttrpc_metadata_new(void)
{
	return calloc(1, sizeof(struct ttrpc_metadata));
}

static void pair_free(struct ttrpc_pair *pair)
{
	free((void *)(uintptr_t)pair->key);
}

struct ttrpc_metadata *ttrpc_metadata_free(struct ttrpc_metadata *metadata)
{
	if (!metadata)
		return NULL;
	while (metadata->n > 0)
		pair_free(&metadata->pairs[--metadata->n]);
	free(metadata->pairs);
	free(metadata);
	return NULL;
}

static int metadata_reserve(struct ttrpc_metadata *metadata, size_t more)
{
	size_t room = metadata->n + more;
	struct ttrpc_pair *pairs;

	if (room <= metadata->room)
		return 0;
	if (room < 2 * metadata->room)
		room = 2 * metadata->room;
	pairs = realloc(metadata->pairs, room * sizeof(*pairs));
	if (!pairs)
		return -ENOMEM;
	metadata->pairs = pairs;
	metadata->room = room;
	return 0;
}

/* There is room for it. */
static int metadata_add(struct ttrpc_metadata *metadata, struct slice key, struct slice value)
{
	char *bytes;

	if (!text_is_utf8(key.data, key.size) || !text_is_utf8(value.data, value.size))
		return -EINVAL;
	bytes = malloc(key.size + 1 + value.size + 1);
	if (!bytes)
		return -ENOMEM;
	for (size_t i = 0; i < key.size; i++)
		bytes[i] = lower((char)key.data[i]);
	bytes[key.size] = '\0';
	if (value.size > 0)
		memcpy(bytes + key.size + 1, value.data, value.size);
	bytes[key.size + 1 + value.size] = '\0';
	metadata->pairs[metadata->n++] =
		(struct ttrpc_pair){.key = bytes, .value = bytes + key.size + 1};
	return 0;
}

static struct slice slice_of(const char *text)
{
	return (struct slice){(const uint8_t *)text, strlen(text)};
}

/* All of them, or none. */
static int metadata_add_all(struct ttrpc_metadata *metadata, const char *key,
			    const char *const *values, size_t n)
{
	size_t before = metadata->n;
	int error = metadata_reserve(metadata, n);

	for (size_t i = 0; i < n && error == 0; i++)
		error = metadata_add(metadata, slice_of(key), slice_of(values[i]));
	while (error < 0 && metadata->n > before)
		pair_free(&metadata->pairs[--metadata->n]);
	return error;
}

struct ttrpc_metadata *ttrpc_metadata_clone(const struct ttrpc_metadata *metadata)
{
	struct ttrpc_metadata *clone = metadata ? ttrpc_metadata_new() : NULL;

	for (size_t i = 0; clone && i < metadata->n; i++)
		if (metadata_add_all(clone, metadata->pairs[i].key, &metadata->pairs[i].value, 1) <
		    0)
			clone = ttrpc_metadata_free(clone);
	return clone;
}

const char *ttrpc_metadata_get_all(const struct ttrpc_metadata *metadata, const char *key,
				   size_t index)
{
	for (size_t i = 0; i < metadata->n; i++)
		if (key_is(metadata->pairs[i].key, key) && index-- == 0)
			return metadata->pairs[i].value;
	return NULL;
}

const char *ttrpc_metadata_get(const struct ttrpc_metadata *metadata, const char *key)
{
	return ttrpc_metadata_get_all(metadata, key, 0);
}

int ttrpc_metadata_append(struct ttrpc_metadata *metadata, const char *key,
			  const char *const *values, size_t n)
{
	return metadata_add_all(metadata, key, values, n);
}

int ttrpc_metadata_set(struct ttrpc_metadata *metadata, const char *key, const char *const *values,
		       size_t n)
{
	size_t before = metadata->n, kept = 0;
	int error = metadata_add_all(metadata, key, values, n);

	if (error < 0)
		return error;
	for (size_t i = 0; i < metadata->n; i++) {
		if (i < before && key_is(metadata->pairs[i].key, key))
			pair_free(&metadata->pairs[i]);
		else
			metadata->pairs[kept++] = metadata->pairs[i];
	}
	metadata->n = kept;
	return 0;
}

const struct ttrpc_pair *ttrpc_metadata_pairs(const struct ttrpc_metadata *metadata, size_t *ret_n)
{
	*ret_n = metadata->n;
	return metadata->pairs;
}

int ttrpc_call_metadata_copy(const struct ttrpc_call *call, struct ttrpc_metadata **ret_metadata)
{
	struct ttrpc_metadata *metadata = ttrpc_metadata_new();
	struct slice rest, key, value;
	int error = metadata ? 0 : -ENOMEM;

	if (error == 0 && call->request) {
		rest = call->request->envelope;
		error = metadata_reserve(metadata, call->request->n_metadata);
		while (error == 0 && envelope_metadata_next(&rest, &key, &value))
			error = metadata_add(metadata, key, value);
	}
	if (error < 0)
		ttrpc_metadata_free(metadata);
	else
		*ret_metadata = metadata;
	return error;
}
