/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of NAME.ttrpc.c that methods with streams have. A typed handle is the library's own by
 * another name, and the library's events are functions here that call the typed ones, so that none
 * is called through a pointer of another type.
 */
#include "ttrpc/gen/print.h"

/* The table's entry: from the library's open to the handler. */
void source_print_stream_handler(const struct print *print, const struct model_method *method)
{
	print_template(print, "\nstatic int $c__open(const void *handlers,\n"
			      "\tstruct ttrpc_stream *stream,\n"
			      "\tconst ProtobufCMessage *request)\n"
			      "{\n"
			      "\tconst struct $s_handlers *typed = handlers;\n"
			      "\n");
	if (method->client_streaming)
		print_template(print, "\t(void)request;\n");
	print_template(print, "\tif (!typed->$m)\n"
			      "\t\treturn -ENOSYS;\n");
	print_template(print, method->client_streaming
				      ? "\treturn typed->$m((struct $c_server *)stream);\n}\n"
				      : "\treturn typed->$m((struct $c_server *)stream,\n"
					"\t\t(const $i *)request);\n}\n");
}

/* ---- events: $e is the end ---- */

static void print_on_message(const struct print *print)
{
	print_template(print, "\nstatic int $c__$e_message(struct ttrpc_stream *stream,\n"
			      "\tconst ProtobufCMessage *message)\n"
			      "{\n"
			      "\tconst struct $c_$e_events *typed = ttrpc_stream_typed(stream);\n"
			      "\n"
			      "\tif (!typed->message)\n"
			      "\t\treturn 0;\n"
			      "\treturn typed->message((struct $c_$e *)stream,\n"
			      "\t\t(const $t *)message);\n"
			      "}\n");
}

static void print_on_half_closed(const struct print *print)
{
	print_template(print, "\nstatic void $c__$e_half_closed(struct ttrpc_stream *stream)\n"
			      "{\n"
			      "\tconst struct $c_$e_events *typed = ttrpc_stream_typed(stream);\n"
			      "\n"
			      "\tif (typed->half_closed)\n"
			      "\t\ttyped->half_closed((struct $c_$e *)stream);\n"
			      "}\n");
}

static void print_on_writable(const struct print *print)
{
	print_template(print, "\nstatic void $c__$e_writable(struct ttrpc_stream *stream)\n"
			      "{\n"
			      "\tconst struct $c_$e_events *typed = ttrpc_stream_typed(stream);\n"
			      "\n"
			      "\tif (typed->writable)\n"
			      "\t\ttyped->writable((struct $c_$e *)stream);\n"
			      "}\n");
}

static void print_on_ended(const struct print *print)
{
	print_template(print, "\nstatic void $c__$e_ended(struct ttrpc_stream *stream,\n"
			      "\tconst struct ttrpc_status *status)\n"
			      "{\n"
			      "\tconst struct $c_$e_events *typed = ttrpc_stream_typed(stream);\n"
			      "\n"
			      "\tif (typed->ended)\n"
			      "\t\ttyped->ended((struct $c_$e *)stream, status);\n"
			      "}\n");
}

static void print_events(const struct print *print, bool receives, bool half, bool sends)
{
	if (receives)
		print_on_message(print);
	if (half)
		print_on_half_closed(print);
	if (sends)
		print_on_writable(print);
	print_on_ended(print);
	print_template(print, "\nstatic const struct ttrpc_stream_events $c__$e_events = {\n");
	if (receives)
		print_template(print, "\t.message = $c__$e_message,\n");
	if (half)
		print_template(print, "\t.half_closed = $c__$e_half_closed,\n");
	if (sends)
		print_template(print, "\t.writable = $c__$e_writable,\n");
	print_template(print, "\t.ended = $c__$e_ended,\n};\n");
}

/* ---- functions that hand on to the library's ---- */

static void print_send(const struct print *print)
{
	print_template(print, "\nint $c_$e_send(struct $c_$e *stream,\n"
			      "\tconst $t *message)\n"
			      "{\n"
			      "\treturn ttrpc_stream_send((struct ttrpc_stream *)stream,\n"
			      "\t\t(const ProtobufCMessage *)message);\n"
			      "}\n");
}

static void print_pause(const struct print *print)
{
	print_template(print, "\nvoid $c_$e_pause(struct $c_$e *stream)\n"
			      "{\n"
			      "\tttrpc_stream_pause((struct ttrpc_stream *)stream);\n"
			      "}\n"
			      "\nvoid $c_$e_resume(struct $c_$e *stream)\n"
			      "{\n"
			      "\tttrpc_stream_resume((struct ttrpc_stream *)stream);\n"
			      "}\n");
}

