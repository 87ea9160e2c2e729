#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What a container's cgroup does for it where there is cgroup v2 alone: its place in the tree, what it
# says of the container, freezing, limits that change. Run in the machine of vm.sh; on another one
# every scenario is skipped that has not the same there.
LIBRARY=$(dirname "$0")/../integration
# shellcheck source=test/integration/lib.sh
. "$LIBRARY/lib.sh"
# shellcheck source=test/integration/hand.sh
. "$LIBRARY/hand.sh"

TREE=/sys/fs/cgroup
# As the kubelet's driver for systemd lays them out.
SLICES=${NAMESPACE:-}/kubepods.slice/kubepods-burstable.slice/kubepods-pod1.slice
CONTAINER_LIMIT=33554432

needs_unified() {
	[ -e $TREE/cgroup.controllers ] || skip "the machine has not cgroup v2 alone"
}

# unified_run VARIANT ID COMMAND...: in the background, below the slices; sets GROUP, ADDRESS and PID
unified_run() {
	local id=$2
	needs_unified
	runtime_flags "$1"
	shift 2
	ctr run -d --null-io "${RUNTIME[@]}" --memory-limit $CONTAINER_LIMIT \
		--cgroup "/$SLICES/cri-containerd-$id.scope" --rootfs "$ROOTFS" "$id" "$@"
	GROUP=$TREE/$SLICES/cri-containerd-$id.scope
	ADDRESS=$(<"$BUNDLES/$id/address")
	PID=$(task_pid "$id")
}

# The runtime takes its own cgroup away; those above are whoever's who made them: ours.
unified_end() {
	remove_container "$1"
	must_become 5 "the cgroup is gone" [ ! -e "$GROUP" ]
	must_become 5 "the slices are empty" slices_removed
}
slices_removed() {
	[ ! -e "$TREE/$NAMESPACE/kubepods.slice" ] ||
		find "$TREE/$NAMESPACE/kubepods.slice" -depth -type d -exec rmdir {} +
}

# metric ID NAME: a number of `ctr task metrics`, by its name there
metric() { ctr task metrics "$1" | awk -v name="$2" '$1 == name { print $2 }'; }

group_of() { sed -n 's/^0:://p' "/proc/$1/cgroup"; }
event_of() { awk -v name="$2" '$1 == name { print $2 }' "$GROUP/$1"; }

