/* SPDX-License-Identifier: Apache-2.0 */
/* What comes on the standard input of `start` and -info. */
#include "shim/bootstrap.h"

#include "test/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const ids[] = {"one", ""};
	struct bootstrap bootstrap;
	struct failure failure;

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		bootstrap_init(&bootstrap);
		bootstrap_parse(&bootstrap, data, size, ids[i], "ns", &failure);
		bootstrap_deinit(&bootstrap);
	}
	return 0;
}
