/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_CONFIG_JSON_H
#define SHIM_CONFIG_JSON_H
/*
 * What the shim wants to know of an OCI bundle's config.json. For workers and the short-lived
 * verbs: it allocates.
 */
#include <stdbool.h>
#include <stddef.h>

#include "shim/failure.h"

#define CONFIG_JSON_SIZE_MAX (16u << 20) /* bytes of the file; above: refused */

struct config_json {
	char *group;                /* the id of the shim's group of containers; NULL: none */
	bool private_pid_namespace; /* the container's init takes all its processes with it */
	char *root;                 /* root.path as it stands there; NULL: absent */
	char **args, **env;         /* of the process; NULL at the end; empty if absent */
	char *cwd;                  /* of the process; "/" if absent */
	char *cgroups_path;         /* linux.cgroupsPath as it stands there; NULL: absent */
};

#define CONFIG_JSON_NULL ((struct config_json){0})

/* -ENOENT: there is no such file. Refused: what is in it is not to be had, with the line. */
int config_json_read(const char *path, struct config_json *ret_config, struct failure *ret_failure);
void config_json_deinit(struct config_json *config);

/* Of the bundle that is the working directory; false if that can't be told. */
bool config_json_private_pids(void);

#endif
