/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No two things may become one C name: GetURL and GetUrl do, and so do the second call of Get and
 * the first of GetSync. All names of a run are collected, ours and those that protoc-c makes beside
 * them, sorted and compared with their neighbour. Tags of structs and members of a struct are names
 * with that before them.
 */
#include <stdlib.h>
#include <string.h>

#include "ttrpc/gen/model.h"
#include "ttrpc/gen/name.h"

/*
 * Our functions and tables; our structs and their members; what protoc-c makes of services; what it
 * makes of messages. The first is reported where several collide, and two of the last are none of our
 * business.
 */
enum rank { OURS, STRUCT, FOREIGN, MESSAGE };

struct symbol {
	const char *name;
	const char *origin; /* what the .proto calls it */
	const char *place;
	enum rank rank;
	size_t order;
};

struct symbols {
	struct pool *pool;
	struct symbol *items;
	size_t n, room;
};

enum { UNARY = 1, CLIENT_STREAM = 2, SERVER_STREAM = 4, BIDI = 8 };
#define STREAMS (CLIENT_STREAM | SERVER_STREAM | BIDI)

/* What is made of a base: before, base, after. */
struct affix {
	const char *before, *after;
	unsigned kinds; /* of methods that have it */
};

/* What the kinds of methods have. */
static const struct affix method_names[] = {
	{"", "", UNARY},
	{"", "_sync", UNARY},
	{"", "__dispatch", UNARY},
	{"", "__complete", UNARY},
	{"", "_accept", STREAMS},
	{"", "_close", SERVER_STREAM | BIDI},
	{"", "_reply", CLIENT_STREAM},
	{"", "_fail", STREAMS},
	{"", "_open", STREAMS},
	{"", "_close_send", CLIENT_STREAM | BIDI},
	{"", "_cancel", STREAMS},
	{"", "_server_send", SERVER_STREAM | BIDI},
	{"", "_server_pause", CLIENT_STREAM | BIDI},
	{"", "_server_resume", CLIENT_STREAM | BIDI},
	{"", "_server_userdata", STREAMS},
	{"", "_server_call", STREAMS},
	{"", "_server_stream", STREAMS},
	{"", "_client_send", CLIENT_STREAM | BIDI},
	{"", "_client_pause", STREAMS},
	{"", "_client_resume", STREAMS},
	{"", "_client_userdata", STREAMS},
	{"", "_client_stream", STREAMS},
	{"", "__open", STREAMS},
	{"", "__server_message", CLIENT_STREAM | BIDI},
	{"", "__server_half_closed", CLIENT_STREAM | BIDI},
	{"", "__server_writable", SERVER_STREAM | BIDI},
	{"", "__server_ended", STREAMS},
	{"", "__server_events", STREAMS},
	{"", "__client_message", STREAMS},
	{"", "__client_writable", CLIENT_STREAM | BIDI},
	{"", "__client_ended", STREAMS},
	{"", "__client_events", STREAMS},
	{"struct ", "_server", STREAMS},
	{"struct ", "_server_events", STREAMS},
	{"struct ", "_client", STREAMS},
	{"struct ", "_client_events", STREAMS},
};

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static void add(struct symbols *symbols, enum rank rank, const char *name, const char *origin,
		const char *place)
{
	if (symbols->n == symbols->room) {
		struct symbol *more;

		symbols->room = symbols->room ? 2 * symbols->room : 256;
		more = pool_zalloc(symbols->pool, symbols->room, sizeof(*more));
		if (symbols->n)
			memcpy(more, symbols->items, symbols->n * sizeof(*more));
		symbols->items = more;
	}
	symbols->items[symbols->n] = (struct symbol){
		.name = name,
		.origin = origin,
		.place = place,
		.rank = rank,
		.order = symbols->n,
	};
	symbols->n++;
}

static void add_affixed(struct symbols *symbols, enum rank rank, const struct affix *affix,
			const char *base, const char *origin, const char *place)
{
	add(symbols, rank == OURS && *affix->before ? STRUCT : rank,
	    pool_format(symbols->pool, "%s%s%s", affix->before, base, affix->after), origin, place);
}

/* ---- ours ---- */

static unsigned kind_of(const struct model_method *method)
{
	if (model_is_unary(method))
		return UNARY;
	if (method->client_streaming && method->server_streaming)
		return BIDI;
	return method->client_streaming ? CLIENT_STREAM : SERVER_STREAM;
}

static void add_method(struct symbols *symbols, const struct model_service *service,
		       const struct model_method *method)
{
	struct pool *pool = symbols->pool;

	for (size_t i = 0; i < LENGTH(method_names); i++)
		if (method_names[i].kinds & kind_of(method))
			add_affixed(symbols, OURS, &method_names[i], method->symbol, method->name,
				    method->place);
	add(symbols, STRUCT, pool_format(pool, "%s_handlers.%s", service->prefix, method->member),
	    method->name, method->place);
	add(symbols, FOREIGN, pool_format(pool, "%s__%s", service->foreign, method->lower),
	    method->name, method->place);
	add(symbols, FOREIGN, pool_format(pool, "%s.%s", service->foreign, method->lower),
	    method->name, method->place);
}

