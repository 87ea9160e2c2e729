/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From protoc's descriptors to struct model_file. A descriptor says nothing of lines and comments:
 * those are in SourceCodeInfo, under the path of field numbers and indices that leads to the thing.
 */
#include "ttrpc/gen/model.h"

#include <string.h>

#include "ttrpc/gen/name.h"

enum {
	FILE_PACKAGE = 2, /* field numbers: in File, and method in Service */
	FILE_SERVICE = 6,
	FILE_SYNTAX = 12,
	SERVICE_METHOD = 2,
};

#define LOCATION Ttrpc__Gen__SourceCodeInfo__Location

/* The arguments of all steps. */
struct build {
	struct pool *pool;
	const Ttrpc__Gen__Request *request;
	const struct options *options;
	const Ttrpc__Gen__File *file;
};

static const LOCATION *find_location(const Ttrpc__Gen__File *file, const int32_t *path, size_t n)
{
	const Ttrpc__Gen__SourceCodeInfo *info = file->source_code_info;

	for (size_t i = 0; info && i < info->n_location; i++) {
		const LOCATION *location = info->location[i];

		if (location->n_path == n && !memcmp(location->path, path, n * sizeof(*path)))
			return location;
	}
	return NULL;
}

static const char *make_place(const struct build *build, const LOCATION *location)
{
	int line = location && location->n_span ? location->span[0] + 1 : 1;

	return pool_format(build->pool, "%s:%d", build->file->name, line);
}

/* Both with an empty line in between; protoc ends each line of a comment. */
static const char *join(struct pool *pool, const char *first, const char *second)
{
	if (!*first || !*second)
		return *first ? first : second;
	return pool_format(pool, "%s\n%s", first, second);
}

static const char *make_comment(const struct build *build, const LOCATION *location)
{
	if (!location)
		return "";
	return join(build->pool, location->leading_comments, location->trailing_comments);
}

/* All that stands above the package's name: licences often stand apart from what follows. */
static const char *make_file_comment(const struct build *build)
{
	static const int32_t paths[] = {FILE_SYNTAX, FILE_PACKAGE};
	const char *comment = "";

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		const LOCATION *location = find_location(build->file, &paths[i], 1);

		for (size_t j = 0; location && j < location->n_leading_detached_comments; j++)
			comment =
				join(build->pool, comment, location->leading_detached_comments[j]);
		comment = join(build->pool, comment, make_comment(build, location));
	}
	return comment;
}

/* name: what is left of the full name, "Outer.Inner". */
static bool has_message(Ttrpc__Gen__Message *const *messages, size_t n, const char *name)
{
	size_t length = strcspn(name, ".");

	for (size_t i = 0; i < n; i++) {
		const Ttrpc__Gen__Message *message = messages[i];

		if (strlen(message->name) != length || memcmp(message->name, name, length))
			continue;
		return !name[length] ||
		       has_message(message->nested_type, message->n_nested_type, name + length + 1);
	}
	return false;
}

static const Ttrpc__Gen__File *find_type(const Ttrpc__Gen__Request *request, const char *name)
{
	for (size_t i = 0; i < request->n_proto_file; i++) {
		const Ttrpc__Gen__File *file = request->proto_file[i];
		size_t length = strlen(file->package);
		const char *rest = name;

		if (length) {
			if (strncmp(name, file->package, length) || name[length] != '.')
				continue;
			rest = name + length + 1;
		}
		if (has_message(file->message_type, file->n_message_type, rest))
			return file;
	}
	return NULL;
}

static const char *make_type(const struct build *build, const char *place, const char *proto_type,
			     const char **ret_type, const char **ret_descriptor)
{
	const char *name = proto_type + (*proto_type == '.');
	const Ttrpc__Gen__File *file = find_type(build->request, name);

	if (!file)
		return pool_format(build->pool, "%s: the type %s is unknown", place, name);
	if (file->options && file->options->pb_c_file && file->options->pb_c_file->c_package)
		return pool_format(build->pool,
				   "%s: %s has the option c_package in %s, which is "
				   "not supported",
				   place, name, file->name);
	*ret_type = name_type(build->pool, name);
	*ret_descriptor =
		pool_format(build->pool, "%s__descriptor", name_lower(build->pool, name, "__"));
	return NULL;
}

static const char *make_method_names(const struct build *build, const struct model_service *service,
				     struct model_method *method)
{
	bool ours;

