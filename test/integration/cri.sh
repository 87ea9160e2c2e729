# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What a kubelet does with pods: crictl as the client of containerd's CRI plugin. A script cri-*.sh
# names a containerd and sources this after lib.sh; each scenario then runs there as
#
#     cri-VERSION.RUNTIME.NAME.SCENARIO
#
# for runc and crun, and for both names of our shim: `stock` is the type io.containerd.runc.v2 with
# our binary as runtime_path, `own` the type io.containerd.mote.v2, whose options are TOML.
. "${BASH_SOURCE[0]%/*}/pods.sh"

# ---- a pod is one shim -------------------------------------------------------------------------

grouped() {
	pod_up grouped "$1"
	container_up one 'echo one; exec sleep 1000'
	local one=$CONTAINER monitor id
	container_up two 'echo two; echo error >&2; exec sleep 1000'
	same "servers" 1 "$(server_pid | wc -w)"
	same "whose shim it is" "$(readlink -f "$MOTE_BUILD/containerd-shim-mote-v2")" \
		"$(readlink "/proc/$(server_pid)/exe")"
	monitor=$(monitor_pid)
	for id in "$POD" "$one" "$CONTAINER"; do
		same "parent of $id's process" "$monitor" "$(status_field "$(task_pid "$id")" PPid)"
	done
	must_become 10 "the log of one" log_holds one 'stdout F one'
	must_become 10 "the log of two" log_holds two 'stdout F two'
	must_become 10 "the log of two" log_holds two 'stderr F error'
	same "lines of the logs" 3 "$(cat logs/*.log | wc -l)"
	# Containers of a shim that speaks version 3 get neither `start` nor, at their end, `delete`.
	if daemon_is_at_least 2.3; then
		holds "the bootstrap" '"version":3' "$(<"$BUNDLES/$POD/bootstrap.json")"
		[ ! -e "$BUNDLES/$one/address" ] || fail "start was run for a container"
	fi
	pod_down
}
in_pods grouped

output() {
	pod_up output "$1"
	container_up lines "seq 30000 | sed 's/^/a line with the number /'; echo done; $WAIT_FOR_GO"
	must_become 30 "the last line" log_holds lines 'stdout F done'
	same "lines" "$(seq -f 'a line with the number %.0f' 30000 | sha256sum)" \
		"$(sed -n 's/^[^ ]* stdout F \(a .*\)/\1/p' logs/lines.log | sha256sum)"
	let_go "$CONTAINER"
	must_become 10 "the container ends" has_exited "$CONTAINER"
	pod_down
}
in_pods output

# A pod's containers come and go; the shim stays.
replaced() {
	pod_up replaced "$1"
	local server number
	server=$(server_pid)
	for number in 1 2 3; do
		container_up "one$number" "echo run $number; $WAIT_FOR_GO; exit $number"
		must_become 10 "the log" log_holds "one$number" "stdout F run $number"
		let_go "$CONTAINER"
		must_become 10 "the container ends" has_exited "$CONTAINER"
		same "exit code" "$number" "$(of "$CONTAINER" exitCode)"
		same "reason" Error "$(of "$CONTAINER" reason)"
		events_are "$CONTAINER" "create start exit delete"
		crictl rm "$CONTAINER" >/dev/null
	done
	container_up none 'exit 0'
	must_become 10 "the container ends" has_exited "$CONTAINER"
	same "exit code and reason" "0 Completed" "$(of "$CONTAINER" exitCode) $(of "$CONTAINER" reason)"
	same "the server" "$server" "$(server_pid)"
	pod_down
}
in_pods replaced

