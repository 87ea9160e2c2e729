#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# seconds: 900
# Pods under containerd's newest release.
MOTE_DAEMON=newest
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/cri.sh"
run_scenarios "$@"
