#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `ctr run` in the foreground: output, exit codes, standard input, output and error.
. "$(dirname "$0")/lib.sh"

# run ID COMMAND...: with the runtime in RUNTIME and further flags in FLAGS
FLAGS=()
run() {
	local id=$1
	shift
	ctr run --rm "${RUNTIME[@]}" "${FLAGS[@]}" --rootfs "$ROOTFS" "$id" "$@"
}

greeting() {
	runtime_flags "$1"
	same output "hello from inside" "$(run greeting /bin/busybox echo hello from inside)"
}
scenario greeting runc crun skeleton

inside_the_container() {
	runtime_flags "$1"
	same "pid, folder and root" "1 / bin dev etc mnt proc sys tmp" \
		"$(run inside /bin/sh -c "echo \$\$ \$(pwd) \$(ls /)" | sed 's/ run / /')"
}
scenario inside_the_container runc crun

exit_codes() {
	runtime_flags "$1"
	status_of run zero /bin/busybox true
	same "exit code of true" 0 "$STATUS"
	status_of run seven /bin/busybox sh -c "exit 7"
	same "exit code of exit 7" 7 "$STATUS"
	status_of run top /bin/busybox sh -c "exit 255"
	same "exit code of exit 255" 255 "$STATUS"
}
scenario exit_codes runc crun skeleton

killed() {
	runtime_flags "$1"
	run killed /bin/busybox sleep 1000 >out 2>&1 &
	local client=$! status=0
	must_become 10 "task runs" task_is killed RUNNING
	kill -KILL "$(task_pid killed)"
	wait $client || status=$?
	same "exit code after kill -9" 137 $status
}
scenario killed runc crun skeleton

killed_by_ctr() {
	runtime_flags "$1"
	run killed_by_ctr /bin/busybox sh -c \
		"trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done" >out 2>&1 &
	local client=$! status=0
	must_become 10 "the trap is set" grep -q ready out
	ctr task kill --signal SIGTERM killed_by_ctr
	wait $client || status=$?
	same "exit code of the trap" 5 $status
}
scenario killed_by_ctr runc crun skeleton

# The client keeps its end open until the task runs.
standard_input() {
	runtime_flags "$1"
	same "what cat returns" hi "$({
		echo hi
		wait_for 10 task_is standard_input RUNNING
	} | run standard_input /bin/busybox cat)"
}
scenario standard_input runc crun skeleton

# ctr meets the end of its input before it has the task, and then never asks for CloseIO if the shim
# has already taken what it wrote.
short_input() {
	runtime_flags "$1"
	local number
	ctr_words
	for number in 1 2 3 4 5; do
		echo hi $number | timeout -s KILL 5 "${CTR[@]}" run --rm "${RUNTIME[@]}" \
			--rootfs "$ROOTFS" short /bin/busybox cat >out ||
			fail "run $number: cat does not see the end of its input"
		same "what cat returns" "hi $number" "$(<out)"
	done
}
scenario --mote short_input runc crun skeleton

# Into files: ctr 1.6 gives up its reading when the task has exited, and what waits behind a reader of
# its own output that is slow then is lost, with any shim.
large_input() {
	runtime_flags "$1"
	head -c 16777216 /dev/urandom >data
	run large_input /bin/busybox cat <data >out
	same "16 MiB through cat" "$(sha256sum <data)" "$(sha256sum <out)"
}
scenario large_input runc crun

standard_error() {
	runtime_flags "$1"
	status_of run standard_error /bin/busybox sh -c "echo to out; echo to err >&2"
	same "exit code" 0 "$STATUS"
	same "standard output" "to out" "$(<out)"
	same "standard error" "to err" "$(without_warnings err)"
}
scenario standard_error runc crun skeleton

null_io() {
	runtime_flags "$1"
	FLAGS=(--null-io)
	status_of run null_io /bin/busybox sh -c \
		"echo lost && echo lost >&2 && [ -z \"\$(cat)\" ] && echo x >/dev/null && exit 9"
	same "exit code" 9 "$STATUS"
	same "output" "" "$(without_warnings out err)"
}
scenario null_io runc crun skeleton

large_output() {
	runtime_flags "$1"
	local command="dd if=/dev/zero bs=65536 count=1024 2>/dev/null | tr '\\0' x"
	run large_output /bin/busybox sh -c "$command" >out
	same "64 MiB" "$(head -c 67108864 /dev/zero | tr '\0' x | sha256sum)" "$(sha256sum <out)"
}
scenario large_output runc crun skeleton

# Small writes are where a splice of pipe pages can stall: a pipe holds 16 of them.
many_small_writes() {
	runtime_flags "$1"
	same "lines" "$(seq 1 5000 | sha256sum)" \
		"$(run many_small /bin/busybox sh -c \
			'i=1; while [ $i -le 5000 ]; do echo $i; i=$((i + 1)); done' | sha256sum)"
}
scenario many_small_writes runc skeleton

# The output must all be there although the process that wrote it is long gone when it is read.
slow_reader() {
	runtime_flags "$1"
	local count
	count=$(run slow_reader /bin/busybox sh -c "dd if=/dev/zero bs=1000 count=700 2>/dev/null" |
		{ wait_for 5 task_is slow_reader STOPPED || true; wc -c; })
	same "bytes" 700000 "$count"
}
scenario slow_reader runc

many_in_turn() {
	runtime_flags "$1"
	local number
	for number in 1 2 3 4 5 6 7 8 9 10; do
		same "output of run $number" "number $number" \
			"$(run again /bin/busybox echo number $number)"
	done
}
scenario many_in_turn runc

crun_by_config_path() {
	printf 'BinaryName = "crun"\n' >runtime.toml
	RUNTIME=(--runtime "$MOTE_RUNTIME" --runtime-config-path "$PWD/runtime.toml")
	ctr run -d --null-io "${RUNTIME[@]}" --rootfs "$ROOTFS" by_config /bin/busybox sleep 1000
	same "file runtime in the bundle" crun "$(<"$BUNDLES/by_config/runtime")"
	# crun's own state folder has a file named status, runc's one named state.json.
	[ -e "/run/containerd/runc/$NAMESPACE/by_config/status" ] || fail "crun did not make it"
	remove_container by_config

	echo "misspelt = 1" >>runtime.toml
	ctr run --rm --null-io "${RUNTIME[@]}" --rootfs "$ROOTFS" by_config /bin/true
	must_become 5 "the key is in containerd's log" \
		grep -qF "$PWD/runtime.toml: line 2: unknown key" "$MOTE_WORK/containerd.log"
	echo "IoUid = root" >>runtime.toml
	status_of ctr run --rm --null-io "${RUNTIME[@]}" --rootfs "$ROOTFS" by_config /bin/true
	holds "an error" "$PWD/runtime.toml: line 3: an integer" "$(<err)"
}
scenario --mote crun_by_config_path

own_root_of_the_runtime() {
	runtime_flags crun
	ctr run -d --null-io "${RUNTIME[@]}" --runc-root "$PWD/crun-root" --rootfs "$ROOTFS" \
		own_root \
		/bin/busybox sleep 1000
	[ -e "$PWD/crun-root/$NAMESPACE/own_root/status" ] || fail "no state in the root asked for"
	remove_container own_root
	same "state left in that root" "" "$(ls "$PWD/crun-root/$NAMESPACE")"
}
scenario own_root_of_the_runtime

run_scenarios "$@"
