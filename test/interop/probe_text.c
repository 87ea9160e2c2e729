/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "test/interop/probe.h"

char *probe_text(size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		abort();
	memset(text, 'x', size);
	text[size] = '\0';
	return text;
}
