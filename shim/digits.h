/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_DIGITS_H
#define SHIM_DIGITS_H
/* Numbers as text for the residents, which are spared the pages of code and stack that printf needs. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define DIGITS_MAX 20 /* of a uint64_t */

/* Returns where the digits end; there is no NUL. */
static inline char *digits_put(char *to, uint64_t number)
{
	char digits[DIGITS_MAX];
	size_t n = sizeof(digits);
	do {
		digits[--n] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	return (char *)memcpy(to, digits + n, sizeof(digits) - n) + sizeof(digits) - n;
}

#endif
