/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding a program as Go does it, refusals included: clients of the stock shim look for its words.
 */
#include "shim/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int executable(const char *path)
{
	struct stat status;

	if (stat(path, &status) < 0)
		return -errno;
	if (S_ISDIR(status.st_mode))
		return -EISDIR;
	return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0 ? -errno : 0;
}

/*
 * Go's rules: a name with a slash is taken as it is; an empty element of PATH is the working
 * directory; and a program found by a relative element is not run, since that folder is the bundle.
 */
int program_find(const char *name, char *ret_path, size_t size, struct failure *ret_failure)
{
	const char *element = getenv("PATH");

	if (strchr(name, '/')) {
		if (snprintf(ret_path, size, "%s", name) >= (int)size)
			return failure_set(ret_failure, "fork/exec %s: %s", name,
					   failure_errno(ENAMETOOLONG));
		return 0;
	}
	while (*name && element) {
		size_t length = strcspn(element, ":");
		int n = snprintf(ret_path, size, "%.*s/%s", length ? (int)length : 1,
				 length ? element : ".", name);

		if (n < (int)size && executable(ret_path) == 0) {
			if (ret_path[0] == '/')
				return 0;
			return failure_set(ret_failure,
					   "exec: \"%s\": cannot run executable found relative to "
					   "current directory",
					   name);
		}
		element = element[length] ? element + length + 1 : NULL;
	}
	return failure_set(ret_failure, "exec: \"%s\": executable file not found in $PATH", name);
}
