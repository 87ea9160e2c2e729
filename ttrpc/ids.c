/* SPDX-License-Identifier: Apache-2.0 */
#include "ttrpc/ids.h"

#include <stdlib.h>

#define IDS_WORDS (IDS_WINDOW / 64)

static bool ids_get(const struct ids *ids, uint32_t number)
{
	return ids->skipped[number / 64 % IDS_WORDS] >> number % 64 & 1;
}

static void ids_set(struct ids *ids, uint32_t number, bool skipped)
{
	uint64_t *word = &ids->skipped[number / 64 % IDS_WORDS];
	uint64_t bit = UINT64_C(1) << number % 64;

	*word = skipped ? *word | bit : *word & ~bit;
}

/* number is the highest one now. Without memory, what it skipped can't come any more. */
static void ids_advance(struct ids *ids, uint32_t number)
{
	uint32_t first = ids->next;

	if (number > first && !ids->skipped)
		ids->skipped = calloc(IDS_WORDS, sizeof(*ids->skipped));
	if (ids->skipped) {
		if (number - first >= IDS_WINDOW)
			first = number - IDS_WINDOW + 1;
		for (; first < number; first++)
			ids_set(ids, first, true);
		ids_set(ids, number, false);
	}
	ids->next = number + 1;
}

bool ids_use(struct ids *ids, uint32_t id)
{
	uint32_t number = id / 2;

	if (number >= ids->next) {
		ids_advance(ids, number);
		return true;
	}
	if (!ids->skipped || ids->next - number > IDS_WINDOW || !ids_get(ids, number))
		return false;
	ids_set(ids, number, false);
	return true;
}

void ids_deinit(struct ids *ids)
{
	free(ids->skipped);
	*ids = (struct ids){0};
}
