/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What --ttrpc-c_opt= hands over: KEY=VALUE, several with commas between them.
 */
#include <ctype.h>
#include <string.h>

#include "ttrpc/gen/model.h"

static bool is_identifier(const char *text)
{
	if (!isalpha((unsigned char)*text) && *text != '_')
		return false;
	while (isalnum((unsigned char)*text) || *text == '_')
		text++;
	return !*text;
}

static const char *parse_one(struct pool *pool, const char *option, struct options *options)
{
	static const char key[] = "prefix=";
	const char *value = option + strlen(key);

	if (strncmp(option, key, strlen(key)))
		return pool_format(pool, "the option \"%s\" is unknown, there is prefix=NAME alone",
				   option);
	if (*options->prefix)
		return pool_format(pool, "the option prefix is there twice");
	if (!is_identifier(value))
		return pool_format(pool, "the prefix \"%s\" can't begin a C name", value);
	options->prefix = value;
	return NULL;
}

const char *options_parse(struct pool *pool, const char *parameter, struct options *ret_options)
{
	struct options options = {.prefix = ""};
	const char *error = NULL;

	while (*parameter && !error) {
		size_t length = strcspn(parameter, ",");

		error = parse_one(pool, pool_format(pool, "%.*s", (int)length, parameter),
				  &options);
		parameter += length + (parameter[length] == ',');
	}
	if (!error)
		*ret_options = options;
	return error;
}
