/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NAME.ttrpc.h: for each service its table, its handlers and its client calls.
 *
 * C++ may include it although protoc-c's own headers have names that it may not take (see cxx.c):
 * for the time of that inclusion the name is another one.
 */
#include "ttrpc/gen/print.h"

/* clang's -Wpedantic minds a macro that has a keyword's name. */
static const char guards_begin[] = "#ifdef __cplusplus\n"
				   "#ifdef __clang__\n"
				   "#pragma clang diagnostic push\n"
				   "#pragma clang diagnostic ignored \"-Wkeyword-macro\"\n"
				   "#endif\n";
static const char guards_end[] = "#ifdef __clang__\n"
				 "#pragma clang diagnostic pop\n"
				 "#endif\n"
				 "#endif\n";

static void print_guards(const struct print *print, const struct model_file *file, bool begin)
{
	if (!file->n_renamed)
		return;
	fputs(begin ? guards_begin : "#ifdef __cplusplus\n", print->stream);
	for (size_t i = 0; i < file->n_renamed; i++) {
		const char *const *renamed = file->renamed[i];

		if (begin)
			fprintf(print->stream, "#define %s %s\n", renamed[0], renamed[1]);
		else
			fprintf(print->stream, "#undef %s\n", renamed[0]);
	}
	fputs(begin ? "#endif\n" : guards_end, print->stream);
}

static const char *member_of(const struct model_method *method)
{
	if (model_is_unary(method))
		return "\tint (*$m)(struct ttrpc_call *call,\n\t\tconst $i *request);\n";
	if (method->client_streaming)
		return "\tint (*$m)(struct $c_server *stream);\n";
	return "\tint (*$m)(struct $c_server *stream,\n\t\tconst $i *request);\n";
}

static void print_handlers(struct print *print, struct pool *pool,
			   const struct model_service *service)
{
	print_comment(
		print, "", service->comment,
		"What a server does for it. A NULL member answers UNIMPLEMENTED; how a handler "
		"answers\nstands in ttrpc/ttrpc.h, under \"a call on the server\".");
	print_template(print, "struct $s_handlers {\n");
	for (size_t i = 0; i < service->n_methods; i++) {
		const struct model_method *method = &service->methods[i];

		print_set_method(print, pool, service, method);
		print_comment(print, "\t", method->comment, NULL);
		print_template(print, member_of(method));
	}
	if (!service->n_methods)
		print_template(print, "\tchar nothing; /* there is no method to handle */\n");
	print_template(print, "};\n\n");
}

static void print_call(const struct print *print)
{
	print_template(print, "int $c(struct ttrpc_client *client,\n"
			      "\tconst struct ttrpc_options *options,\n"
			      "\tconst $i *request,\n"
			      "\tvoid (*done)(void *userdata, const struct ttrpc_status *status,\n"
			      "\t\tconst $o *response),\n"
			      "\tvoid *userdata);\n"
			      "int $c_sync(struct ttrpc_client *client,\n"
			      "\tconst struct ttrpc_options *options,\n"
			      "\tconst $i *request,\n"
			      "\t$o **ret_response,\n"
			      "\tstruct ttrpc_status *ret_status);\n");
}

/* The handlers name the servers' ends, so these come first. */
static void print_servers(struct print *print, struct pool *pool,
			  const struct model_service *service)
{
	for (size_t i = 0; i < service->n_methods; i++) {
		const struct model_method *method = &service->methods[i];

		if (model_is_unary(method))
			continue;
		print_set_method(print, pool, service, method);
		print_template(print, "\n/* $M, on the server */\n");
		header_print_stream_server(print, method);
	}
}

static void print_clients(struct print *print, struct pool *pool,
			  const struct model_service *service)
{
	for (size_t i = 0; i < service->n_methods; i++) {
		const struct model_method *method = &service->methods[i];

		print_set_method(print, pool, service, method);
		fputc('\n', print->stream);
		print_comment(print, "", method->name, *method->comment ? method->comment : NULL);
		if (model_is_unary(method))
			print_call(print);
		else
			header_print_stream_client(print, method);
	}
}

static void print_service(struct print *print, struct pool *pool,
			  const struct model_service *service)
{
	print_set_service(print, pool, service);
	print_template(print, "\n/* ---- $S ---- */\n"
			      "extern const struct ttrpc_service $s_service;\n");
	print_servers(print, pool, service);
	print_template(print, "\n");
	print_handlers(print, pool, service);
	print_template(
		print,
		"/* handlers must live as long as the server. -EEXIST: registered before. */\n"
		"int $s_register(struct ttrpc_server *server,\n"
		"\tconst struct $s_handlers *handlers,\n"
		"\tvoid *userdata);\n");
	print_clients(print, pool, service);
}

static bool has_streams(const struct model_file *file)
{
	for (size_t i = 0; i < file->n_services; i++)
		for (size_t j = 0; j < file->services[i].n_methods; j++)
			if (!model_is_unary(&file->services[i].methods[j]))
				return true;
	return false;
}

void header_print(struct print *print, struct pool *pool, const struct model_file *file)
{
	print_set_file(print, file);
	print_template(print, "/* Made from $f by protoc-gen-ttrpc-c: changes are lost. */\n");
	print_comment(print, "", file->comment, NULL);
	print_template(print, "#ifndef TTRPC_GENERATED_$g\n"
			      "#define TTRPC_GENERATED_$g\n"
			      "/*\n"
			      " * Client calls come in pairs. The first returns at once, 0 or a "
			      "negative errno; if 0, done runs\n"
			      " * exactly once, later, from the client's loop, with a response "
			      "that is NULL unless the status is\n"
			      " * OK and that is valid until done returns. The second, _sync, "
			      "blocks; it returns 0 if an answer\n"
			      " * came: then *ret_response is NULL unless the status is OK, and "
			      "the caller's, to be freed with\n"
			      " * protobuf_c_message_free_unpacked() unless options lend. "
			      "options may be NULL.\n"
			      " */\n"
			      "#include \"ttrpc/ttrpc.h\"\n\n");
	print_guards(print, file, true);
	print_template(print, "#include \"$b.pb-c.h\"\n");
	print_guards(print, file, false);
	if (has_streams(file))
		header_print_stream_rules(print);
	print_template(print, "\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n");
	for (size_t i = 0; i < file->n_services; i++)
		print_service(print, pool, &file->services[i]);
	print_template(print, "\n#ifdef __cplusplus\n}\n#endif\n#endif\n");
}
