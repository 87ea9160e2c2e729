# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# For scripts that look for something to complain of; to be sourced.

status=0 # what the script leaves with

# report NAME COMPLAINTS: the line of the test, which has failed if there are any
report() {
	local name
	name=$(basename "$0" .sh).$1
	if [ -z "$2" ]; then
		echo "ok $name"
	else
		echo "not ok $name: $(echo "$2" | head -n 20 | tr '\n' ';')"
		status=1
	fi
}
