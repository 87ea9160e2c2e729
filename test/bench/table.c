/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of figures: one line a quantity, one column a shim that is not out; below it our share of
 * each other's, with whatever goal there is against a shim of its role.
 */
#include "test/bench/table.h"

#include <stdio.h>

static void print_figures(const struct options *options, const struct table_row *row)
{
	printf("  %-22s", row->name);
	for (size_t i = 0; i < options->n_shims; i++) {
		const struct sample *sample = &row->samples[i];

		if (options->shims[i].out)
			continue;
		printf(" %7.2f (%6.2f-%6.2f)", sample_quantile(sample, 0.5),
		       sample_quantile(sample, 0.1), sample_quantile(sample, 0.9));
	}
	printf("\n");
}

static void print_goal(const struct table_row *row, enum peer_role role, double ratio)
{
	double goal = row->goals[role];
	bool met = row->kind == TABLE_AT_LEAST ? ratio >= goal : ratio <= goal;

	if (goal > 0)
		printf(" %s%.2f %-6s", row->kind == TABLE_AT_LEAST ? ">=" : "<=", goal,
		       met ? "met" : "missed");
	else
		printf(" %-13s", "");
}

static void print_ratio(const struct table_row *row, const struct peer *peer, size_t other)
{
	double above = sample_quantile(&row->samples[0], 0.5);
	double below = sample_quantile(&row->samples[other], 0.5);
	struct sample pairs;

	if (below <= 0 || sample_divide(&row->samples[0], &row->samples[other], &pairs) < 0) {
		printf("  %-17s %-13s", "-", "");
		return;
	}
	printf("  %5.2f (%4.2f-%4.2f)", above / below, sample_quantile(&pairs, 0.1),
	       sample_quantile(&pairs, 0.9));
	sample_deinit(&pairs);
	print_goal(row, peer->role, above / below);
}

static void print_ratios(const struct options *options, const struct table_row *row)
{
	printf("  %-22s", row->name);
	for (size_t i = 1; i < options->n_shims; i++)
		if (!options->shims[i].out)
			print_ratio(row, &options->shims[i], i);
	printf("\n");
}

static bool has_others(const struct options *options)
{
	for (size_t i = 1; i < options->n_shims; i++)
		if (!options->shims[i].out)
			return true;
	return false;
}

void table_print(const struct options *options, const struct table_row *rows, size_t n_rows)
{
	char heading[64];

	printf("  %-22s", "");
	for (size_t i = 0; i < options->n_shims; i++)
		if (!options->shims[i].out)
			printf(" %-23s", options->shims[i].label);
	printf("\n");
	for (size_t row = 0; row < n_rows; row++)
		print_figures(options, &rows[row]);
	if (!has_others(options))
		return;
	printf("  %-22s", "ratios");
	for (size_t i = 1; i < options->n_shims; i++) {
		if (options->shims[i].out)
			continue;
		snprintf(heading, sizeof(heading), "%s / %s", options->shims[0].label,
			 options->shims[i].label);
		printf("  %-17s %-13s", heading, "goal");
	}
	printf("\n");
	for (size_t row = 0; row < n_rows; row++)
		print_ratios(options, &rows[row]);
}

void table_deinit(struct table_row *rows, size_t n_rows)
{
	for (size_t row = 0; row < n_rows; row++)
		for (size_t i = 0; i < OPTIONS_SHIMS_MAX; i++)
			sample_deinit(&rows[row].samples[i]);
}
