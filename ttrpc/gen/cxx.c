/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protoc-c's own struct of a service has members with the methods' names, which C++ may not take:
 * `delete` above all. Where our header includes protoc-c's, C++ sees them by another name. That is so
 * for the services of all files that are included with it, as they come by protoc-c's headers.
 */
#include <string.h>

#include "ttrpc/gen/model.h"
#include "ttrpc/gen/name.h"

struct walk {
	struct pool *pool;
	const Ttrpc__Gen__Request *request;
	bool *seen; /* by the index of the file in the request */
	struct model_file *model;
};

static void add(struct walk *walk, const char *name)
{
	struct model_file *model = walk->model;
	const char *(*more)[2];

	for (size_t i = 0; i < model->n_renamed; i++)
		if (!strcmp(model->renamed[i][0], name))
			return;
	more = pool_zalloc(walk->pool, model->n_renamed + 1, sizeof(*more));
	if (model->n_renamed)
		memcpy(more, model->renamed, model->n_renamed * sizeof(*more));
	more[model->n_renamed][0] = name;
	more[model->n_renamed][1] = pool_format(walk->pool, "%s_", name);
	model->renamed = more;
	model->n_renamed++;
}

static void add_file(struct walk *walk, const Ttrpc__Gen__File *file)
{
	for (size_t i = 0; i < file->n_service; i++) {
		const Ttrpc__Gen__Service *service = file->service[i];

		for (size_t j = 0; j < service->n_method; j++) {
			const char *name = name_lower(walk->pool, service->method[j]->name, "_");

			if (name_is_cxx_word(name))
				add(walk, name);
		}
	}
}

/* Imports stand before who imports them, so one pass from the end marks all. */
static void mark_imports(struct walk *walk, const Ttrpc__Gen__File *file)
{
	for (size_t i = 0; i < file->n_dependency; i++)
		for (size_t j = 0; j < walk->request->n_proto_file; j++)
			if (!strcmp(walk->request->proto_file[j]->name, file->dependency[i]))
				walk->seen[j] = true;
}

void model_rename(struct pool *pool, const Ttrpc__Gen__Request *request,
		  const Ttrpc__Gen__File *file, struct model_file *model)
{
	struct walk walk = {
		.pool = pool,
		.request = request,
		.seen = pool_zalloc(pool, request->n_proto_file, sizeof(*walk.seen)),
		.model = model,
	};

	add_file(&walk, file);
	mark_imports(&walk, file);
	for (size_t i = request->n_proto_file; i-- > 0;) {
		if (!walk.seen[i])
			continue;
		add_file(&walk, request->proto_file[i]);
		mark_imports(&walk, request->proto_file[i]);
	}
}
