/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_BENCH_TTRPC_FIGURES_H
#define TEST_BENCH_TTRPC_FIGURES_H
/*
 * Values of a figure, one a round, and what is printed of them. A ratio is taken within each round,
 * so that what slows the machine down for a while slows down both of its parts.
 */
#include <stdbool.h>
#include <stddef.h>

#define FIGURES_ROUNDS_MAX 50

struct figure {
	double values[FIGURES_ROUNDS_MAX];
	size_t n;
};

void figure_add(struct figure *figure, double value);
struct figure figure_ratio(const struct figure *above, const struct figure *below);

/* The smaller, or the greater, of each round; one of them may be empty. */
struct figure figure_best(const struct figure *a, const struct figure *b, bool smaller);

/* 0: there are none. */
double figure_median(const struct figure *figure);
double figure_least(const struct figure *figure);
double figure_most(const struct figure *figure);

/*
 * One line: name, median, the least and the most, the goal, and whether the median met it. Nothing
 * measured: says so. Both at_most and figures are in unit.
 */
void figure_judge(const char *name, const struct figure *figure, const char *unit, bool at_most,
		  double goal);
unsigned figures_missed(void); /* so far */

#endif
