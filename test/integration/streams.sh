#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Standard streams, driven straight on the socket: much output for a reader that pauses, one that is
# stuck beside one that is not, every way in which input ends, loggers of every temper.
#
# STREAM_MIB is how much output is read (1024).
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/hand.sh"

STREAM_MIB=${STREAM_MIB:-1024}
SCENARIO_LIMIT=120

# begin_with VARIANT ID [COMMAND...]: as begin, the container's root has the pattern program
begin_with() {
	[ -e "$ROOTFS/bin/pattern" ] || cp "$PATTERN" "$ROOTFS/bin/pattern"
	begin "$@"
}

fifo() { mkfifo "$SCRATCH/$1"; }

# A process that is to be killed at the end, whatever happens.
in_background() {
	"$@" &
	HAND_JOBS+=($!)
}

# ---- output ------------------------------------------------------------------------------------

# paused_reader VARIANT PIECE MIB: the reader stops at each tenth, until the shim has filled the FIFO
paused_reader() {
	local size=$(($3 * 1048576)) reader number files=()
	begin_with "$1" much /bin/pattern write $size "$2"
	fifo out
	for number in 1 2 3 4 5 6 7 8 9; do
		files+=("$SCRATCH/go.$number")
	done
	"$PATTERN" read $size "${files[@]}" <out 2>reader.err &
	reader=$!
	HAND_JOBS+=("$reader")
	hand_create much stdout="$SCRATCH/out"
	call Start id=much >/dev/null
	for number in "${files[@]}"; do
		must_become 60 "the writer waits" is_blocked_in_write much
		: >"$number"
	done
	wait $reader || fail "$(<reader.err)"
	same "exit status" "" "$(field exit_status Wait id=much)"
	call Delete id=much >/dev/null
	hand_shutdown much
}
is_blocked_in_write() {
	local pid
	pid=$(field pid State id="$1")
	grep -q pipe "/proc/$pid/wchan" || [ "$(status_field "$pid" State)" = S ]
}
large_writes() { paused_reader "$1" 65536 "$STREAM_MIB"; }
small_writes() { paused_reader "$1" 16 16; }
scenario --mote large_writes runc crun
scenario --mote small_writes runc

# One container's reader never reads; another's output and the shim's answers are not delayed.
stuck_reader() {
	begin_with "$1" stuck /bin/pattern write 16777216
	hand_bundle free /bin/pattern write 16777216
	fifo out
	fifo free
	exec 8<>out
	hand_create stuck stdout="$SCRATCH/out"
	call Start id=stuck >/dev/null
	must_become 20 "the writer waits" is_blocked_in_write stuck
	"$PATTERN" read 16777216 <free 2>reader.err &
	local reader=$!
	hand_create free stdout="$SCRATCH/free"
	call Start id=free >/dev/null
	wait $reader || fail "$(<reader.err)"
	call Wait id=free >/dev/null
	timeout 5 "$TASK" "$ADDRESS" Delete id=free >/dev/null || fail "Delete waits"
	# the container that is stuck can be killed and deleted all the same
	call Kill id=stuck signal=9
	same "exit status" 137 "$(field exit_status Wait id=stuck)"
	timeout 20 "$TASK" "$ADDRESS" Delete id=stuck >/dev/null || fail "Delete waits"
	exec 8>&-
	hand_shutdown stuck
}
scenario --mote stuck_reader runc crun

# The reader goes away and another one comes: nothing that the FIFO holds is lost.
next_reader() {
	begin_with "$1" next /bin/pattern write 8388608
	fifo out
	head -c 1000000 out >first &
	local reader=$!
	hand_create next stdout="$SCRATCH/out"
	call Start id=next >/dev/null
	wait $reader
	must_become 20 "the writer waits" is_blocked_in_write next
	# What head read beyond is lost with it, so the rest is looked at by its length.
	cat out >second
	same "exit status" "" "$(field exit_status Wait id=next)"
	[ "$(wc -c <second)" -ge $((8388608 - 1000000 - 131072)) ] ||
		fail "the second reader got $(wc -c <second) bytes"
	same "the last of it" "$("$PATTERN" write 8388608 | tail -c 4096 | md5sum)" \
		"$(tail -c 4096 second | md5sum)"
	call Delete id=next >/dev/null
	hand_shutdown next
}
scenario --mote next_reader runc

