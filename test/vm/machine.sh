# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The virtual machine of the tests and of the figures; to be sourced from the root of the tree. qemu
# without KVM, the release's cloud kernel, cgroup v2 alone, no network. What happens inside is
# test/vm/init's to do, from what test/vm/image made.
#
# norandmaps: qemu keeps a translation for each address that code runs at. With addresses that are
# random these pile up on the pages of a program that is run again and again, and where memory is short
# a page that gets another content takes qemu minutes.

machine_kernel=$(echo build/vm/kernel/boot/vmlinuz-*)
machine_pid=

# machine_missing: prints why there can be no machine; fails if there can be one
machine_missing() {
	if [ "$(uname -m)" != x86_64 ]; then
		echo "the machine is an x86_64 one"
	elif [ ! -e "$machine_kernel" ]; then
		echo "no kernel in build/vm/kernel: make deps-vm"
	else
		return 1
	fi
}

# machine_run SECONDS MEGABYTES CONSOLE WORDS flags of qemu...: until it switches itself off. What its
# console prints goes to standard output and to the file CONSOLE. WORDS are the kernel's; those with a
# '=' that it doesn't know become the environment of init. The status is 124 after SECONDS.
machine_run() {
	local limit=$1 memory=$2 console=$3 words=$4 printer status
	shift 4
	rm -f "$console.pipe"
	mkfifo "$console.pipe" || return 1
	sed -u 's/\r$//' <"$console.pipe" | tee "$console" &
	printer=$!
	timeout "$limit" qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot \
		-accel tcg,thread=multi -cpu max -smp 2 -m "$memory" -kernel "$machine_kernel" \
		-append "console=ttyS0 quiet panic=-1 mitigations=off norandmaps $words" -serial stdio "$@" \
		</dev/null >"$console.pipe" &
	machine_pid=$!
	wait $machine_pid
	status=$?
	machine_pid=
	wait $printer
	rm -f "$console.pipe"
	return $status
}

# For a trap.
machine_end() {
	[ -z "$machine_pid" ] || { kill "$machine_pid"; wait; }
}
