/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of TOML in which runtime options are written: `Key = value` lines with strings, booleans
 * and integers, and comments. A table's header ends what is read, since all that follows belongs to
 * that table or another. Keys match without regard to case, as in the stock shim.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "shim/runc_options.h"

#define VALUE_MAX 4096 /* bytes of a string; above: refused */
#define UNKNOWN_MAX 8  /* keys that are logged; above: passed over in silence */

struct parser {
	const struct runtime_task *task;
	const char *name, *at;
	int line, unknown;
	Containerd__Runc__V1__Options *options;
	struct failure *failure;
	char value[VALUE_MAX];
};

static int refuse(const struct parser *parser, const char *reason)
{
	return failure_set(parser->failure, "%s: line %d: %s", parser->name, parser->line, reason);
}

static void skip_blanks(struct parser *parser)
{
	parser->at += strspn(parser->at, " \t");
}

/* Blank lines and comments. */
static void skip_empty(struct parser *parser)
{
	for (;;) {
		skip_blanks(parser);
		if (*parser->at == '#')
			parser->at += strcspn(parser->at, "\n");
		if (*parser->at == '\n')
			parser->line++;
		if (*parser->at != '\n' && *parser->at != '\r')
			return;
		parser->at++;
	}
}

/* The byte that the escape behind a backslash stands for; -1: none that we know. */
static int escape(struct parser *parser)
{
	static const char names[] = "btnfr\"\\", values[] = "\b\t\n\f\r\"\\";
	const char *found = *parser->at ? strchr(names, *parser->at) : NULL;

	if (!found)
		return -1;
	parser->at++;
	return (unsigned char)values[found - names];
}

static int parse_string(struct parser *parser)
{
	char quote = *parser->at++;
	size_t n = 0;

	if (parser->at[0] == quote && parser->at[1] == quote)
		return refuse(parser, "a string of several lines is not supported");
	while (*parser->at != quote) {
		int c = (unsigned char)*parser->at;

		if (c == '\0' || c == '\n')
			return refuse(parser, "a string does not end");
		parser->at++;
		if (c == '\\' && quote == '"')
			c = escape(parser);
		if (c < 0)
			return refuse(parser, "an escape sequence is not supported");
		if (n + 1 >= sizeof(parser->value))
			return refuse(parser, "a string is too long");
		parser->value[n++] = (char)c;
	}
	parser->at++;
	parser->value[n] = '\0';
	return 0;
}

/* true, false, a number: up to what ends a value. Underscores are for the eye. */
static int parse_word(struct parser *parser)
{
	size_t n = 0;

	for (; *parser->at && !strchr(" \t\r\n#", *parser->at); parser->at++) {
		if (!isalnum((unsigned char)*parser->at) && !strchr("_+-.:", *parser->at))
			return refuse(parser, "not a string, a boolean or an integer");
		if (*parser->at == '_')
			continue;
		if (n + 1 >= sizeof(parser->value))
			return refuse(parser, "a value is too long");
		parser->value[n++] = *parser->at;
	}
	parser->value[n] = '\0';
	return n == 0 ? refuse(parser, "a value is missing") : 0;
}

static int set_bool(struct parser *parser, const struct runc_option *option, bool quoted)
{
	bool yes = strcmp(parser->value, "true") == 0;

	if (quoted || (!yes && strcmp(parser->value, "false") != 0))
		return refuse(parser, "a boolean is wanted");
	runc_option_set_bool(parser->options, option, yes);
	return 0;
}

static int set_number(struct parser *parser, const struct runc_option *option, bool quoted)
{
	unsigned long long number;
	char *end;

	errno = 0;
	number = strtoull(parser->value, &end, 0);
	if (quoted || errno != 0 || end == parser->value || *end || *parser->value == '-' ||
	    number > UINT32_MAX)
		return refuse(parser, "an integer from 0 to 4294967295 is wanted");
	runc_option_set_number(parser->options, option, (uint32_t)number);
	return 0;
}

static int set_option(struct parser *parser, const struct runc_option *option, bool quoted)
{
	switch (option->type) {
	case RUNC_OPTION_BOOL:
		return set_bool(parser, option, quoted);
	case RUNC_OPTION_NUMBER:
		return set_number(parser, option, quoted);
	case RUNC_OPTION_STRING:
		if (!quoted)
			return refuse(parser, "a string is wanted");
		return runc_option_set_string(parser->options, option, parser->value);
	}
	return -EINVAL;
}

static const struct runc_option *find_option(const char *key, size_t length)
{
	for (size_t i = 0; i < runc_option_count; i++) {
		const struct runc_option *option = &runc_option_table[i];

		if ((strlen(option->toml) == length && !strncasecmp(option->toml, key, length)) ||
		    (strlen(option->json) == length && !strncmp(option->json, key, length)))
			return option;
	}
	return NULL;
}

static void log_unknown(struct parser *parser, const char *key, size_t length)
{
	if (parser->unknown++ < UNKNOWN_MAX)
		shim_log(parser->task, SHIM_LOG_WARNING, "%s: line %d: unknown key \"%.*s\"",
			 parser->name, parser->line, length < 64 ? (int)length : 64, key);
}

static int parse_key(struct parser *parser, const struct runc_option **ret_option)
{
	const char *key = parser->at;
	size_t length = strcspn(key, " \t\r\n=");

	parser->at += length;
	if (length >= 2 && (*key == '"' || *key == '\'') && key[length - 1] == *key)
		key++, length -= 2;
	skip_blanks(parser);
	if (length == 0 || *parser->at != '=')
		return refuse(parser, "key = value is wanted");
	parser->at++;
	skip_blanks(parser);
	*ret_option = find_option(key, length);
	if (!*ret_option)
		log_unknown(parser, key, length);
	return 0;
}

static int parse_line(struct parser *parser)
{
	const struct runc_option *option = NULL;
	int r = parse_key(parser, &option);
	bool quoted = *parser->at == '"' || *parser->at == '\'';

	if (r == 0)
		r = quoted ? parse_string(parser) : parse_word(parser);
	if (r == 0 && option)
		r = set_option(parser, option, quoted);
	if (r != 0)
		return r;
	skip_blanks(parser);
	if (*parser->at && !strchr("\r\n#", *parser->at))
		return refuse(parser, "something follows the value");
	return 0;
}

/* "[name]" or "[[name]]": the options end there. */
static int parse_table(struct parser *parser)
{
	size_t length = strcspn(parser->at, "\r\n#");

	while (length > 0 && strchr(" \t", parser->at[length - 1]))
		length--;
	if (length <= 2 || parser->at[length - 1] != ']')
		return refuse(parser, "a table's name does not end");
	shim_log(parser->task, SHIM_LOG_WARNING,
		 "%s: line %d: tables, and all behind, are not read", parser->name, parser->line);
	return 0;
}

int runc_options_parse_toml(const struct runtime_task *task, const char *name, const char *text,
			    Containerd__Runc__V1__Options *options, struct failure *ret_failure)
{
	struct parser parser = {
		.task = task,
		.name = name,
		.at = text,
		.line = 1,
		.options = options,
		.failure = ret_failure,
	};
	int r = 0;

	skip_empty(&parser);
	while (r == 0 && *parser.at && *parser.at != '[') {
		r = parse_line(&parser);
		if (r == 0)
			skip_empty(&parser);
	}
	return r == 0 && *parser.at == '[' ? parse_table(&parser) : r;
}
