/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TTRPC_GEN_MODEL_H
#define TTRPC_GEN_MODEL_H
/*
 * What is to be written: the services of one .proto with every C name made and every reason to
 * refuse checked, so that the writers (header.c, source.c) only print. All of it lives in the pool.
 *
 *   option.c   what the command line asks for
 *   model.c    from protoc's descriptors to names
 *   cxx.c      names that C++ can't have
 *   symbol.c   names that two things have
 */
#include <stdbool.h>

#include "ttrpc/gen/plugin.pb-c.h"
#include "ttrpc/gen/pool.h"

struct options {
	const char *prefix; /* of every name that is made; may be empty */
};

struct model_method {
	const char *name;  /* the proto's */
	const char *place; /* file:line */
	const char *comment;
	const char *lower;  /* as protoc-c calls it in its own service struct */
	const char *member; /* of the handlers */
	const char *symbol; /* of the client call; with _sync for the other */
	const char *input_type, *input_descriptor;
	const char *output_type, *output_descriptor;
	bool client_streaming, server_streaming;
};

struct model_service {
	const char *full_name;
	const char *place;
	const char *comment;
	const char *prefix;  /* of all that is made for it */
	const char *foreign; /* the same of protoc-c's */
	size_t n_methods;
	struct model_method *methods;
};

struct model_file {
	const char *name; /* the .proto */
	const char *stem; /* without the ending */
	const char *guard;
	const char *comment;
	size_t n_services;
	struct model_service *services;
	/*
	 * Members of protoc-c's structs that C++ can't have, in this file and what it imports: pairs
	 * of the name and another one.
	 */
	size_t n_renamed;
	const char *(*renamed)[2];
};

static inline bool model_is_unary(const struct model_method *method)
{
	return !method->client_streaming && !method->server_streaming;
}

/* These return NULL, or why not; what is wrong in a file as file:line: reason. */
const char *options_parse(struct pool *pool, const char *parameter, struct options *ret_options);
const char *model_build(struct pool *pool, const Ttrpc__Gen__Request *request,
			const struct options *options, const Ttrpc__Gen__File *file,
			struct model_file *ret_model);

/* What only shows over all files: two things with one C name. */
const char *model_check_symbols(struct pool *pool, const Ttrpc__Gen__Request *request,
				const struct model_file *files, size_t n_files);

/* Sets renamed. */
void model_rename(struct pool *pool, const Ttrpc__Gen__Request *request,
		  const Ttrpc__Gen__File *file, struct model_file *model);

/* NULL: it isn't there. */
const Ttrpc__Gen__File *model_find_file(const Ttrpc__Gen__Request *request, const char *name);

#endif
