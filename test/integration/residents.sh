#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The two resident processes as they are seen from outside: rights, names, limits, silence, and who
# may talk to them.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/hand.sh"

# A running container of the variant, its server and monitor in SERVER and MONITOR.
resident() {
	hand_shim "$1"
	sink_start
	hand_bundle "$2"
	hand_start "$2"
	hand_create "$2"
	call Start id="$2" >/dev/null
	SERVER=$(server_pid "$2")
	MONITOR=$(monitor_pid "$2")
	[ -e "/proc/${SERVER:-none}" ] || fail "one server expected, got '$SERVER'"
	[ -e "/proc/${MONITOR:-none}" ] || fail "one monitor expected, got '$MONITOR'"
}

end_resident() {
	hand_end "$1"
	hand_shutdown "$1"
}

rights() {
	resident "$1" rights
	local name
	for name in CapInh CapPrm CapEff CapBnd CapAmb; do
		same "$name of the server" 0000000000000000 "$(status_field "$SERVER" $name)"
	done
	same "NoNewPrivs of the server" 1 "$(status_field "$SERVER" NoNewPrivs)"
	same "Seccomp of the server" 2 "$(status_field "$SERVER" Seccomp)"
	same "Seccomp of the monitor" 0 "$(status_field "$MONITOR" Seccomp)"
	same "NoNewPrivs of the monitor" "$(status_field $$ NoNewPrivs)" \
		"$(status_field "$MONITOR" NoNewPrivs)"
	same "CapEff of the monitor" "$(status_field $$ CapEff)" "$(status_field "$MONITOR" CapEff)"
	same "threads of the server" 1 "$(status_field "$SERVER" Threads)"
	same "threads of the monitor" 1 "$(status_field "$MONITOR" Threads)"
	end_resident rights
}
scenario --mote rights runc skeleton

# A process without rights, of the same user, may look into another one only if that is dumpable.
dumpable() {
	resident "$1" dumpable
	local other without=(setpriv --bounding-set=-all --inh-caps=-all --ambient-caps=-all)
	"${without[@]}" sleep 1000 &
	other=$!
	HAND_JOBS+=("$other")
	must_become 5 "the other process has started" other_is_sleep $other
	"${without[@]}" readlink "/proc/$other/exe" >/dev/null ||
		fail "the check itself does not work"
	! "${without[@]}" readlink "/proc/$SERVER/exe" >out 2>&1 || fail "the server is dumpable"
	end_resident dumpable
}
other_is_sleep() { [ "$(tr '\0' ' ' <"/proc/$1/cmdline")" = "sleep 1000 " ]; }
scenario --mote dumpable runc skeleton

names() {
	resident "$1" names
	local pid words
	for pid in "$SERVER" "$MONITOR"; do
		words=$(tr '\0' ' ' <"/proc/$pid/cmdline")
		same "arguments of $pid" "-namespace $NAMESPACE -id names -address $HAND_ADDRESS" \
			"$(sed 's/^[^ ]* //; s/ *$//' <<<"$words")"
		holds "program of $pid" "$(basename "$SHIM")" "${words%% *}"
		holds "comm of $pid" containerd-shim "$(<"/proc/$pid/comm")"
	done
	same "shim_pid of Connect" 1 "$(pgrep_count "$(field shim_pid Connect id=names)")"
	end_resident names
}
pgrep_count() { shim_pids names | grep -cx "$1"; }
scenario --mote names runc skeleton

# Descriptors without end for the residents, but not for what they start.
descriptor_limit() {
	local soft
	soft=$(ulimit -S -n)
	hand_shim "$1"
	sink_start
	ulimit -S -n 500
	wrapper_make runtime runc "*' create '*) ulimit -S -n >$SCRATCH/limit ;;"
	hand_bundle limit
	hand_start limit
	OPTIONS=(options.binary_name="$SCRATCH/runtime")
	hand_create limit
	ulimit -S -n "$soft"
	local pid
	for pid in $(shim_pids); do
		same "soft limit of $pid" \
			"$(awk '/^Max open files/ { print $5 }' "/proc/$pid/limits")" \
			"$(awk '/^Max open files/ { print $4 }' "/proc/$pid/limits")"
	done
	same "soft limit of the runtime" 500 "$(<limit)"
	hand_end limit
	hand_shutdown limit
}
scenario --mote descriptor_limit runc

# signals PID NAME: those that a C library lets be set. 32 and 33 are its own: glibc's posix_spawn,
# and so make, ignores them in its children.
signals() { echo $((0x$(status_field "$1" "$2") & ~0x180000000)); }

