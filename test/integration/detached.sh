#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Containers in the background: `ctr run -d`, `ctr task`, several side by side, several in one shim.
. "$(dirname "$0")/lib.sh"

# background ID COMMAND...
FLAGS=()
background() {
	local id=$1
	shift
	ctr run -d --null-io "${RUNTIME[@]}" "${FLAGS[@]}" --rootfs "$ROOTFS" "$id" "$@"
}

runs() { [[ $(tr '\0' ' ' <"/proc/$1/cmdline") == *"$2"* ]]; }

life() {
	runtime_flags "$1"
	local pid
	background life /bin/busybox sleep 1000
	same status RUNNING "$(task_status life)"
	pid=$(task_pid life)
	# the runtime's start does not wait for the program to be executed
	must_become 5 "the task's pid runs sleep" runs "$pid" sleep
	status_of ctr task rm life
	[ "$STATUS" -ne 0 ] || fail "a running task was deleted"
	ctr task kill --signal SIGKILL life
	must_become 5 "task stops" task_is life STOPPED
	remove_task life
	same "exit code that task rm gives back" 137 "$EXIT_CODE"
	same "task after rm" "" "$(task_status life)"
	ctr container rm life
}
scenario life runc crun skeleton

pids() {
	runtime_flags "$1"
	background pids /bin/busybox sh -c "sleep 1000 & sleep 1000; true"
	must_become 5 "three processes" pids_are pids 3
	holds "processes, init among them" "$(task_pid pids)" "$(ctr task ps pids)"
	remove_container pids
}
pids_are() { [ "$(ctr task ps "$1" | tail -n +2 | wc -l)" = "$2" ]; }
scenario pids runc crun

kill_all() {
	runtime_flags "$1"
	background kill_all /bin/busybox sh -c "sleep 1000 & sleep 1000; true"
	ctr task kill --all --signal SIGKILL kill_all
	must_become 5 "task stops" task_is kill_all STOPPED
	remove_container kill_all
}
scenario kill_all runc crun

kill_stopped() {
	runtime_flags "$1"
	background kill_stopped /bin/busybox true
	must_become 5 "task stops" task_is kill_stopped STOPPED
	status_of ctr task kill --signal SIGTERM kill_stopped
	same "exit code of ctr task kill" 1 "$STATUS"
	holds "error" "process already finished: not found" "$(<err)"
	remove_container kill_stopped
}
scenario kill_stopped runc crun

exit_code_kept() {
	runtime_flags "$1"
	background exit_code_kept /bin/busybox sh -c "exit 42"
	must_become 5 "task stops" task_is exit_code_kept STOPPED
	remove_task exit_code_kept
	same "exit code" 42 "$EXIT_CODE"
	ctr container rm exit_code_kept
}
scenario exit_code_kept runc crun skeleton

# ctr makes and starts a task in one go; with a runtime that cannot start it stays created.
created_not_started() {
	local wrapper=$PWD/runtime
	wrapper_make "$wrapper" "$1" "*' start '*) exit 1 ;;"
	status_of ctr run -d --null-io --runtime io.containerd.runc.v2 --runc-binary "$wrapper" \
		--rootfs "$ROOTFS" created /bin/busybox echo never
	same "exit code of ctr" 1 "$STATUS"
	holds error "OCI runtime start failed" "$(<err)"
	same status CREATED "$(task_status created)"
	events_are created "create"
	ctr task rm --force created >/dev/null
	ctr container rm created
	same "task after rm" "" "$(task_status created)"
	events_are created "create exit delete"
}
scenario created_not_started runc crun

ten_side_by_side() {
	runtime_flags "$1"
	local number clients=()
	for number in 0 1 2 3 4 5 6 7 8 9; do
		background "ten$number" /bin/busybox sleep 1000 &
		clients+=($!)
	done
	for number in "${clients[@]}"; do
		wait "$number" || fail "one of ten did not start"
	done
	same "running tasks" 10 "$(ctr task ls | grep -c RUNNING)"
	if is_ours; then
		same "shim processes" 20 "$(shim_pids | wc -l)"
	fi
	remove_container ten{0,1,2,3,4,5,6,7,8,9}
}
scenario ten_side_by_side runc crun skeleton

group_of_five() {
	runtime_flags "$1"
	FLAGS=(--annotation io.containerd.runc.v2.group=five)
	local number
	for number in 1 2 3 4 5; do
		background "five$number" /bin/busybox sleep 1000
	done
	same "running tasks" 5 "$(ctr task ls | grep -c RUNNING)"
	same "shim processes" "$(is_ours && echo 2 || echo 1)" "$(shim_pids | wc -l)"
	same "sockets" 1 "$(find /run/containerd/s -type s | wc -l)"
	ctr task rm --force five1 >/dev/null
	ctr container rm five1
	same "running tasks after the first has gone" 4 "$(ctr task ls | grep -c RUNNING)"
	remove_container five3 five2 five5
	same "the last" RUNNING "$(task_status five4)"
	remove_container five4
	must_become 5 "the shim ends with its last container" no_shim
}
scenario group_of_five runc crun

# Both exit together: neither's exit may be lost or given to the other.
group_exit_codes() {
	runtime_flags "$1"
	FLAGS=(--annotation io.containerd.runc.v2.group=codes)
	local number
	for number in 11 12 13 14; do
		background "code$number" /bin/busybox sh -c "exit $number"
	done
	for number in 14 12 11 13; do
		must_become 5 "task stops" task_is "code$number" STOPPED
		remove_task "code$number"
		same "exit code" $number "$EXIT_CODE"
		ctr container rm "code$number"
	done
}
scenario group_exit_codes runc crun

# What a runtime has no function for is refused in the usual way, and the task goes on.
not_implemented() {
	runtime_flags "$1"
	background later /bin/busybox sleep 1000
	refused_by_ctr "not implemented" task exec --exec-id x later /bin/true
	refused_by_ctr "not implemented" task pause later
	same status RUNNING "$(task_status later)"
	remove_container later
}
refused_by_ctr() {
	local text=$1
	shift
	status_of ctr "$@"
	same "exit code of ctr $*" 1 "$STATUS"
	holds "error of ctr $*" "$text" "$(<err)"
}
scenario --mote not_implemented skeleton

run_scenarios "$@"
