#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# seconds: 900
# kill -9 of the server, the monitor, the worker or the runtime at each step of create, start, exec
# and delete: a runtime that stops before, in or after its work holds the step still, as does a FIFO
# that nobody reads and a logger that never says that it is ready. Afterwards the delete leaves
# nothing: no container, mount, cgroup, socket, process.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/hand.sh"
. "$(dirname "$0")/steps.sh"

SPEC='{"args": ["/bin/busybox", "sleep", "1000"], "cwd": "/", "env": ["PATH=/bin"]}'

# begun ID: a shim, and its container as the step wants it
begun() {
	local id=$1
	HAND_ROOT=rootfs
	hand_bundle "$id" /bin/busybox sleep 1001
	hand_start "$id"
	OPTIONS=(options.binary_name="$PWD/runtime" rootfs="bind,$ROOTFS,rbind")
	case $STEP in
	*create | fifo | logger) return ;;
	esac
	hand_create "$id"
	case $STEP in
	*start) return ;;
	esac
	call Start id="$id" >/dev/null
	case $STEP in
	*exec) call Exec id="$id" exec_id=e spec="$SPEC" ;;
	*delete)
		call Kill id="$id" signal=9
		must_become 5 "$id stops" state_is "$id" STOPPED
		;;
	esac
}

# The call that comes to the step, in the background; its client in CLIENT.
step_call() { # ID
	local id=$1 call=()
	case $STEP in
	*create) call=(Create bundle="$HAND/$id" "${OPTIONS[@]}") ;;
	fifo) call=(Create bundle="$HAND/$id" "${OPTIONS[@]}" stdout="$PWD/unread.$id") ;;
	logger) call=(Create bundle="$HAND/$id" "${OPTIONS[@]}" stdout="binary://$PWD/logger") ;;
	*start) call=(Start) ;;
	*exec) call=(Start exec_id=e) ;;
	*delete) call=(Delete) ;;
	esac
	"$TASK" "$ADDRESS" "${call[0]}" id="$id" "${call[@]:1}" >"called.$id" 2>&1 &
	CLIENT=$!
}

# What is waited for when the runtime has ended, or before it is run, is the worker's own matter.
worker_await() { # ID
	step_await
	if [ "$STEP" = fifo ]; then
		must_become 10 "the runtime ends" process_gone "$RUNTIME_PID"
	fi
}

# What may be left of one is left to be seen by the harness, too.
nothing_of() { # ID
	same "mounts of $1 at $STEP" "" "$(mounts_at "$HAND/$1/rootfs")"
	same "the runtime's containers at $STEP" "" \
		"$(ls "/run/containerd/runc/$NAMESPACE" 2>/dev/null)"
	same "sockets at $STEP" "" "$(find /run/containerd/s -type s 2>/dev/null)"
	must_become 5 "no process is left at $STEP" none_of "sleep 100"
	must_become 5 "no process is left at $STEP" none_of "/bin/busybox sleep"
	must_become 5 "no logger is left at $STEP" none_of "cat /proc/self/fd/3"
	same "cgroups at $STEP" "" "$(cgroups_of "$1")"
}

# The pair has gone: containerd would run the delete verb.
after_pair() { # ID
	must_become 5 "the pair has gone at $STEP" no_shim
	step_set none
	hand_delete "$1" >deleted || fail "delete after $STEP: $(<deleted)"
}

# The pair lives on: the call has failed, and the container can be deleted.
after_work() { # ID
	step_set none
	wait "$CLIENT" && fail "$STEP succeeded"
	holds "error at $STEP" "error " "$(<"called.$1")"
	"$TASK" "$ADDRESS" Kill id="$1" signal=9 all=1 2>/dev/null || true
	must_become 10 "$1 can be deleted at $STEP" deleted "$1"
	hand_shutdown "$1"
	hand_delete "$1" >deleted || fail "delete after $STEP: $(<deleted)"
}
deleted() {
	"$TASK" "$ADDRESS" Delete id="$1" >/dev/null 2>answer || grep -q "^error 5 " answer
}

# It reads, and ends with its container, but does not say that it is ready. Its parent is the worker.
logger_make() {
	cat >"$PWD/logger" <<-END
		#!/bin/sh
		echo "0 \$PPID" >$PWD/at.new && mv $PWD/at.new $PWD/at
		exec cat /proc/self/fd/3 >/dev/null
	END
	chmod +x logger
}

killed_at() { # VICTIM ID
	begun "$2"
	case $STEP in
	fifo)
		mkfifo "unread.$2"
		step_set "past create"
		;;
	logger) logger_make ;;
	*) step_set "$STEP" ;;
	esac
	step_call "$2"
	worker_await "$2"
	step_kill "$1" "$2"
	case $1 in
	server | monitor) after_pair "$2" ;;
	*) after_work "$2" ;;
	esac
	wait "$CLIENT" 2>/dev/null || true
	nothing_of "$2"
}

# killed RUNTIME.VICTIM STEP...
killed() {
	local victim=${1#*.} number=0
	KIND=${1%.*}
	shift
	hand_shim runc
	sink_start
	steps_make "$KIND"
	HAND_HOOKS=$STEP_HOOKS
	for STEP in "$@"; do
		number=$((number + 1))
		echo "$victim is killed: $STEP"
		killed_at "$victim" "step$number"
	done
}

ALL=({runc,crun}.{server,monitor,worker,runtime})
in_create() { killed "$1" "before create" "in create" "after create"; }
in_start() {
	case $1 in
	runc.*) killed "$1" "before start" "after start" ;;
	crun.*) killed "$1" "before start" "in start" "after start" ;;
	esac
}
in_exec() { killed "$1" "before exec" "after exec"; }
in_delete() { killed "$1" "before delete" "in delete" "after delete"; }
in_streams() { killed "$1" fifo logger; }
scenario --mote in_create "${ALL[@]}"
scenario --mote in_start "${ALL[@]}"
scenario --mote in_exec "${ALL[@]}"
scenario --mote in_delete "${ALL[@]}"
scenario --mote in_streams {runc,crun}.{server,monitor,worker}

run_scenarios "$@"
