/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The status that an errno stands for, where a handler gives no better one.
 */
#include <errno.h>

#include "ttrpc/ttrpc.h"

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
	case EPIPE:
		return TTRPC_FAILED_PRECONDITION;
	case ENOSYS:
	case EOPNOTSUPP:
		return TTRPC_UNIMPLEMENTED;
	default:
		return TTRPC_UNKNOWN;
	}
}
