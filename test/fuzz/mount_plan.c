/* SPDX-License-Identifier: Apache-2.0 */
/* Mount options, one a line. The last is repeated as layers of an overlay, so that it must be cut. */
#include "shim/mount_plan.h"

#include <stdlib.h>
#include <string.h>

#include "test/fuzz/fuzz.h"

#define WORDS_MAX 64
#define LAYERS 100

static char *layers(const char *word)
{
	char *list = malloc(LAYERS * (strlen(word) + 1) + sizeof("lowerdir=")), *end = list;

	end = stpcpy(end, "lowerdir=");
	for (int i = 0; i < LAYERS; i++)
		end = stpcpy(stpcpy(end, i > 0 ? ":" : ""), word);
	return list;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size), *rest = text, *word, *words[WORDS_MAX];
	struct mount_entry entry = {"overlay", "overlay", "", words, 0};
	struct mount_plan plan;
	struct failure failure;

	while (entry.n_options < WORDS_MAX && (word = strsep(&rest, "\n")))
		words[entry.n_options++] = word;
	char *list = layers(words[entry.n_options - 1]);
	words[entry.n_options - 1] = list;
	if (mount_plan_init(&plan, &entry, &failure) == 0)
		mount_plan_deinit(&plan);
	free(list);
	free(text);
	return 0;
}