	method->lower = name_lower(build->pool, method->name, "_");
	if (name_is_c_word(method->lower))
		return pool_format(build->pool,
				   "%s: the method %s becomes %s, a C keyword or macro, "
				   "which protoc-c cannot compile",
				   method->place, method->name, method->lower);
	method->member = method->lower;
	if (name_is_cxx_word(method->lower) || name_is_macro(method->lower))
		method->member = pool_format(build->pool, "%s_", method->lower);
	ours = !strcmp(method->lower, "service") || !strcmp(method->lower, "handlers");
	method->symbol = pool_format(build->pool, "%s_%s%s", service->prefix, method->lower,
				     ours ? "_" : "");
	return NULL;
}

static const char *make_method(const struct build *build, const struct model_service *service,
			       size_t service_index, size_t index, const Ttrpc__Gen__Method *proto,
			       struct model_method *method)
{
	int32_t path[] = {FILE_SERVICE, (int32_t)service_index, SERVICE_METHOD, (int32_t)index};
	const LOCATION *location = find_location(build->file, path, 4);
	const char *error;

	method->name = proto->name;
	method->place = make_place(build, location);
	method->comment = make_comment(build, location);
	method->client_streaming = proto->client_streaming;
	method->server_streaming = proto->server_streaming;
	error = make_method_names(build, service, method);
	if (!error)
		error = make_type(build, method->place, proto->input_type, &method->input_type,
				  &method->input_descriptor);
	if (!error)
		error = make_type(build, method->place, proto->output_type, &method->output_type,
				  &method->output_descriptor);
	return error;
}

static const char *make_service(const struct build *build, size_t index,
				const Ttrpc__Gen__Service *proto, struct model_service *service)
{
	int32_t path[] = {FILE_SERVICE, (int32_t)index};
	const LOCATION *location = find_location(build->file, path, 2);
	const char *package = build->file->package, *error = NULL;

	service->full_name =
		pool_format(build->pool, "%s%s%s", package, *package ? "." : "", proto->name);
	service->place = make_place(build, location);
	service->comment = make_comment(build, location);
	service->prefix = pool_format(build->pool, "%s%s", build->options->prefix,
				      name_lower(build->pool, service->full_name, "_"));
	service->foreign = name_lower(build->pool, service->full_name, "__");
	service->n_methods = proto->n_method;
	service->methods = pool_zalloc(build->pool, proto->n_method, sizeof(*service->methods));
	for (size_t i = 0; i < proto->n_method && !error; i++)
		error = make_method(build, service, index, i, proto->method[i],
				    &service->methods[i]);
	return error;
}

static const char *make_stem(struct pool *pool, const char *name)
{
	static const char ending[] = ".proto";
	size_t length = strlen(name), cut = strlen(ending);

	if (length > cut && !strcmp(name + length - cut, ending))
		length -= cut;
	return pool_format(pool, "%.*s", (int)length, name);
}

const char *model_build(struct pool *pool, const Ttrpc__Gen__Request *request,
			const struct options *options, const Ttrpc__Gen__File *file,
			struct model_file *ret_model)
{
	const struct build build = {
		.pool = pool, .request = request, .options = options, .file = file};
	struct model_file model = {
		.name = file->name,
		.stem = make_stem(pool, file->name),
		.guard = name_guard(pool, pool_format(pool, "%s%s", options->prefix, file->name)),
		.comment = make_file_comment(&build),
		.n_services = file->n_service,
		.services = pool_zalloc(pool, file->n_service, sizeof(*model.services)),
	};
	const char *error = NULL;

	if (*file->syntax && strcmp(file->syntax, "proto2") && strcmp(file->syntax, "proto3"))
		return pool_format(pool,
				   "%s:1: the syntax %s is not supported, only proto2 and proto3",
				   file->name, file->syntax);
	for (size_t i = 0; i < file->n_service && !error; i++)
		error = make_service(&build, i, file->service[i], &model.services[i]);
	if (error)
		return error;
	model_rename(pool, request, file, &model);
	*ret_model = model;
	return NULL;
}

const Ttrpc__Gen__File *model_find_file(const Ttrpc__Gen__Request *request, const char *name)
{
	for (size_t i = 0; i < request->n_proto_file; i++)
		if (!strcmp(request->proto_file[i]->name, name))
			return request->proto_file[i];
	return NULL;
}
