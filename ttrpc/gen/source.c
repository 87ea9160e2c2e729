/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NAME.ttrpc.c: one function for each thing a program may want, so that the linker's --gc-sections
 * leaves out what it does not use.
 *
 * Functions are never called through a pointer of another type: the server's dispatch and the
 * client's complete are small functions of the general type that call the typed one. Until an answer
 * comes the library keeps the pointer to the client's.
 */
#include "ttrpc/gen/print.h"

static void print_dispatch(const struct print *print)
{
	print_template(print, "\nstatic int $c__dispatch(const void *handlers,\n"
			      "\tstruct ttrpc_call *call,\n"
			      "\tconst ProtobufCMessage *request)\n"
			      "{\n"
			      "\tconst struct $s_handlers *typed = handlers;\n"
			      "\n"
			      "\tif (!typed->$m)\n"
			      "\t\treturn -ENOSYS;\n"
			      "\treturn typed->$m(call, (const $i *)request);\n"
			      "}\n");
}

/* Naming ttrpc_streams is what links the library's part for streams. */
static const char *entry_of(const struct model_method *method)
{
	return model_is_unary(method) ? "\t\t.dispatch = $c__dispatch,\n"
				      : "\t\t.open = $c__open,\n"
					"\t\t.streams = &ttrpc_streams,\n";
}

static void print_table(struct print *print, struct pool *pool, const struct model_service *service)
{
	if (service->n_methods)
		print_template(print, "\nstatic const struct ttrpc_method $s__methods[] = {\n");
	for (size_t i = 0; i < service->n_methods; i++) {
		print_set_method(print, pool, service, &service->methods[i]);
		print_template(print, "\t{\n"
				      "\t\t.name = \"$M\",\n"
				      "\t\t.input = &$I,\n"
				      "\t\t.output = &$O,\n"
				      "\t\t.flags = $F,\n");
		print_template(print, entry_of(&service->methods[i]));
		print_template(print, "\t},\n");
	}
	if (service->n_methods)
		print_template(print, "};\n");
	print_set_service(print, pool, service);
	print_template(print, "\nconst struct ttrpc_service $s_service = {\n"
			      "\t.name = \"$S\",\n"
			      "\t.n_methods = $n,\n");
	print_template(print, service->n_methods ? "\t.methods = $s__methods,\n};\n"
						 : "\t.methods = NULL,\n};\n");
}

static void print_register(const struct print *print)
{
	print_template(print, "\nint $s_register(struct ttrpc_server *server,\n"
			      "\tconst struct $s_handlers *handlers,\n"
			      "\tvoid *userdata)\n"
			      "{\n"
			      "\treturn ttrpc_server_register(server, &$s_service,\n"
			      "\t\thandlers, userdata);\n"
			      "}\n");
}

static void print_call(const struct print *print)
{
	print_template(print, "\nstatic void $c__complete(void (*done)(void), void *userdata,\n"
			      "\tconst struct ttrpc_status *status,\n"
			      "\tconst ProtobufCMessage *response)\n"
			      "{\n"
			      "\t((void (*)(void *, const struct ttrpc_status *,\n"
			      "\t\tconst $o *))done)(\n"
			      "\t\tuserdata, status, (const $o *)response);\n"
			      "}\n"
			      "\nint $c(struct ttrpc_client *client,\n"
			      "\tconst struct ttrpc_options *options,\n"
			      "\tconst $i *request,\n"
			      "\tvoid (*done)(void *userdata, const struct ttrpc_status *status,\n"
			      "\t\tconst $o *response),\n"
			      "\tvoid *userdata)\n"
			      "{\n"
			      "\treturn ttrpc_client_call_typed(client, &$s_service,\n"
			      "\t\t&$s__methods[$n], options,\n"
			      "\t\t(const ProtobufCMessage *)request,\n"
			      "\t\t$c__complete, (void (*)(void))done, userdata);\n"
			      "}\n");
}

static void print_call_sync(const struct print *print)
{
	print_template(print, "\nint $c_sync(struct ttrpc_client *client,\n"
			      "\tconst struct ttrpc_options *options,\n"
			      "\tconst $i *request,\n"
			      "\t$o **ret_response,\n"
			      "\tstruct ttrpc_status *ret_status)\n"
			      "{\n"
			      "\tProtobufCMessage *response = NULL;\n"
			      "\tint result;\n"
			      "\n"
			      "\tresult = ttrpc_client_call_sync(client, &$s_service,\n"
			      "\t\t&$s__methods[$n], options,\n"
			      "\t\t(const ProtobufCMessage *)request, &response, ret_status);\n"
			      "\tif (result == 0)\n"
			      "\t\t*ret_response = ($o *)response;\n"
			      "\treturn result;\n"
			      "}\n");
}

static void print_method(struct print *print, const struct model_method *method)
{
	if (model_is_unary(method)) {
		print_call(print);
		print_call_sync(print);
	} else {
		source_print_stream_server(print, method);
		source_print_stream_client(print, method);
	}
}

static void print_service(struct print *print, struct pool *pool,
			  const struct model_service *service)
{
	print_set_service(print, pool, service);
	print_template(print, "\n/* ---- $S ---- */\n");
	for (size_t i = 0; i < service->n_methods; i++) {
		print_set_method(print, pool, service, &service->methods[i]);
		if (model_is_unary(&service->methods[i]))
			print_dispatch(print);
		else
			source_print_stream_handler(print, &service->methods[i]);
	}
	print_table(print, pool, service);
	print_register(print);
	for (size_t i = 0; i < service->n_methods; i++) {
		print_set_method(print, pool, service, &service->methods[i]);
		print_method(print, &service->methods[i]);
	}
}

void source_print(struct print *print, struct pool *pool, const struct model_file *file)
{
	print_set_file(print, file);
	print_template(print, "/* Made from $f by protoc-gen-ttrpc-c: changes are lost. */\n"
			      "#include \"$b.ttrpc.h\"\n\n"
			      "#include <errno.h>\n"
			      "#include <stdarg.h>\n");
	for (size_t i = 0; i < file->n_services; i++)
		print_service(print, pool, &file->services[i]);
}
