/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TTRPC_TEXT_H
#define TTRPC_TEXT_H
/*
 * Texts of statuses: formatting without the printf family, and UTF-8.
 *
 * printf's stack and tables would stay in the memory of every process that once reported an error,
 * so the conversions that texts are made of (%s %.*s %c %d %i %u %x with l, ll, z, and %%) are done
 * here. A format that has any other is handed to vsnprintf whole.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * As vsnprintf: writes at most size bytes, the last one NUL; returns the length of the whole text.
 */
size_t text_format(char *buffer, size_t size, const char *format, va_list arguments)
	__attribute__((format(printf, 3, 0)));

/*
 * The same for the library's own texts, which have no other conversions: a program that formats none
 * of its own isn't linked with the printf family. Of another conversion its percent sign is left.
 */
size_t text_format_own(char *buffer, size_t size, const char *format, va_list arguments)
	__attribute__((format(printf, 3, 0)));

typedef size_t (*text_format_fn)(char *buffer, size_t size, const char *format, va_list arguments);

bool text_is_utf8(const void *text, size_t size);

/* Overwrites each byte that isn't part of valid UTF-8 by a question mark. */
void text_repair_utf8(char *text, size_t size);

/* The largest length <= size that doesn't cut a character of the (valid) text in two. */
size_t text_cut_utf8(const char *text, size_t size);

#endif
