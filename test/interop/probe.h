/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_INTEROP_PROBE_H
#define TEST_INTEROP_PROBE_H
#include "test/interop/flow.ttrpc.h"
#include "test/interop/probe.ttrpc.h"

#define LIMIT 4194304u /* bytes of data in a frame */
#define MANY 1000u     /* calls and streams at once */

/* Bytes of a message with a text of some megabytes, and of a response with that, beside the text. */
#define ITEM_OVERHEAD 5u
#define RESPONSE_OVERHEAD 5u

extern const struct interop_probe_handlers probe_handlers;
extern const struct interop_flow_handlers flow_handlers;

/* Of Waits and Holds, since the server's start. */
extern uint32_t probe_begun, probe_cancelled;

/* A text of size bytes; free() it. Ends the program if there is no memory. */
char *probe_text(size_t size);

#endif
