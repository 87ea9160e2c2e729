/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What protoc writes to the generator: any bytes give a response or one reason against it. The
 * generator's way of giving up, which ends its process, leads back here.
 */
#include <setjmp.h>

#include "test/fuzz/fuzz.h"
#include "ttrpc/gen/generate.h"

_Noreturn void __wrap_pool_die(const char *reason);

static jmp_buf given_up;

_Noreturn void __wrap_pool_die(const char *reason)
{
	(void)reason;
	longjmp(given_up, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pool pool;
	struct generated generated;

	pool = POOL_NULL;
	if (setjmp(given_up) == 0)
		generate(&pool, data, size, &generated);
	pool_deinit(&pool);
	return 0;
}
