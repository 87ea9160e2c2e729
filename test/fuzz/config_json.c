/* SPDX-License-Identifier: Apache-2.0 */
/* A bundle's config.json. */
#include "shim/config_json.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shim/file.h"
#include "test/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_json config;
	struct failure failure;
	char path[32];
	int fd = memfd_create("config.json", MFD_CLOEXEC);

	file_write_all(fd, data, size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (config_json_read(path, &config, &failure) == 0)
		config_json_deinit(&config);
	close(fd);
	return 0;
}