# A command that is not there fails at start; the pod and its other containers don't care.
no_command() {
	pod_up no_command "$1"
	container_up stays 'exec sleep 1000'
	local stays=$CONTAINER
	SHELL_PATH=/no/such/command container_make absent true
	status_of crictl start "$CONTAINER"
	[ "$STATUS" -ne 0 ] || fail "it started"
	holds "error" "OCI runtime create failed" "$(<err)"
	must_become 10 "the container has ended" has_exited "$CONTAINER"
	same "exit code and reason" "128 StartError" \
		"$(of "$CONTAINER" exitCode) $(of "$CONTAINER" reason)"
	same "state of the other" CONTAINER_RUNNING "$(of "$stays" state)"
	pod_down
}
in_pods no_command

# ---- execs and streams -------------------------------------------------------------------------

execs() {
	pod_up execs "$1"
	container_up execs 'exec sleep 1000'
	status_of in_container 'echo out; echo error >&2'
	same "exit code ($(<err))" 0 "$STATUS"
	holds "both outputs" out "$(<out)"
	holds "both outputs" error "$(cat out err)"
	status_of in_container 'exit 7'
	holds "the exit code" "exited with 7" "$(<err)"
	same "64 KiB" "$(head -c 65536 /dev/zero | tr '\0' x | sha256sum)" \
		"$(in_container "head -c 65536 /dev/zero | tr '\\0' x" | tr -d '\n' | sha256sum)"
	status_of crictl exec -s --timeout 1 "$CONTAINER" sleep 2000
	[ "$STATUS" -ne 0 ] || fail "an exec beyond its time ended well"
	must_become 10 "the exec is killed" none_of "sleep 2000 "
	same "what it reads" "read typed" \
		"$(echo typed | crictl exec -i "$CONTAINER" sh -c 'read x; echo read $x')"
	same "state" CONTAINER_RUNNING "$(of "$CONTAINER" state)"
	pod_down
}
in_pods execs

terminal() {
	pod_up terminal "$1"
	container_up terminal 'exec sleep 1000'
	status_of "$PTY" -s 33x93 wait='# ' line='stty size' wait='33 93' \
		line='while [ "$(stty size)" != "42 102" ]; do sleep 0.05; done; echo re""sized' \
		resize=42x102 wait=resized line='exit 6' -- "$CRICTL" exec -it "$CONTAINER" sh
	holds "the exit code" "exit code 6" "$(tail -n 3 out err)"
	pod_down
}
in_pods terminal

# A client comes, types, goes; another one ends the container.
attached() {
	pod_up attached "$1"
	STREAMS='"stdin": true, "stdin_once": false'
	container_up attached 'while read -r x; do echo "read $x"; [ "$x" != end ] || exit 4; done'
	echo first | crictl attach -i "$CONTAINER" >out 2>err
	must_become 10 "the log" log_holds attached 'stdout F read first'
	is_running "$CONTAINER" || fail "the container ended with its first client"
	echo end | crictl attach -i "$CONTAINER" >out 2>err
	must_become 10 "the container ends" has_exited "$CONTAINER"
	same "exit code" 4 "$(of "$CONTAINER" exitCode)"
	pod_down
}
in_pods attached

attached_terminal() {
	pod_up attached_terminal "$1"
	STREAMS='"stdin": true, "tty": true'
	container_up attached_terminal 'while read -r x; do echo "re""ad $x"; [ "$x" != end ] || exit 4; done'
	status_of "$PTY" -s 33x93 line=typed wait='read typed' line=end wait='read end' -- \
		"$CRICTL" attach -i -t "$CONTAINER"
	must_become 10 "the container ends" has_exited "$CONTAINER"
	same "exit code" 4 "$(of "$CONTAINER" exitCode)"
	must_become 5 "the log" grep -q 'stdout F read typed' logs/attached_terminal.log
	pod_down
}
in_pods attached_terminal

# ---- resources ---------------------------------------------------------------------------------