# A process that stays behind holds the output of an exec: Delete ends all the same, and so does the
# reader.
held_output() {
	begin "$1" held
	fifo out
	hand_create held
	call Start id=held >/dev/null
	in_background cat out >got
	call Exec id=held exec_id=leaves stdout="$SCRATCH/out" spec='{"args": ["/bin/busybox", "sh",
		"-c", "echo said; sleep 1000 & exit 0"], "cwd": "/"}'
	call Start id=held exec_id=leaves >/dev/null
	call Wait id=held exec_id=leaves >/dev/null
	timeout 20 "$TASK" "$ADDRESS" Delete id=held exec_id=leaves >/dev/null || fail "Delete waits"
	must_become 10 "the reader ends" process_gone "${HAND_JOBS[-1]}"
	same "output" said "$(<got)"
	hand_end held
	hand_shutdown held
}
scenario --mote held_output runc

# An exec that runs while its start waits for a reader of its output: the container's end is seen all the
# same, though its PID namespace waits for every process in it to be reaped.
unread_exec() {
	begin "$1" unread
	hand_create unread
	call Start id=unread >/dev/null
	fifo out
	call Exec id=unread exec_id=e stdout="$SCRATCH/out" \
		spec='{"args": ["/bin/sleep", "1000"], "cwd": "/", "user": {"uid": 0, "gid": 0}}' >/dev/null
	in_background "$TASK" "$ADDRESS" Start id=unread exec_id=e
	must_become 5 "the exec runs" runs_in unread "sleep 1000"
	call Kill id=unread signal=9 >/dev/null
	must_become 5 "the container has stopped" has_status unread 3
	same "exit status" 137 "$(field exit_status Wait id=unread)"
	call Delete id=unread exec_id=e >/dev/null
	call Delete id=unread >/dev/null
	hand_shutdown unread
}
runs_in() { call Pids id="$1" | sed -n 's/^pid=//p' | while read -r pid; do
	tr '\0' ' ' <"/proc/$pid/cmdline"
	echo
done | grep -qF "$2"; }
has_status() { [ "$(field status State id="$1")" = "$2" ]; }
scenario --mote unread_exec runc crun

# ---- the end of input --------------------------------------------------------------------------

# input VARIANT: a container that copies its input into a file of its root, and says when it ends
input() {
	begin "$1" input /bin/busybox sh -c "cat >/tmp/input; : >/tmp/ended"
	rm -f "$ROOTFS"/tmp/{input,ended}
	fifo in
	exec 9<>in # only so that no open has to wait
	hand_create input stdin="$SCRATCH/in"
	exec 8>in 9>&-
	call Start id=input >/dev/null
}
input_has() { [ "$(cat "$ROOTFS/tmp/input")" = "$1" ]; }
input_ended() { [ -e "$ROOTFS/tmp/ended" ]; }

# input_over TEXT: the container sees the end and has read TEXT
input_over() {
	must_become 10 "the end of input is seen" input_ended
	same "input" "$1" "$(<"$ROOTFS/tmp/input")"
	call Wait id=input >/dev/null
	call Delete id=input >/dev/null
	hand_shutdown input
}

writer_ends_then_closeio() {
	input "$1"
	echo one >&8
	exec 8>&-
	must_become 10 "input comes" input_has one
	! input_ended || fail "the end of a client was the end of input"
	call CloseIO id=input stdin=1
	input_over one
}
scenario --mote writer_ends_then_closeio runc crun

closeio_then_writer_ends() {
	input "$1"
	call CloseIO id=input stdin=1
	call CloseIO id=input stdin=1
	echo two >&8
	must_become 10 "input comes" input_has two
	! input_ended || fail "input ended while a client had it open"
	exec 8>&-
	input_over two
}
scenario --mote closeio_then_writer_ends runc

# A client goes, containerd restarts, another one comes.
second_writer() {
	input "$1"
	echo one >&8
	exec 8>&-
	must_become 10 "input comes" input_has one
	echo two >in
	must_become 10 "more input comes" input_has $'one\ntwo'
	! input_ended || fail "the end of a client was the end of input"
	call CloseIO id=input stdin=1
	input_over $'one\ntwo'
}
scenario --mote second_writer runc

# All of a large input arrives although its end is asked for while most of it is under way.
large_input() {
	begin_with "$1" large /bin/pattern read 16777216
	fifo in
	"$PATTERN" write 16777216 >in &
	local writer=$!
	hand_create large stdin="$SCRATCH/in"
	call Start id=large >/dev/null
	call CloseIO id=large stdin=1
	wait $writer || fail "the writer failed"
	same "exit status of the reader" "" "$(field exit_status Wait id=large)"
	call Delete id=large >/dev/null
	hand_shutdown large
}
scenario --mote large_input runc crun

