/* SPDX-License-Identifier: Apache-2.0 */
/* The process of an exec: what passes the check can be changed, and passes it still. */
#include "shim/runc_json.h"

#include <stdlib.h>
#include <string.h>

#include "test/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *changed;
	struct failure failure;
	size_t changed_size;

	memcpy(text, data, size);
	text[size] = '\0';
	if (runc_json_check("process", text, size, &failure) == 0) {
		if (runc_json_set(text, size, "terminal", true, &changed, &changed_size) != 0 ||
		    strlen(changed) != changed_size ||
		    runc_json_check("process", changed, changed_size, &failure) == FAILURE_REFUSED)
			abort();
		free(changed);
	}
	free(text);
	return 0;
}
