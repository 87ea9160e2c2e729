#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# seconds: 900
# kill -9 of the server, the monitor, the worker or the runtime before and after the runtime's part of
# create, start, exec and delete, while containerd waits for the answer. It is containerd then that runs
# the delete verb, or the client that removes what is there. Nothing is left of it but an exit that was
# told: no task, container, mount, cgroup, socket, FIFO, bundle, process.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/images.sh"
. "$(dirname "$0")/steps.sh"

# background ID: a container without streams, whose root is mounted
background() { ctr run -d --null-io "${FLAGS[@]}" "$IMAGE" "$1" /bin/sleep 1001; }

# begun ID: as far as it has to be for the step
begun() {
	case $STEP in
	*create | *start) return ;;
	esac
	background "$1"
	case $STEP in
	*delete)
		ctr task kill --signal SIGKILL "$1"
		must_become 10 "$1 stops" task_is "$1" STOPPED
		;;
	esac
}

# The command that comes to the step, in the background; with streams if it makes a process.
step_command() { # ID
	local command=()
	case $STEP in
	*create | *start) command=(run -d "${FLAGS[@]}" "$IMAGE" "$1" /bin/sleep 1001) ;;
	*exec) command=(task exec --exec-id e "$1" /bin/sleep 1000) ;;
	*delete) command=(task rm "$1") ;;
	esac
	ctr_words
	"${CTR[@]}" "${command[@]}" >"called.$1" 2>&1 &
	CLIENT=$!
}

# What the shim told before, then what is told of the end.
step_events() {
	case $STEP in
	*start) echo create ;;
	*exec) echo create start exec-added ;;
	*delete) echo create start exit ;;
	esac
}

task_unknown() { [ -z "$(task_status "$1")" ] && [ ! -e "$BUNDLES/$1" ]; }

# The pair has gone, and containerd has seen to the rest.
after_pair() { # ID
	must_become 10 "containerd drops the task at $STEP" task_unknown "$1"
	must_become 5 "the pair has gone at $STEP" no_shim
	[[ $STEP == *create ]] || told "$1" exit delete
}

# The pair lives on, and the client removes the task.
after_work() { # ID
	remove_task_of "$1"
	must_become 10 "the task is removed at $STEP" task_unknown "$1"
	must_become 5 "the pair has gone at $STEP" no_shim
	case $STEP in
	*create) ;;
	*delete) told "$1" delete ;;
	*) told "$1" exit delete ;;
	esac
}
remove_task_of() {
	case $(task_status "$1") in
	"") ;;
	STOPPED) ctr task rm "$1" >removed 2>&1 || fail "task rm at $STEP: $(<removed)" ;;
	*) ctr task rm --force "$1" >removed 2>&1 || grep -q "exit code" removed ||
		fail "task rm --force at $STEP: $(<removed)" ;;
	esac
}

# told ID TOPIC...: these, behind those of the step
told() {
	local id=$1 before
	shift
	before=$(step_events)
	events_are "$id" "$before $*"
}

killed_at() { # VICTIM ID
	begun "$2"
	step_set "$STEP"
	step_command "$2"
	step_await
	step_set none
	step_kill "$1" "$2"
	! wait "$CLIENT" || fail "ctr succeeded at $STEP"
	case $1 in
	server | monitor) after_pair "$2" ;;
	*) after_work "$2" ;;
	esac
	ctr container rm "$2"
	wait_for 8 nothing_but_us || fail "left behind at $STEP: $(left_by_it)"
}
# The parent is what limits this scenario's time.
left_by_it() { left_behind 2>/dev/null | grep -v "^process $PPID " || true; }
nothing_but_us() { [ -z "$(left_by_it)" ]; }

# killed RUNTIME.VICTIM STEP...
killed() {
	local victim=${1#*.} number=0
	steps_make "${1%.*}"
	FLAGS=(--snapshotter overlayfs --runtime io.containerd.runc.v2 --runc-binary "$PWD/runtime")
	image_import overlayfs >/dev/null
	MOUNTS_BEFORE=$(mounts_now)
	shift
	for STEP in "$@"; do
		number=$((number + 1))
		echo "$victim is killed: $STEP"
		killed_at "$victim" "step$number"
	done
	image_remove
}

in_life() { killed "$1" {before,after}" "{create,start,exec,delete}; }
scenario --mote in_life {runc,crun}.{server,monitor,worker,runtime}

run_scenarios "$@"
