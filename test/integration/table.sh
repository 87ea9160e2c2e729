# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2094 # output is read while it is written
#
# What a client of containerd can do with containers, as one table of scenarios. A script daemon-*.sh
# names a containerd and sources this after lib.sh; each scenario then runs there as
#
#     VERSION.RUNTIME.NAME.SCENARIO
#
# for runc and crun, and for both names of our shim: `own` is io.containerd.mote.v2, `stock` is the
# name of containerd's shim for runc, under which our binary is first in PATH. ctr says which runtime
# is to be used by the options' message under the stock name, by a TOML file under our own: the shim
# must understand both.

TABLE_VARIANTS=(runc.own crun.own runc.stock crun.stock)
[ "$SCENARIO_LIMIT" -ge 60 ] || SCENARIO_LIMIT=60

if [ -e "$MOTE_DAEMONS" ]; then
	DAEMON_VERSION=${DAEMON_VERSION:-$(daemon_version)}
	export DAEMON_VERSION
fi
scenario_label() { echo "${DAEMON_VERSION:-}.$2.$1"; }
in_table() { scenario --mote "$1" "${TABLE_VARIANTS[@]}"; }

# choose VARIANT [PROGRAM]: sets RUNTIME, the flags of ctr; PROGRAM in place of the runtime
choose() {
	local program=${2:-${1%.*}}
	case $1 in
	*.stock) RUNTIME=(--runtime io.containerd.runc.v2 --runc-binary "$program") ;;
	*.own)
		printf 'BinaryName = "%s"\n' "$program" >"$SCRATCH/runtime.toml"
		RUNTIME=(--runtime "$MOTE_RUNTIME" --runtime-config-path "$SCRATCH/runtime.toml")
		;;
	esac
}

FLAGS=()
# front ID COMMAND...: in the foreground; back ID COMMAND...: in the background
front() { run_with "" "$@"; }
back() { run_with "-d --null-io" "$@"; }
run_with() {
	local id=$2 mode
	read -ra mode <<<"$1"
	shift 2
	ctr run "${mode[@]}" "${RUNTIME[@]}" "${FLAGS[@]}" --rootfs "$ROOTFS" "$id" "$@"
}
in_exec() { ctr task exec --exec-id "$1" "${@:2}"; }

# enter_when COMMAND...: a line of standard input, when the command succeeds. ctr drops what it has
# not read yet when a process ends, with any shim; so that nothing is lost, the process waits for
# this line, which comes when all of its output is there.
enter_when() {
	wait_for 10 "$@" || true
	echo
}

# exec_says EXEC ID COMMAND: prints what the shell's COMMAND prints; its status is lost
exec_says() {
	: >"$SCRATCH/said.$1"
	enter_when [ -s "$SCRATCH/said.$1" ] |
		in_exec "$1" "$2" /bin/busybox sh -c "$3; read -r _" >"$SCRATCH/said.$1"
	cat "$SCRATCH/said.$1"
}

# on_socket ID METHOD [FIELD=VALUE]...: straight to the shim, beside containerd
on_socket() { "$TASK" "$(<"$BUNDLES/$1/address")" "$2" id="$1" "${@:3}"; }

# ---- what runs ---------------------------------------------------------------------------------

life() {
	choose "$1"
	back life /bin/busybox sh -c "while [ ! -e /tmp/life ]; do sleep 0.05; done; exit 3"
	same status RUNNING "$(task_status life)"
	status_of ctr task rm life
	same "exit code of rm of a running task" 1 "$STATUS"
	: >"$ROOTFS/tmp/life"
	must_become 10 "the task stops" task_is life STOPPED
	rm "$ROOTFS/tmp/life"
	remove_task life
	same "exit code that rm gives" 3 "$EXIT_CODE"
	ctr container rm life
	events_are life "create start exit delete"
}
in_table life

