/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_METRICS_V1_H
#define SHIM_METRICS_V1_H
/* The two files that read the cgroups of v1: metrics_v1.c, and metrics_v1_blkio.c for block devices. */
#include "proto/cgroup_v1.pb-c.h"
#include "shim/metrics.h"

#define V1(name) Io__Containerd__Cgroups__V1__##name
#define V1_INIT(name) IO__CONTAINERD__CGROUPS__V1__##name##__INIT

/* folder may be -1. */
void metrics_v1_blkio(struct metrics *metrics, int folder, V1(BlkIOStat) * ret_stat);

#endif
