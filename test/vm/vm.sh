#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# seconds: 900
#
# Runs containers in a machine that was booted with cgroup v2 only, whatever this one has: qemu
# without KVM, the release's cloud kernel, no disk, no network. See init and containers for what
# happens inside; its console comes out here, with the lines of the tests.
set -u
limit=${VM_SECONDS:-880}
cd "$(dirname "$0")/../.." || exit 1

fail() {
	echo "not ok vm.$1: $2"
	exit 1
}

if [ "$(uname -m)" != x86_64 ]; then
	echo "skip vm.boot: the machine is an x86_64 one"
	exit 0
fi
kernel=$(echo build/vm/kernel/boot/vmlinuz-*)
[ -e "$kernel" ] || fail image "no kernel in build/vm/kernel: make deps-vm"
folder=$(mktemp -d) || exit 1
machine=
trap '[ -z "$machine" ] || { kill $machine; wait; }; rm -rf "$folder"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
test/vm/image "$folder/image" || fail image "not made"

mkfifo "$folder/serial"
sed -u 's/\r$//' <"$folder/serial" | tee "$folder/console" &
printer=$!
# Words with a '=' that the kernel doesn't know become the environment of init.
environment="${MOTE_RUNTIME:+MOTE_RUNTIME=$MOTE_RUNTIME} ${MOTE_ONLY:+MOTE_ONLY=$MOTE_ONLY}"
timeout "$limit" qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot \
	-accel tcg,thread=multi -cpu max -smp 2 -m 1024 -kernel "$kernel" -initrd "$folder/image" \
	-append "console=ttyS0 quiet panic=-1 mitigations=off $environment" -serial stdio \
	</dev/null >"$folder/serial" &
machine=$!
wait $machine
status=$?
machine=
wait $printer

[ $status -ne 124 ] || fail time "not done after $limit seconds"
grep -q '^vm: kernel ' "$folder/console" || fail boot "qemu left with status $status"
grep -q '^vm: left with status ' "$folder/console" || fail tests "the machine stopped in the middle"
echo "ok vm.boot"
! grep -q '^not ok ' "$folder/console"
