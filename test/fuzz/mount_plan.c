/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mount options, one a line: first as they are; then the last is repeated as layers of an overlay, so
 * that it must be cut.
 */
#include "shim/mount_plan.h"

#include <stdlib.h>
#include <string.h>

#include "shim/mount_layers.h"
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

static void expect(bool promise)
{
	if (!promise)
		abort();
}

/* What a plan promises to those who carry it out. */
static void expect_sound(const struct mount_entry *entry, const struct mount_plan *plan)
{
	bool overlay = strcmp(entry->type, "overlay") == 0;

	expect(!plan->layered || overlay);
	expect(!plan->folder || (overlay && plan->folder[0] == '/'));
	expect(!plan->uid_map == !plan->gid_map);
	expect(plan->loop || !plan->direct_io);
	expect(!plan->uid_map || plan->uid_map[strlen(plan->uid_map) - 1] == '\n');
	expect(!plan->uid_map || strspn(plan->uid_map, "0123456789 \n") == strlen(plan->uid_map));
}

static void plan_one(const struct mount_entry *entry)
{
	struct mount_plan plan;
	struct failure failure;

	if (mount_plan_init(&plan, entry, &failure) != 0)
		return;
	expect_sound(entry, &plan);
	mount_plan_deinit(&plan);
}

/* The items of a list come to no more than the list. */
static void cut(char *text)
{
	size_t size = strlen(text), sum = 0;

	while (text) {
		sum += strlen(mount_layers_next(&text, ':'));
		expect(sum <= size);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size), *rest = text, *word, *words[WORDS_MAX];
	struct mount_entry entry = {"ext4", "source", "", words, 0};

	while (entry.n_options < WORDS_MAX && (word = strsep(&rest, "\n")))
		words[entry.n_options++] = word;
	plan_one(&entry);
	char *list = layers(words[entry.n_options - 1]);
	words[entry.n_options - 1] = list;
	entry.type = "overlay";
	plan_one(&entry);
	cut(list);
	free(list);
	free(text);
	return 0;
}
