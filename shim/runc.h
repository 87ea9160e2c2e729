/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_RUNC_H
#define SHIM_RUNC_H
/*
 * The functions that make up the runtime of containerd-shim-mote-v2: each is one subcommand of runc,
 * crun and every program with their command line, or what it comes to where the program is known.
 * What they do is said in shim/shim.h. Nothing is freed: the process ends with the operation.
 */
#include "shim/shim.h"

/* runc_life.c */
int runc_create(struct runtime_task *task, pid_t *ret_pid);
int runc_start(struct runtime_task *task);
int runc_remove(struct runtime_task *task, bool force);
int runc_features(struct runtime_task *task, int fd);
int runc_shim_cgroup(struct runtime_task *task, const char **ret_path);

/* runc_exec.c */
int runc_exec(struct runtime_task *task, pid_t *ret_pid);

/* runc_signal.c */
int runc_kill(struct runtime_task *task, int signal, bool all);

/* runc_pids.c */
int runc_pids(struct runtime_task *task, pid_t *pids, size_t max, size_t *ret_n);

/* runc_change.c */
int runc_pause(struct runtime_task *task);
int runc_resume(struct runtime_task *task);
int runc_update(struct runtime_task *task);

/* runc_checkpoint.c */
int runc_checkpoint(struct runtime_task *task);
int runc_restore(struct runtime_task *task, pid_t *ret_pid);

#endif
