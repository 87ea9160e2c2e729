/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runtime of containerd-shim-mote-v2: runc, crun and every program with their command line. Its
 * functions are in the runc_*.c, so that tests can have them without this main().
 */
#include "shim/runc.h"

static const struct runtime runc = {
	.name = "io.containerd.mote.v2",
	.create = runc_create,
	.start = runc_start,
	.kill = runc_kill,
	.remove = runc_remove,
	.pids = runc_pids,
	.exec = runc_exec,
	.pause = runc_pause,
	.resume = runc_resume,
	.update = runc_update,
	.checkpoint = runc_checkpoint,
	.restore = runc_restore,
	.features = runc_features,
	.shim_cgroup = runc_shim_cgroup,
};

int main(int argc, char **argv)
{
	return shim_main(&runc, argc, argv);
}