# What a container must not inherit of its shim: a filter, ignored or blocked signals, the socket of
# systemd, descriptors.
inheritance() {
	hand_shim "$1"
	sink_start
	hand_bundle inherit /bin/busybox sleep 1000
	wrapper_make runtime "$1" \
		"*' create '*) env >$SCRATCH/env; ls -l /proc/self/fd >$SCRATCH/fd;
		grep -e Sig -e Seccomp /proc/self/status >$SCRATCH/status ;;"
	NOTIFY_SOCKET=/run/notify hand_start inherit
	OPTIONS=(options.binary_name="$SCRATCH/runtime")
	hand_create inherit
	call Start id=inherit >/dev/null
	local pid name
	pid=$(field pid State id=inherit)
	for name in SigBlk SigIgn; do
		same "$name of the container" 0 "$(signals "$pid" $name)"
	done
	same "Seccomp of the container" 0 "$(status_field "$pid" Seccomp)"
	# CAP_KILL is what the bundle asks for.
	same "CapEff of the container" 0000000000000020 "$(status_field "$pid" CapEff)"
	! grep NOTIFY_SOCKET env || fail "the runtime got NOTIFY_SOCKET"
	# bash has 255, ls the folder itself as 3
	same "further descriptors of the runtime" "" \
		"$(sed -n 's/.* \([0-9]*\) -> .*/\1/p' fd | grep -vx -e '[0-3]' -e 255)"
	hand_end inherit
	hand_shutdown inherit
}
scenario --mote inheritance runc crun

# switches: voluntary and involuntary ones of both, and their time on the processor
switches() { grep -h ctxt_switches "/proc/$SERVER/status" "/proc/$MONITOR/status" | cut -f2 | \
	xargs; }

silence() {
	resident "$1" silence
	local before
	# Silent is what is the same twice, half a second apart: the start is digested.
	must_become 10 "a first silence" half_a_second_of_silence
	before=$(switches)
	sleep 5
	same "context switches over five idle seconds" "$before" "$(switches)"
	end_resident silence
}
half_a_second_of_silence() {
	local before
	before=$(switches)
	sleep 0.5
	[ "$before" = "$(switches)" ]
}
scenario --mote silence runc skeleton

# The same with standard output that goes to a FIFO, without containerd's end of the events.
silence_with_output() {
	hand_shim "$1"
	hand_bundle output /bin/busybox sh -c "echo started; sleep 1000"
	mkfifo fifo
	cat fifo >output &
	HAND_JOBS+=($!)
	sink_start
	hand_start output
	hand_create output stdout="$SCRATCH/fifo" stderr="$SCRATCH/fifo"
	call Start id=output >/dev/null
	SERVER=$(server_pid output)
	MONITOR=$(monitor_pid output)
	must_become 5 "output" grep -q started output
	local before
	must_become 10 "a first silence" half_a_second_of_silence
	before=$(switches)
	sleep 5
	same "context switches over five idle seconds" "$before" "$(switches)"
	end_resident output
}
scenario --mote silence_with_output runc

# ---- who may talk ----

