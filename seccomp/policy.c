/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a policy file, line by line. A line is cut at its '#': on the right stands the reason, which
 * a rule can't do without, on the left the rule. A rule is the call, perhaps '@' and an architecture,
 * and conditions between commas; words stand between blanks. The first thing wrong ends the reading.
 *
 * Names of constants mean the values that the kernel's generic headers give them. Those are the same
 * on all the architectures that the compiler knows, whatever it runs on itself.
 */
#include "seccomp/policy.h"

#include <asm/ioctls.h>
#include <asm/socket.h>
#include <errno.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	uint64_t value;
} policy_constants[] = {
	{"F_GETFL", F_GETFL},
	{"F_SETFL", F_SETFL},
	{"F_ADD_SEALS", F_ADD_SEALS},
	{"F_GET_SEALS", F_GET_SEALS},
	{"F_SETPIPE_SZ", F_SETPIPE_SZ},
	{"F_GETPIPE_SZ", F_GETPIPE_SZ},
	{"F_DUPFD_CLOEXEC", F_DUPFD_CLOEXEC},
	{"O_ASYNC", FASYNC},
	{"FIONREAD", FIONREAD},
	{"TIOCSWINSZ", TIOCSWINSZ},
	{"PROT_EXEC", PROT_EXEC},
	{"MAP_ANONYMOUS", MAP_ANONYMOUS},
	{"SOL_SOCKET", SOL_SOCKET},
	{"SO_ERROR", SO_ERROR},
	{"SO_PEERCRED", SO_PEERCRED},
};

__attribute__((format(printf, 3, 4))) static int fail(const struct policy *policy,
						      unsigned int line, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "%s:%u: ", policy->path, line);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return -1;
}

static int parse_value(const struct policy *policy, unsigned int line, const char *word,
		       uint64_t *ret_value)
{
	char *end;

	for (size_t i = 0; i < sizeof(policy_constants) / sizeof(*policy_constants); i++) {
		if (strcmp(word, policy_constants[i].name) == 0) {
			*ret_value = policy_constants[i].value;
			return 0;
		}
	}
	errno = 0;
	unsigned long long value = strtoull(word, &end, 0);
	if (*word < '0' || *word > '9' || *end || errno)
		return fail(policy, line, "'%s' is neither a number nor a known constant", word);
	*ret_value = value;
	return 0;
}

/* "A == V" or "A & M == V" */
static int parse_condition(const struct policy *policy, unsigned int line, char *text,
			   struct policy_condition *ret_condition)
{
	struct policy_condition condition = {.mask = UINT64_MAX};
	char *words[6], *rest = NULL;
	size_t n = 0;

	for (char *word = strtok_r(text, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest)) {
		if (n == 6)
			break;
		words[n++] = word;
	}
	bool masked = n == 5 && strcmp(words[1], "&") == 0;
	if (!(n == 3 || masked) || strcmp(words[n - 2], "==") != 0)
		return fail(policy, line, "a condition reads 'N == VALUE' or 'N & MASK == VALUE'");
	if (words[0][0] < '0' || words[0][0] > '5' || words[0][1])
		return fail(policy, line, "there is no argument '%s'", words[0]);
	condition.argument = (unsigned int)(words[0][0] - '0');
	if (masked && parse_value(policy, line, words[2], &condition.mask) < 0)
		return -1;
	if (parse_value(policy, line, words[n - 1], &condition.value) < 0)
		return -1;
	if (condition.value & ~condition.mask)
		return fail(policy, line, "the condition can never hold");
	*ret_condition = condition;
	return 0;
}

static int parse_conditions(const struct policy *policy, char *text, struct policy_rule *rule)
{
	char *rest = NULL;

	for (char *part = strtok_r(text, ",", &rest); part; part = strtok_r(NULL, ",", &rest)) {
		struct policy_condition condition = {0};

		if (rule->n_conditions == POLICY_CONDITIONS_MAX)
			return fail(policy, rule->line, "too many conditions");
		if (parse_condition(policy, rule->line, part, &condition) < 0)
			return -1;
		for (size_t i = 0; i < rule->n_conditions; i++) {
			if (rule->conditions[i].argument == condition.argument)
				return fail(policy, rule->line, "argument %u is tested twice",
					    condition.argument);
		}
		rule->conditions[rule->n_conditions++] = condition;
	}
	return 0;
}

static int copy_word(const struct policy *policy, unsigned int line, const char *word, char *copy,
		     size_t size)
{
	size_t length = strlen(word);

	if (length >= size)
		return fail(policy, line, "'%s' is too long", word);
	memcpy(copy, word, length + 1);
	return 0;
}

static int parse_rule(const struct policy *policy, unsigned int line, char *text,
		      struct policy_rule *ret_rule)
{
	struct policy_rule rule = {.line = line};
	char *rest = NULL;
	const char *call = strtok_r(text, " \t", &rest);

	if (copy_word(policy, line, call, rule.call, sizeof(rule.call)) < 0)
		return -1;
	rest += strspn(rest, " \t");
	if (*rest == '@') {
		const char *architecture = strtok_r(NULL, " \t", &rest) + 1;

		if (copy_word(policy, line, architecture, rule.architecture,
			      sizeof(rule.architecture)) < 0)
			return -1;
		rest += strspn(rest, " \t");
	}
	if (*rest && parse_conditions(policy, rest, &rule) < 0)
		return -1;
	*ret_rule = rule;
	return 0;
}

/* A call with conditions may have several lines; without, a second line would say nothing. */
static int add_rule(struct policy *policy, const struct policy_rule *rule)
{
	bool seen = false;

	if (policy->n_rules == POLICY_RULES_MAX)
		return fail(policy, rule->line, "more than %u rules", POLICY_RULES_MAX);
	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *other = &policy->rules[i];

		if (strcmp(other->call, rule->call) != 0)
			continue;
		if (!other->n_conditions || !rule->n_conditions)
			return fail(policy, rule->line, "%s is already in line %u", rule->call,
				    other->line);
		seen = true;
	}
	if (!seen && ++policy->n_calls > POLICY_CALLS_MAX)
		return fail(policy, rule->line, "more than %u system calls", POLICY_CALLS_MAX);
	policy->rules[policy->n_rules++] = *rule;
	return 0;
}

static int read_line(struct policy *policy, unsigned int line, char *text)
{
	struct policy_rule rule;
	char *reason = strchr(text, '#');

	text[strcspn(text, "\n")] = '\0';
	if (reason)
		*reason++ = '\0';
	if (!text[strspn(text, " \t")])
		return 0;
	if (!reason || !reason[strspn(reason, " \t")])
		return fail(policy, line, "a rule needs a reason, after '#'");
	if (parse_rule(policy, line, text, &rule) < 0)
		return -1;
	return add_rule(policy, &rule);
}

int policy_read(const char *path, struct policy *ret_policy)
{
	struct policy policy = {.path = path};
	unsigned int line = 0;
	char *text = NULL;
	size_t size = 0;
	int result = 0;
	FILE *file = fopen(path, "re");

	if (!file) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	while (result == 0 && getline(&text, &size, file) >= 0)
		result = read_line(&policy, ++line, text);
	if (result == 0 && ferror(file))
		result = fail(&policy, line, "cannot be read");
	if (result == 0 && !policy.n_rules)
		result = fail(&policy, line, "allows nothing");
	free(text);
	fclose(file);
	if (result == 0)
		*ret_policy = policy;
	return result;
}
