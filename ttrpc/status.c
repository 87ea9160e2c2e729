/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statuses: the code that an errno stands for, where a handler gives no better one, and texts.
 */
#include "ttrpc/status.h"

#include <errno.h>
#include <string.h>

#include "ttrpc/text.h"

void status_set(struct ttrpc_status *status, enum ttrpc_code code, int error, const void *text,
		size_t size)
{
	status->code = code;
	status->error = error;
	status->details = NULL;
	status->details_size = 0;
	if (size >= sizeof(status->text))
		size = text_cut_utf8(text, sizeof(status->text) - 1);
	if (size > 0)
		memcpy(status->text, text, size);
	status->text[size] = '\0';
}

void status_vformat(struct ttrpc_status *status, enum ttrpc_code code, int error,
		    const char *format, va_list arguments)
{
	status->code = code;
	status->error = error;
	status->details = NULL;
	status->details_size = 0;
	text_format_own(status->text, sizeof(status->text), format, arguments);
}

void status_format(struct ttrpc_status *status, enum ttrpc_code code, int error, const char *format,
		   ...)
{
	va_list arguments;

	va_start(arguments, format);
	status_vformat(status, code, error, format, arguments);
	va_end(arguments);
}

static const struct {
	uint8_t error, code;
} codes[] = {
	{0, TTRPC_OK},
	{ECANCELED, TTRPC_CANCELLED},
	{EINVAL, TTRPC_INVALID_ARGUMENT},
	{ETIMEDOUT, TTRPC_DEADLINE_EXCEEDED},
	{ENOENT, TTRPC_NOT_FOUND},
	{EEXIST, TTRPC_ALREADY_EXISTS},
	{ENOTEMPTY, TTRPC_ALREADY_EXISTS},
	{EPERM, TTRPC_PERMISSION_DENIED},
	{EACCES, TTRPC_PERMISSION_DENIED},
	{EMSGSIZE, TTRPC_RESOURCE_EXHAUSTED},
	{ENOBUFS, TTRPC_RESOURCE_EXHAUSTED},
	{EPIPE, TTRPC_FAILED_PRECONDITION},
	{ENOSYS, TTRPC_UNIMPLEMENTED},
	{EOPNOTSUPP, TTRPC_UNIMPLEMENTED},
};

enum ttrpc_code ttrpc_code_from_errno(int negative_errno)
{
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].error == -negative_errno)
			return codes[i].code;
	return TTRPC_UNKNOWN;
}
