/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_WORKER_CREATE_H
#define SHIM_WORKER_CREATE_H

#include "shim/pair.h"

/* Works of worker.c. They return what a function of struct runtime returns; fill in the report. */
int worker_create(const struct job *job, struct runtime_task *task, struct report_message *message);
int worker_restore(const struct job *job, struct runtime_task *task,
		   struct report_message *message);

#endif
