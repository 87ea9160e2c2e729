/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_HARDEN_H
#define SHIM_HARDEN_H
/*
 * Takes from the calling process everything that the server does without. To be called once, with a
 * single thread, when all start-up work is done: what seccomp/server.policy does not list ends the
 * process from then on, with status HARDEN_STATUS and one line on log_fd that names the call.
 *
 * log_fd is used as long as the process lives; -1: no line. Returns 0 or a negative errno; after an
 * error the process has lost some of its rights, not all, and must not go on.
 */
#include <signal.h>

#define HARDEN_STATUS (128 + SIGSYS) /* as a shell reports it */

int harden_server(int log_fd);

#endif