# The bootstrap that containerd and the shim spoke, and the version of the task service that
# follows.
bootstrap() {
	choose "$1"
	back bootstrap /bin/busybox sleep 1000
	[ -s "$BUNDLES/bootstrap/address" ] || fail "no file address"
	if daemon_is_at_least 2.3; then
		holds "what containerd keeps" '"version":3' "$(<"$BUNDLES/bootstrap/bootstrap.json")"
	elif daemon_is_at_least 2.0; then
		holds "what containerd keeps" '"version":2' "$(<"$BUNDLES/bootstrap/bootstrap.json")"
	fi
	local service pid
	pid=$(task_pid bootstrap)
	for service in containerd.task.v2.Task containerd.task.v3.Task; do
		holds "Connect of $service" "task_pid=$pid" "$("$TASK" --service $service \
			"$(<"$BUNDLES/bootstrap/address")" Connect id=bootstrap)"
	done
	remove_container bootstrap
}
in_table bootstrap

output() {
	choose "$1"
	head -c 1048576 /dev/urandom >"$ROOTFS/tmp/data"
	FLAGS=(--rm)
	: >out
	enter_when has_bytes out 1048576 |
		front output /bin/busybox sh -c "cat /tmp/data; read -r _" >out
	same "1 MiB" "$(sha256sum <"$ROOTFS/tmp/data")" "$(sha256sum <out)"
	rm "$ROOTFS/tmp/data"
}
in_table output

streams() {
	choose "$1"
	FLAGS=(--rm)
	status_of front streams /bin/busybox sh -c "exit 7"
	same "exit code" 7 "$STATUS"
	enter_when grep -q "to err" err | front streams /bin/busybox sh -c \
		"echo to out; echo to err >&2; read -r _" >out 2>err
	same "standard output" "to out" "$(<out)"
	same "standard error" "to err" "$(without_warnings err)"
	same "what it reads" "read typed" "$({
		echo typed
		enter_when grep -q typed out
	} | front streams /bin/busybox sh -c 'read -r x; echo read $x; read -r _' | tee out)"
}
in_table streams

killed() {
	choose "$1"
	back killed /bin/busybox sh -c "trap 'exit 5' TERM; : >/tmp/ready; while :; do sleep 0.05; done"
	must_become 10 "the trap is set" [ -e "$ROOTFS/tmp/ready" ]
	rm "$ROOTFS/tmp/ready"
	ctr task kill --signal SIGTERM killed
	must_become 10 "the task stops" task_is killed STOPPED
	status_of ctr task kill --signal SIGTERM killed
	holds "error of a second kill" "process already finished: not found" "$(<err)"
	remove_task killed
	same "exit code of the trap" 5 "$EXIT_CODE"
	ctr container rm killed
	back killed /bin/busybox sh -c "sleep 1000 & sleep 1000; true"
	ctr task kill --all --signal SIGKILL killed
	must_become 10 "the task stops" task_is killed STOPPED
	remove_task killed
	same "exit code of SIGKILL" 137 "$EXIT_CODE"
	ctr container rm killed
}
in_table killed

# ---- execs -------------------------------------------------------------------------------------

execs() {
	choose "$1"
	back execs /bin/busybox sleep 1000
	status_of in_exec plain execs /bin/busybox sh -c "exit 9"
	same "exit code ($(<err))" 9 "$STATUS"
	same "standard output" "to out" "$(exec_says plain execs 'echo to out' 2>err)"
	exec_says plain execs 'echo; echo to err >&2' >out 2>err
	same "standard error" "to err" "$(without_warnings err)"
	same "what it reads" "read typed" "$({
		echo typed
		enter_when grep -q typed out
	} | in_exec input execs /bin/busybox sh -c 'read -r x; echo read $x; read -r _' | tee out)"
	status_of in_exec absent execs /no/such/command
	same "exit code of no command" 1 "$STATUS"
	holds "its error" "OCI runtime exec failed" "$(<err)"
	local number clients=()
	for number in 1 2 3 4 5 6; do
		in_exec "side$number" execs /bin/busybox sh -c \
			"echo $number >/tmp/side$number; exit 2$number" 2>"err$number" &
		clients+=($!)
	done
	for number in 1 2 3 4 5 6; do
		STATUS=0
		wait "${clients[number - 1]}" || STATUS=$?
		same "exit code of exec $number ($(<"err$number"))" "2$number" "$STATUS"
		same "what exec $number wrote" "$number" "$(<"$ROOTFS/tmp/side$number")"
	done
	rm "$ROOTFS"/tmp/side?
	ctr task kill --signal SIGKILL execs
	must_become 10 "the task stops" task_is execs STOPPED
	status_of in_exec late execs /bin/busybox true
	same "exit code of an exec in a stopped container" 1 "$STATUS"
	holds "its error" "cannot exec in a stopped state" "$(<err)"
	remove_container execs
}
in_table execs

