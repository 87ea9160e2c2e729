/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_WORKER_EXEC_H
#define SHIM_WORKER_EXEC_H

#include "shim/pair.h"

/* A work of worker.c. Returns what a function of struct runtime returns; fills in the report. */
int worker_exec(const struct job *job, struct runtime_task *task, struct report_message *message);

#endif
