#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# seconds: 600
# The table of scenarios under Debian's own containerd of this release.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/table.sh"
run_scenarios "$@"
