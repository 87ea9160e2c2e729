#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Pods where there is cgroup v2 alone: where their cgroups are, what crictl says of them, limits, and
# that nothing of them stays. Run in the machine of vm.sh; on another one all is skipped.
LIBRARY=$(dirname "$0")/../integration
# shellcheck source=test/integration/lib.sh
. "$LIBRARY/lib.sh"
# shellcheck source=test/integration/pods.sh
. "$LIBRARY/pods.sh"
SCENARIO_LIMIT=180 # the processor is an emulated one
scenario_label() { echo "pods.$1_$2"; }

PODS=/sys/fs/cgroup/${CGROUP:-}

needs_unified() {
	[ -e /sys/fs/cgroup/cgroup.controllers ] || skip "the machine has not cgroup v2 alone"
}

# group_says ID FILE: what the file of its cgroup says
group_says() { cat "$PODS/$1/$2"; }
group_is_empty() { [ -z "$(group_says "$1" cgroup.procs)" ]; }

# pods_end: the cgroups go with the pod, not later
pods_end() {
	pod_down
	same "cgroups left" "" "$(find "$PODS" -mindepth 1 -type d)"
}

# stat_of NAME COMMAND [ID]: a number of crictl's JSON, the first of that name
stat_of() {
	crictl "$2" -o json "${@:3}" | tr -d ' \n' | grep -o "\"$1\":{\"value\":\"[0-9]*" |
		sed -n '1s/.*"//p'
}

# ---- a pod's life ------------------------------------------------------------------------------

life() {
	needs_unified
	pod_up life "$1"
	LINUX='"memory_limit_in_bytes": 67108864, "cpu_quota": 50000, "cpu_period": 100000,
		"unified": {"pids.max": "20"}'
	container_up one 'echo one; echo error >&2; sleep 1000 & exec sleep 1000'
	local one=$CONTAINER id
	LINUX=
	container_up two 'echo two; exec sleep 1000'
	for id in "$POD" "$one" "$CONTAINER"; do
		same "cgroup of $id" "0::/$CGROUP/$id" "$(<"/proc/$(task_pid "$id")/cgroup")"
	done
	same "limits" "67108864 50000 100000 20" "$(limits_of "$one")"
	must_become 10 "the log of two" log_holds two 'stdout F two'
	must_become 10 "the log of one" log_holds one 'stderr F error'
	same "crictl's log of one" "error one" "$(crictl logs "$one" 2>&1 | sort | xargs)"
	CONTAINER=$one
	statistics
	exec_within_limits
	crictl update --cpu-quota 20000 --memory 33554432 "$one" >/dev/null
	same "new limits" "33554432 20000 100000 20" "$(limits_of "$one")"
	crictl stop -t 0 "$one" >/dev/null
	[ ! -e "$PODS/$one" ] || fail "the cgroup outlives its container"
	crictl rm "$one" >/dev/null
	pods_end
}
limits_of() { (cd "$PODS/$1" && cat memory.max cpu.max pids.max | xargs); }
scenario --mote life runc.stock crun.own

# The pod's numbers are of the cgroup above, its processes those of Pids.
statistics() {
	same "containers" 2 "$(crictl stats -o json | grep -c '"workingSetBytes"')"
	[ "$(stat_of workingSetBytes stats "$CONTAINER")" -gt 0 ] || fail "no memory is used"
	[ "$(stat_of usageCoreNanoSeconds stats "$CONTAINER")" -gt 0 ] || fail "no CPU is used"
	[ "$(stat_of usageBytes statsp)" -gt "$(stat_of usageBytes stats "$CONTAINER")" ] ||
		fail "the pod uses less than its container"
}

exec_within_limits() {
	same "cgroup of an exec" "0::/" "$(in_container 'cat /proc/self/cgroup' | xargs)"
	status_of "$PTY" -s 33x93 wait='# ' line='stty size' wait='33 93' line='exit 6' -- \
		"$CRICTL" exec -it "$CONTAINER" sh
	holds "the exit code" "exit code 6" "$(tail -n 3 out err)"
	status_of in_container 'for x in $(seq 30); do sleep 2000 >/dev/null 2>&1 & done'
	holds "forks beyond the limit" "can't fork" "$(<err)"
}

# ---- memory ------------------------------------------------------------------------------------

# A child is killed, the container goes on.
out_of_memory() {
	needs_unified
	pod_up oom "$1"
	LINUX='"memory_limit_in_bytes": 16777216, "memory_swap_limit_in_bytes": 16777216'
	container_up oom "tail /dev/zero; echo status \$?; $WAIT_FOR_GO; exit 3"
	must_become 20 "the child is killed" log_holds oom 'stdout F status 137'
	events_are "$CONTAINER" "create start oom"
	holds "memory.events" "oom_kill 1" "$(group_says "$CONTAINER" memory.events)"
	let_go "$CONTAINER"
	must_become 10 "the container ends" has_exited "$CONTAINER"
	same "exit code and reason" "3 OOMKilled" "$(of "$CONTAINER" exitCode) $(of "$CONTAINER" reason)"
	events_are "$CONTAINER" "create start oom exit delete"
	pods_end
}
scenario --mote out_of_memory crun.stock

# ---- cgroups below the container's -------------------------------------------------------------

# As systemd does in a container that may write its cgroup: it moves itself and divides what is there.
nested() {
	needs_unified
	pod_up nested "$1"
	container_up nested "$WAIT_FOR_GO; sleep 3000 & exec sleep 1000"
	mkdir "$PODS/$CONTAINER/init.scope"
	task_pid "$CONTAINER" >"$PODS/$CONTAINER/init.scope/cgroup.procs"
	# But for the sleep that it waits with just now, which ends.
	must_become 5 "the cgroup is empty" group_is_empty "$CONTAINER"
	echo "+memory +pids" >"$PODS/$CONTAINER/cgroup.subtree_control"
	let_go "$CONTAINER"
	must_become 5 "the child" some_of "sleep 3000 "
	[ "$(stat_of workingSetBytes stats "$CONTAINER")" -gt 0 ] || fail "no memory is used"
	same "processes" 2 "$(ctr task ps "$CONTAINER" | grep -c '^[0-9]')"
	same "output of an exec" inside "$(in_container 'echo inside')"
	# What is below is removed with it by who cleans up after a shim, too.
	# shellcheck disable=SC2046
	kill -KILL $(shim_pids)
	must_become 20 "the container ends" has_exited "$CONTAINER"
	none_of "sleep 3000 " || fail "the child lives on"
	pods_end
}
scenario --mote nested runc.own

run_scenarios "$@"