static void add_service(struct symbols *symbols, const struct model_service *service)
{
	static const struct affix ours[] = {
		{"", "_service", 0},
		{"", "_register", 0},
		{"", "__methods", 0},
		{"struct ", "_handlers", 0},
	};
	static const struct affix foreign[] = {
		{"", "__init", 0},
		{"", "__descriptor", 0},
		{"", "__method_descriptors", 0},
		{"", ".base", 0},
	};

	for (size_t i = 0; i < LENGTH(ours); i++)
		add_affixed(symbols, OURS, &ours[i], service->prefix, service->full_name,
			    service->place);
	for (size_t i = 0; i < LENGTH(foreign); i++)
		add_affixed(symbols, FOREIGN, &foreign[i], service->foreign, service->full_name,
			    service->place);
	for (size_t i = 0; i < service->n_methods; i++)
		add_method(symbols, service, &service->methods[i]);
}

/* ---- protoc-c's ---- */

/* The C name of scope.name, in which a scope that is empty isn't there. */
static const char *scoped(struct pool *pool, const char *scope, const char *name)
{
	return pool_format(pool, "%s%s%s", scope, *scope ? "." : "", name);
}

static void add_messages(struct symbols *symbols, const char *file, const char *scope,
			 Ttrpc__Gen__Message *const *messages, size_t n_messages,
			 Ttrpc__Gen__Enum *const *enums, size_t n_enums)
{
	static const char *const suffixes[] = {"init",           "get_packed_size", "pack",
					       "pack_to_buffer", "unpack",          "free_unpacked",
					       "descriptor"};

	for (size_t i = 0; i < n_enums; i++) {
		const char *name = scoped(symbols->pool, scope, enums[i]->name);

		add(symbols, MESSAGE,
		    pool_format(symbols->pool, "%s__descriptor",
				name_lower(symbols->pool, name, "__")),
		    name, file);
	}
	for (size_t i = 0; i < n_messages; i++) {
		const Ttrpc__Gen__Message *message = messages[i];
		const char *name = scoped(symbols->pool, scope, message->name);
		const char *lower = name_lower(symbols->pool, name, "__");

		for (size_t j = 0; j < LENGTH(suffixes); j++)
			add(symbols, MESSAGE,
			    pool_format(symbols->pool, "%s__%s", lower, suffixes[j]), name, file);
		add_messages(symbols, file, name, message->nested_type, message->n_nested_type,
			     message->enum_type, message->n_enum_type);
	}
}

/* ---- the judgement ---- */

static int compare(const void *left, const void *right)
{
	const struct symbol *a = left, *b = right;
	int result = strcmp(a->name, b->name);

	return result ? result : (a->order > b->order) - (a->order < b->order);
}

static const char *find_collision(const struct symbols *symbols)
{
	const struct symbol *found = NULL;
	unsigned lowest = 2 * MESSAGE;

	for (size_t i = 1; i < symbols->n; i++) {
		const struct symbol *first = &symbols->items[i - 1], *second = &symbols->items[i];
		unsigned rank = first->rank + second->rank;

		if (rank >= lowest || strcmp(first->name, second->name))
			continue;
		lowest = rank;
		found = second;
	}
	if (!found)
		return NULL;
	return pool_format(symbols->pool, "%s: %s and %s (%s) both become %s", found->place,
			   found->origin, found[-1].origin, found[-1].place, found->name);
}

static const char *find_reserved(const struct symbols *symbols)
{
	for (size_t i = 0; i < symbols->n; i++) {
		const struct symbol *symbol = &symbols->items[i];

		if (symbol->rank == OURS && name_is_library(symbol->name))
			return pool_format(symbols->pool,
					   "%s: %s becomes %s, and such names are the library's; "
					   "the option prefix makes another one",
					   symbol->place, symbol->origin, symbol->name);
	}
	return NULL;
}

const char *model_check_symbols(struct pool *pool, const Ttrpc__Gen__Request *request,
				const struct model_file *files, size_t n_files)
{
	struct symbols symbols = {.pool = pool};
	const char *error;

	for (size_t i = 0; i < n_files; i++)
		for (size_t j = 0; j < files[i].n_services; j++)
			add_service(&symbols, &files[i].services[j]);
	error = find_reserved(&symbols);
	if (error)
		return error;
	for (size_t i = 0; i < request->n_proto_file; i++) {
		const Ttrpc__Gen__File *file = request->proto_file[i];

		add_messages(&symbols, file->name, file->package, file->message_type,
			     file->n_message_type, file->enum_type, file->n_enum_type);
	}
	if (symbols.n)
		qsort(symbols.items, symbols.n, sizeof(*symbols.items), compare);
	return find_collision(&symbols);
}
