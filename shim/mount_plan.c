/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mount options, as containerd's users write them, made into what the kernel takes. One table holds
 * the words that are flags of mount(2), a second those that ask for more than that call; all else is
 * joined with commas and goes to the file system, also words such as "rprivate" or "defaults", as the
 * stock shim has it.
 *
 * mount(2) copies one page of data. Overlays with many layers need more: the folder that all lower
 * layers have in common then becomes the working directory and the layers' names get shorter. If that
 * is not enough, they have to be given to the kernel one by one.
 */
#include "shim/mount_plan.h"

#include <errno.h>
#include <stdint.h>
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

static const struct option *find_option(const char *word)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (strcmp(options[i].word, word) == 0)
			return &options[i];
	return NULL;
}

/* The digits of a number of 32 bits; 0: it is none. */
static size_t number_length(const char *text)
{
	unsigned long long number = 0;
	size_t length = 0;

	while (text[length] >= '0' && text[length] <= '9' && number <= UINT32_MAX)
		number = number * 10 + (unsigned long long)(text[length++] - '0');
	return number <= UINT32_MAX ? length : 0;
}

/* "0:1000:10,20:2000:5" in the form of /proc/PID/uid_map; which numbers make sense, the kernel knows. */
static int take_map(const char *word, char **ret_map, struct failure *ret_failure)
{
	const char *at = strchr(word, '=') + 1;
	char *map = malloc(strlen(at) + 2), *to = map;

	if (!map)
		return -ENOMEM;
	for (size_t n = 1;; n++, at++) {
		size_t length = number_length(at);
		bool last = n % 3 == 0;

		if (length == 0 || at[length] != (!last ? ':' : at[length] ? ',' : '\0')) {
			free(map);
			return failure_set(ret_failure,
					   "mount option \"%s\": container:host:size is wanted",
					   word);
		}
		to = mempcpy(to, at, length);
		*to++ = last ? '\n' : ' ';
		at += length;
		if (!*at)
			break;
	}
	*to = '\0';
	free(*ret_map);
	*ret_map = map;
	return 0;
}

static int take_loop(const char *word, struct mount_plan *plan, struct failure *ret_failure)
{
	(void)word;
	(void)ret_failure;
	plan->loop = true;
	return 0;
}

static int take_direct_io(const char *word, struct mount_plan *plan, struct failure *ret_failure)
{
	(void)word;
	(void)ret_failure;
	plan->direct_io = true;
	return 0;
}

static int take_uid_map(const char *word, struct mount_plan *plan, struct failure *ret_failure)
{
	return take_map(word, &plan->uid_map, ret_failure);
}

static int take_gid_map(const char *word, struct mount_plan *plan, struct failure *ret_failure)
{
	return take_map(word, &plan->gid_map, ret_failure);
}

static int refuse(const char *word, struct mount_plan *plan, struct failure *ret_failure)
{
	(void)plan;
	return failure_set(ret_failure,
			   "mount option \"%s\": it is for containerd's mount manager, not for a "
			   "shim",
			   word);
}

static const struct special {
	const char *prefix;
	bool whole;     /* the word itself, not its beginning */
	bool with_loop; /* without, it is a word for the file system */
	int (*take)(const char *word, struct mount_plan *plan, struct failure *ret_failure);
} specials[] = {
	{"loop", true, false, take_loop},        {"direct-io", true, true, take_direct_io},
	{"uidmap=", false, false, take_uid_map}, {"gidmap=", false, false, take_gid_map},
	{"X-containerd.", false, false, refuse},
};

static const struct special *find_special(const char *word, bool loop)
{
	for (size_t i = 0; i < sizeof(specials) / sizeof(specials[0]); i++) {
		const struct special *special = &specials[i];
		bool hit = special->whole
				   ? strcmp(word, special->prefix) == 0
				   : strncmp(word, special->prefix, strlen(special->prefix)) == 0;

		if (hit && (loop || !special->with_loop))
			return special;
	}
	return NULL;
}

static bool has_word(const struct mount_entry *entry, const char *word)
{
	for (size_t i = 0; i < entry->n_options; i++)
		if (strcmp(entry->options[i], word) == 0)
			return true;
	return false;
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
	bool loop = has_word(entry, "loop");

	if (!end)
		return -ENOMEM;
	for (size_t i = 0; i < entry->n_options; i++) {
		const char *word = entry->options[i];
		const struct option *option = find_option(word);
		const struct special *special = find_special(word, loop);
		int r = special ? special->take(word, plan, ret_failure) : 0;

		if (r != 0)
			return r;
		if (special)
			continue;
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

/* One without the other maps nothing, as with the stock shim. */
static void plan_maps(struct mount_plan *plan)
{
	if (plan->uid_map && plan->gid_map)
		return;
	free(plan->uid_map);
	free(plan->gid_map);
	plan->uid_map = plan->gid_map = NULL;
}

/* The layers of an id-mapped overlay are replaced by others, with short names, when it is mounted. */
static int plan_length(const struct mount_entry *entry, struct mount_plan *plan,
		       struct failure *ret_failure)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	bool overlay = strcmp(entry->type, "overlay") == 0;
	int r = 0;

	if (overlay && plan->uid_map)
		return 0;
	if (overlay && strlen(plan->data) >= page - OVERLAY_MARGIN)
		r = plan_overlay(plan);
	plan->layered = r == 0 && overlay && strlen(plan->data) >= page;
	/* The kernel cuts off what is behind one page without a word. */
	if (r == 0 && !overlay && strlen(plan->data) >= page)
		r = failure_set(ret_failure, "mount options is too long");
	return r;
}

int mount_plan_init(struct mount_plan *ret_plan, const struct mount_entry *entry,
		    struct failure *ret_failure)
{
	struct mount_plan plan = {0};
	int r = plan_options(entry, &plan, ret_failure);

	if (r == 0) {
		plan_maps(&plan);
		r = plan_length(entry, &plan, ret_failure);
	}
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
	free(plan->uid_map);
	free(plan->gid_map);
}
