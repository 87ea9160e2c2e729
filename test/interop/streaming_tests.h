/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_INTEROP_STREAMING_TESTS_H
#define TEST_INTEROP_STREAMING_TESTS_H
/*
 * One test for each method of the streaming service, as the Go library's integration tests have
 * them. Each returns NULL, or what was not as it should be.
 */
#include "test/interop/peer.h"

struct streaming_test {
	const char *name;
	const char *(*run)(struct peer *peer);
};

extern const struct streaming_test streaming_tests[]; /* up to one whose name is NULL */

#endif
