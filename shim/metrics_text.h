/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_METRICS_TEXT_H
#define SHIM_METRICS_TEXT_H
/*
 * The numbers in the files of a cgroup. Texts end with a NUL. What is no number, or too
 * large for 64 bits, counts as missing and leaves alone what it would have set.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A word in such a file, and where its number belongs: an offset in the message. */
struct metrics_key {
	const char *name;
	uint16_t length;
	uint16_t offset; /* of a uint64_t */
};

#define METRICS_KEY_AS(type, word, field)                                                          \
	{                                                                                          \
		.name = word, .length = sizeof(word) - 1, .offset = offsetof(type, field)          \
	}
#define METRICS_KEY(type, field) METRICS_KEY_AS(type, #field, field)

/*
 * Digits, or "max", which is 2^64 - 1. *at is moved behind them, or else behind what stands there up to
 * the next blank or the end of the line.
 */
bool metrics_number_take(const char **at, uint64_t *ret_number);

/* Digits alone. *at is moved behind them if there are any, and fit. */
bool metrics_digits_take(const char **at, uint64_t *ret_number);

/* MAJOR:MINOR. *at is moved as by metrics_number_take(). */
bool metrics_device_take(const char **at, uint64_t *ret_major, uint64_t *ret_minor);

/* Digits with a fraction, as 0.07. */
bool metrics_decimal_take(const char **at, double *ret_number);

/*
 * Lines of a key, a blank and a number. Fast if keys are in the order of the lines; any order is right.
 */
void metrics_lines_read(const char *text, const struct metrics_key *keys, size_t n, void *message);

/* Words KEY=NUMBER with blanks between them, up to the end of the line; returns how many were taken. */
size_t metrics_pairs_take(const char **at, const struct metrics_key *keys, size_t n, void *message);

/* To the next line, or the end of the text. */
void metrics_line_skip(const char **at);

size_t metrics_lines_count(const char *text);

#endif
