#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# seconds: 900
# Pods under Debian trixie's containerd.
MOTE_DAEMON=trixie
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/cri.sh"
run_scenarios "$@"
