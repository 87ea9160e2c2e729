/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bundle: what containerd and its client have ready before they start a shim.
 *
 *     BASE/ID/config.json    from the template
 *     BASE/ID/rootfs/        empty: the specification names a root file system elsewhere
 *     BASE/ID/log            FIFO, held open by the daemon
 *     BASE/ID/std{in,out,err}  FIFOs, held open by the client
 *
 * Making it is not part of any measured time. All is held O_RDWR, so no open of the shim waits.
 */
#include "test/bench/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const fifo_names[BUNDLE_FIFOS] = {
	[BUNDLE_LOG] = "log",
	[BUNDLE_STDIN] = "stdin",
	[BUNDLE_STDOUT] = "stdout",
	[BUNDLE_STDERR] = "stderr",
};

static int format_path(char *path, const char *folder, const char *name)
{
	int length = snprintf(path, PATH_MAX, "%s/%s", folder, name);

	return length < 0 || length >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/* Writes the value of the word that begins at text, and returns the word's length; 0: no word. */
static size_t expand(FILE *file, const char *text, const char *id, const struct bundle_spec *spec)
{
	static const char *const words[] = {"@ROOTFS@", "@ARGS@", "@CGROUP@", "@ANNOTATIONS@"};
	size_t which = 0;

	while (which < 4 && strncmp(text, words[which], strlen(words[which])) != 0)
		which++;
	switch (which) {
	case 0:
		fputs(spec->rootfs, file);
		break;
	case 1:
		fputs(spec->args, file);
		break;
	case 2:
		fprintf(file, "/%s/%s", spec->cgroup, id);
		break;
	case 3:
		if (spec->group)
			fprintf(file, "{\"io.containerd.runc.v2.group\": \"%s\"}", spec->group);
		else
			fputs("{}", file);
		break;
	default:
		return 0;
	}
	return strlen(words[which]);
}

static int write_config(const struct bundle *bundle, const char *id, const struct bundle_spec *spec)
{
	const char *at = spec->template;
	char path[PATH_MAX];
	FILE *file;
	int error;

	error = format_path(path, bundle->path, "config.json");
	if (error < 0)
		return error;
	file = fopen(path, "we");
	if (!file)
		return -errno;
	while (*at) {
		size_t length = *at == '@' ? expand(file, at, id, spec) : 0;

		if (length == 0)
			fputc(*at++, file);
		at += length;
	}
	error = ferror(file) ? -EIO : 0;
	return fclose(file) != 0 ? -errno : error;
}

static int make_fifo(struct bundle *bundle, enum bundle_fifo which)
{
	int error = format_path(bundle->fifos[which], bundle->path, fifo_names[which]);

	if (error < 0)
		return error;
	if (mkfifo(bundle->fifos[which], 0700) < 0)
		return -errno;
	bundle->fds[which] = open(bundle->fifos[which], O_RDWR | O_NONBLOCK | O_CLOEXEC);
	return bundle->fds[which] < 0 ? -errno : 0;
}

static int fill(struct bundle *bundle, const char *id, const struct bundle_spec *spec)
{
	char path[PATH_MAX];
	int error;

	error = format_path(path, bundle->path, "rootfs");
	if (error < 0)
		return error;
	if (mkdir(path, 0711) < 0)
		return -errno;
	error = write_config(bundle, id, spec);
	for (int i = 0; i < BUNDLE_FIFOS && error == 0; i++)
		error = make_fifo(bundle, (enum bundle_fifo)i);
	return error;
}

int bundle_init(struct bundle *bundle, const char *base, const char *id,
		const struct bundle_spec *spec)
{
	int error;

	for (int i = 0; i < BUNDLE_FIFOS; i++)
		bundle->fds[i] = -1;
	error = format_path(bundle->path, base, id);
	if (error < 0)
		return error;
	if (mkdir(bundle->path, 0700) < 0)
		return -errno;
	error = fill(bundle, id, spec);
	if (error < 0)
		bundle_deinit(bundle);
	return error;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *place)
{
	(void)status;
	(void)type;
	(void)place;
	remove(path);
	return 0;
}

void bundle_deinit(struct bundle *bundle)
{
	for (int i = 0; i < BUNDLE_FIFOS; i++) {
		if (bundle->fds[i] >= 0)
			close(bundle->fds[i]);
		bundle->fds[i] = -1;
	}
	nftw(bundle->path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}
