/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What protoc writes to the generator: any bytes give a response or one reason against it. The
 * generator's way of giving up, which ends its process, leads back here.
 */
int generator_main(void);

#define main generator_main
#include "ttrpc/gen/main.c" /* NOLINT(bugprone-suspicious-include) */
#undef main

#include <setjmp.h>

#include "test/fuzz/fuzz.h"

_Noreturn void __wrap_pool_die(const char *reason);

static jmp_buf given_up;

_Noreturn void __wrap_pool_die(const char *reason)
{
	(void)reason;
	longjmp(given_up, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Ttrpc__Gen__Request *request = ttrpc__gen__request__unpack(NULL, size, data);
	Ttrpc__Gen__Response response = TTRPC__GEN__RESPONSE__INIT;
	static struct pool pool;

	pool = POOL_NULL;
	if (!request)
		return 0;
	if (setjmp(given_up) == 0)
		fill(&pool, request, &response);
	ttrpc__gen__request__free_unpacked(request, NULL);
	pool_deinit(&pool);
	return 0;
}
