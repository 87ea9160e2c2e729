#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What make is asked for and makes no sense is told in one line, before anything is got or built.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=test/report.sh
. test/report.sh

# refused TEXT make's words...: with a set variable before them, if the first has a '='. Nothing is run,
# and nothing is got, should it be missed.
refused() {
	local text=$1 output variable=()
	shift
	[[ $1 != *=* ]] || { variable=("$1") && shift; }
	if output=$(env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL "${variable[@]}" make -n MISSING= "$@" 2>&1); then
		echo "make $* is not refused"
	elif [ "${output#*\*\*\* }" != "$text.  Stop." ] || [[ $output == *$'\n'* ]]; then
		echo "make $* says: $output"
	fi
}

# A script of the figures, by itself.
accepted() {
	env "$@" check || echo "$* is refused"
}

numbers() {
	local name
	refused 'CONTAINERS=abc: that is no number from 1 to 999999999' run CONTAINERS=abc
	refused 'CONTAINERS=0: that is no number from 1 to 999999999' CONTAINERS=0 bench
	refused 'CONTAINERS=010: that is no number from 1 to 999999999' bench-vm CONTAINERS=010
	refused 'BENCH_REPEAT=x: that is no number from 1 to 999999999' bench BENCH_REPEAT=x
	refused 'IDLE=-1: that is no number from 0 to 999999999' bench IDLE=-1
	for name in VM_SECONDS BENCH_SECONDS; do
		refused "$name=1 h: that is no number from 1 to 999999999" bench-vm "$name=1 h"
	done
	accepted CONTAINERS=7 test/run-demo
	accepted CONTAINERS= BENCH_REPEAT=1 IDLE=0 test/bench/run
	accepted CONTAINERS=7 VM_SECONDS=1 BENCH_SECONDS=999999999 test/vm/bench
}

parts() {
	local ours='memory group calls output lives ctr' machine='mote none newest rust stock' only
	for only in typo '^call$' "it's" '['; do
		refused "BENCH_ONLY=$only: no part matches that; there are $ours" "BENCH_ONLY=$only" bench
		refused "BENCH_ONLY=$only: no part matches that; there are $machine" "BENCH_ONLY=$only" \
			bench-vm
	done
	refused "BENCH_ONLY=it's: no part matches that; there are $ours" bench "BENCH_ONLY=it's"
	accepted 'BENCH_ONLY=^(calls|lives)$' test/bench/run
	accepted BENCH_ONLY=mote test/vm/bench
}

tests() {
	local goal
	for goal in test asan fuzz fuzz-coverage valgrind; do
		refused "T=typo: no file of the tests of 'make $goal' has that in its name" "$goal" T=typo
	done
}

daemons() {
	refused 'DAEMON=typo: there is no such containerd, but newest sid trixie' test-daemons DAEMON=typo
	refused 'DAEMON=base: there is no such containerd, but newest sid trixie' DAEMON=base test
}

report numbers "$(numbers)"
report parts "$(parts)"
report tests "$(tests)"
report daemons "$(daemons)"
exit $status
