/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks the compiled filters of both architectures about every system call number, entry and argument
 * that matters, and compares each answer with the table of expected.c. Nothing is loaded here.
 */
#include <linux/audit.h>
#include <stdio.h>
#include <string.h>

#include "seccomp/server_aarch64.h"
#include "seccomp/server_x86_64.h"
#include "test/filter/expected.h"
#include "test/filter/machine.h"
#include "test/test.h"

#define NUMBERS 1024
#define X32 0x40000000 /* marks a number as one of x32, whose architecture is x86_64 otherwise */

static const struct filter {
	const char *name;
	uint32_t audit;
	const struct sock_filter *steps;
	size_t length;
} filters[EXPECTED_ARCHITECTURES] = {
	[EXPECTED_X86_64] = {"x86_64", AUDIT_ARCH_X86_64, seccomp_server_x86_64,
			     sizeof(seccomp_server_x86_64) / sizeof(*seccomp_server_x86_64)},
	[EXPECTED_AARCH64] = {"aarch64", AUDIT_ARCH_AARCH64, seccomp_server_aarch64,
			      sizeof(seccomp_server_aarch64) / sizeof(*seccomp_server_aarch64)},
};

/* Values that a careless comparison takes for others: of 32 bits, of signs, of the empty mask. */
static const uint64_t odd_values[] = {
	0,
	1,
	3,
	4,
	0x20,
	0x22,
	0x7fffffff,
	0x80000000,
	0xffffffff,
	0x100000000,
	0x100000003,
	0x100000004,
	0x10000541b,
	0x400000020,
	0x7fffffffffffffff,
	0xffffffff00000000,
	0xffffffffffffffff,
};

#define N_ODD_VALUES (sizeof(odd_values) / sizeof(*odd_values))

static uint32_t run(const struct filter *filter, const struct seccomp_data *data)
{
	uint32_t action = 0;

	if (!machine_run(filter->steps, filter->length, data, &action))
		test_fail(__FILE__, __LINE__, "%s: not a valid filter", filter->name);
	return action;
}

static void check(enum expected_architecture architecture, const struct seccomp_data *data)
{
	uint32_t action = run(&filters[architecture], data);
	uint32_t expected = expected_action(architecture, data);

	if (action == expected)
		return;
	test_fail(__FILE__, __LINE__, "%s: call %d (0x%llx, 0x%llx, 0x%llx, 0x%llx): %x, not %x",
		  filters[architecture].name, data->nr, (unsigned long long)data->args[0],
		  (unsigned long long)data->args[1], (unsigned long long)data->args[2],
		  (unsigned long long)data->args[3], action, expected);
}

/* All arguments the same, then each argument alone. */
static void check_number(enum expected_architecture architecture, int number)
{
	struct seccomp_data data = {.nr = number, .arch = filters[architecture].audit};

	for (size_t i = 0; i < N_ODD_VALUES; i++) {
		for (size_t argument = 0; argument < 6; argument++)
			data.args[argument] = odd_values[i];
		check(architecture, &data);
		memset(data.args, 0, sizeof(data.args));
		for (size_t argument = 0; argument < 6; argument++) {
			data.args[argument] = odd_values[i];
			check(architecture, &data);
			data.args[argument] = 0;
		}
	}
}

static void check_numbers(enum expected_architecture architecture)
{
	for (int number = 0; number < NUMBERS; number++)
		check_number(architecture, number);
	check_number(architecture, -1);
	check_number(architecture, 0x3fffffff);
}

/* Every pair of values of two arguments; the rest is zero. */
static void sweep(const char *name, unsigned int first, uint64_t first_end, unsigned int second,
		  uint64_t second_end)
{
	for (int i = 0; i < EXPECTED_ARCHITECTURES; i++) {
		struct seccomp_data data = {.arch = filters[i].audit};

		data.nr = expected_number((enum expected_architecture)i, name);
		for (uint64_t a = 0; a < first_end; a++) {
			for (uint64_t b = 0; b < second_end; b++) {
				data.args[first] = a;
				data.args[second] = b;
				check((enum expected_architecture)i, &data);
			}
		}
	}
}

/* Every bit of an argument, alone and with what would be allowed. */
static void sweep_bits(const char *name, unsigned int argument, const uint64_t *arguments)
{
	for (int i = 0; i < EXPECTED_ARCHITECTURES; i++) {
		struct seccomp_data data = {.arch = filters[i].audit};

		data.nr = expected_number((enum expected_architecture)i, name);
		memcpy(data.args, arguments, sizeof(data.args));
		if (run(&filters[i], &data) != SECCOMP_RET_ALLOW)
			test_fail(__FILE__, __LINE__, "%s: the honest call is refused", name);
		for (unsigned int bit = 0; bit < 64; bit++) {
			data.args[argument] = arguments[argument] ^ (1ull << bit);
			check((enum expected_architecture)i, &data);
		}
	}
}