used() {
	pod_up used "$1"
	LINUX='"memory_limit_in_bytes": 67108864'
	container_up used 'x=$(head -c 4194304 /dev/zero | tr "\0" x); while :; do :; done'
	must_become 20 "CPU and memory used" uses_much
	crictl update --memory 33554432 "$CONTAINER" >/dev/null
	same "memory limit" 33554432 "$(memory_limit "$CONTAINER")"
	pod_down
}
# Of its JSON: nanoseconds of CPU, bytes.
uses_much() {
	crictl stats -o json "$CONTAINER" >used.json || return 1
	[ "$(stat_value cpu)" -gt 100000000 ] && [ "$(stat_value memory)" -gt 4194304 ]
}
stat_value() {
	sed -n "/\"$1\"/,/}[,}]*\$/p" used.json | tr -d ' \n' |
		sed -E 's/.*"(usageCoreNanoSeconds|workingSetBytes)":\{"value":"([0-9]+)".*/\2/'
}
# The limit in its cgroup, of either version
memory_limit() {
	local pid path
	pid=$(task_pid "$1")
	path=$(sed -n 's/^[0-9]*:memory://p' "/proc/$pid/cgroup")
	if [ -n "$path" ]; then
		cat "/sys/fs/cgroup/memory$path/memory.limit_in_bytes"
	else
		cat "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$pid/cgroup")/memory.max"
	fi
}
in_pods used

out_of_memory() {
	pod_up out_of_memory "$1"
	LINUX='"memory_limit_in_bytes": 16777216, "memory_swap_limit_in_bytes": 16777216'
	container_up out_of_memory 'exec tail /dev/zero'
	must_become 20 "the container ends" has_exited "$CONTAINER"
	same "exit code and reason" "137 OOMKilled" \
		"$(of "$CONTAINER" exitCode) $(of "$CONTAINER" reason)"
	events_are "$CONTAINER" "create start oom exit delete"
	pod_down
}
in_pods out_of_memory

# ---- ends --------------------------------------------------------------------------------------

stopped() {
	pod_up stopped "$1"
	container_up term "trap 'echo term; exit 5' TERM; echo ready; $WAIT_FOR_GO"
	must_become 10 "the trap is set" log_holds term 'stdout F ready'
	crictl stop -t 20 "$CONTAINER" >/dev/null
	same "exit code" 5 "$(of "$CONTAINER" exitCode)"
	log_holds term 'stdout F term' || fail "the log: $(<logs/term.log)"
	container_up deaf "trap '' TERM; echo ready; $WAIT_FOR_GO"
	must_become 10 "the trap is set" log_holds deaf 'stdout F ready'
	crictl stop -t 1 "$CONTAINER" >/dev/null
	same "exit code of SIGKILL" 137 "$(of "$CONTAINER" exitCode)"
	pod_down
}
in_pods stopped

# Pods that run are removed, side by side.
removed() {
	local pods=() number
	for number in 1 2 3; do
		pod_up "removed$number" "$1"
		pods+=("$POD")
		container_up one 'sleep 1000 & exec sleep 1000'
		container_up two "trap '' TERM; $WAIT_FOR_GO"
	done
	same "servers" 3 "$(server_pid | wc -w)"
	crictl rmp -f "${pods[@]}" >out
	same "pods left" "" "$(crictl pods -q)"
}
in_pods removed

# The pause container is killed: what shares no PID namespace with it lives on.
pause_killed() {
	pod_up pause_killed "$1"
	container_up lives 'exec sleep 1000'
	kill -KILL "$(task_pid "$POD")"
	must_become 10 "the pod is not ready" pod_is SANDBOX_NOTREADY
	same "state of the container" CONTAINER_RUNNING "$(of "$CONTAINER" state)"
	same "output of an exec" lives "$(in_container 'echo lives')"
	pod_down
}
pod_is() { [ "$(crictl inspectp -o go-template --template '{{.status.state}}' "$POD")" = "$1" ]; }
in_pods pause_killed

# containerd cleans up after a shim whose processes were killed: all of its containers have ended.
shim_killed() {
	pod_up shim_killed "$1"
	container_up one 'exec sleep 1000'
	local one=$CONTAINER
	container_up two 'exec sleep 1000'
	# shellcheck disable=SC2046
	kill -KILL $(shim_pids)
	must_become 20 "container one ends" has_exited "$one"
	must_become 20 "container two ends" has_exited "$CONTAINER"
	must_become 10 "the pod is not ready" pod_is SANDBOX_NOTREADY
	must_become 10 "their processes are gone" none_of "sleep 1000"
	pod_down
}
in_pods shim_killed

