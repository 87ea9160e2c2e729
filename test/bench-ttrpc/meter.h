/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_BENCH_TTRPC_METER_H
#define TEST_BENCH_TTRPC_METER_H
/*
 * What a load counts: a warm-up that isn't measured, then calls and how long each took, until the
 * time or the number of calls is over. One line is printed, which every load in any language prints:
 *
 *     calls with the warm-up, calls measured, nanoseconds, p50, p99 (nanoseconds; 0: not known)
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define METER_WARM_UP 10 /* one part in so many of the time, before it begins */
#define METER_VALUES_MAX (1u << 20)

struct meter {
	uint64_t begin, end; /* of the measurement; CLOCK_MONOTONIC */
	uint64_t calls, measured, calls_max;
	uint64_t last;
	uint32_t *values; /* NULL: single calls aren't timed */
	size_t n_values;
};

uint64_t meter_clock(void);

/* milliseconds of measurement; calls_max 0: as many as there is time for. Exits without memory. */
void meter_init(struct meter *meter, unsigned milliseconds, uint64_t calls_max, bool each);

/* n more calls have ended, the last of them now and begun at its predecessor's end; false: over. */
bool meter_add(struct meter *meter, unsigned n);
void meter_print(struct meter *meter);

#endif
