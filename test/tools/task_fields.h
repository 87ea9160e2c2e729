/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_TOOLS_TASK_FIELDS_H
#define TEST_TOOLS_TASK_FIELDS_H
/*
 * The task service as tables: methods, the fields of their requests and answers, and the numbers of
 * what tests look at in metrics. Written from the services' documentation, not from the schemas.
 */
#include <stdint.h>

enum task_kind { STRING, NUMBER, TIME, MOUNT, JSON, PROCESS, ANY };

struct task_field {
	const char *name;
	uint32_t number;
	enum task_kind kind;
};

struct task_method {
	const char *name;
	struct task_field request[11], response[11]; /* up to the first without a name */
};

/* The field of a method's request that is an Any, and the fields of the message in it. */
struct task_options {
	const char *method;
	uint32_t number;
	const char *type;
	const struct task_field *fields; /* up to the first without a name */
};

struct task_metric {
	const char *type, *name;
	uint32_t path[3];
};

extern const struct task_metric task_metrics[]; /* up to the first without a name */

/* NULL if there is none. */
const struct task_method *task_find_method(const char *name);
const struct task_options *task_find_options(const char *method);

#endif
