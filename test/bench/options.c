/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of the programs that drive shims, and what they say to the user.
 *
 *     -n NUMBER  -g MS  -m BYTES  -k MEBIBYTES  -t TEMPLATE  -b  -G GROUP  -N NAMESPACE  -r RUNTIME
 *     -f ROOTFS  -d FOLDER  -l SECONDS
 *     LABEL=SHIM[,bootstrap][,newest|,release|,rust]...
 *
 * The first shim is the one that is judged. bootstrap: it is to be driven as containerd 2.3 does; the
 * other word says which goals the first one has against it, and that it may fail: it is left out then.
 * A shim has SECONDS for each answer.
 * NAMESPACE is containerd's, and the cgroup below which the containers get theirs. FOLDER must be
 * absolute and short: sockets are made in it, and a socket's path has 107 bytes.
 */
#include "test/bench/options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test/bench/deadline.h"

#define TEMPLATE_MAX 65536

int options_error(const char *format, ...)
{
	va_list arguments;

	options_progress("%s", "");
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return -1;
}

void options_progress(const char *format, ...)
{
	va_list arguments;

	if (!isatty(STDERR_FILENO))
		return;
	fputs("\r\033[K", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
}

static char *read_text(const char *path)
{
	FILE *file = fopen(path, "re");
	char *text;
	size_t size;

	if (!file)
		return NULL;
	text = calloc(1, TEMPLATE_MAX + 1);
	size = text ? fread(text, 1, TEMPLATE_MAX, file) : 0;
	fclose(file);
	if (size > 0)
		return text;
	free(text);
	return NULL;
}

static bool add_word(struct peer *peer, const char *word)
{
	static const char *const roles[PEER_ROLES] = {
		[PEER_NEWEST] = "newest",
		[PEER_RELEASE] = "release",
		[PEER_RUST] = "rust",
	};

	if (strcmp(word, "bootstrap") == 0)
		return peer->bootstrap = true;
	for (int role = PEER_NEWEST; role < PEER_ROLES; role++) {
		if (strcmp(word, roles[role]) != 0)
			continue;
		peer->role = (enum peer_role)role;
		return true;
	}
	return false;
}

static int add_shim(struct options *options, char *argument)
{
	char *path = strchr(argument, '='), *word;
	struct peer *peer;

	if (!path || options->n_shims == OPTIONS_SHIMS_MAX)
		return options_error("expected up to %d of LABEL=SHIM, got %s", OPTIONS_SHIMS_MAX,
				     argument);
	peer = &options->shims[options->n_shims++];
	*path++ = '\0';
	*peer = (struct peer){.label = argument, .path = strsep(&path, ",")};
	while ((word = strsep(&path, ",")))
		if (!add_word(peer, word))
			return options_error("%s: what is %s?", peer->label, word);
	if (!realpath(peer->path, peer->program))
		return options_error("%s: %s", peer->path, strerror(errno));
	return 0;
}

static bool set_flag(struct options *options, int flag, char *value)
{
	switch (flag) {
	case 'n':
		options->repetitions = (unsigned int)strtoul(value, NULL, 10);
		return true;
	case 'g':
		options->gap = (unsigned int)strtoul(value, NULL, 10);
		return true;
	case 'l':
		options->host.seconds_max = (unsigned int)strtoul(value, NULL, 10);
		return true;
	case 'm':
		options->piece = (unsigned int)strtoul(value, NULL, 10);
		return true;
	case 'k':
		options->mebibytes = (unsigned int)strtoul(value, NULL, 10);
		return true;
	case 'b':
		options->brief = true;
		return true;
	case 'G':
		options->spec.group = value;
		return true;
	case 'r':
		options->host.runtime = value;
		return true;
	case 'f':
		options->spec.rootfs = value;
		return true;
	case 't':
		options->template = read_text(value);
		return true;
	case 'N':
		options->host.namespace_ = value;
		return true;
	case 'd':
		snprintf(options->host.base, sizeof(options->host.base), "%s", value);
		return true;
	default:
		return false;
	}
}

static int format_in_base(const struct options *options, const char *name, char *ret_path)
{
	int length = snprintf(ret_path, PATH_MAX, "%s/%s", options->host.base, name);

	return length < 0 || length >= PATH_MAX ? -1 : 0;
}

static int complete(struct options *options)
{
	const char *name;

	if (!options->host.runtime || !options->spec.rootfs || !options->host.base[0] ||
	    options->n_shims == 0 || options->repetitions == 0)
		return options_error(
			"%s",
			"usage: [-n NUMBER] [-g MS] [-b] [-G GROUP] [-N NAMESPACE] [-l SECONDS] "
			"-t TEMPLATE -r RUNTIME -f ROOTFS -d FOLDER "
			"LABEL=SHIM[,bootstrap][,newest|,release|,rust]...");
	if (!options->template)
		return options_error("template (-t) missing or not readable: %s", strerror(errno));
	if (format_in_base(options, "c.sock", options->host.grpc) < 0 ||
	    format_in_base(options, "c.sock.ttrpc", options->host.ttrpc) < 0 ||
	    format_in_base(options, "runtime", options->host.runtime_root) < 0)
		return options_error("%s: too long", options->host.base);
	name = strrchr(options->host.runtime, '/');
	options->runtime_name = name ? name + 1 : options->host.runtime;
	options->spec.template = options->template;
	options->spec.cgroup = options->host.namespace_;
	return 0;
}

int options_init(struct options *options, int argc, char **argv)
{
	int flag;

	*options = (struct options){
		.repetitions = 50,
		.gap = 100,
		.host.namespace_ = "mote-bench",
		.host.seconds_max = DEADLINE_SECONDS,
	};
	while ((flag = getopt(argc, argv, "n:g:m:k:bG:N:r:f:t:d:l:")) != -1)
		if (!set_flag(options, flag, optarg))
			return -1;
	for (; optind < argc; optind++)
		if (add_shim(options, argv[optind]) < 0)
			return -1;
	return complete(options);
}

void options_deinit(struct options *options)
{
	free(options->template);
}
