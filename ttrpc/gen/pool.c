/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks from malloc on a list, freed together. The generator lives for milliseconds and asks for
 * some kilobytes, so there is nothing to gain from chunks.
 */
#include "ttrpc/gen/pool.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct pool_block {
	struct pool_block *next;
	alignas(max_align_t) unsigned char bytes[];
};

_Noreturn void pool_die(const char *reason)
{
	fprintf(stderr, "protoc-gen-ttrpc-c: %s\n", reason);
	exit(1);
}

void pool_deinit(struct pool *pool)
{
	struct pool_block *next;

	for (struct pool_block *block = pool->blocks; block; block = next) {
		next = block->next;
		free(block);
	}
	pool->blocks = NULL;
}

void *pool_zalloc(struct pool *pool, size_t n, size_t size)
{
	struct pool_block *block;

	if (size && n > (SIZE_MAX - sizeof(*block)) / size)
		pool_die("out of memory");
	block = calloc(1, sizeof(*block) + n * size);
	if (!block)
		pool_die("out of memory");
	block->next = pool->blocks;
	pool->blocks = block;
	return block->bytes;
}

char *pool_format_v(struct pool *pool, const char *format, va_list arguments)
{
	va_list again;
	char *text;
	int size;

	va_copy(again, arguments);
	size = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (size < 0)
		pool_die("a text is too long");
	text = pool_zalloc(pool, (size_t)size + 1, 1);
	vsnprintf(text, (size_t)size + 1, format, arguments);
	return text;
}

char *pool_format(struct pool *pool, const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	text = pool_format_v(pool, format, arguments);
	va_end(arguments);
	return text;
}