nested() {
	unified_run "$1" nested /bin/busybox sh -c "sleep 1000 & sleep 1000; true"
	must_become 5 "three processes" three_processes
	same "cgroup of init" "/$SLICES/cri-containerd-nested.scope" "$(group_of "$PID")"
	same "processes" 3 "$(metric nested pids.current)"
	same "limit" $CONTAINER_LIMIT "$(metric nested memory.usage_limit)"
	[ "$(metric nested memory.usage)" -gt 0 ] || fail "no memory is used"
	same "pids" "$(sort -n "$GROUP/cgroup.procs")" \
		"$(call Pids id=nested | sed -n 's/^pid=//p' | sort -n)"
	# The shim itself stays where containerd is.
	for PID in $(shim_pids); do
		[[ $(group_of "$PID") != */kubepods.slice/* ]] || fail "the shim is in the pod's cgroup"
	done
	unified_end nested
}
three_processes() { [ "$(wc -l <"$GROUP/cgroup.procs")" -eq 3 ]; }
scenario nested runc crun

# Frozen by the cgroup: nothing runs, and SIGKILL still ends it, without a resume.
pause_and_kill() {
	unified_run "$1" paused /bin/busybox sh -c 'while :; do echo x >>/tmp/beats; sleep 0.02; done'
	must_become 10 "it writes" [ -s "$ROOTFS/tmp/beats" ]
	ctr task pause paused
	same "status" PAUSED "$(task_status paused)"
	same "frozen" 1 "$(event_of cgroup.events frozen)"
	local before
	before=$(wc -c <"$ROOTFS/tmp/beats")
	refused 2 "cannot exec in a paused state" Exec id=paused exec_id=late \
		spec='{"args": ["/bin/true"], "cwd": "/"}'
	same "what it wrote meanwhile" "$before" "$(wc -c <"$ROOTFS/tmp/beats")"
	ctr task resume paused
	same "frozen" 0 "$(event_of cgroup.events frozen)"
	must_become 10 "it writes again" has_bytes "$ROOTFS/tmp/beats" $((before + 1))
	ctr task pause paused
	ctr task kill --signal SIGKILL paused
	must_become 10 "the task stops" task_is paused STOPPED
	remove_task paused
	same "exit code" 137 "$EXIT_CODE"
	rm "$ROOTFS/tmp/beats"
	unified_end paused
	events_are paused "create start paused resumed paused exit delete"
}
scenario pause_and_kill runc crun

update() {
	unified_run "$1" update /bin/busybox sleep 1000
	call Update id=update resources='{"memory": {"limit": 16777216, "swap": 16777216},
		"cpu": {"quota": 50000, "period": 100000, "shares": 512}, "pids": {"limit": 50}}'
	same "memory.max" 16777216 "$(<"$GROUP/memory.max")"
	same "cpu.max" "50000 100000" "$(<"$GROUP/cpu.max")"
	same "pids.max" 50 "$(<"$GROUP/pids.max")"
	same "limit in the metrics" 16777216 "$(metric update memory.usage_limit)"
	same "limit of processes in the metrics" 50 "$(metric update pids.limit)"
	refused 3 "" Update id=update resources='{"memory": {'
	same "memory.max" 16777216 "$(<"$GROUP/memory.max")"
	unified_end update
}
scenario update runc crun

out_of_memory() {
	unified_run "$1" oom /bin/busybox sh -c "dd if=/dev/zero of=/dev/null bs=64M count=1; exec sleep 1000"
	events_are oom "create start oom"
	same "kills in the metrics" "$(event_of memory.events oom_kill)" \
		"$(ctr task metrics --format json oom | tr -d '[:space:]' |
			grep -o '"oom_kill":[0-9]*' | cut -d: -f2)"
	ctr task kill --signal SIGKILL oom
	must_become 10 "the task stops" task_is oom STOPPED
	unified_end oom
	events_are oom "create start oom exit delete"
}
scenario out_of_memory runc

exec_in_it() {
	unified_run "$1" exec /bin/busybox sleep 1000
	call Exec id=exec exec_id=more spec='{"args": ["/bin/busybox", "sleep", "1000"], "cwd": "/"}'
	local more
	more=$(field pid Start id=exec exec_id=more)
	same "cgroup of the exec" "$(group_of "$PID")" "$(group_of "$more")"
	same "processes" 2 "$(metric exec pids.current)"
	call Kill id=exec exec_id=more signal=9
	same "status of the exec" 137 "$(field exit_status Wait id=exec exec_id=more)"
	call Delete id=exec exec_id=more >/dev/null
	call Exec id=exec exec_id=quick spec='{"args": ["/bin/sh", "-c", "exit 23"], "cwd": "/"}'
	call Start id=exec exec_id=quick >/dev/null
	same "status of the exec" 23 "$(field exit_status Wait id=exec exec_id=quick)"
	unified_end exec
}
scenario exec_in_it runc

# Straight on the socket: the size that was set before Start is there when the program begins.
terminal() {
	needs_unified
	HAND_MOUNT='{"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
		{"destination": "/dev/pts", "type": "devpts", "source": "devpts",
		 "options": ["newinstance", "ptmxmode=0666"]}'
	begin "$1" terminal /bin/busybox sh -c 'stty size; read line; echo got $line; exit 4'
	sed -i 's/"process": {/"process": {"terminal": true, /' "$HAND/terminal/config.json"
	mkfifo in out
	cat out >printed &
	HAND_JOBS+=($!)
	exec 8<>in
	hand_create terminal terminal=1 stdin="$SCRATCH/in" stdout="$SCRATCH/out"
	call ResizePty id=terminal width=87 height=43
	call Start id=terminal >/dev/null
	must_become 10 "the size is printed" grep -q '43 87' printed
	echo typed >&8
	same "exit status" 4 "$(field exit_status Wait id=terminal)"
	call Delete id=terminal >/dev/null
	must_become 10 "the output is complete" grep -q 'got typed' printed
	exec 8<&-
	hand_shutdown terminal
}
scenario --mote terminal runc crun

# There is no systemd to make a scope of such a name: one line says so, and nothing is left.
without_systemd() {
	needs_unified
	[ ! -d /run/systemd/system ] || skip "the machine has systemd"
	begin "$1" scope
	sed -i "s|\"cgroupsPath\": \"[^\"]*\"|\"cgroupsPath\": \"system.slice:mote:scope\"|" \
		"$HAND/scope/config.json"
	refused 2 "systemd" Create id=scope bundle="$HAND/scope" "${OPTIONS[@]}" \
		options.systemd_cgroup=1
	refused 5 "" State id=scope
	hand_shutdown scope
}
scenario --mote without_systemd runc

run_scenarios "$@"
