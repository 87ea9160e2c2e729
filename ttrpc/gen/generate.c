/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the bytes of a Request to those of a Response. What is wrong with a .proto goes into the
 * response, which protoc prints and fails with. A file without services yields nothing.
 */
#include "ttrpc/gen/generate.h"

#include <stdint.h>
#include <stdlib.h>

#include "ttrpc/gen/print.h"

enum { FEATURE_PROTO3_OPTIONAL = 1 };

static const char *build_models(struct pool *pool, const Ttrpc__Gen__Request *request,
				struct model_file *models, size_t *ret_n)
{
	struct options options;
	const char *error = options_parse(pool, request->parameter, &options);
	size_t n = 0;

	for (size_t i = 0; i < request->n_file_to_generate && !error; i++) {
		const char *name = request->file_to_generate[i];
		const Ttrpc__Gen__File *file = model_find_file(request, name);

		if (!file)
			error = pool_format(pool, "%s: the file is not in the request", name);
		else if (file->n_service)
			error = model_build(pool, request, &options, file, &models[n++]);
	}
	if (!error)
		error = model_check_symbols(pool, request, models, n);
	if (!error)
		*ret_n = n;
	return error;
}

typedef void (*print_fn)(struct print *print, struct pool *pool, const struct model_file *file);

static void add_file(struct pool *pool, Ttrpc__Gen__Response *response,
		     const struct model_file *model, const char *ending, print_fn content)
{
	Ttrpc__Gen__Response__File *file = pool_zalloc(pool, 1, sizeof(*file));
	struct print print = {0};
	char *text = NULL;
	size_t size = 0;

	print.stream = open_memstream(&text, &size);
	if (!print.stream)
		pool_die("out of memory");
	content(&print, pool, model);
	if (fclose(print.stream))
		pool_die("out of memory");
	ttrpc__gen__response__file__init(file);
	file->name = pool_format(pool, "%s%s", model->stem, ending);
	file->content = pool_format(pool, "%s", text);
	free(text);
	response->file[response->n_file++] = file;
}

static void fill(struct pool *pool, const Ttrpc__Gen__Request *request,
		 Ttrpc__Gen__Response *response)
{
	size_t n = 0, room = request->n_file_to_generate;
	struct model_file *models = pool_zalloc(pool, room, sizeof(*models));
	const char *error = build_models(pool, request, models, &n);

	response->has_supported_features = true;
	response->supported_features = FEATURE_PROTO3_OPTIONAL;
	if (error) {
		response->error = pool_format(pool, "%s", error);
		return;
	}
	response->file = pool_zalloc(pool, 2 * n, sizeof(*response->file));
	for (size_t i = 0; i < n; i++) {
		add_file(pool, response, &models[i], ".ttrpc.h", header_print);
		add_file(pool, response, &models[i], ".ttrpc.c", source_print);
	}
}

static void pack(struct pool *pool, const Ttrpc__Gen__Response *response,
		 struct generated *ret_generated)
{
	struct generated generated = {.size = ttrpc__gen__response__get_packed_size(response)};

	generated.bytes = pool_zalloc(pool, generated.size, 1);
	ttrpc__gen__response__pack(response, generated.bytes);
	*ret_generated = generated;
}

bool generate(struct pool *pool, const unsigned char *bytes, size_t size,
	      struct generated *ret_generated)
{
	Ttrpc__Gen__Response response = TTRPC__GEN__RESPONSE__INIT;
	Ttrpc__Gen__Request *request = ttrpc__gen__request__unpack(NULL, size, bytes);

	if (!request)
		return false;
	fill(pool, request, &response);
	pack(pool, &response, ret_generated);
	ttrpc__gen__request__free_unpacked(request, NULL);
	return true;
}
