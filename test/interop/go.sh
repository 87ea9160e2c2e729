#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# seconds: 590
. "$(dirname "$0")/lib.sh"
interop go build/interop/go
