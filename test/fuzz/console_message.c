/* SPDX-License-Identifier: Apache-2.0 */
/* What a runtime sends to its console socket: flags, the length of the name, then control data. */
#include "shim/console.h"

#include <stdlib.h>
#include <string.h>

#include "test/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct failure failure;
	int fds[CONSOLE_FDS_MAX];
	size_t n = 0;

	if (size < 3)
		return 0;
	void *control = malloc(size - 3 + 1); /* so that a sanitizer sees where it ends */
	memcpy(control, data + 3, size - 3);
	struct msghdr header = {.msg_control = control,
				.msg_controllen = (socklen_t)(size - 3),
				.msg_flags = data[0]};
	int result =
		console_message_read(&header, (size_t)(data[1] << 8 | data[2]), fds, &n, &failure);
	if (n > CONSOLE_FDS_MAX || (result == 0 && n != 1))
		abort();
	free(control);
	return 0;
}
