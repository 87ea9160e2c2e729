/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: what containerd writes, what Go's flag package takes, and what it refuses. */
#include "shim/flags.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "test/test.h"

#define WORDS_MAX 16

/* Parses words separated by single spaces; an empty word is written as two spaces. */
static enum flags_result parse(const char *line, struct shim_config *config,
			       struct flags_error *error)
{
	static char copy[512];
	static char *argv[WORDS_MAX + 1];
	char *rest = copy, *word;
	int argc = 0;

	ASSERT(strlen(line) < sizeof(copy));
	strcpy(copy, line);
	while ((word = strsep(&rest, " "))) {
		ASSERT(argc < WORDS_MAX);
		argv[argc++] = word;
	}
	argv[argc] = NULL;
	return flags_parse(argc, argv, config, error);
}

TEST(what_containerd_writes)
{
	struct shim_config config;
	struct flags_error error;

	ASSERT_EQ(parse("shim -namespace default -address /run/containerd/containerd.sock "
			"-publish-binary /usr/bin/containerd -id t2 -bundle /b/t2 -debug delete",
			&config, &error),
		  FLAGS_OK);
	ASSERT_STR(config.namespace_, "default");
	ASSERT_STR(config.address, "/run/containerd/containerd.sock");
	ASSERT_STR(config.publish_binary, "/usr/bin/containerd");
	ASSERT_STR(config.id, "t2");
	ASSERT_STR(config.bundle, "/b/t2");
	ASSERT_STR(config.verb, "delete");
	ASSERT_STR(config.socket, "");
	ASSERT_STR(config.debug_socket, "");
	ASSERT(config.debug && !config.version && !config.info);
	ASSERT_EQ(config.argc, 13);
	ASSERT_STR(config.argv[0], "shim");
}

TEST(no_words)
{
	struct shim_config config;
	struct flags_error error;

	ASSERT_EQ(parse("shim", &config, &error), FLAGS_OK);
	ASSERT_STR(config.namespace_, "");
	ASSERT_STR(config.id, "");
	ASSERT_STR(config.verb, "");
	ASSERT(!config.debug && !config.version && !config.info);
	ASSERT_EQ(flags_parse(0, (char *[]){NULL}, &config, &error), FLAGS_OK);
	ASSERT_STR(config.verb, "");
}

static const struct {
	const char *line, *id, *verb;
	bool debug;
} forms[] = {
	{"shim -id x start", "x", "start", false},
	{"shim --id x start", "x", "start", false},
	{"shim -id=x start", "x", "start", false},
	{"shim --id=x start", "x", "start", false},
	{"shim -id= start", "", "start", false},
	{"shim -id  start", "", "start", false},
	{"shim -id=a=b start", "a=b", "start", false},
	{"shim -id -debug start", "-debug", "start", false},
	{"shim -id a -id b start", "b", "start", false},
	{"shim start -id x", "", "start", false},
	{"shim -debug start", "", "start", true},
	{"shim -debug=true start", "", "start", true},
	{"shim -debug=T start", "", "start", true},
	{"shim -debug=1 start", "", "start", true},
	{"shim -debug=TRUE start", "", "start", true},
	{"shim -debug -debug=false start", "", "start", false},
	{"shim -debug=0 start", "", "start", false},
	{"shim -debug=F start", "", "start", false},
	{"shim -debug true", "", "true", true},
	{"shim -- -id", "", "-id", false},
	{"shim -debug -- start", "", "start", true},
	{"shim - start", "", "-", false},
	{"shim  start", "", "", false},
};

TEST(forms_that_go_takes)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct shim_config config;
		struct flags_error error;
		ASSERT_EQ(parse(forms[i].line, &config, &error), FLAGS_OK);
		ASSERT_STR(config.id, forms[i].id);
		ASSERT_STR(config.verb, forms[i].verb);
		ASSERT_EQ(config.debug, forms[i].debug);
	}
}

static const struct {
	const char *line, *text;
} refused[] = {
	{"shim -nope start", "flag provided but not defined: -nope"},
	{"shim --nope=1 start", "flag provided but not defined: -nope"},
	{"shim -i x start", "flag provided but not defined: -i"},
	{"shim -idx start", "flag provided but not defined: -idx"},
	{"shim -ID x start", "flag provided but not defined: -ID"},
	{"shim -id", "flag needs an argument: -id"},
	{"shim ---id x", "bad flag syntax: ---id"},
	{"shim -=x", "bad flag syntax: -=x"},
	{"shim --=x", "bad flag syntax: --=x"},
	{"shim -debug=yes start", "invalid boolean value \"yes\" for -debug: parse error"},
	{"shim -debug= start", "invalid boolean value \"\" for -debug: parse error"},
};

TEST(forms_that_go_refuses)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct shim_config config = {.id = "untouched"};
		struct flags_error error;
		ASSERT_EQ(parse(refused[i].line, &config, &error), FLAGS_BAD);
		ASSERT_STR(error.text, refused[i].text);
		ASSERT_STR(config.id, "untouched");
	}
}

TEST(help_and_versions)
{
	struct shim_config config;
	struct flags_error error;

	ASSERT_EQ(parse("shim -h", &config, &error), FLAGS_HELP);
	ASSERT_EQ(parse("shim --help start", &config, &error), FLAGS_HELP);
	ASSERT_EQ(parse("shim -v", &config, &error), FLAGS_OK);
	ASSERT(config.version);
	ASSERT_EQ(parse("shim --version", &config, &error), FLAGS_OK);
	ASSERT(config.version);
	ASSERT_EQ(parse("shim -info", &config, &error), FLAGS_OK);
	ASSERT(config.info && !config.version);
}

TEST(long_words_are_cut_in_errors)
{
	char program[] = "shim", word[400] = "-";
	struct shim_config config;
	struct flags_error error;

	memset(word + 1, 'x', sizeof(word) - 2);
	ASSERT_EQ(flags_parse(2, (char *[]){program, word, NULL}, &config, &error), FLAGS_BAD);
	ASSERT_EQ(strlen(error.text), strlen("flag provided but not defined: -") + 100);
	memcpy(word, "-debug=", strlen("-debug="));
	ASSERT_EQ(flags_parse(2, (char *[]){program, word, NULL}, &config, &error), FLAGS_BAD);
	ASSERT(strlen(error.text) < sizeof(error.text) && strstr(error.text, "for -debug"));
}

TEST(usage_names_every_flag)
{
	static const char *const names[] = {"-address string",
					    "-bundle string",
					    "-debug",
					    "-debug-socket string",
					    "-id string",
					    "-info",
					    "-namespace string",
					    "-publish-binary string",
					    "-socket string",
					    "-v",
					    "-version"};
	char text[4096];
	int pair[2];

	ASSERT_EQ(pipe(pair), 0);
	flags_usage(pair[1], "the-shim");
	close(pair[1]);
	ssize_t n = read(pair[0], text, sizeof(text) - 1);
	close(pair[0]);
	ASSERT(n > 0);
	text[n] = 0;
	ASSERT(strncmp(text, "Usage of the-shim:\n", strlen("Usage of the-shim:\n")) == 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char line[64] = "\n  ";
		strcat(strcat(line, names[i]), "\n");
		ASSERT(strstr(text, line) != NULL);
	}
}
