/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_SHA256_H
#define SHIM_SHA256_H
/* SHA-256 (FIPS 180-4) of a text that is in memory; it names sockets and guards nothing. */
#include <stddef.h>

#define SHA256_HEX_SIZE 65 /* with its NUL */

void sha256_hex(const void *bytes, size_t size, char ret_hex[static SHA256_HEX_SIZE]);

#endif
