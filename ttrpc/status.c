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
	text_format(status->text, sizeof(status->text), format, arguments);
}

void status_format(struct ttrpc_status *status, enum ttrpc_code code, int error, const char *format,
		   ...)
{
	va_list arguments;

	va_start(arguments, format);
	status_vformat(status, code, error, format, arguments);
	va_end(arguments);
}

enum ttrpc_code ttrpc_code_from_errno(int negative_errno)
{
	switch (-negative_errno) {
	case 0:
		return TTRPC_OK;
	case ECANCELED:
		return TTRPC_CANCELLED;
	case EINVAL:
		return TTRPC_INVALID_ARGUMENT;
	case ETIMEDOUT:
		return TTRPC_DEADLINE_EXCEEDED;
	case ENOENT:
		return TTRPC_NOT_FOUND;
	case EEXIST:
	case ENOTEMPTY:
		return TTRPC_ALREADY_EXISTS;
	case EPERM:
	case EACCES:
		return TTRPC_PERMISSION_DENIED;
	case EMSGSIZE:
	case ENOBUFS:
		return TTRPC_RESOURCE_EXHAUSTED;
	case EPIPE:
		return TTRPC_FAILED_PRECONDITION;
	case ENOSYS:
	case EOPNOTSUPP:
		return TTRPC_UNIMPLEMENTED;
	default:
		return TTRPC_UNKNOWN;
	}
}
