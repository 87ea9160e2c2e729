/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protoc-gen-ttrpc-c: a plugin of protoc that makes ttrpc services in C, beside protoc-c's
 * messages.
 *
 *     protoc --c_out=DIR --plugin=protoc-gen-ttrpc-c --ttrpc-c_out=DIR FILE.proto...
 *
 * With --ttrpc-c_opt=prefix=NAME every name that is made begins with NAME. Several files, of any
 * packages, may be given at once. Fields that are optional in proto3 are no matter of ours, and we say
 * so; but protoc-c has to know them, and up to 1.5 it doesn't: protoc then refuses the file for
 * protoc-gen-c's sake. proto2 syntax has such fields in every version.
 *
 * protoc writes one Request to stdin and reads one Response from stdout. What is wrong with a
 * .proto goes into the response, which protoc prints and fails with; what is wrong with the plugin
 * goes to stderr, with exit status 1. A file without services yields nothing.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ttrpc/gen/print.h"

enum { FEATURE_PROTO3_OPTIONAL = 1 };

static unsigned char *read_all(FILE *stream, size_t *ret_size)
{
	size_t room = 1 << 16, size = 0;
	unsigned char *bytes = malloc(room);

	for (;;) {
		if (!bytes)
			pool_die("out of memory");
		size += fread(bytes + size, 1, room - size, stream);
		if (size < room)
			break;
		room *= 2;
		bytes = realloc(bytes, room);
	}
	if (ferror(stream))
		pool_die("cannot read the request from stdin");
	*ret_size = size;
	return bytes;
}

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

static void write_response(struct pool *pool, const Ttrpc__Gen__Response *response)
{
	size_t size = ttrpc__gen__response__get_packed_size(response);
	uint8_t *bytes = pool_zalloc(pool, size, 1);

	ttrpc__gen__response__pack(response, bytes);
	if (fwrite(bytes, 1, size, stdout) != size || fflush(stdout))
		pool_die("cannot write the response to stdout");
}

int main(void)
{
	Ttrpc__Gen__Response response = TTRPC__GEN__RESPONSE__INIT;
	Ttrpc__Gen__Request *request;
	struct pool pool = POOL_NULL;
	unsigned char *bytes;
	size_t size;

	bytes = read_all(stdin, &size);
	request = ttrpc__gen__request__unpack(NULL, size, bytes);
	if (!request)
		pool_die("stdin holds no request of protoc");
	fill(&pool, request, &response);
	write_response(&pool, &response);
	ttrpc__gen__request__free_unpacked(request, NULL);
	pool_deinit(&pool);
	free(bytes);
	return 0;
}
