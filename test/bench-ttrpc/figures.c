/* SPDX-License-Identifier: Apache-2.0 */
#include "test/bench-ttrpc/figures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned n_missed;

void figure_add(struct figure *figure, double value)
{
	if (figure->n < FIGURES_ROUNDS_MAX)
		figure->values[figure->n++] = value;
}

struct figure figure_ratio(const struct figure *above, const struct figure *below)
{
	struct figure ratio = {.n = 0};

	for (size_t i = 0; i < above->n && i < below->n; i++)
		if (below->values[i] > 0)
			figure_add(&ratio, above->values[i] / below->values[i]);
	return ratio;
}

struct figure figure_best(const struct figure *a, const struct figure *b, bool smaller)
{
	struct figure best = {.n = 0};

	if (a->n == 0 || b->n == 0)
		return a->n == 0 ? *b : *a;
	for (size_t i = 0; i < a->n && i < b->n; i++)
		figure_add(&best,
			   (a->values[i] < b->values[i]) == smaller ? a->values[i] : b->values[i]);
	return best;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double figure_median(const struct figure *figure)
{
	double sorted[FIGURES_ROUNDS_MAX];
	size_t n = figure->n;

	if (n == 0)
		return 0;
	memcpy(sorted, figure->values, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), compare);
	return n % 2 == 1 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

double figure_least(const struct figure *figure)
{
	double least = figure->n > 0 ? figure->values[0] : 0;

	for (size_t i = 1; i < figure->n; i++)
		if (figure->values[i] < least)
			least = figure->values[i];
	return least;
}

double figure_most(const struct figure *figure)
{
	double most = figure->n > 0 ? figure->values[0] : 0;

	for (size_t i = 1; i < figure->n; i++)
		if (figure->values[i] > most)
			most = figure->values[i];
	return most;
}

void figure_judge(const char *name, const struct figure *figure, const char *unit, bool at_most,
		  double goal)
{
	double median = figure_median(figure);
	bool met = at_most ? median <= goal : median >= goal;

	if (figure->n == 0) {
		printf("%-58s not measured\n", name);
		return;
	}
	printf("%-58s %8.2f [%.2f .. %.2f] %s, goal %s %.2f: %s\n", name, median,
	       figure_least(figure), figure_most(figure), unit, at_most ? "<=" : ">=", goal,
	       met ? "met" : "missed");
	n_missed += !met;
}

unsigned figures_missed(void)
{
	return n_missed;
}
