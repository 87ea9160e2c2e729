/* SPDX-License-Identifier: Apache-2.0 */
/* The log that a runtime writes, from its beginning and from some byte on: the error that is last. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shim/file.h"
#include "shim/runc_log.h"
#include "test/fuzz/fuzz.h"

/* One line, as it goes to the client and into the shim's log. */
static void check(const char *path, off_t from)
{
	struct failure failure = {.text = ""};

	if (runc_log_last_error(path, from, &failure) != 1)
		return;
	if (!memchr(failure.text, 0, sizeof(failure.text)) || strchr(failure.text, '\n'))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[] = "/tmp/mote-fuzz-log-XXXXXX";
	int fd = mkstemp(path);

	if (fd < 0 || file_write_all(fd, data, size) < 0)
		abort();
	for (size_t from = 0; from <= size; from += size / 3 + 1)
		check(path, (off_t)from);
	close(fd);
	unlink(path);
	return 0;
}