TEST(at_most_40_calls)
{
	ASSERT(expected_calls() <= EXPECTED_CALLS_MAX);
}

TEST(every_number_x86_64)
{
	check_numbers(EXPECTED_X86_64);
}

TEST(every_number_aarch64)
{
	check_numbers(EXPECTED_AARCH64);
}

/* Another entry's numbers mean other calls, so not even an allowed number may get through. */
static void check_entry(const struct filter *filter, uint32_t audit, int mark)
{
	for (int number = 0; number < NUMBERS; number++) {
		struct seccomp_data data = {.nr = number | mark, .arch = audit};

		for (size_t i = 0; i < N_ODD_VALUES; i++) {
			for (size_t argument = 0; argument < 6; argument++)
				data.args[argument] = odd_values[i];
			ASSERT_EQ(run(filter, &data), SECCOMP_RET_KILL_PROCESS);
		}
	}
}

TEST(x32_is_closed)
{
	check_entry(&filters[EXPECTED_X86_64], AUDIT_ARCH_X86_64, X32);
	check_entry(&filters[EXPECTED_X86_64], AUDIT_ARCH_X86_64, INT32_MIN);
}

TEST(i386_is_closed)
{
	check_entry(&filters[EXPECTED_X86_64], AUDIT_ARCH_I386, 0);
	check_entry(&filters[EXPECTED_X86_64], AUDIT_ARCH_I386, X32);
}

TEST(arm_is_closed)
{
	check_entry(&filters[EXPECTED_AARCH64], AUDIT_ARCH_ARM, 0);
	check_entry(&filters[EXPECTED_AARCH64], AUDIT_ARCH_ARMEB, 0);
}

TEST(foreign_architectures_are_closed)
{
	for (int i = 0; i < EXPECTED_ARCHITECTURES; i++) {
		check_entry(&filters[i], 0, 0);
		check_entry(&filters[i], ~filters[i].audit, 0);
		check_entry(&filters[i], AUDIT_ARCH_RISCV64, 0);
		check_entry(&filters[i], filters[!i].audit, 0);
	}
}

TEST(fcntl_arguments)
{
	const uint64_t set_flags[6] = {5, 4, 04000};
	const uint64_t add_seals[6] = {5, 1033, 0xf};

	sweep("fcntl", 1, 4096, 2, 16);
	sweep_bits("fcntl", 2, set_flags);
	sweep_bits("fcntl", 1, set_flags);
	sweep_bits("fcntl", 1, add_seals);
}

TEST(ioctl_arguments)
{
	const uint64_t readable[6] = {5, 0x541b, 0x7fff0000};
	const uint64_t size[6] = {5, 0x5414, 0x7fff0000};

	sweep("ioctl", 1, 0x10000, 2, 2);
	sweep_bits("ioctl", 1, readable);
	sweep_bits("ioctl", 1, size);
}

TEST(getsockopt_arguments)
{
	const uint64_t credentials[6] = {5, 1, 17, 0x7fff0000, 0x7fff0000};

	sweep("getsockopt", 1, 300, 2, 128);
	sweep_bits("getsockopt", 1, credentials);
	sweep_bits("getsockopt", 2, credentials);
}

TEST(mmap_arguments)
{
	const uint64_t heap[6] = {0, 4096, 3, 0x22, (uint64_t)-1, 0};

	sweep("mmap", 2, 64, 3, 4096);
	sweep_bits("mmap", 2, heap);
	sweep_bits("mmap", 3, heap);
}

TEST(mprotect_arguments)
{
	const uint64_t heap[6] = {0x7fff0000, 4096, 3};

	sweep("mprotect", 2, 4096, 1, 4);
	sweep_bits("mprotect", 2, heap);
}

static const char *name_of(const char *names, const char *end, int number)
{
	for (; number > 0 && names < end; number--)
		names += strlen(names) + 1;
	return names < end ? names : "";
}

/* What explains a blocked call must not be off by one. */
TEST(names_fit_numbers)
{
	const char *const x86 = seccomp_names_x86_64;
	const char *const arm = seccomp_names_aarch64;
	const char *const x86_end = x86 + sizeof(seccomp_names_x86_64);
	const char *const arm_end = arm + sizeof(seccomp_names_aarch64);

	ASSERT_STR(name_of(x86, x86_end, 0), "read");
	ASSERT_STR(name_of(x86, x86_end, 59), "execve");
	ASSERT_STR(name_of(x86, x86_end, 257), "openat");
	ASSERT_STR(name_of(x86, x86_end, 400), "");
	ASSERT_STR(name_of(x86, x86_end, 424), "pidfd_send_signal");
	ASSERT_STR(name_of(x86, x86_end, 435), "clone3");
	ASSERT_STR(name_of(arm, arm_end, 0), "io_setup");
	ASSERT_STR(name_of(arm, arm_end, 56), "openat");
	ASSERT_STR(name_of(arm, arm_end, 221), "execve");
	ASSERT_STR(name_of(arm, arm_end, 435), "clone3");
}
