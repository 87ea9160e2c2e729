/* SPDX-License-Identifier: Apache-2.0 */
/* A bundle's config.json. */
#include "shim/config_json.h"

#include <stdlib.h>
#include <unistd.h>

#include "shim/file.h"
#include "test/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_json config;
	struct failure failure;
	/* no link to a descriptor: links are not followed */
	char path[] = "/tmp/mote-fuzz-config-XXXXXX";
	int fd = mkstemp(path);

	if (fd < 0 || file_write_all(fd, data, size) < 0)
		abort();
	int r = config_json_read(path, &config, &failure);
	if (r == 0)
		config_json_deinit(&config);
	else if (r != FAILURE_REFUSED)
		abort();
	close(fd);
	unlink(path);
	return 0;
}