# An exec that is killed, and one that is deleted by its client's end, leave nothing.
exec_killed() {
	choose "$1"
	local client status=0
	back exec_killed /bin/busybox sleep 1000
	in_exec long exec_killed /bin/busybox sh -c "echo ready; exec sleep 1000" >out 2>&1 &
	client=$!
	must_become 10 "output" grep -q ready out
	holds "ps" "long" "$(ctr task ps exec_killed)"
	same "processes" 2 "$(ctr task ps exec_killed | tail -n +2 | wc -l)"
	holds "ps, init" "$(task_pid exec_killed)" "$(ctr task ps exec_killed)"
	ctr task kill --exec-id long --signal SIGKILL exec_killed
	wait $client || status=$?
	same "exit code" 137 $status
	same "status of init" RUNNING "$(task_status exec_killed)"
	remove_container exec_killed
	events_are exec_killed "create start exec-added exec-started exit exit delete"
}
in_table exec_killed

# ---- terminals ---------------------------------------------------------------------------------

terminal() {
	choose "$1"
	ctr_words
	status_of "$PTY" -s 31x91 wait='now>' line='stty size' wait='31 91' wait='now>' \
		line='while [ "$(stty size)" != "40 100" ]; do sleep 0.05; done; echo re""sized' \
		resize=40x100 wait=resized line='tty; exit 6' -- \
		"${CTR[@]}" run --rm -t "${RUNTIME[@]}" --env 'PS1=now>' --rootfs "$ROOTFS" \
		terminal /bin/sh
	same "exit code ($(tail -n 3 out err))" 6 "$STATUS"
	holds "output" "/dev/pts/0" "$(<out)"
}
in_table terminal

terminal_exec() {
	choose "$1"
	ctr_words
	back terminal_exec /bin/busybox sleep 1000
	status_of "$PTY" -s 32x92 wait='now>' line='stty size' wait='32 92' wait='now>' \
		line='while [ "$(stty size)" != "41 101" ]; do sleep 0.05; done; echo re""sized' \
		resize=41x101 wait=resized line='exit 8' -- "${CTR[@]}" task exec -t --exec-id tty terminal_exec \
		/bin/sh -c 'cd /; PS1="now> " exec sh -i'
	same "exit code ($(tail -n 3 out err))" 8 "$STATUS"
	# Ctrl-C comes as a signal.
	status_of "$PTY" wait=ready send=$'\x03' -- "${CTR[@]}" task exec -t --exec-id tty \
		terminal_exec /bin/sh -c "trap 'exit 11' INT; echo ready; while :; do sleep 0.05; done"
	same "exit code ($(tail -n 3 out err))" 11 "$STATUS"
	remove_container terminal_exec
}
in_table terminal_exec

# ---- what changes a container ------------------------------------------------------------------

