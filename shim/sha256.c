/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256: whole blocks straight from the caller's memory, then one or two blocks with the rest, the
 * bit 1, zeros, and the length in bits.
 */
#include "shim/sha256.h"

#include <stdint.h>
#include <string.h>

#define BLOCK_SIZE 64

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
static const uint32_t round_constants[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2,
};

static uint32_t rotate(uint32_t word, unsigned bits)
{
	return word >> bits | word << (32 - bits);
}

static uint32_t word_read(const unsigned char *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

static void schedule_make(uint32_t schedule[static 64], const unsigned char *block)
{
	for (int i = 0; i < 16; i++)
		schedule[i] = word_read(block + i * 4);
	for (int i = 16; i < 64; i++) {
		uint32_t a = schedule[i - 15], b = schedule[i - 2];
		schedule[i] = schedule[i - 16] + schedule[i - 7] +
			      (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) +
			      (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
	}
}

static void block_add(uint32_t state[static 8], const unsigned char *block)
{
	uint32_t schedule[64], v[8];

	schedule_make(schedule, block);
	memcpy(v, state, sizeof(v));
	for (int i = 0; i < 64; i++) {
		uint32_t one = v[7] + (rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25)) +
			       ((v[4] & v[5]) ^ (~v[4] & v[6])) + round_constants[i] + schedule[i];
		uint32_t two = (rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22)) +
			       ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
		memmove(v + 1, v, 7 * sizeof(v[0]));
		v[4] += one;
		v[0] = one + two;
	}
	for (int i = 0; i < 8; i++)
		state[i] += v[i];
}

static void rest_add(uint32_t state[static 8], const unsigned char *rest, size_t size,
		     uint64_t bits)
{
	unsigned char blocks[2 * BLOCK_SIZE] = {0};
	size_t used = size + 9 <= BLOCK_SIZE ? BLOCK_SIZE : 2 * BLOCK_SIZE;

	memcpy(blocks, rest, size);
	blocks[size] = 0x80;
	for (size_t i = 0; i < 8; i++)
		blocks[used - 1 - i] = (unsigned char)(bits >> (8 * i));
	for (size_t at = 0; at < used; at += BLOCK_SIZE)
		block_add(state, blocks + at);
}

void sha256_hex(const void *bytes, size_t size, char ret_hex[static SHA256_HEX_SIZE])
{
	/* the same of the square roots of the first 8 primes */
	uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
			     0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
	const unsigned char *next = bytes;
	size_t left = size;

	for (; left >= BLOCK_SIZE; left -= BLOCK_SIZE, next += BLOCK_SIZE)
		block_add(state, next);
	rest_add(state, next, left, (uint64_t)size * 8);
	for (int i = 0; i < 64; i++)
		ret_hex[i] = "0123456789abcdef"[state[i / 8] >> (28 - i % 8 * 4) & 15];
	ret_hex[64] = 0;
}
