#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# seconds: 600
# The table of scenarios under containerd's newest release.
MOTE_DAEMON=newest
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/table.sh"
run_scenarios "$@"
