/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_BENCH_TTRPC_FRAMES_H
#define TEST_BENCH_TTRPC_FRAMES_H
/*
 * Frames as the generator sends them and the limits answer them, written by hand: the library that is
 * measured has no part in it. Room must be there: FRAMES_OVERHEAD and the value's size.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAMES_HEADER 10u
#define FRAMES_OVERHEAD 64u

enum frames_type { FRAMES_REQUEST = 1, FRAMES_RESPONSE = 2, FRAMES_DATA = 3 };

/* Each writes a whole frame whose message is size zero bytes, and returns where it ends. */
uint8_t *frames_echo(uint8_t *to, uint32_t id, size_t size);    /* a call of bench.Bench/Echo */
uint8_t *frames_answer(uint8_t *to, uint32_t id, size_t size);  /* what is answered to that */
uint8_t *frames_open(uint8_t *to, uint32_t id);                 /* of bench.Talker/Talk */
uint8_t *frames_message(uint8_t *to, uint32_t id, size_t size); /* on that stream */

/* A call of bench.Bench/Fetch: size bytes are asked for. */
uint8_t *frames_fetch(uint8_t *to, uint32_t id, uint32_t size);

void frames_set_id(uint8_t *frame, uint32_t id);
uint32_t frames_id(const uint8_t *frame);
uint8_t frames_type(const uint8_t *frame);
size_t frames_size(const uint8_t *frame); /* with its header */

/* True: it is an answer without a status, or with one that says OK. */
bool frames_is_ok(const uint8_t *frame);

#endif
