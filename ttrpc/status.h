/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TTRPC_STATUS_H
#define TTRPC_STATUS_H
/*
 * Filling in how a call ended, for those who wait for it in this process. Texts are cut to what
 * fits, between characters.
 */
#include <stdarg.h>

#include "ttrpc/ttrpc.h"

void status_format(struct ttrpc_status *status, enum ttrpc_code code, int error, const char *format,
		   ...) __attribute__((format(printf, 4, 5)));
void status_vformat(struct ttrpc_status *status, enum ttrpc_code code, int error,
		    const char *format, va_list arguments) __attribute__((format(printf, 4, 0)));
void status_set(struct ttrpc_status *status, enum ttrpc_code code, int error, const void *text,
		size_t size);

#endif