input_of_exec() {
	begin "$1" shim
	rm -f "$ROOTFS/tmp/input"
	hand_create shim
	call Start id=shim >/dev/null
	fifo in
	echo three >in &
	call Exec id=shim exec_id=reads stdin="$SCRATCH/in" spec='{"args": ["/bin/busybox", "sh", "-c",
		"cat >/tmp/input; exit 4"], "cwd": "/"}'
	call Start id=shim exec_id=reads >/dev/null
	must_become 10 "input comes" input_has three
	call CloseIO id=shim exec_id=reads stdin=1
	same "exit status" 4 "$(field exit_status Wait id=shim exec_id=reads)"
	call Delete id=shim exec_id=reads >/dev/null
	hand_end shim
	hand_shutdown shim
}
scenario --mote input_of_exec runc crun

# No path at all, and one stream without the others: /dev/null in their place.
absent_streams() {
	begin "$1" absent /bin/busybox sh -c \
		'read -r line || echo x >/dev/null && echo x && echo x >&2 && exit 3'
	fifo err
	in_background cat err >got
	hand_create absent stderr="$SCRATCH/err"
	call Start id=absent >/dev/null
	same "exit status" 3 "$(field exit_status Wait id=absent)"
	call Delete id=absent >/dev/null
	must_become 10 "the reader ends" process_gone "${HAND_JOBS[-1]}"
	same "standard error" x "$(<got)"
	hand_shutdown absent
}
scenario --mote absent_streams runc crun

file_target() {
	begin "$1" file /bin/busybox sh -c 'echo out; echo err >&2'
	hand_create file stdout="file://$SCRATCH/new/a%20folder/log" stderr="file:///ignored"
	call Start id=file >/dev/null
	call Wait id=file >/dev/null
	call Delete id=file >/dev/null
	same "the file" $'out\nerr' "$(<"$SCRATCH/new/a folder/log")"
	hand_shutdown file
	[ ! -e /ignored ] || fail "stderr's own file was made"
}
scenario --mote file_target runc crun

unknown_scheme() {
	begin "$1" scheme
	refused 2 "unknown STDIO scheme gopher" Create id=scheme bundle="$HAND/scheme" \
		"${OPTIONS[@]}" stdout=gopher:///x
	hand_create scheme
	hand_end scheme
	hand_shutdown scheme
}
scenario --mote unknown_scheme runc

# ---- loggers -----------------------------------------------------------------------------------

# logger BODY: a logging program; it writes its pid and its arguments first
logger() {
	cat >program <<-END
		#!/bin/bash
		PATH=$PATH SCRATCH=$SCRATCH
		echo \$\$ >$SCRATCH/pid
		env | grep ^CONTAINER | sort >$SCRATCH/environment
		printf '%s\n' "\$@" >$SCRATCH/arguments
		$1
	END
	chmod +x program
}
URI_WORDS='?first=1&second=two%20words'
# shellcheck disable=SC2016 # for the program to expand
GOOD_LOGGER='exec 5>&-; cat <&3 >$SCRATCH/out & cat <&4 >$SCRATCH/err & exec 3<&- 4<&-; wait
	: >$SCRATCH/end'

logger_records() {
	begin_with "$1" logged /bin/busybox sh -c '/bin/pattern write 8388608; echo err >&2'
	logger "$GOOD_LOGGER"
	hand_create logged stdout="$2://$SCRATCH/program$URI_WORDS"
	call Start id=logged >/dev/null
	call Wait id=logged >/dev/null
	call Delete id=logged >/dev/null
	must_become 10 "the logger saw the end" [ -e end ]
	"$PATTERN" read 8388608 <out || fail "the log is not what was written"
	same "standard error" err "$(<err)"
	same "arguments" $'first\n1\nsecond\ntwo words' "$(<arguments)"
	same "environment" "CONTAINER_ID=logged CONTAINER_NAMESPACE=$NAMESPACE" \
		"$(tr '\n' ' ' <environment | sed 's/ $//')"
	must_become 5 "the logger has ended" process_gone "$(<pid)"
	hand_shutdown logged
}
logger_v1() { logger_records "$1" binary; }
scenario --mote logger_v1 runc crun

logger_v2() {
	GOOD_LOGGER="printf x >&5; $GOOD_LOGGER"
	logger_records "$1" binary-v2
}
scenario --mote logger_v2 runc

