/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of NAME.ttrpc.h that methods with streams have. An end of a stream is a handle whose type
 * is the method's and the end's own, never defined, so that what one end may do is what compiles:
 * only a client whose method lets it has a send.
 */
#include "ttrpc/gen/print.h"

void header_print_stream_rules(const struct print *print)
{
	print_template(
		print,
		"\n"
		"/*\n"
		" * Streams. Each end has a handle: a handler gets struct NAME_server, and "
		"NAME_open() "
		"gives struct\n"
		" * NAME_client. Nothing blocks. What happens to a stream is told by the functions "
		"of its "
		"events, any\n"
		" * of which may be NULL; they run in the loop, one at a time. events must live as "
		"long as "
		"the stream;\n"
		" * userdata is what NAME_server_userdata() and NAME_client_userdata() give.\n"
		" *\n"
		" *   message      the next message, valid until this returns. 0: taken. -EAGAIN: "
		"not "
		"now; it comes\n"
		" *                again after writable or resume. Another negative errno ends the "
		"stream "
		"with it.\n"
		" *   half_closed  the client sends no more, and all that it sent was taken\n"
		" *   writable     sending works again, after -EAGAIN\n"
		" *   ended        the last thing that happens, once, with how it ended; the "
		"handle is "
		"no more\n"
		" *\n"
		" * A handler calls accept and returns 0; or ends the stream; or returns a "
		"negative errno, "
		"which fails\n"
		" * it. NAME_open() returns 0, and then ended is called exactly once; or a "
		"negative errno. "
		"options may\n"
		" * be NULL; a timeout covers the whole stream.\n"
		" *\n"
		" *   send         0: sent or queued, message stays the caller's. -EAGAIN: too "
		"much "
		"waits; writable\n"
		" *                is called. -EMSGSIZE: too large, nothing was sent. -EPIPE: this "
		"end "
		"has closed.\n"
		" *   close        server: all was sent; the stream ends with OK\n"
		" *   reply        server: the one answer to a client's stream; it ends with OK\n"
		" *   fail         server: it ends with a code and a text\n"
		" *   close_send   client: it sends no more; what the server sends still comes\n"
		" *   cancel       client: leaves; what comes later is dropped\n"
		" *   pause        holds back what came, up to the queue's limit, until resume\n"
		" *   call         server: for ttrpc_call_userdata(), ttrpc_call_metadata() and "
		"the "
		"like\n"
		" *   stream       the untyped handle, for what else ttrpc/stream.h has\n"
		" */\n");
}

void header_print_stream_server(const struct print *print, const struct model_method *method)
{
	print_template(print, "struct $c_server;\n"
			      "struct $c_server_events {\n");
	if (method->client_streaming)
		print_template(print, "\tint (*message)(struct $c_server *stream,\n"
				      "\t\tconst $i *message);\n"
				      "\tvoid (*half_closed)(struct $c_server *stream);\n");
	if (method->server_streaming)
		print_template(print, "\tvoid (*writable)(struct $c_server *stream);\n");
	print_template(print, "\tvoid (*ended)(struct $c_server *stream,\n"
			      "\t\tconst struct ttrpc_status *status);\n"
			      "};\n"
			      "void $c_accept(struct $c_server *stream,\n"
			      "\tconst struct $c_server_events *events,\n"
			      "\tvoid *userdata);\n");
	print_template(print, method->server_streaming
				      ? "int $c_server_send(struct $c_server *stream,\n"
					"\tconst $o *message);\n"
					"int $c_close(struct $c_server *stream);\n"
				      : "int $c_reply(struct $c_server *stream,\n"
					"\tconst $o *response);\n");
	print_template(print, "int $c_fail(struct $c_server *stream,\n"
			      "\tenum ttrpc_code code, const char *format, ...)\n"
			      "\t__attribute__((format(printf, 3, 4)));\n");
	if (method->client_streaming)
		print_template(print, "void $c_server_pause(struct $c_server *stream);\n"
				      "void $c_server_resume(struct $c_server *stream);\n");
	print_template(print, "void *$c_server_userdata(\n"
			      "\tconst struct $c_server *stream);\n"
			      "struct ttrpc_call *$c_server_call(\n"
			      "\tstruct $c_server *stream);\n"
			      "struct ttrpc_stream *$c_server_stream(\n"
			      "\tstruct $c_server *stream);\n");
}

void header_print_stream_client(const struct print *print, const struct model_method *method)
{
	print_template(print, "struct $c_client;\n"
			      "struct $c_client_events {\n"
			      "\tint (*message)(struct $c_client *stream,\n"
			      "\t\tconst $o *message);\n");
	if (method->client_streaming)
		print_template(print, "\tvoid (*writable)(struct $c_client *stream);\n");
	print_template(print, "\tvoid (*ended)(struct $c_client *stream,\n"
			      "\t\tconst struct ttrpc_status *status);\n"
			      "};\n"
			      "int $c_open(struct ttrpc_client *client,\n"
			      "\tconst struct ttrpc_options *options,\n");
	if (!method->client_streaming)
		print_template(print, "\tconst $i *request,\n");
	print_template(print, "\tconst struct $c_client_events *events,\n"
			      "\tvoid *userdata,\n"
			      "\tstruct $c_client **ret_stream);\n");
	if (method->client_streaming)
		print_template(print, "int $c_client_send(struct $c_client *stream,\n"
				      "\tconst $i *message);\n"
				      "int $c_close_send(struct $c_client *stream);\n");
	print_template(print, "void $c_cancel(struct $c_client *stream);\n"
			      "void $c_client_pause(struct $c_client *stream);\n"
			      "void $c_client_resume(struct $c_client *stream);\n"
			      "void *$c_client_userdata(\n"
			      "\tconst struct $c_client *stream);\n"
			      "struct ttrpc_stream *$c_client_stream(\n"
			      "\tstruct $c_client *stream);\n");
}
