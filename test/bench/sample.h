/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_BENCH_SAMPLE_H
#define TEST_BENCH_SAMPLE_H
#include <stddef.h>

/* One measured quantity: its values in the order in which they were taken. */
struct sample {
	double *values;
	size_t count, capacity;
};

#define SAMPLE_NULL ((struct sample){0})

int sample_add(struct sample *sample, double value); /* 0 or -ENOMEM */
void sample_deinit(struct sample *sample);

/* share 0.5 is the median; 0 if the sample is empty. */
double sample_quantile(const struct sample *sample, double share);

/* ret_ratio gets a value for each pair that was taken in the same repetition; 0 or -ENOMEM. */
int sample_divide(const struct sample *above, const struct sample *below, struct sample *ret_ratio);

double sample_clock(void); /* milliseconds of CLOCK_MONOTONIC */
void sample_pause(unsigned int milliseconds);
#endif
