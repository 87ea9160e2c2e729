/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_WORKER_CHANGE_H
#define SHIM_WORKER_CHANGE_H
/* Works of worker.c that change a container which runs. They return what a function of struct runtime
 * returns. */
#include "shim/pair.h"

int worker_pause(const struct job *job, struct runtime_task *task, struct report_message *message);
int worker_resume(const struct job *job, struct runtime_task *task, struct report_message *message);
int worker_update(const struct job *job, struct runtime_task *task, struct report_message *message);
int worker_checkpoint(const struct job *job, struct runtime_task *task,
		      struct report_message *message);

#endif
