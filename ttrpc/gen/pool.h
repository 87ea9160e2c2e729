/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TTRPC_GEN_POOL_H
#define TTRPC_GEN_POOL_H
/*
 * Memory that lives until the generator has answered, so that strings may be shared freely. Nothing
 * here fails: without memory the generator says so on stderr, which protoc shows, and exits.
 */
#include <stdarg.h>
#include <stddef.h>

struct pool_block;

struct pool {
	struct pool_block *blocks;
};

#define POOL_NULL ((struct pool){NULL})

void pool_deinit(struct pool *pool);

void *pool_zalloc(struct pool *pool, size_t n, size_t size); /* an array of n, zeroed */
char *pool_format(struct pool *pool, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *pool_format_v(struct pool *pool, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));

/* Prints reason as the plugin's own trouble and exits. */
_Noreturn void pool_die(const char *reason);

#endif
