/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fsopen(2), a parameter after the other, fsmount(2). A parameter's text is at most 255 bytes long;
 * a layer with a longer name is given as a descriptor (since 6.13).
 */
#include "shim/mount_layers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim/mount_tree.h"

#define PARAMETER_MAX 255

/* As linux/mount.h has them; see mount_tree.c for why it is not included. */
enum configure { CONFIGURE_FLAG, CONFIGURE_STRING, CONFIGURE_FD = 5, CONFIGURE_CREATE };

static const struct {
	unsigned long flag;
	const char *parameter;
	unsigned attribute;
} flags[] = {
	{MS_RDONLY, "ro", 0x1},      {MS_NOSUID, NULL, 0x2},      {MS_NODEV, NULL, 0x4},
	{MS_NOEXEC, NULL, 0x8},      {MS_NOATIME, NULL, 0x10},    {MS_STRICTATIME, NULL, 0x20},
	{MS_NODIRATIME, NULL, 0x80}, {MS_SYNCHRONOUS, "sync", 0}, {MS_DIRSYNC, "dirsync", 0},
};

static int configure(int fs, enum configure command, const char *key, const char *value, int number)
{
	return syscall(SYS_fsconfig, fs, (unsigned)command, key, value, number) < 0 ? -errno : 0;
}

static int set_parameter(int fs, const char *key, const char *value)
{
	int fd, r;

	if (strlen(value) <= PARAMETER_MAX)
		return configure(fs, CONFIGURE_STRING, key, value, 0);
	fd = open(value, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = configure(fs, CONFIGURE_FD, key, NULL, fd);
	close(fd);
	return r == -EINVAL ? -E2BIG : r;
}

/* Behind "::" there are layers of data only. */
static int set_layers(int fs, char *list)
{
	const char *key = "lowerdir+";
	int r = 0;

	while (r == 0 && list) {
		const char *layer = mount_layers_next(&list, ':');

		if (*layer)
			r = set_parameter(fs, key, layer);
		else
			key = "datadir+";
	}
	return r == -EINVAL ? -E2BIG : r; /* a parameter that is not known */
}

static int set_word(int fs, char *word)
{
	char *value = strchr(word, '=');

	if (!value)
		return configure(fs, CONFIGURE_FLAG, word, NULL, 0);
	*value++ = '\0';
	if (strcmp(word, "lowerdir") == 0)
		return set_layers(fs, value);
	return set_parameter(fs, word, value);
}

static int set_all(int fs, const struct mount_entry *entry, const struct mount_plan *plan)
{
	char *data = strdup(plan->data), *rest = data;
	int r = data ? configure(fs, CONFIGURE_STRING, "source", entry->source, 0) : -ENOMEM;

	for (size_t i = 0; r == 0 && i < sizeof(flags) / sizeof(flags[0]); i++)
		if ((plan->flags & flags[i].flag) && flags[i].parameter)
			r = configure(fs, CONFIGURE_FLAG, flags[i].parameter, NULL, 0);
	while (r == 0 && rest) {
		char *word = rest;

		/* the commas' backslashes go here, the colons' with the layers */
		while ((rest = strchr(rest, ',')) && rest > word && rest[-1] == '\\')
			memmove(rest - 1, rest, strlen(rest) + 1);
		if (rest)
			*rest++ = '\0';
		if (*word)
			r = set_word(fs, word);
	}
	free(data);
	return r < 0 ? r : configure(fs, CONFIGURE_CREATE, NULL, NULL, 0);
}

int mount_layers(const struct mount_entry *entry, const struct mount_plan *plan, int target)
{
	int fs = (int)syscall(SYS_fsopen, entry->type, 1u), tree, r;
	unsigned attributes = 0;

	if (fs < 0)
		return errno == ENOSYS ? -E2BIG : -errno;
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (plan->flags & flags[i].flag)
			attributes |= flags[i].attribute;
	r = set_all(fs, entry, plan);
	if (r == 0) {
		tree = (int)syscall(SYS_fsmount, fs, 1u, attributes);
		r = tree < 0 ? -errno : mount_tree_attach(tree, target);
		if (tree >= 0)
			close(tree);
	}
	close(fs);
	return r;
}

char *mount_layers_next(char **list, char end)
{
	char *item = *list, *from = item, *to = item;

	while (*from && *from != end) {
		if (*from == '\\' && from[1])
			from++;
		*to++ = *from++;
	}
	*list = *from ? from + 1 : NULL;
	*to = '\0';
	return item;
}
