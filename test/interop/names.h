/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_INTEROP_NAMES_H
#define TEST_INTEROP_NAMES_H
/* Short forms of the names that the generator makes of package ttrpc.integration.streaming. */
#include "test/interop/streaming.ttrpc.h"

#define STREAMING(name) ttrpc_integration_streaming_streaming_##name

#define Payload Ttrpc__Integration__Streaming__EchoPayload
#define Part Ttrpc__Integration__Streaming__Part
#define Sum Ttrpc__Integration__Streaming__Sum
#define PAYLOAD_INIT TTRPC__INTEGRATION__STREAMING__ECHO_PAYLOAD__INIT
#define PART_INIT TTRPC__INTEGRATION__STREAMING__PART__INIT
#define SUM_INIT TTRPC__INTEGRATION__STREAMING__SUM__INIT

/* The server's ends of streams. */
#define EchoStream STREAMING(echo_stream_server)
#define SumStream STREAMING(sum_stream_server)
#define DivideStream STREAMING(divide_stream_server)
#define EchoNull STREAMING(echo_null_server)
#define EchoNullStream STREAMING(echo_null_stream_server)
#define EmptyPayloadStream STREAMING(empty_payload_stream_server)

#define NULL_TEXT "non-empty empty" /* in each message to EchoNull and EchoNullStream */
#define NULL_ANSWERS 10u            /* of EchoNullStream, to each message */

#endif
