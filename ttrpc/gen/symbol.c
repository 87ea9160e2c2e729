/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No two things may become one C name: GetURL and GetUrl do, and so do the second call of Get and
 * the first of GetSync. All global names of a run are collected, sorted and compared with their
 * neighbour.
 */
#include <stdlib.h>
#include <string.h>

#include "ttrpc/gen/model.h"

struct symbol {
	const char *name;
	const char *origin; /* what the .proto calls it */
	const char *place;
	size_t order;
};

struct symbols {
	struct pool *pool;
	struct symbol *items;
	size_t n;
};

static void add(struct symbols *symbols, const char *name, const char *suffix, const char *origin,
		const char *place)
{
	symbols->items[symbols->n] = (struct symbol){
		.name = pool_format(symbols->pool, "%s%s", name, suffix),
		.origin = origin,
		.place = place,
		.order = symbols->n,
	};
	symbols->n++;
}

static void add_service(struct symbols *symbols, const struct model_service *service)
{
	add(symbols, service->prefix, "_service", service->full_name, service->place);
	add(symbols, service->prefix, "_register", service->full_name, service->place);
	for (size_t i = 0; i < service->n_methods; i++) {
		const struct model_method *method = &service->methods[i];

		add(symbols, method->symbol, "", method->name, method->place);
		add(symbols, method->symbol, "_sync", method->name, method->place);
		add(symbols, method->symbol, "__dispatch", method->name, method->place);
		add(symbols, method->symbol, "__complete", method->name, method->place);
	}
}

static int compare(const void *left, const void *right)
{
	const struct symbol *a = left, *b = right;
	int result = strcmp(a->name, b->name);

	return result ? result : (a->order > b->order) - (a->order < b->order);
}

const char *model_check_symbols(struct pool *pool, const struct model_file *files, size_t n_files)
{
	struct symbols symbols = {.pool = pool};
	size_t room = 0;

	for (size_t i = 0; i < n_files; i++)
		for (size_t j = 0; j < files[i].n_services; j++)
			room += 2 + 4 * files[i].services[j].n_methods;
	symbols.items = pool_zalloc(pool, room, sizeof(*symbols.items));
	for (size_t i = 0; i < n_files; i++)
		for (size_t j = 0; j < files[i].n_services; j++)
			add_service(&symbols, &files[i].services[j]);
	qsort(symbols.items, symbols.n, sizeof(*symbols.items), compare);
	for (size_t i = 1; i < symbols.n; i++) {
		const struct symbol *first = &symbols.items[i - 1], *second = &symbols.items[i];

		if (!strcmp(first->name, second->name))
			return pool_format(pool, "%s: %s and %s (%s) both become %s", second->place,
					   second->origin, first->origin, first->place,
					   first->name);
	}
	return NULL;
}
