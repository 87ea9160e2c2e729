/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_BENCH_BUNDLE_H
#define TEST_BENCH_BUNDLE_H
#include <limits.h>

/* What the words @ROOTFS@, @ARGS@, @CGROUP@ and @ANNOTATIONS@ of the template become. */
struct bundle_spec {
	const char *template; /* the text */
	const char *rootfs;   /* absolute path */
	const char *args;     /* JSON list */
	const char *cgroup;   /* name of the group under which each container gets its own */
	const char *group;    /* containers with the same one share a shim; NULL: each its own */
};

enum bundle_fifo { BUNDLE_LOG, BUNDLE_STDIN, BUNDLE_STDOUT, BUNDLE_STDERR, BUNDLE_FIFOS };

/* A container's folder as the daemon prepares it; the FIFOs are held open in both directions. */
struct bundle {
	char path[PATH_MAX];
	char fifos[BUNDLE_FIFOS][PATH_MAX];
	int fds[BUNDLE_FIFOS];
};

/* Makes base/id. Returns 0 or a negative errno, with nothing left open. */
int bundle_init(struct bundle *bundle, const char *base, const char *id,
		const struct bundle_spec *spec);

/* Closes the FIFOs and removes the folder with all that the shim has put there. */
void bundle_deinit(struct bundle *bundle);
#endif
