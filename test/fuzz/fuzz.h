/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_FUZZ_FUZZ_H
#define TEST_FUZZ_FUZZ_H
/*
 * A fuzz target: NAME.c defines the function below, which hands bytes to something that must survive
 * any, and NAME/ holds inputs to begin with. Built in two ways:
 *
 *   make test    with replay.c: the inputs, whole, cut off and with bits turned over
 *   make fuzz    with clang's libFuzzer, as long as FUZZ_SECONDS says
 */
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
