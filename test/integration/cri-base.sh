#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# seconds: 900
# Pods under Debian's own containerd of this release.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/cri.sh"
run_scenarios "$@"