other_users() {
	resident "$1" users
	local path=${ADDRESS#unix://} who
	chmod 711 /run/containerd /run/containerd/s
	chmod 666 "$path"
	for who in "--uid 65534 --gid 65534" "--gid 65534" "--uid 65534"; do
		# shellcheck disable=SC2086
		status_of "$TASK" $who "$ADDRESS" State id=users
		same "exit code of a call with $who" 3 "$STATUS"
		same "answer to it" "" "$(<out)"
	done
	same "status for the own user" 2 "$(field status State id=users)"
	end_resident users
}
scenario --mote other_users runc skeleton

# frame LENGTH STREAM TYPE FLAGS [BYTES]: printf's notation
# shellcheck disable=SC2059
frame() {
	printf "\\x${1:0:2}\\x${1:2:2}\\x${1:4:2}\\x${1:6:2}\\x00\\x00\\x00\\x$2\\x$3\\x$4${5:-}"
}

malformed_frames() {
	resident "$1" frames
	frame 00000003 01 01 00 '\xff\xff\xff' >request-of-garbage
	frame 00000000 01 01 00 >empty-request
	frame 00000000 02 01 00 >even-stream
	frame 00000000 00 01 00 >stream-zero
	frame 00000000 01 09 00 >unknown-type
	frame 00000000 01 02 00 >response
	frame 00000000 01 03 ff >data
	frame ffffffff 01 01 00 'xxxx' >far-too-long
	frame 00400001 01 01 00 'xxxx' >too-long
	frame 00000010 01 01 00 'xx' >cut-off
	printf '\x00\x00' >two-bytes
	head -c 100000 /dev/urandom >noise
	head -c 100000 < <(yes 'GET / HTTP/1.0') >text
	local file pids
	pids=$(shim_pids)
	for file in *-* unknown-type response data two-bytes noise text; do
		timeout 10 "$TASK" "$ADDRESS" raw <"$file" >out 2>&1 || [ $? -ne 124 ] ||
			fail "$file hangs"
		same "status after $file" 2 "$(field status State id=frames)"
	done
	same "the shim's processes" "$pids" "$(shim_pids)"
	end_resident frames
}
scenario --mote malformed_frames runc

# A service that is not there, and what the runtime has no function for.
unknown_calls() {
	resident "$1" unknown
	local status=0
	"$TASK" --service some.Service "$ADDRESS" State id=unknown >out 2>&1 || status=$?
	same "how a call of an unknown service ends" 1 $status
	holds "its error" "error 12 service some.Service" "$(<out)"
	refused 12 "not implemented" Pause id=unknown
	refused 12 "not implemented" Exec id=unknown exec_id=x spec='{"args": ["true"]}'
	refused 12 "not implemented" Update id=unknown resources='{}'
	refused 12 "not implemented" Checkpoint id=unknown path=/tmp
	same "status after them" 2 "$(field status State id=unknown)"
	end_resident unknown
}
scenario --mote unknown_calls skeleton

# What start, workers and runtimes use lies apart (shim/resident.ld), and a resident that has let go of
# it touches none of it again, whatever it is asked: one call into it would map up to all of it.
apart() {
	runtime_flags "$1"
	ctr run --detach "${RUNTIME[@]}" --rootfs "$ROOTFS" apart /bin/busybox sleep 1000
	ctr task exec --exec-id exec apart /bin/busybox true
	script --quiet --return --command "ctr --address $SOCKET --namespace $NAMESPACE task exec \
		--tty --exec-id terminal apart /bin/busybox true" /dev/null </dev/null
	ctr task metrics apart >/dev/null
	ctr task ps apart >/dev/null
	ctr task pause apart
	ctr task resume apart
	ctr task kill --signal CONT apart
	must_become 5 "it runs again" task_is apart RUNNING
	local pid offset places
	mapfile -t places < <(short_lived_places "/proc/$(server_pid apart)/exe")
	same "parts that the residents leave alone" 2 ${#places[@]}
	for pid in "$(server_pid apart)" "$(monitor_pid apart)"; do
		for offset in "${places[@]}"; do
			same "kB of $pid mapped of the program's part at $offset" 0 \
				"$(resident_kb "$pid" "$offset")"
		done
		[ "$(resident_kb "$pid" 00000000)" -gt 0 ] || fail "nothing of $pid is mapped"
	done
	remove_container apart
}
# The offsets in the file of the third executable segment and of the constants behind it.
short_lived_places() {
	readelf -lW "$1" | awk '$1 == "LOAD" {
		n += $7 $8 == "RE" || $7 $8 == "RE0x1000"
		if (n == 3 && $7 != "RW") print substr("00000000" substr($2, 3), length($2) - 1)
	}'
}
# resident_kb PID OFFSET: of the program's mapping that begins there
resident_kb() {
	awk -v offset="$2" '/^[0-9a-f]+-/ { here = $3 == offset && /containerd-shim/ }
		here && $1 == "Rss:" { print $2 }' "/proc/$1/smaps"
}
scenario --mote apart runc crun

# Many containers, one after another, leave the residents as they were.
no_growth() {
	hand_shim "$1"
	HAND_ANNOTATION='"io.containerd.runc.v2.group": "growth"'
	sink_start
	local number before
	for number in {1..12}; do
		hand_bundle "growth$number" /bin/busybox true
		hand_start "growth$number"
		if [ "$number" = 3 ]; then
			SERVER=$(server_pid growth1)
			MONITOR=$(monitor_pid growth1)
			before=$(descriptors_of_both)
		fi
		hand_create "growth$number"
		call Start id="growth$number" >/dev/null
		call Wait id="growth$number" >/dev/null
		call Delete id="growth$number" >/dev/null
	done
	sink_has_lines 48
	must_become 5 "descriptors as before ($before): $(descriptors_of_both)" same_descriptors \
		"$before"
	hand_shutdown growth12
}
sink_has_lines() { must_become 10 "$1 events" sink_count "$1"; }
# Compared without what comes and goes: the connection that the call before used.
descriptors_of_both() { echo "$(descriptors_of "$SERVER") $(descriptors_of "$MONITOR")"; }
descriptors_of() { find "/proc/$1/fd" -mindepth 1 | wc -l; }
same_descriptors() { [ "$(descriptors_of_both)" = "$1" ]; }
scenario --mote no_growth runc crun skeleton

run_scenarios "$@"
