/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_VERSION_H
#define SHIM_VERSION_H
/* What -v and -info tell. A packager may set both with -D; nothing is taken from the build's time. */

#ifndef SHIM_VERSION
#define SHIM_VERSION "0.1.0"
#endif
#ifndef SHIM_REVISION
#define SHIM_REVISION "unknown"
#endif

#endif
