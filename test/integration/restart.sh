#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# containerd goes away and comes back; clients go away. Containers live on and nothing is forgotten.
. "$(dirname "$0")/lib.sh"

# background ID COMMAND...
background() {
	local id=$1
	shift
	ctr run -d --null-io "${RUNTIME[@]}" --rootfs "$ROOTFS" "$id" "$@"
}

restart() {
	daemon_stop "$1"
	daemon_start
	events_start
}

lives_on() {
	runtime_flags "$2"
	local pid shims
	background lives_on /bin/busybox sleep 1000
	pid=$(task_pid lives_on)
	shims=$(shim_pids)
	restart "$1"
	same status RUNNING "$(task_status lives_on)"
	same pid "$pid" "$(task_pid lives_on)"
	same "the shim's pids" "$shims" "$(shim_pids)"
	remove_container lives_on
	events_are lives_on "exit delete"
}
lives_on_after_kill() { lives_on KILL "$1"; }
lives_on_after_stop() { lives_on TERM "$1"; }
scenario lives_on_after_kill runc crun skeleton
scenario lives_on_after_stop runc crun

exit_while_down() {
	runtime_flags "$1"
	local pid
	background down /bin/busybox sh -c "trap 'exit 7' TERM; while :; do sleep 0.05; done"
	pid=$(task_pid down)
	daemon_stop KILL
	kill -TERM "$pid"
	must_become 5 "the container ends" process_gone "$pid"
	daemon_start
	events_start
	must_become 10 "task is seen as stopped" task_is down STOPPED
	remove_task down
	same "exit code" 7 "$EXIT_CODE"
	ctr container rm down
	events_have_in_order down exit delete
}

# The exit may have been told before the reader of events was back; what it saw is in order.
events_have_in_order() {
	must_become 10 "event $3 of $1" events_seen "$1" "$3"
	case $(events_of "$1") in
	"$2 $3 " | "$3 ") ;;
	*) fail "events of $1: $(events_of "$1")" ;;
	esac
}
events_seen() { [[ " $(events_of "$1")" == *" $2 "* ]]; }
scenario exit_while_down runc crun

many_exits_while_down() {
	runtime_flags "$1"
	local number
	for number in 1 2 3 4; do
		background "many$number" /bin/busybox sh -c \
			"while [ ! -e /tmp/go ]; do sleep 0.05; done; exit 1$number"
	done
	daemon_stop KILL
	: >"$ROOTFS/tmp/go"
	must_become 10 "all containers end" none_of "/bin/busybox sh -c while"
	rm "$ROOTFS/tmp/go"
	daemon_start
	events_start
	for number in 1 2 3 4; do
		must_become 10 "task is seen as stopped" task_is "many$number" STOPPED
		remove_task "many$number"
		same "exit code" "1$number" "$EXIT_CODE"
		ctr container rm "many$number"
	done
}
scenario many_exits_while_down runc

# Output that nobody reads blocks the container, but ends neither it nor the shim.
client_dies() {
	runtime_flags "$1"
	local client
	ctr_words
	"${CTR[@]}" run "${RUNTIME[@]}" --rootfs "$ROOTFS" client /bin/busybox sh -c \
		'i=0; while :; do i=$((i + 1)); echo line $i; sleep 0.01; done' >out 2>err &
	client=$!
	must_become 10 "first output" grep -q "line 5" out
	kill -KILL $client
	wait $client 2>/dev/null || true
	restart KILL
	same "status after client and containerd died" RUNNING "$(task_status client)"
	"${CTR[@]}" task attach client >out2 2>err2 &
	client=$!
	must_become 10 "output for the next client" grep -q "^line [0-9]*$" out2
	kill -KILL $client
	wait $client 2>/dev/null || true
	remove_container client
}
scenario client_dies runc crun

run_scenarios "$@"