# Slow, and deaf to SIGTERM: what it has not read yet is still there for it.
slow_logger() {
	begin_with "$1" slow /bin/pattern write 131072
	logger "trap '' TERM; exec 5>&-; while dd bs=4096 count=1 <&3 2>/dev/null >piece && [ -s piece ]
		do cat piece >>$SCRATCH/out; sleep 0.02; done"
	hand_create slow stdout="binary://$SCRATCH/program"
	call Start id=slow >/dev/null
	call Wait id=slow >/dev/null
	call Delete id=slow >/dev/null
	must_become 10 "the logger has ended" process_gone "$(<pid)"
	"$PATTERN" read 131072 <out || fail "the log is not what was written"
	hand_shutdown slow
}
scenario --mote slow_logger runc

# It ends before it is ready: for binary:// that is as good as ready.
logger_crashes() {
	begin "$1" crash /bin/busybox sh -c 'echo lost; sleep 1000'
	logger "exit 7"
	refused 2 "logging binary did not call ready" Create id=crash bundle="$HAND/crash" \
		"${OPTIONS[@]}" stdout="binary-v2://$SCRATCH/program"
	same "containers of the runtime" "" \
		"$(ls "/run/containerd/runc/$NAMESPACE" 2>/dev/null || true)"
	hand_create crash stdout="binary://$SCRATCH/program"
	call Start id=crash >/dev/null
	hand_end crash
	hand_shutdown crash
}
scenario --mote logger_crashes runc

logger_absent() {
	begin "$1" absent
	refused 2 "no such file" Create id=absent bundle="$HAND/absent" "${OPTIONS[@]}" \
		stdout="binary:///no/such/logger"
	hand_create absent
	hand_end absent
	hand_shutdown absent
}
scenario --mote logger_absent runc

# It is never ready: Create fails after ten seconds, State is answered meanwhile.
logger_hangs() {
	begin "$1" hangs
	hand_bundle other
	logger "exec sleep 1000"
	"$TASK" "$ADDRESS" Create id=hangs bundle="$HAND/hangs" "${OPTIONS[@]}" \
		stdout="binary://$SCRATCH/program" >created 2>&1 &
	local client=$! status=0
	must_become 10 "it hangs" [ -s pid ]
	timeout 5 "$TASK" "$ADDRESS" Connect id=hangs >/dev/null || fail "Connect waits"
	hand_create other
	hand_end other
	wait $client || status=$?
	same "how Create ended ($(<created))" 1 $status
	holds "its error" "logging binary" "$(<created)"
	must_become 5 "the logger has ended" process_gone "$(<pid)"
	hand_shutdown hangs
}
scenario --mote logger_hangs runc

# It does not end with its input: Delete ends it.
logger_stays() {
	begin "$1" stays /bin/busybox true
	logger "trap '' TERM; exec 5>&-; while :; do read -rt 1000 <> <(:); done"
	hand_create stays stdout="binary://$SCRATCH/program"
	call Start id=stays >/dev/null
	call Wait id=stays >/dev/null
	timeout 30 "$TASK" "$ADDRESS" Delete id=stays >/dev/null || fail "Delete waits"
	must_become 20 "the logger has ended" process_gone "$(<pid)"
	hand_shutdown stays
}
scenario --mote logger_stays runc

# It ends while the container runs: that one gets the signal, the shim nothing.
logger_dies() {
	begin "$1" dies /bin/busybox sh -c 'while echo x; do sleep 0.01; done; exit 9'
	logger "exec 5>&-; head -c 10 <&3 >$SCRATCH/out"
	hand_create dies stdout="binary://$SCRATCH/program"
	call Start id=dies >/dev/null
	must_become 10 "the logger has read its share" has_bytes out 10
	must_become 10 "the logger has ended" process_gone "$(<pid)"
	same "what State says meanwhile" 0 "$(call State id=dies >/dev/null; echo $?)"
	hand_end dies
	hand_shutdown dies
}
scenario --mote logger_dies runc

# ---- ends of paused and of killed containers ---------------------------------------------------

paused_and_killed() {
	begin "$1" paused
	hand_create paused
	call Start id=paused >/dev/null
	call Pause id=paused
	call Kill id=paused signal=9
	same "exit status" 137 "$(field exit_status Wait id=paused)"
	call Delete id=paused >/dev/null
	hand_shutdown paused
	must_become 10 "the last event" grep -q "^/tasks/delete" "$HAND_EVENTS"
	# the kill thaws it, which is told when it is noticed before the exit
	same "events" "create start paused exit delete" \
		"$(sink_lines | cut -d' ' -f1 | grep -v resumed | tr '\n' ' ' | sed 's/ $//')"
}
scenario --mote paused_and_killed runc crun

run_scenarios "$@"