# ---- containerd's restart ----------------------------------------------------------------------

restarted() {
	pod_up restarted "$1"
	container_up stays "echo before; $WAIT_FOR_GO; echo after; exit 3"
	local stays=$CONTAINER pid shims
	container_up ends "$WAIT_FOR_GO; exit 4"
	must_become 10 "the log" log_holds stays 'stdout F before'
	pid=$(task_pid "$stays")
	shims=$(shim_pids)
	let_go_while_down "$CONTAINER"
	same "state of the one" CONTAINER_RUNNING "$(of "$stays" state)"
	same "its pid" "$pid" "$(task_pid "$stays")"
	same "the shim's pids" "$shims" "$(shim_pids)"
	must_become 10 "the other one has ended" has_exited "$CONTAINER"
	same "exit code" 4 "$(of "$CONTAINER" exitCode)"
	pod_is SANDBOX_READY || fail "the pod is not ready"
	let_go "$stays"
	must_become 10 "the one ends" has_exited "$stays"
	same "exit code" 3 "$(of "$stays" exitCode)"
	must_become 10 "the log goes on" log_holds stays 'stdout F after'
	container_up new 'echo new; exec sleep 1000'
	must_become 10 "the log of a new one" log_holds new 'stdout F new'
	pod_down
}
let_go_while_down() {
	local pid
	pid=$(task_pid "$1")
	daemon_stop KILL
	touch "/proc/$pid/root/go"
	must_become 10 "it ends" process_ended "$pid"
	daemon_start
	must_become 20 "the plugin answers" crictl version
	events_start
}
process_ended() { process_gone "$1" || [ "$(status_field "$1" State)" = Z ]; }
in_pods restarted

# ---- PID namespaces ----------------------------------------------------------------------------

# One namespace for all: what a container leaves when its first process ends is killed, no other.
shared_pids() {
	pod_up shared_pids "$1" 0
	container_up one "sleep 3000 & $WAIT_FOR_GO; exit 6"
	local one=$CONTAINER
	container_up two 'sleep 4000 & exec sleep 1000'
	holds "the first process" "sleep 10000" "$(in_container 'tr "\\0" " " </proc/1/cmdline')"
	must_become 5 "the child of one" some_of "sleep 3000 "
	let_go "$one"
	must_become 10 "one ends" has_exited "$one"
	same "exit code" 6 "$(of "$one" exitCode)"
	must_become 5 "the child of one is killed" none_of "sleep 3000 "
	same "state of two" CONTAINER_RUNNING "$(of "$CONTAINER" state)"
	some_of "sleep 4000 " || fail "the child of two is gone"
	pod_is SANDBOX_READY || fail "the pod is not ready"
	kill -KILL "$(task_pid "$POD")"
	must_become 10 "two ends with the namespace" has_exited "$CONTAINER"
	same "exit code" 137 "$(of "$CONTAINER" exitCode)"
	pod_down
}
in_pods shared_pids

# The host's namespace
host_pids() {
	pod_up host_pids "$1" 2
	container_up host "sleep 3000 & $WAIT_FOR_GO; exit 6"
	must_become 5 "the child" some_of "sleep 3000 "
	same "whom it sees" "$(task_pid "$CONTAINER")" "$(in_container "cat /proc/$(task_pid \
		"$CONTAINER")/stat" | cut -d' ' -f1)"
	let_go "$CONTAINER"
	must_become 10 "it ends" has_exited "$CONTAINER"
	same "exit code" 6 "$(of "$CONTAINER" exitCode)"
	must_become 5 "the child is killed" none_of "sleep 3000 "
	pod_down
}
in_pods host_pids
