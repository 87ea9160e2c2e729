#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What a container uses, as containerd hears it: while it runs, when it has exited, when memory ran out.
. "$(dirname "$0")/lib.sh"

LIMIT=16777216
MORE=64M # what does not fit

# background ID COMMAND...
background() {
	local id=$1
	shift
	ctr run -d --null-io "${RUNTIME[@]}" --memory-limit $LIMIT --rootfs "$ROOTFS" "$id" "$@"
}

# metric ID NAME V2_NAME: a number of the metrics, by its path in their JSON; one that is 0 is not there
metric() {
	local name=$2
	[ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ] || name=$3
	ctr task metrics --format json "$1" | tr -d '[:space:]' | awk -v path="$name" '{
		n = split(path, part, ".")
		for (i = 1; i <= n; i++) {
			at = index($0, "\"" part[i] "\":")
			if (at == 0) { print 0; exit }
			$0 = substr($0, at + length(part[i]) + 3)
		}
		match($0, /^[0-9]+/)
		print substr($0, 1, RLENGTH)
	}'
}

limit_of() { metric "$1" memory.usage.limit memory.usage_limit; }
pids_of_task() { metric "$1" pids.current pids.current; }
kills_of() { metric "$1" memory_oom_control.oom_kill memory_events.oom_kill; }

values() {
	runtime_flags "$1"
	background values /bin/busybox sh -c "sleep 1000 & sleep 1000; true"
	must_become 5 "two processes more" three_pids values
	same "memory limit" $LIMIT "$(limit_of values)"
	same "OOM kills" 0 "$(kills_of values)"
	[ "$(metric values memory.usage.max memory.usage)" -gt 0 ] || fail "no memory is used"
	[ "$(metric values cpu.usage.total cpu.usage_usec)" -gt 0 ] || fail "no time was used"
	remove_container values
}
three_pids() { [ "$(pids_of_task "$1")" = 3 ]; }
scenario values runc crun

# The kernel's last word about a container can be had until it is deleted.
exited() {
	runtime_flags "$1"
	background exited /bin/busybox true
	must_become 5 "task stops" task_is exited STOPPED
	same "processes" 0 "$(pids_of_task exited)"
	same "OOM kills" 0 "$(kills_of exited)"
	remove_container exited
}
scenario exited runc crun

# The reason comes before the exit, once.
oom() {
	runtime_flags "$1"
	background oom /bin/busybox dd if=/dev/zero of=/dev/null bs=$MORE count=1
	must_become 10 "task stops" task_is oom STOPPED
	[ "$(kills_of oom)" -gt 0 ] || fail "the metrics say nothing of the OOM kill"
	remove_task oom
	same "exit code" 137 "$EXIT_CODE"
	events_are oom "create start oom exit delete"
	ctr container rm oom
}
scenario oom runc crun

# A child is killed; the container runs on, and later ends for another reason.
oom_of_a_child() {
	runtime_flags "$1"
	background child /bin/busybox sh -c \
		"dd if=/dev/zero of=/dev/null bs=$MORE count=1; exec sleep 1000"
	events_are child "create start oom"
	same status RUNNING "$(task_status child)"
	[ "$(kills_of child)" -gt 0 ] || fail "the metrics say nothing of the OOM kill"
	ctr task kill --signal SIGKILL child
	must_become 5 "task stops" task_is child STOPPED
	remove_task child
	events_are child "create start oom exit delete"
	ctr container rm child
}
scenario oom_of_a_child runc crun

run_scenarios "$@"
