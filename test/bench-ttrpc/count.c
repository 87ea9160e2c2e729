/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linked with a server, with --wrap for each of these functions: counts allocations. SIGUSR1 prints
 * how many there were, one line.
 */
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *memory, size_t size);

static volatile uint64_t n_allocations;

void *__wrap_malloc(size_t size)
{
	n_allocations++;
	return __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	n_allocations++;
	return __real_calloc(n, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
	n_allocations++;
	return __real_realloc(memory, size);
}

static void print_count(int number)
{
	char digits[24];
	size_t at = sizeof(digits);

	(void)number;
	digits[--at] = '\n';
	for (uint64_t rest = n_allocations; rest > 0 || at == sizeof(digits) - 1; rest /= 10)
		digits[--at] = (char)('0' + rest % 10);
	if (write(STDOUT_FILENO, digits + at, sizeof(digits) - at) < 0)
		abort();
}

__attribute__((constructor)) static void count_init(void)
{
	const struct sigaction action = {.sa_handler = print_count, .sa_flags = SA_RESTART};

	sigaction(SIGUSR1, &action, NULL);
}
