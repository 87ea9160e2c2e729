#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# seconds: 900
#
# Runs containers in a machine that was booted with cgroup v2 only, whatever this one has. See init and
# containers for what happens inside; its console comes out here, with the lines of the tests.
set -u
limit=${VM_SECONDS:-880}
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=test/vm/machine.sh
. test/vm/machine.sh

fail() {
	echo "not ok vm.$1: $2"
	exit 1
}

if missing=$(machine_missing); then
	[ "$(uname -m)" != x86_64 ] || fail image "$missing"
	echo "skip vm.boot: $missing"
	exit 0
fi
folder=$(mktemp -d) || exit 1
trap 'machine_end; rm -rf "$folder"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
test/vm/image tests "$folder/image" || fail image "not made"

environment="${MOTE_RUNTIME:+MOTE_RUNTIME=$MOTE_RUNTIME} ${MOTE_ONLY:+MOTE_ONLY=$MOTE_ONLY}"
machine_run "$limit" 1024 "$folder/console" "MOTE_RUN=test/vm/containers $environment" \
	-initrd "$folder/image"
status=$?

[ $status -ne 124 ] || fail time "not done after $limit seconds"
grep -q '^vm: kernel ' "$folder/console" || fail boot "qemu left with status $status"
grep -q '^vm: left with status ' "$folder/console" || fail tests "the machine stopped in the middle"
echo "ok vm.boot"
! grep -q '^not ok ' "$folder/console"
