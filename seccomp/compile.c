/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiles a policy into a header: compile ARCHITECTURE POLICY OUTPUT. Runs on the build host.
 *
 * The header has two const arrays for one architecture, whichever the host has:
 *
 *   seccomp_server_ARCHITECTURE   the filter, ready for the kernel
 *   seccomp_names_ARCHITECTURE    the names of all system calls by number, each with its NUL, an
 *                                 empty one where there is a gap; for who explains a blocked call
 *
 * libseccomp does this here rather than in the shim: in the process it would cost 132 kB of private
 * memory and 280 microseconds in every shim. The output depends on nothing but the policy and the
 * version of libseccomp.
 *
 * A call that is not allowed traps: the process gets SIGSYS, and its handler can say which call it
 * was. A call through another architecture's entry (i386, x32) kills the process at once, since its
 * numbers mean other calls.
 */
#include <errno.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "seccomp/policy.h"

#define NAMES_MAX 1024 /* numbers that are asked for a name */

struct architecture {
	const char *name; /* as compilers call it: __NAME__ */
	uint32_t token;
};

static const struct architecture architectures[] = {
	{"x86_64", SCMP_ARCH_X86_64},
	{"aarch64", SCMP_ARCH_AARCH64},
};

static const struct architecture *find_architecture(const char *name)
{
	for (size_t i = 0; i < sizeof(architectures) / sizeof(*architectures); i++) {
		if (strcmp(name, architectures[i].name) == 0)
			return &architectures[i];
	}
	return NULL;
}

static int fail_rule(const struct policy *policy, const struct policy_rule *rule,
		     const char *reason)
{
	fprintf(stderr, "%s:%u: %s: %s\n", policy->path, rule->line, rule->call, reason);
	return -1;
}

/*
 * 1: the rule is for this architecture; 0: for another; -1: wrong. A name that libseccomp knows from
 * another architecture has a negative number here.
 */
static int check_rule(const struct policy *policy, const struct policy_rule *rule,
		      const struct architecture *architecture)
{
	bool exists = seccomp_syscall_resolve_name_arch(architecture->token, rule->call) >= 0;
	bool wanted = true;

	if (*rule->architecture) {
		if (!find_architecture(rule->architecture))
			return fail_rule(policy, rule, "an architecture that is not known here");
		wanted = strcmp(rule->architecture, architecture->name) == 0;
	}
	if (wanted && !exists)
		return fail_rule(policy, rule, "no such system call on this architecture");
	if (!wanted && exists)
		return fail_rule(policy, rule, "exists on other architectures too");
	return wanted;
}

/* libseccomp takes the host's number for a call and translates it for the filter's architecture. */
static int add_rule(scmp_filter_ctx filter, const struct policy_rule *rule, size_t place)
{
	struct scmp_arg_cmp comparisons[POLICY_CONDITIONS_MAX];
	int number = seccomp_syscall_resolve_name(rule->call);

	for (size_t i = 0; i < rule->n_conditions; i++) {
		const struct policy_condition *condition = &rule->conditions[i];
		bool whole = condition->mask == UINT64_MAX;

		comparisons[i] = (struct scmp_arg_cmp){
			.arg = condition->argument,
			.op = whole ? SCMP_CMP_EQ : SCMP_CMP_MASKED_EQ,
			.datum_a = whole ? condition->value : condition->mask,
			.datum_b = whole ? 0 : condition->value,
		};
	}
	int result = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number,
					    (unsigned int)rule->n_conditions, comparisons);
	if (result == 0)
		result = seccomp_syscall_priority(filter, number, (uint8_t)(255 - place));
	return result;
}

static int add_rules(scmp_filter_ctx filter, const struct policy *policy,
		     const struct architecture *architecture)
{
	size_t place = 0;

	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];
		if (i > 0 && strcmp(rule->call, policy->rules[i - 1].call) != 0)
			place++;
		int result = check_rule(policy, rule, architecture);
		if (result < 0)
			return -1;
		if (result == 0)
			continue;
		result = add_rule(filter, rule, place);
		if (result < 0)
			return fail_rule(policy, rule, strerror(-result));
	}
	return 0;
}

static int set_up(scmp_filter_ctx filter, const struct architecture *architecture)
{
	int result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	if (result < 0 || architecture->token == seccomp_arch_native())
		return result;
	result = seccomp_arch_remove(filter, SCMP_ARCH_NATIVE);
	if (result < 0)
		return result;
	return seccomp_arch_add(filter, architecture->token);
}

/* The filter as an anonymous file. */
static int build(const struct policy *policy, const struct architecture *architecture, FILE *file)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
	int result = filter ? set_up(filter, architecture) : -ENOMEM;

	if (result < 0)
		fprintf(stderr, "%s: libseccomp: %s\n", architecture->name, strerror(-result));
	else
		result = add_rules(filter, policy, architecture);
	if (result == 0) {
		result = seccomp_export_bpf(filter, fileno(file));
		if (result < 0)
			fprintf(stderr, "%s: libseccomp: %s\n", policy->path, strerror(-result));
	}
	seccomp_release(filter);
	return result < 0 ? -1 : 0;
}

static void print_filter(FILE *output, FILE *filter, const char *architecture)
{
	struct sock_filter step;

	fprintf(output, "static const struct sock_filter seccomp_server_%s[] = {\n", architecture);
	rewind(filter);
	while (fread(&step, sizeof(step), 1, filter) == 1)
		fprintf(output, "\t{ 0x%02x, %u, %u, 0x%08x },\n", step.code, step.jt, step.jf,
			step.k);
	fputs("};\n", output);
}

/* Characters rather than a string: ISO C promises strings of no more than 4095. */
static void print_names(FILE *output, const struct architecture *architecture)
{
	int gap = 0;

	fprintf(output, "\nstatic const char seccomp_names_%s[] = {\n", architecture->name);
	for (int number = 0; number < NAMES_MAX; number++) {
		char *name = seccomp_syscall_resolve_num_arch(architecture->token, number);

		if (!name) {
			gap++;
			continue;
		}
		for (; gap > 0; gap--)
			fputs("\t0,\n", output);
		fputc('\t', output);
		for (const char *at = name; *at; at++)
			fprintf(output, "'%c', ", *at);
		fputs("0,\n", output);
		free(name);
	}
	fputs("};\n", output);
}

static int print_header(const char *path, const struct policy *policy, FILE *filter,
			const struct architecture *architecture)
{
	FILE *output = fopen(path, "we");

	if (!output) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	fprintf(output, "/* Made from %s by seccomp/compile.c. */\n", policy->path);
	fputs("#include <linux/filter.h>\n\n", output);
	print_filter(output, filter, architecture->name);
	print_names(output, architecture);
	bool failed = ferror(output);
	if (fclose(output) != 0 || failed) {
		fprintf(stderr, "%s: cannot be written\n", path);
		return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	const struct architecture *architecture = argc == 4 ? find_architecture(argv[1]) : NULL;
	static struct policy policy;

	if (!architecture) {
		fprintf(stderr, "usage: %s x86_64|aarch64 POLICY OUTPUT\n", argv[0]);
		return 2;
	}
	if (policy_read(argv[2], &policy) < 0)
		return 1;
	FILE *filter = tmpfile();
	if (!filter) {
		fprintf(stderr, "temporary file: %s\n", strerror(errno));
		return 1;
	}
	int result = build(&policy, architecture, filter);
	if (result == 0)
		result = print_header(argv[3], &policy, filter, architecture);
	fclose(filter);
	return result < 0 ? 1 : 0;
}
