// SPDX-License-Identifier: Apache-2.0
// With the headers whose macros the names could meet; compiled only.
#include <cassert>
#include <cstddef>
#include <cstdio>

#include "names.ttrpc.h"

using handlers = golden_names_v1_httpthings_ioservice_handlers;

bool is_empty(const handlers *given);
bool is_empty(const handlers *given)
{
	return !given->delete_ && !given->new_ && !given->catch_ && !given->assert_ &&
	       !given->stdin_ && !given->service && !given->handlers && !given->snake_case;
}
