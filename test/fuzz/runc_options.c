/* SPDX-License-Identifier: Apache-2.0 */
/* The options of an OCI runtime: as a message of runc's, as a generic one with TOML, and as TOML. */
#include "shim/runc_options.h"

#include <stdlib.h>
#include <string.h>

#include "test/fuzz/fuzz.h"

static void decode(const char *type, const uint8_t *data, size_t size)
{
	const struct runtime_task task = {
		.options = {.type_url = type, .value = data, .size = size}};
	Containerd__Runc__V1__Options *options;
	struct failure failure;

	if (runc_options_decode(&task, &options, &failure) == 0)
		runc_options_free(options);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Containerd__Runc__V1__Options *options =
		containerd__runc__v1__options__unpack(NULL, 0, NULL);
	char *text = strndup((const char *)data, size);
	struct failure failure;

	decode("containerd.runc.v1.Options", data, size);
	decode("runtimeoptions.v1.Options", data, size);
	runc_options_parse_toml(&(struct runtime_task){0}, "text", text, options, &failure);
	runc_options_free(options);
	free(text);
	return 0;
}
