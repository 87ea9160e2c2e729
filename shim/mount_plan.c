/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mount options, as containerd's users write them, made into what mount(2) takes. One table holds
 * the words that are flags; a second the words that are refused; all else is joined with commas and
 * goes to the file system, also words such as "rprivate" or "defaults", as the stock shim has it.
 *
 * mount(2) copies one page of data. Overlays with many layers need more: the folder that all lower
 * layers have in common then becomes the working directory and the layers' names get shorter.
 */
#include "shim/mount_plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#define OVERLAY_MARGIN 512u /* data this close to a page is made shorter, as the stock shim does */

static const struct option {
	const char *word;
	bool clear;
	unsigned long flag;
} options[] = {
	{"async", true, MS_SYNCHRONOUS},
	{"atime", true, MS_NOATIME},
	{"bind", false, MS_BIND},
	{"dev", true, MS_NODEV},
	{"diratime", true, MS_NODIRATIME},
	{"dirsync", false, MS_DIRSYNC},
	{"exec", true, MS_NOEXEC},
	{"mand", false, MS_MANDLOCK},
	{"noatime", false, MS_NOATIME},
	{"nodev", false, MS_NODEV},
	{"nodiratime", false, MS_NODIRATIME},
	{"noexec", false, MS_NOEXEC},
	{"nomand", true, MS_MANDLOCK},
	{"norelatime", true, MS_RELATIME},
	{"nostrictatime", true, MS_STRICTATIME},
	{"nosuid", false, MS_NOSUID},
	{"rbind", false, MS_BIND | MS_REC},
	{"relatime", false, MS_RELATIME},
	{"remount", false, MS_REMOUNT},
	{"ro", false, MS_RDONLY},
	{"rw", true, MS_RDONLY},
	{"strictatime", false, MS_STRICTATIME},
	{"suid", true, MS_NOSUID},
	{"sync", false, MS_SYNCHRONOUS},
};

static const struct refusal {
	const char *prefix;
	bool whole; /* the word itself, not its beginning */
	const char *reason;
} refusals[] = {
	{"loop", true, "loop devices are not supported"},
	{"uidmap=", false, "id-mapped mounts are not supported"},
	{"gidmap=", false, "id-mapped mounts are not supported"},
	{"X-containerd.", false, "it is for containerd's mount manager, not for a shim"},
};

static const struct option *find_option(const char *word)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (strcmp(options[i].word, word) == 0)
			return &options[i];
	return NULL;
}

static int refuse_option(const char *word, struct failure *ret_failure)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		const struct refusal *refusal = &refusals[i];
		bool hit = refusal->whole
				   ? strcmp(word, refusal->prefix) == 0
				   : strncmp(word, refusal->prefix, strlen(refusal->prefix)) == 0;

		if (hit)
			return failure_set(ret_failure, "mount option \"%s\": %s", word,
					   refusal->reason);
	}
	return 0;
}

/* Room for all words and a comma behind each. */
static char *data_allocate(const struct mount_entry *entry)
{
	size_t size = 1;

	for (size_t i = 0; i < entry->n_options; i++)
		size += strlen(entry->options[i]) + 1;
	return calloc(1, size);
}

/* Later words win; what the table does not know is the file system's. */
static int plan_options(const struct mount_entry *entry, struct mount_plan *plan,
			struct failure *ret_failure)
{
	char *end = plan->data = data_allocate(entry);

	if (!end)
		return -ENOMEM;
	for (size_t i = 0; i < entry->n_options; i++) {
		const char *word = entry->options[i];
		const struct option *option = find_option(word);
		int r = refuse_option(word, ret_failure);

		if (r != 0)
			return r;
		if (option && option->clear)
			plan->flags &= ~option->flag;
		else if (option)
			plan->flags |= option->flag;
		else
			end = stpcpy(end > plan->data ? stpcpy(end, ",") : end, word);
	}
	return 0;
}

/* The length of what all paths in list, separated by colons, begin with, up to a slash. */
static size_t common_folder(const char *list)
{
	size_t length = strcspn(list, ":");

	for (const char *path = list; path; path = strchr(path, ':')) {
		size_t same = 0;

		path += *path == ':';
		while (same < length && path[same] == list[same])
			same++;
		length = same;
	}
	while (length > 0 && list[length - 1] != '/')
		length--;
	return length;
}

/* Takes the common folder off each path of list; the shorter list goes to `to`. */
static char *write_relative(char *to, const char *list, size_t length, size_t cut)
{
	const char *end = list + length;

	while (list < end) {
		size_t n = strcspn(list, ":");

		memcpy(to, list + cut, n - cut);
		to += n - cut;
		list += n;
		if (list < end)
			*to++ = *list++;
	}
	return to;
}

/*
 * "lowerdir=/a/b/1:/a/b/2" becomes "lowerdir=1:2", to be mounted from /a/b. A layer that is the
 * folder itself would become "": then nothing is done. Escaped colons are left alone too.
 */
static int plan_overlay(struct mount_plan *plan)
{
	char *lower = strstr(plan->data, "lowerdir="), *list, *rest, *to;
	size_t length, cut;
	int r = 0;

	if (!lower || (lower != plan->data && lower[-1] != ','))
		return 0;
	list = lower + strlen("lowerdir=");
	length = strcspn(list, ",");
	rest = list + length;
	if (memchr(list, '\\', length) || *list != '/')
		return 0;
	list = strndup(list, length);
	if (!list)
		return -ENOMEM;
	cut = common_folder(list);
	if (cut > 1 && list[length - 1] != '/' && !strstr(list, "/:")) {
		plan->folder = strndup(list, cut);
		r = plan->folder ? 0 : -ENOMEM;
		to = write_relative(lower + strlen("lowerdir="), list, length, cut);
		memmove(to, rest, strlen(rest) + 1);
	}
	free(list);
	return r;
}

int mount_plan_init(struct mount_plan *ret_plan, const struct mount_entry *entry,
		    struct failure *ret_failure)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct mount_plan plan = {0};
	int r = plan_options(entry, &plan, ret_failure);

	if (r == 0 && strcmp(entry->type, "overlay") == 0 &&
	    strlen(plan.data) >= page - OVERLAY_MARGIN)
		r = plan_overlay(&plan);
	/* The kernel cuts off what is behind one page without a word. */
	if (r == 0 && strlen(plan.data) >= page)
		r = failure_set(ret_failure, "mount options is too long");
	if (r == 0)
		*ret_plan = plan;
	else
		mount_plan_deinit(&plan);
	return r;
}

void mount_plan_deinit(struct mount_plan *plan)
{
	free(plan->data);
	free(plan->folder);
}