paused() {
	choose "$1"
	local before
	back paused /bin/busybox sh -c 'while :; do echo x >>/tmp/beats; sleep 0.02; done'
	must_become 10 "it writes" [ -s "$ROOTFS/tmp/beats" ]
	ctr task pause paused
	same "status" PAUSED "$(task_status paused)"
	before=$(wc -c <"$ROOTFS/tmp/beats")
	status_of in_exec late paused /bin/busybox true
	same "exit code of an exec in a paused container" 1 "$STATUS"
	holds "its error" "cannot exec in a paused state" "$(<err)"
	same "what it wrote meanwhile" "$before" "$(wc -c <"$ROOTFS/tmp/beats")"
	ctr task resume paused
	same "status" RUNNING "$(task_status paused)"
	must_become 10 "it writes again" has_bytes "$ROOTFS/tmp/beats" $((before + 1))
	ctr task pause paused
	ctr task kill --signal SIGKILL paused
	must_become 10 "the task stops" task_is paused STOPPED
	remove_task paused
	same "exit code" 137 "$EXIT_CODE"
	ctr container rm paused
	rm "$ROOTFS/tmp/beats"
}
in_table paused

# metric ID NAME: of `ctr task metrics`, by the names that cgroup v1 or v2 have for it
metric() { ctr task metrics "$1" | awk -v names="$2" 'names ~ "(^| )" $1 "( |$)" { print $2 }'; }

updated() {
	choose "$1"
	FLAGS=(--memory-limit 67108864)
	back updated /bin/busybox sleep 1000
	local limit="memory.limit_in_bytes memory.usage_limit"
	same "limit in metrics" 67108864 "$(metric updated "$limit")"
	[ "$(metric updated "memory.usage_in_bytes memory.usage")" -gt 0 ] || fail "no memory is used"
	on_socket updated Update \
		resources='{"memory": {"limit": 33554432}, "pids": {"limit": 50}}'
	same "limit in metrics" 33554432 "$(metric updated "$limit")"
	same "limit of processes" 50 "$(metric updated "pids.limit")"
	same "processes" 1 "$(metric updated "pids.current")"
	same "limit straight from the shim" memory_limit=33554432 \
		"$(on_socket updated Stats | grep memory_limit)"
	remove_container updated
}
in_table updated

out_of_memory() {
	choose "$1"
	FLAGS=(--memory-limit 16777216)
	back out_of_memory /bin/busybox sh -c "tail /dev/zero"
	must_become 20 "the task stops" task_is out_of_memory STOPPED
	remove_task out_of_memory
	same "exit code" 137 "$EXIT_CODE"
	ctr container rm out_of_memory
	events_are out_of_memory "create start oom exit delete"
}
in_table out_of_memory

checkpoint() {
	needs_criu "${1%.*}"
	choose "$1"
	FLAGS=(--net-host)
	back checkpoint /bin/busybox sh -c 'i=0; while :; do i=$((i + 1)); echo $i >/tmp/count; sleep 0.05; done'
	must_become 10 "it counts" [ -s "$ROOTFS/tmp/count" ]
	on_socket checkpoint Checkpoint path="$SCRATCH/image"
	same "status after a checkpoint that lets it run" RUNNING "$(task_status checkpoint)"
	[ -s "$SCRATCH/image/inventory.img" ] || fail "no image: $(ls "$SCRATCH/image")"
	on_socket checkpoint Checkpoint path="$SCRATCH/last" options.exit=1
	must_become 10 "the task stops" task_is checkpoint STOPPED
	remove_container checkpoint
	rm "$ROOTFS/tmp/count"
}
in_table checkpoint

# ---- groups ------------------------------------------------------------------------------------

group() {
	choose "$1"
	FLAGS=(--annotation io.containerd.runc.v2.group=two)
	back group1 /bin/busybox sh -c "exit 21"
	back group2 /bin/busybox sleep 1000
	same "the shim's processes" 2 "$(shim_pids | wc -l)"
	must_become 10 "the first stops" task_is group1 STOPPED
	remove_task group1
	same "exit code of the first" 21 "$EXIT_CODE"
	ctr container rm group1
	same "the second" RUNNING "$(task_status group2)"
	same "an exec in it" "hi" "$(exec_says hi group2 'echo hi')"
	remove_container group2
	must_become 10 "the shim ends with its last container" no_shim
}
in_table group

