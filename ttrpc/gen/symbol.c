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

enum { UNARY = 1, CLIENT_STREAM = 2, SERVER_STREAM = 4, BIDI = 8 };
#define STREAMS (CLIENT_STREAM | SERVER_STREAM | BIDI)

/* What the kinds of methods have. */
static const struct {
	const char *suffix;
	unsigned kinds;
} method_names[] = {
	{"", UNARY},
	{"_sync", UNARY},
	{"__dispatch", UNARY},
	{"__complete", UNARY},
	{"_accept", STREAMS},
	{"_close", SERVER_STREAM | BIDI},
	{"_reply", CLIENT_STREAM},
	{"_fail", STREAMS},
	{"_open", STREAMS},
	{"_close_send", CLIENT_STREAM | BIDI},
	{"_cancel", STREAMS},
	{"_server_send", SERVER_STREAM | BIDI},
	{"_server_pause", CLIENT_STREAM | BIDI},
	{"_server_resume", CLIENT_STREAM | BIDI},
	{"_server_userdata", STREAMS},
	{"_server_call", STREAMS},
	{"_server_stream", STREAMS},
	{"_client_send", CLIENT_STREAM | BIDI},
	{"_client_pause", STREAMS},
	{"_client_resume", STREAMS},
	{"_client_userdata", STREAMS},
	{"_client_stream", STREAMS},
	{"__open", STREAMS},
	{"__server_message", CLIENT_STREAM | BIDI},
	{"__server_half_closed", CLIENT_STREAM | BIDI},
	{"__server_writable", SERVER_STREAM | BIDI},
	{"__server_ended", STREAMS},
	{"__server_events", STREAMS},
	{"__client_message", STREAMS},
	{"__client_writable", CLIENT_STREAM | BIDI},
	{"__client_ended", STREAMS},
	{"__client_events", STREAMS},
};

#define N_METHOD_NAMES (sizeof(method_names) / sizeof(method_names[0]))

static unsigned kind_of(const struct model_method *method)
{
	if (model_is_unary(method))
		return UNARY;
	if (method->client_streaming && method->server_streaming)
		return BIDI;
	return method->client_streaming ? CLIENT_STREAM : SERVER_STREAM;
}

static void add_method(struct symbols *symbols, const struct model_method *method)
{
	for (size_t i = 0; i < N_METHOD_NAMES; i++)
		if (method_names[i].kinds & kind_of(method))
			add(symbols, method->symbol, method_names[i].suffix, method->name,
			    method->place);
}

static void add_service(struct symbols *symbols, const struct model_service *service)
{
	add(symbols, service->prefix, "_service", service->full_name, service->place);
	add(symbols, service->prefix, "_register", service->full_name, service->place);
	for (size_t i = 0; i < service->n_methods; i++)
		add_method(symbols, &service->methods[i]);
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
			room += 2 + N_METHOD_NAMES * files[i].services[j].n_methods;
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
