/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_VERSION_H
#define SHIM_VERSION_H
/* What -v and -info tell. A packager may set the version with -D; nothing is taken from the build's time. */

#ifndef SHIM_VERSION
#define SHIM_VERSION "0.1.0"
#endif

/* The commit of the sources, with "-dirty" behind it if they were changed since; or "unknown". */
extern const char shim_revision[];

#endif
