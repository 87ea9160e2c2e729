#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The shim's processes are killed. Whichever of the pair dies, the other follows, and what the
# delete verb leaves is nothing: no container, mount, socket or process. The harness checks the
# latter.
. "$(dirname "$0")/lib.sh"

# victims KIND ID: the pids to be killed. The stock shim has one process, which stands for all
# kinds.
victims() {
	case $1 in
	server) is_ours && server_pid "$2" || shim_pids "$2" ;;
	monitor) is_ours && monitor_pid "$2" || shim_pids "$2" ;;
	both) shim_pids "$2" ;;
	esac
}

kill_shim() {
	local pids
	mapfile -t pids < <(victims "$1" "$2")
	[ "${#pids[@]}" -eq "$(is_ours && [ "$1" = both ] && echo 2 || echo 1)" ] ||
		fail "victims of kind $1: ${pids[*]:-none}"
	kill -KILL "${pids[@]}"
	must_become 3 "the pair has gone" no_shim "$2"
}

gone() {
	must_become 10 "containerd drops the task $1" task_unknown "$1"
	ctr container rm "$1"
}
task_unknown() { [ -z "$(task_status "$1")" ] && [ ! -e "$BUNDLES/$1" ]; }

# background VARIANT ID [FLAG...]
background() {
	local id=$2
	runtime_flags "$1"
	shift 2
	ctr run -d --null-io "${RUNTIME[@]}" "$@" --rootfs "$ROOTFS" "$id" /bin/busybox sleep 1000
}

killed() {
	local pid
	background "$2" killed
	pid=$(task_pid killed)
	kill_shim "$1" killed
	must_become 5 "the container's process is gone" process_gone "$pid"
	gone killed
	# The first two are the shim's, the others containerd's own, for the client to see an end.
	events_are killed "create start exit delete"
}
server_killed() { killed server "$1"; }
monitor_killed() { killed monitor "$1"; }
both_killed() { killed both "$1"; }
scenario server_killed runc crun skeleton
scenario monitor_killed runc crun skeleton
scenario both_killed runc crun skeleton

killed_with_client() {
	local client status=0
	runtime_flags "$1"
	ctr run --rm "${RUNTIME[@]}" --rootfs "$ROOTFS" client /bin/busybox sh -c \
		"echo ready; sleep 1000" >out 2>err &
	client=$!
	must_become 10 "output" grep -q ready out
	kill_shim server client
	wait $client || status=$?
	[ $status -ne 0 ] || fail "the client of a killed shim ended with 0"
	wait_for 5 task_unknown client
	ctr container rm client 2>/dev/null || true
	# These are ctr's own, which removes them only after a success.
	rm -rf /run/containerd/fifo
}
scenario killed_with_client runc crun

group_killed() {
	local number
	for number in 1 2 3; do
		background "$2" "group$number" --annotation io.containerd.runc.v2.group=killed
	done
	kill_shim "$1" group1
	for number in 1 2 3; do
		gone "group$number"
	done
}
group_server_killed() { group_killed server "$1"; }
group_monitor_killed() { group_killed monitor "$1"; }
scenario group_server_killed runc crun
scenario group_monitor_killed runc crun

# The runtime's create command runs while the shim dies: it must not finish after `delete`.
killed_in_create() {
	local wrapper=$PWD/runtime client status=0
	wrapper_make "$wrapper" "$2" "*' create '*) : >$PWD/creating; sleep 3 ;;"
	ctr run -d --null-io --runtime io.containerd.runc.v2 --runc-binary "$wrapper" --rootfs \
		"$ROOTFS" \
		in_create /bin/busybox sleep 1000 >out 2>err &
	client=$!
	must_become 10 "create runs" [ -e creating ]
	kill_shim "$1" in_create
	wait $client || status=$?
	same "exit code of ctr" 1 $status
	wait_for 5 task_unknown in_create
	ctr container rm in_create 2>/dev/null || true
	must_become 5 "the runtime has ended" none_of "/bin/bash $wrapper"
}
server_killed_in_create() { killed_in_create server "$1"; }
monitor_killed_in_create() { killed_in_create monitor "$1"; }
scenario --mote server_killed_in_create runc crun
scenario --mote monitor_killed_in_create runc crun

killed_while_containerd_is_down() {
	local pid
	background "$1" down
	pid=$(task_pid down)
	daemon_stop KILL
	kill_shim both down
	daemon_start
	events_start
	must_become 5 "the container's process is gone" process_gone "$pid"
	gone down
}
scenario killed_while_containerd_is_down runc crun

terminated() {
	background "$1" terminated
	# shellcheck disable=SC2046
	kill -TERM $(victims server terminated)
	must_become 6 "the shim has gone" no_shim terminated
	gone terminated
}
scenario terminated runc skeleton

# The socket of a killed shim is in the way of the next one with the same name.
started_again() {
	background "$1" again
	kill_shim both again
	gone again
	must_become 5 "the name is free" background "$1" again
	same status RUNNING "$(task_status again)"
	remove_container again
}
scenario started_again runc crun skeleton

run_scenarios "$@"
