/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_FUZZ_INPUT_H
#define TEST_FUZZ_INPUT_H
/*
 * For targets whose input is more than bytes to be parsed: it is taken piece by piece, zeros where it
 * has ended; and what must hold is checked.
 */
#include <stdio.h>
#include <stdlib.h>

#include "test/fuzz/fuzz.h"

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);            \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

struct input {
	const uint8_t *at;
	size_t left;
};

static inline uint8_t input_byte(struct input *input)
{
	if (input->left == 0)
		return 0;
	input->left--;
	return *input->at++;
}

/* At most size bytes; returns how many. */
static inline size_t input_take(struct input *input, size_t size, const uint8_t **ret_bytes)
{
	if (size > input->left)
		size = input->left;
	*ret_bytes = input->at;
	input->at += size;
	input->left -= size;
	return size;
}

#endif
