/* SPDX-License-Identifier: Apache-2.0 */
#include "test/bench-ttrpc/meter.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

uint64_t meter_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void meter_init(struct meter *meter, unsigned milliseconds, uint64_t calls_max, bool each)
{
	uint64_t time = (uint64_t)milliseconds * 1000000u, now = meter_clock();

	*meter = (struct meter){
		.begin = now + time / METER_WARM_UP,
		.end = now + time + time / METER_WARM_UP,
		.calls_max = calls_max,
		.last = now,
	};
	if (!each)
		return;
	/* Not calloc: its pages have to be there before the calls are timed. */
	meter->values = malloc(METER_VALUES_MAX * sizeof(*meter->values));
	if (!meter->values)
		exit(1);
	for (size_t i = 0; i < METER_VALUES_MAX; i++)
		meter->values[i] = UINT32_MAX;
}

bool meter_add(struct meter *meter, unsigned n)
{
	uint64_t now = meter_clock();

	meter->calls += n;
	if (now >= meter->begin) {
		if (meter->measured == 0)
			meter->begin = meter->last;
		meter->measured += n;
		if (meter->values && meter->n_values < METER_VALUES_MAX)
			meter->values[meter->n_values++] = (uint32_t)(now - meter->last);
	}
	meter->last = now;
	return now < meter->end && (meter->calls_max == 0 || meter->calls < meter->calls_max);
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

void meter_print(struct meter *meter)
{
	uint32_t p50 = 0, p99 = 0;

	if (meter->n_values > 0) {
		qsort(meter->values, meter->n_values, sizeof(*meter->values), compare);
		p50 = meter->values[meter->n_values / 2];
		p99 = meter->values[meter->n_values * 99 / 100];
	}
	printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %u %u\n", meter->calls, meter->measured,
	       meter->last - meter->begin, p50, p99);
	free(meter->values);
}
