/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_LOG_H
#define SHIM_LOG_H
/*
 * The shim's log: logfmt lines into the FIFO `log` of the first bundle, which containerd copies into
 * its own log. The descriptor is non-blocking: a line that does not fit is dropped, and the next that
 * does says how many were. One descriptor for the process, set once, inherited over fork.
 */
#include <stdarg.h>
#include <stdbool.h>

#include "shim/shim.h"

struct shim_config;

/* config must live as long as the process. fd -1: no log. */
void log_open(const struct shim_config *config, int fd, bool debug);
int log_fd(void);

void log_write(enum shim_log_level level, const char *id, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void log_write_v(enum shim_log_level level, const char *id, const char *format, va_list arguments)
	__attribute__((format(printf, 3, 0)));

#endif
