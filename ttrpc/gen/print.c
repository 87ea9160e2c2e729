/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Templates and comments. A comment's text is somebody's prose: what would end or nest a C comment
 * in it is broken with a space.
 */
#include "ttrpc/gen/print.h"

#include <string.h>

void print_template(const struct print *print, const char *text)
{
	for (; *text; text++) {
		const char *value;

		if (*text != '$') {
			fputc(*text, print->stream);
			continue;
		}
		value = print->values[*++text & 127];
		if (!value)
			pool_die("a template uses a letter that is not set");
		fputs(value, print->stream);
	}
}

void print_set_file(struct print *print, const struct model_file *file)
{
	print->values['g'] = file->guard;
	print->values['f'] = file->name;
	print->values['b'] = file->stem;
}

void print_set_service(struct print *print, struct pool *pool, const struct model_service *service)
{
	print->values['s'] = service->prefix;
	print->values['S'] = service->full_name;
	print->values['n'] = pool_format(pool, "%zu", service->n_methods);
}

static const char *flags(const struct model_method *method)
{
	if (method->client_streaming && method->server_streaming)
		return "TTRPC_CLIENT_STREAM | TTRPC_SERVER_STREAM";
	if (method->client_streaming)
		return "TTRPC_CLIENT_STREAM";
	return method->server_streaming ? "TTRPC_SERVER_STREAM" : "0";
}

void print_set_method(struct print *print, struct pool *pool, const struct model_service *service,
		      const struct model_method *method)
{
	print->values['m'] = method->member;
	print->values['M'] = method->name;
	print->values['c'] = method->symbol;
	print->values['i'] = method->input_type;
	print->values['I'] = method->input_descriptor;
	print->values['o'] = method->output_type;
	print->values['O'] = method->output_descriptor;
	print->values['F'] = flags(method);
	print->values['n'] = pool_format(pool, "%zu", (size_t)(method - service->methods));
}

static void print_prose(FILE *stream, const char *text, size_t length)
{
	char before = 0;

	for (size_t i = 0; i < length; i++) {
		if ((before == '*' && text[i] == '/') || (before == '/' && text[i] == '*'))
			fputc(' ', stream);
		fputc(text[i], stream);
		before = text[i];
	}
}

static size_t trimmed(const char *text, size_t length)
{
	while (length && strchr(" \t\r\n", text[length - 1]))
		length--;
	return length;
}

static void print_lines(FILE *stream, const char *indent, const char *text)
{
	size_t left = trimmed(text, strlen(text));

	while (left) {
		const char *end = memchr(text, '\n', left);
		size_t line = end ? (size_t)(end - text) : left;
		size_t length = trimmed(text, line);

		fprintf(stream, "%s *", indent);
		if (length && text[0] != ' ' && text[0] != '\t')
			fputc(' ', stream);
		print_prose(stream, text, length);
		fputc('\n', stream);
		line += end != NULL;
		text += line;
		left -= line;
	}
}

void print_comment(const struct print *print, const char *indent, const char *comment,
		   const char *more)
{
	size_t length = trimmed(comment, strlen(comment));

	if (!length && !more)
		return;
	if (!more && !memchr(comment, '\n', length)) {
		comment += strspn(comment, " \t");
		fprintf(print->stream, "%s/* ", indent);
		print_prose(print->stream, comment, trimmed(comment, strlen(comment)));
		fputs(" */\n", print->stream);
		return;
	}
	fprintf(print->stream, "%s/*\n", indent);
	print_lines(print->stream, indent, comment);
	if (length && more)
		fprintf(print->stream, "%s *\n", indent);
	if (more)
		print_lines(print->stream, indent, more);
	fprintf(print->stream, "%s */\n", indent);
}