static void print_handle(const struct print *print)
{
	print_template(print,
		       "\nvoid *$c_$e_userdata(\n"
		       "\tconst struct $c_$e *stream)\n"
		       "{\n"
		       "\treturn ttrpc_stream_userdata((const struct ttrpc_stream *)stream);\n"
		       "}\n"
		       "\nstruct ttrpc_stream *$c_$e_stream(\n"
		       "\tstruct $c_$e *stream)\n"
		       "{\n"
		       "\treturn (struct ttrpc_stream *)stream;\n"
		       "}\n");
}

/* ---- the server's end ---- */

static void print_server_end(const struct print *print, const struct model_method *method)
{
	print_template(print, method->server_streaming
				      ? "\nint $c_close(struct $c_server *stream)\n"
					"{\n"
					"\treturn ttrpc_stream_close((struct ttrpc_stream *)"
					"stream);\n"
					"}\n"
				      : "\nint $c_reply(struct $c_server *stream,\n"
					"\tconst $o *response)\n"
					"{\n"
					"\treturn ttrpc_stream_reply((struct ttrpc_stream *)stream,"
					"\n"
					"\t\t(const ProtobufCMessage *)response);\n"
					"}\n");
	print_template(print, "\nint $c_fail(struct $c_server *stream,\n"
			      "\tenum ttrpc_code code, const char *format, ...)\n"
			      "{\n"
			      "\tva_list arguments;\n"
			      "\tint result;\n"
			      "\n"
			      "\tva_start(arguments, format);\n"
			      "\tresult = ttrpc_stream_vfail((struct ttrpc_stream *)stream,\n"
			      "\t\tcode, format, arguments);\n"
			      "\tva_end(arguments);\n"
			      "\treturn result;\n"
			      "}\n");
}

void source_print_stream_server(struct print *print, const struct model_method *method)
{
	print->values['e'] = "server";
	print->values['t'] = method->input_type;
	print_events(print, method->client_streaming, method->client_streaming,
		     method->server_streaming);
	print_template(print, "\nvoid $c_accept(struct $c_server *stream,\n"
			      "\tconst struct $c_server_events *events,\n"
			      "\tvoid *userdata)\n"
			      "{\n"
			      "\tttrpc_stream_accept((struct ttrpc_stream *)stream,\n"
			      "\t\t&$c__server_events, events, userdata);\n"
			      "}\n");
	print->values['t'] = method->output_type;
	if (method->server_streaming)
		print_send(print);
	print_server_end(print, method);
	if (method->client_streaming)
		print_pause(print);
	print_handle(print);
	print_template(print, "\nstruct ttrpc_call *$c_server_call(\n"
			      "\tstruct $c_server *stream)\n"
			      "{\n"
			      "\treturn ttrpc_stream_call((struct ttrpc_stream *)stream);\n"
			      "}\n");
}

/* ---- the client's end ---- */

static void print_open(const struct print *print, const struct model_method *method)
{
	print_template(print, "\nint $c_open(struct ttrpc_client *client,\n"
			      "\tconst struct ttrpc_options *options,\n");
	if (!method->client_streaming)
		print_template(print, "\tconst $i *request,\n");
	print_template(print, "\tconst struct $c_client_events *events,\n"
			      "\tvoid *userdata,\n"
			      "\tstruct $c_client **ret_stream)\n"
			      "{\n"
			      "\tstruct ttrpc_stream *stream = NULL;\n"
			      "\tint result;\n"
			      "\n"
			      "\tresult = ttrpc_stream_open(client, &$s_service,\n"
			      "\t\t&$s__methods[$n], options,\n");
	print_template(print, method->client_streaming
				      ? "\t\tNULL,\n"
				      : "\t\t(const ProtobufCMessage *)request,\n");
	print_template(print, "\t\t&$c__client_events, events, userdata, &stream);\n"
			      "\tif (result == 0)\n"
			      "\t\t*ret_stream = (struct $c_client *)stream;\n"
			      "\treturn result;\n"
			      "}\n");
}

void source_print_stream_client(struct print *print, const struct model_method *method)
{
	print->values['e'] = "client";
	print->values['t'] = method->output_type;
	print_events(print, true, false, method->client_streaming);
	print_open(print, method);
	print->values['t'] = method->input_type;
	if (method->client_streaming) {
		print_send(print);
		print_template(print,
			       "\nint $c_close_send(struct $c_client *stream)\n"
			       "{\n"
			       "\treturn ttrpc_stream_close_send((struct ttrpc_stream *)stream);\n"
			       "}\n");
	}
	print_template(print, "\nvoid $c_cancel(struct $c_client *stream)\n"
			      "{\n"
			      "\tttrpc_stream_cancel((struct ttrpc_stream *)stream);\n"
			      "}\n");
	print_pause(print);
	print_handle(print);
}
