#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# seconds: 400
# kill -9 of the server, the monitor, the worker or the runtime at each step of create, start, exec
# and delete: a runtime that stops before or after its work holds the step still, as does a FIFO that
# nobody reads and a logger that never says that it is ready. Afterwards the delete leaves nothing:
# no container, mount, cgroup, socket, process.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/hand.sh"

SPEC='{"args": ["/bin/busybox", "sleep", "1000"], "cwd": "/", "env": ["PATH=/bin"]}'

# A runtime that stays at the step in the file step: `before VERB` or `after VERB`. Its pid and the
# worker's are in the file at. What it execs is what is killed by the end of the worker.
steps_make() { # RUNTIME
	{
		echo '#!/bin/bash'
		echo "cd $PWD/\$1 2>/dev/null; step=\$(<$PWD/step); verb="
		echo 'for word in "$@"; do case $word in create | start | exec | delete)'
		echo "verb=\$word; break ;; esac; done"
		echo "[ \"\$step\" != \"after \$verb\" ] || $1 \"\$@\" || exit"
		echo "case \$step in 'before '\$verb | 'after '\$verb)"
		echo "echo \"\$\$ \$PPID\" >$PWD/at.new; mv $PWD/at.new $PWD/at"
		echo 'exec sleep 1002 ;; esac'
		echo "exec $1 \"\$@\""
	} >runtime
	chmod +x runtime
	echo none >step
}

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

# The step is held: sets RUNTIME_PID and WORKER_PID.
step_await() { # ID
	case $STEP in
	fifo | logger)
		must_become 10 "the worker waits" worker_waits "$1"
		RUNTIME_PID=
		WORKER_PID=$(worker_pids)
		;;
	*)
		must_become 10 "$STEP is reached" [ -s at ]
		read -r RUNTIME_PID WORKER_PID <"at"
		;;
	esac
}
worker_pids() {
	local pid
	for pid in $(shim_pids); do
		[ "$(status_field "$pid" PPid)" != "$(monitor_pid)" ] || [ "$pid" = "$(server_pid)" ] ||
			echo "$pid"
	done
}
worker_waits() {
	case $STEP in
	fifo) [ -e "/run/containerd/runc/$NAMESPACE/$1/state.json" ] || return 1 ;;
	logger) some_of "cat /proc/self/fd/3" || return 1 ;;
	esac
	[ "$(worker_pids | wc -w)" = 1 ] && none_of "runc --"
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
	same "cgroups at $STEP" "" "$(find /sys/fs/cgroup/*/"$NAMESPACE/$1" -maxdepth 0 2>/dev/null)"
}

# The pair has gone: containerd would run the delete verb.
after_pair() { # ID
	must_become 5 "the pair has gone at $STEP" no_shim
	echo none >step
	hand_delete "$1" >deleted || fail "delete after $STEP: $(<deleted)"
}

# The pair lives on: the call has failed, and the container can be deleted.
after_work() { # ID
	echo none >step
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

# It reads, and ends with its container, but does not say that it is ready.
logger_make() {
	printf '#!/bin/sh\nexec cat /proc/self/fd/3 >/dev/null\n' >"$PWD/logger"
	chmod +x logger
}

killed_at() { # VICTIM ID
	begun "$2"
	rm -f at
	case $STEP in
	fifo) mkfifo "unread.$2" ;;
	logger) logger_make ;;
	*) echo "$STEP" >step ;;
	esac
	step_call "$2"
	step_await "$2"
	case $1 in
	server) kill -KILL "$(server_pid "$2")" ;;
	monitor) kill -KILL "$(monitor_pid "$2")" ;;
	worker) kill -KILL "$WORKER_PID" ;;
	runtime) kill -KILL "$RUNTIME_PID" ;;
	esac
	case $1 in
	server | monitor) after_pair "$2" ;;
	*) after_work "$2" ;;
	esac
	wait "$CLIENT" 2>/dev/null || true
	nothing_of "$2"
}

# killed VICTIM STEP...
killed() {
	local victim=$1 number=0
	shift
	hand_shim runc
	sink_start
	steps_make "${MOTE_STEPS_RUNTIME:-runc}"
	for STEP in "$@"; do
		number=$((number + 1))
		echo "$victim is killed: $STEP"
		killed_at "$victim" "step$number"
	done
}

in_create() { killed "$1" "before create" "after create"; }
in_start() { killed "$1" "before start" "after start"; }
in_exec() { killed "$1" "before exec" "after exec"; }
in_delete() { killed "$1" "before delete" "after delete"; }
in_streams() { killed "$1" fifo logger; }
scenario --mote in_create server monitor worker runtime
scenario --mote in_start server monitor worker runtime
scenario --mote in_exec server monitor worker runtime
scenario --mote in_delete server monitor worker runtime
scenario --mote in_streams server monitor worker

run_scenarios "$@"
