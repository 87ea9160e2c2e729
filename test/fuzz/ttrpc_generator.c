/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What protoc writes to the generator: any bytes give a response or one reason against it. The
 * generator's way of giving up, which ends its process, leads back here.
 */
#include <setjmp.h>

#include "test/fuzz/input.h"
#include "ttrpc/gen/generate.h"
#include "ttrpc/gen/plugin.pb-c.h"

_Noreturn void __wrap_pool_die(const char *reason);

static jmp_buf given_up;

_Noreturn void __wrap_pool_die(const char *reason)
{
	(void)reason;
	longjmp(given_up, 1);
}

/* Either files or an error, in a form that protoc can read. */
static void check_response(const struct generated *generated)
{
	Ttrpc__Gen__Response *response =
		ttrpc__gen__response__unpack(NULL, generated->size, generated->bytes);

	CHECK(response && (!response->error || response->n_file == 0));
	ttrpc__gen__response__free_unpacked(response, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct generated generated;
	static struct pool pool;

	pool = POOL_NULL;
	if (setjmp(given_up) == 0 && generate(&pool, data, size, &generated))
		check_response(&generated);
	pool_deinit(&pool);
	return 0;
}
