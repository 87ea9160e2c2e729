/* SPDX-License-Identifier: Apache-2.0 */
/* The only object that a commit without a change to the sources makes anew. */
#include "shim/version.h"

#include "shim/revision.h"

const char shim_revision[] = SHIM_REVISION;
