/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples and their quantiles.
 *
 * Latencies on a shared machine have a long tail on one side only, so nothing here computes a mean:
 * a figure is the median, its spread the values at 10 and 90 per cent. A ratio is taken in two
 * ways: of the medians (the figure) and pair by pair (its spread), since what disturbs one
 * repetition disturbs both of its halves.
 */
#include "test/bench/sample.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int sample_add(struct sample *sample, double value)
{
	if (sample->count == sample->capacity) {
		size_t capacity = sample->capacity ? 2 * sample->capacity : 64;
		double *values = reallocarray(sample->values, capacity, sizeof(*values));

		if (!values)
			return -ENOMEM;
		sample->values = values;
		sample->capacity = capacity;
	}
	sample->values[sample->count++] = value;
	return 0;
}

void sample_deinit(struct sample *sample)
{
	free(sample->values);
	*sample = SAMPLE_NULL;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double sample_quantile(const struct sample *sample, double share)
{
	double *sorted, position, result;
	size_t below;

	if (sample->count == 0)
		return 0;
	sorted = reallocarray(NULL, sample->count, sizeof(*sorted));
	if (!sorted)
		abort();
	memcpy(sorted, sample->values, sample->count * sizeof(*sorted));
	qsort(sorted, sample->count, sizeof(*sorted), compare);

	position = share * (double)(sample->count - 1);
	below = (size_t)position;
	result = sorted[below];
	if (below + 1 < sample->count)
		result += (position - (double)below) * (sorted[below + 1] - sorted[below]);
	free(sorted);
	return result;
}

int sample_divide(const struct sample *above, const struct sample *below, struct sample *ret_ratio)
{
	struct sample ratio = SAMPLE_NULL;

	for (size_t i = 0; i < above->count && i < below->count; i++) {
		if (below->values[i] <= 0)
			continue;
		if (sample_add(&ratio, above->values[i] / below->values[i]) < 0) {
			sample_deinit(&ratio);
			return -ENOMEM;
		}
	}
	*ret_ratio = ratio;
	return 0;
}

double sample_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

void sample_pause(unsigned int milliseconds)
{
	struct timespec rest = {
		.tv_sec = milliseconds / 1000,
		.tv_nsec = (long)(milliseconds % 1000) * 1000000,
	};

	while (nanosleep(&rest, &rest) < 0 && errno == EINTR)
		;
}
