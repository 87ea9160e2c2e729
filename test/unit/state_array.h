/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_UNIT_STATE_ARRAY_H
#define TEST_UNIT_STATE_ARRAY_H
/* A bundle's memory as a test wants it: what the monitor writes of its tables, from an array. */
#include "shim/state.h"

struct state_array {
	const struct state_process *next, *end;
};

static inline const struct state_process *state_array_next(void *position)
{
	struct state_array *at = position;
	return at->next < at->end ? at->next++ : NULL;
}

static inline int state_write_array(const char *bundle, const struct state_process *processes,
				    size_t n)
{
	return state_write_each(bundle, state_array_next,
				&(struct state_array){processes, processes + n});
}

#endif
