/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server that is warm allocates nothing, whatever it is asked and however it answers. The linker
 * leads every call of malloc and its like in this program to the counters here.
 */
#include "test/unit/fixture.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *pointer, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *pointer, size_t size);

static unsigned long n_allocations;

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

void *__wrap_realloc(void *pointer, size_t size)
{
	n_allocations++;
	return __real_realloc(pointer, size);
}

/* Sends n requests at once, reads what comes for them; parked calls are answered. */
static void round_trip(struct fixture *fixture, int fd, uint32_t *id, const char *method,
		       const char *value, int n)
{
	static uint8_t bytes[131072], sink[65536];
	Google__Protobuf__Any answer = GOOGLE__PROTOBUF__ANY__INIT;
	size_t size = 0;

	for (int i = 0; i < n; i++, *id += 2)
		size += request_build(bytes + size, *id, "test.Echo", method, "", value, 0);
	raw_send(fd, bytes, size);
	settle(fixture);
	while (fixture->n_parked > 0)
		ttrpc_reply(fixture->parked[--fixture->n_parked], &answer.base);
	while (recv(fd, sink, sizeof(sink), 0) > 0)
		;
}

static unsigned long allocations_of(const char *method, const char *value, int n)
{
	struct fixture fixture;
	unsigned long before;
	uint32_t id = 1;
	int fd;

	fixture_init(&fixture);
	fd = raw_connect(&fixture);
	for (int i = 0; i < 3; i++)
		round_trip(&fixture, fd, &id, method, value, n);
	before = n_allocations;
	for (int i = 0; i < 100; i++)
		round_trip(&fixture, fd, &id, method, value, n);
	before = n_allocations - before;
	close(fd);
	fixture_deinit(&fixture);
	return before;
}

TEST(allocations_are_counted)
{
	/* The test's own Size handler calls calloc once, which with musl calls malloc. */
	ASSERT(allocations_of("Size", "1", 1) >= 100);
}

TEST(no_allocation_for_a_call)
{
	ASSERT_EQ(allocations_of("Echo", "hello", 1), 0);
}

TEST(no_allocation_for_calls_in_a_batch)
{
	ASSERT_EQ(allocations_of("Echo", "hello", 64), 0);
}

TEST(no_allocation_for_larger_calls)
{
	static char value[3001];

	memset(value, 'x', sizeof(value) - 1);
	ASSERT_EQ(allocations_of("Echo", value, 8), 0);
}

TEST(no_allocation_for_large_calls)
{
	static char value[100001];

	memset(value, 'x', sizeof(value) - 1);
	ASSERT_EQ(allocations_of("Echo", value, 1), 0);
}

TEST(no_allocation_for_failures)
{
	ASSERT_EQ(allocations_of("Fail", "5", 3), 0);
	ASSERT_EQ(allocations_of("Unknown", "5", 3), 0);
	ASSERT_EQ(allocations_of("Errno", "2", 3), 0);
}

TEST(no_allocation_for_calls_answered_later)
{
	ASSERT_EQ(allocations_of("Park", "", 1), 0);
	ASSERT_EQ(allocations_of("Park", "", 30), 0);
}
