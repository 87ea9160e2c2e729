/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_BENCH_BARE_H
#define TEST_BENCH_BARE_H
#include "test/bench/peer.h"

enum bare_step { BARE_CREATE, BARE_START, BARE_DELETE, BARE_STEPS };

/*
 * One container by the runtime alone, with no shim: what a shim can't save. The same bundle, the same
 * FIFOs; the caller must be a subreaper. ret_times: milliseconds of each run of the runtime. Returns 0
 * or -1 with the reason in error (of at least 1024 bytes).
 */
int bare_life(const struct peer_host *host, const struct bundle_spec *spec, const char *id,
	      double ret_times[static BARE_STEPS], char *error);
#endif
