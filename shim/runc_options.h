/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_RUNC_OPTIONS_H
#define SHIM_RUNC_OPTIONS_H
/*
 * The options of an OCI runtime (containerd.runc.v1.Options) in their four forms: what the client
 * sent; bytes in struct runtime_task's state; the bundle's files `options.json` and `runtime`,
 * which are also the stock shim's, so that each can clean up after the other; and TOML text, which
 * a client sends or names if it does not know the runtime's type.
 */
#include "proto/runc_options.pb-c.h"
#include "shim/failure.h"
#include "shim/shim.h"

#define RUNC_OPTIONS_FILE_MAX (64u << 10) /* bytes of options.json or a TOML file; above: refused */

/* Whether options of this type are understood. */
bool runc_options_known(const struct runtime_any *any);

/*
 * What a client sent, task->options. Nothing: the defaults. The caller frees it with
 * runc_options_free().
 */
int runc_options_decode(const struct runtime_task *task,
			Containerd__Runc__V1__Options **ret_options, struct failure *ret_failure);

/* Into task->state, and out of it or, if that is empty, out of the bundle's files. */
int runc_options_keep(const Containerd__Runc__V1__Options *options, struct runtime_task *task,
		      struct failure *ret_failure);
int runc_options_load(const struct runtime_task *task, Containerd__Runc__V1__Options **ret_options,
		      struct failure *ret_failure);

/*
 * One text beside the options in task->state, in the place of one that is there. It is not kept where
 * there is no room. NULL: none is kept; else it lives as long as the task.
 */
void runc_options_keep_more(struct runtime_task *task, const char *text);
const char *runc_options_more(const struct runtime_task *task);

/* Writes the two files into the folder, anew. */
int runc_options_write(const Containerd__Runc__V1__Options *options, const char *folder,
		       struct failure *ret_failure);

/*
 * Sets what the text sets. Keys that are not options are logged and passed over, tables are passed over.
 * name: of the file, or what else tells the reader of a message whose text it is.
 */
int runc_options_parse_toml(const struct runtime_task *task, const char *name, const char *text,
			    Containerd__Runc__V1__Options *options, struct failure *ret_failure);

void runc_options_free(Containerd__Runc__V1__Options *options); /* takes NULL */

/* ---- for the readers and writers of the forms: one option each ---- */
enum runc_option_type { RUNC_OPTION_BOOL, RUNC_OPTION_NUMBER, RUNC_OPTION_STRING };

struct runc_option {
	const char *json; /* as in options.json */
	const char *toml;
	enum runc_option_type type;
	size_t offset;
};

extern const struct runc_option runc_option_table[];
extern const size_t runc_option_count;

bool runc_option_get_bool(const Containerd__Runc__V1__Options *options,
			  const struct runc_option *option);
uint32_t runc_option_get_number(const Containerd__Runc__V1__Options *options,
				const struct runc_option *option);
const char *runc_option_get_string(const Containerd__Runc__V1__Options *options,
				   const struct runc_option *option);
void runc_option_set_bool(Containerd__Runc__V1__Options *options, const struct runc_option *option,
			  bool value);
void runc_option_set_number(Containerd__Runc__V1__Options *options,
			    const struct runc_option *option, uint32_t value);
int runc_option_set_string(Containerd__Runc__V1__Options *options, const struct runc_option *option,
			   const char *value); /* copied */

#endif
