/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_RUNC_ADOPT_H
#define SHIM_RUNC_ADOPT_H

#include <sys/types.h>

#include "shim/runc_driver.h"

/*
 * After a restore by runc: sees to it that the container is in the cgroup that runc takes for the
 * container's, and keeps that in task->state. Other runtimes are asked for what they know, later.
 */
void runc_adopt(const struct runc_driver *driver, pid_t init);

#endif