# ---- the daemon's death ------------------------------------------------------------------------

# restart EVENTS: when those that were are told, so that none of them comes late
restart() {
	events_are restarted "$1"
	daemon_stop KILL
	daemon_start
	events_start
}

# ctr makes and starts a task in one go: with a runtime that can't start it stays created.
restart_created() {
	wrapper_make "$SCRATCH/${1%.*}" "$(type -P "${1%.*}")" \
		"*' start '*) [ -e $SCRATCH/may_start ] || exit 1 ;;"
	choose "$1" "$SCRATCH/${1%.*}"
	status_of back restarted /bin/busybox sleep 1000
	same "exit code of ctr" 1 "$STATUS"
	same "status" CREATED "$(task_status restarted)"
	restart "create"
	same "status afterwards" CREATED "$(task_status restarted)"
	: >"$SCRATCH/may_start"
	on_socket restarted Start >/dev/null
	same "status after its start" RUNNING "$(task_status restarted)"
	remove_container restarted
	events_are restarted "start exit delete"
}
in_table restart_created

restart_running() {
	choose "$1"
	local pid
	back restarted /bin/busybox sh -c "while [ ! -e /tmp/go ]; do sleep 0.05; done; exit 33"
	pid=$(task_pid restarted)
	restart "create start"
	same "status" RUNNING "$(task_status restarted)"
	same "pid" "$pid" "$(task_pid restarted)"
	same "an exec in it" "hi" "$(exec_says hi restarted 'echo hi')"
	: >"$ROOTFS/tmp/go"
	must_become 10 "the task stops" task_is restarted STOPPED
	rm "$ROOTFS/tmp/go"
	remove_task restarted
	same "exit code" 33 "$EXIT_CODE"
	ctr container rm restarted
	events_are restarted "exec-added exec-started exit exit delete"
}
in_table restart_running

restart_paused() {
	choose "$1"
	back restarted /bin/busybox sleep 1000
	ctr task pause restarted
	restart "create start paused"
	same "status" PAUSED "$(task_status restarted)"
	ctr task resume restarted
	same "status" RUNNING "$(task_status restarted)"
	remove_container restarted
	events_are restarted "resumed exit delete"
}
in_table restart_paused

# Its exit falls into the time without a daemon, and is told late, but is.
restart_stopped() {
	choose "$1"
	local pid
	back restarted /bin/busybox sh -c "trap 'exit 44' TERM; while :; do sleep 0.05; done"
	pid=$(task_pid restarted)
	must_become 10 "the trap is set" catches_term "$pid"
	daemon_stop KILL
	kill -TERM "$pid"
	must_become 10 "the container ends" process_gone "$pid"
	daemon_start
	events_start
	same "status" STOPPED "$(task_status restarted)"
	remove_task restarted
	same "exit code" 44 "$EXIT_CODE"
	ctr container rm restarted
}
# Bit 14 of the mask: SIGTERM.
catches_term() { (((0x$(status_field "$1" SigCgt) >> 14) & 1)); }
in_table restart_stopped

# ---- repeated deletes --------------------------------------------------------------------------

# A client whose answer was lost asks again. What containerd then does about a task that it still
# knows is seen when the shim ends.
deleted_twice() {
	choose "$1"
	back twice /bin/busybox sh -c "exit 17"
	must_become 10 "the task stops" task_is twice STOPPED
	on_socket twice Delete >first
	holds "the first answer" "exit_status=17" "$(<first)"
	same "the second answer" "$(<first)" "$(on_socket twice Delete)"
	on_socket twice Shutdown
	must_become 10 "containerd drops the task" [ ! -e "$BUNDLES/twice" ]
	must_become 10 "the container can be removed" ctr container rm twice
}
in_table deleted_twice
