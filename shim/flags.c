/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line: see flags.h. A table of the known flags, and a cursor over the words. The texts
 * of errors and usage are Go's, which people look for in logs.
 */
#include "shim/flags.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct flag {
	const char *name;
	bool boolean;
	size_t offset; /* of its member in struct shim_config: a bool or a const char * */
	const char *help;
};

#define BOOLEAN(flag_name, member, text)                                                           \
	{                                                                                          \
		.name = flag_name, .boolean = true,                                                \
		.offset = offsetof(struct shim_config, member), .help = text                       \
	}
#define STRING(flag_name, member, text)                                                            \
	{                                                                                          \
		.name = flag_name, .offset = offsetof(struct shim_config, member), .help = text    \
	}

static const struct flag flags[] = {
	STRING("address", address, "grpc address back to main containerd"),
	STRING("bundle", bundle, "path to the bundle if not workdir"),
	BOOLEAN("debug", debug, "enable debug output in logs"),
	STRING("debug-socket", debug_socket, "accepted, not used"),
	STRING("id", id, "id of the task"),
	BOOLEAN("info", info, "get the option protobuf from stdin, print the shim info protobuf"),
	STRING("namespace", namespace_, "namespace that owns the shim"),
	STRING("publish-binary", publish_binary, "accepted, not used"),
	STRING("socket", socket, "accepted, not used"),
	BOOLEAN("v", version, "show the shim version and exit"),
	BOOLEAN("version", version, "show the shim version and exit"),
};

#define N_FLAGS (sizeof(flags) / sizeof(flags[0]))

struct words {
	int at, count;
	char **argv;
};

static const struct flag *flag_find(const char *name, size_t length)
{
	for (size_t i = 0; i < N_FLAGS; i++)
		if (strlen(flags[i].name) == length && memcmp(flags[i].name, name, length) == 0)
			return &flags[i];
	return NULL;
}

static bool boolean_parse(const char *text, bool *ret_value)
{
	static const char *const words[2][6] = {
		{"0", "f", "F", "false", "FALSE", "False"},
		{"1", "t", "T", "true", "TRUE", "True"},
	};
	for (int value = 0; value < 2; value++) {
		for (int i = 0; i < 6; i++) {
			if (strcmp(words[value][i], text) == 0) {
				*ret_value = value;
				return true;
			}
		}
	}
	return false;
}

static enum flags_result bad(struct flags_error *ret_error, const char *what, const char *word)
{
	snprintf(ret_error->text, sizeof(ret_error->text), "%s%.100s", what, word);
	return FLAGS_BAD;
}

static enum flags_result boolean_set(const struct flag *flag, const char *value,
				     struct shim_config *config, struct flags_error *ret_error)
{
	bool *member = (bool *)((char *)config + flag->offset);
	if (!value) {
		*member = true;
		return FLAGS_OK;
	}
	if (boolean_parse(value, member))
		return FLAGS_OK;
	snprintf(ret_error->text, sizeof(ret_error->text),
		 "invalid boolean value \"%.80s\" for -%s: parse error", value, flag->name);
	return FLAGS_BAD;
}

static enum flags_result string_set(const struct flag *flag, const char *value, struct words *words,
				    struct shim_config *config, struct flags_error *ret_error)
{
	if (!value && words->at == words->count)
		return bad(ret_error, "flag needs an argument: -", flag->name);
	if (!value)
		value = words->argv[words->at++];
	memcpy((char *)config + flag->offset, &value, sizeof(value));
	return FLAGS_OK;
}

/* word: a flag with its dashes; the cursor is behind it. */
static enum flags_result flag_parse(const char *word, struct words *words,
				    struct shim_config *config, struct flags_error *ret_error)
{
	const char *name = word + (word[1] == '-' ? 2 : 1);
	size_t length = strcspn(name, "=");
	const char *value = name[length] == '=' ? name + length + 1 : NULL;
	const struct flag *flag = flag_find(name, length);

	if (length == 0 || name[0] == '-')
		return bad(ret_error, "bad flag syntax: ", word);
	if (flag && flag->boolean)
		return boolean_set(flag, value, config, ret_error);
	if (flag)
		return string_set(flag, value, words, config, ret_error);
	if ((length == 1 && name[0] == 'h') || (length == 4 && memcmp(name, "help", 4) == 0))
		return FLAGS_HELP;
	snprintf(ret_error->text, sizeof(ret_error->text), "flag provided but not defined: -%.*s",
		 length < 100 ? (int)length : 100, name);
	return FLAGS_BAD;
}

enum flags_result flags_parse(int argc, char **argv, struct shim_config *ret_config,
			      struct flags_error *ret_error)
{
	struct words words = {.at = 1, .count = argc, .argv = argv};
	struct shim_config config = {.argv = argv, .argc = argc, .verb = ""};
	const char *empty = "";

	for (size_t i = 0; i < N_FLAGS; i++)
		if (!flags[i].boolean)
			memcpy((char *)&config + flags[i].offset, &empty, sizeof(empty));
	while (words.at < words.count) {
		const char *word = argv[words.at];
		if (word[0] != '-' || word[1] == 0)
			break;
		words.at++;
		if (strcmp(word, "--") == 0)
			break;
		enum flags_result result = flag_parse(word, &words, &config, ret_error);
		if (result != FLAGS_OK)
			return result;
	}
	if (words.at < words.count)
		config.verb = argv[words.at];
	*ret_config = config;
	return FLAGS_OK;
}

void flags_usage(int fd, const char *program)
{
	dprintf(fd, "Usage of %s:\n", program);
	for (size_t i = 0; i < N_FLAGS; i++)
		dprintf(fd, "  -%s%s\n    \t%s\n", flags[i].name, flags[i].boolean ? "" : " string",
			flags[i].help);
}
