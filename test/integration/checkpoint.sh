#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# seconds: 300
#
# Checkpoint and restore by criu itself, where it works: its own check decides, and a runtime that
# was built without it is skipped.
. "$(dirname "$0")/lib.sh"
# shellcheck source=test/integration/hand.sh
. "${LIB%/*}/hand.sh"

# What is counted is in the shell's memory alone; the file gets a line for each through a descriptor
# that was opened once.
COUNTER='i=0; trap '"'exit 7'"' TERM; exec 5>>/tmp/counted; while :; do i=$((i + 1)); echo $i >&5; '
COUNTER+='sleep 0.05; done'

counted() { tail -n 1 "$ROOTFS/tmp/counted" 2>/dev/null; }
counted_to() { [ "$(counted)" -ge "$1" ]; }
# Each number is there once, and no number was passed over.
counted_all() {
	local all
	all=$(<"$ROOTFS/tmp/counted")
	same "what was counted" "$(seq "$(wc -l <<<"$all")")" "$all"
}

# counter VARIANT ID: a container that counts
counter() {
	needs_criu "$1"
	rm -f "$ROOTFS/tmp/counted"
	begin "$1" "$2" /bin/sh -c "$COUNTER"
	hand_create "$2"
	call Start id="$2" >/dev/null
	must_become 10 "it counts" counted_to 5
}

# restored ID IMAGE: made and started from it, as containerd does it; sets PID
restored() {
	hand_start "$1"
	same "pid of what is not restored yet" "" "$(field pid Create id="$1" \
		bundle="$HAND/$1" checkpoint="$2" "${OPTIONS[@]}")"
	same "status before Start" 1 "$(field status State id="$1")"
	PID=$(field pid Start id="$1")
	[ "$PID" -gt 1 ] || fail "pid $PID"
	same "status after Start" 2 "$(field status State id="$1")"
	same "pid after Start" "$PID" "$(field pid State id="$1")"
}

# The container of an image that was taken with `exit` goes on in a container of the same name.
ended() {
	local last
	counter "$1" counter
	call Checkpoint id=counter path="$SCRATCH/image" options.exit=1
	must_become 10 "it stops" state_is counter STOPPED
	call Delete id=counter >/dev/null
	hand_shutdown counter
	last=$(counted)
	rm -r "$HAND/counter"
	hand_bundle counter
	restored counter "$SCRATCH/image"
	must_become 10 "it counts on" counted_to $((last + 5))
	counted_all
	[[ " $(call Pids id=counter | sed -n 's/^pid=//p' | tr '\n' ' ') " == *" $PID "* ]] ||
		fail "$PID is not in the pids"
	[ "$(field pids_current Stats id=counter)" -ge 1 ] || fail "no process in the metrics"
	call Kill id=counter signal=15
	same "exit status" 7 "$(field exit_status Wait id=counter)"
	same "exit status that Delete gives" 7 "$(field exit_status Delete id=counter)"
	hand_shutdown counter
	must_become 10 "nine events" sink_count 9
	# The first exit comes before or behind it.
	same "events" "create start exit delete create start exit delete" "$(sink_lines |
		cut -d' ' -f1 | grep -v checkpointed | tr '\n' ' ' | sed 's/ $//')"
	holds "events" "/tasks/create $NAMESPACE counter pid=0" "$(<"$HAND_EVENTS")"
	holds "events" "/tasks/start $NAMESPACE counter pid=$PID" "$(<"$HAND_EVENTS")"
	same "events of checkpoints" 1 "$(grep -c ^/tasks/checkpointed "$HAND_EVENTS")"
}
scenario --mote ended runc crun

# From an image that was taken while it ran on, another container goes on, in its own cgroup: what is
# done to it by way of that must reach it.
another() {
	local last before more
	counter "$1" first
	call Checkpoint id=first path="$SCRATCH/image"
	same "status after the checkpoint" 2 "$(field status State id=first)"
	[ -s "$SCRATCH/image/inventory.img" ] || fail "no image: $(ls "$SCRATCH/image")"
	last=$(counted)
	must_become 10 "the first counts on" counted_to $((last + 5))
	hand_end first
	hand_shutdown first
	hand_bundle second
	restored second "$SCRATCH/image"
	before=$(wc -c <"$ROOTFS/tmp/counted")
	must_become 10 "the second counts" has_bytes "$ROOTFS/tmp/counted" $((before + 1))
	call Pause id=second
	before=$(wc -c <"$ROOTFS/tmp/counted")
	sleep 0.3
	same "what a paused one wrote" "$before" "$(wc -c <"$ROOTFS/tmp/counted")"
	call Resume id=second
	must_become 10 "it counts again" has_bytes "$ROOTFS/tmp/counted" $((before + 1))
	call Exec id=second exec_id=more spec='{"args": ["/bin/busybox", "sleep", "1000"], "cwd": "/"}'
	more=$(field pid Start id=second exec_id=more)
	same "cgroup of an exec" "$(cgroup_of "$PID")" "$(cgroup_of "$more")"
	[ "$(call Pids id=second | grep -c '^pid=')" -ge 2 ] || fail "pids: $(call Pids id=second)"
	hand_end second
	hand_shutdown second
}
cgroup_of() { cat "/proc/$1/cgroup"; }
scenario --mote another runc crun

# A large file that is open and has no name any more is not dumped; with less in it, it is.
failed() {
	needs_criu "$1"
	begin "$1" ghost /bin/sh -c "$GHOST"
	hand_create ghost
	call Start id=ghost >/dev/null
	must_become 10 "the file is there" [ -e "$ROOTFS/tmp/large" ]
	refused 2 "criu failed" Checkpoint id=ghost path="$SCRATCH/image"
	holds "the error" " path= $HAND/ghost/criu-dump.log" "$(<answer)"
	grep -q "Can't dump ghost file" "$HAND/ghost/criu-dump.log" ||
		fail "criu-dump.log: $(tail -n 5 "$HAND/ghost/criu-dump.log")"
	same "status" 2 "$(field status State id=ghost)"
	[ ! -e "$HAND/ghost/criu-work" ] || fail "criu's folder is left"
	call Kill id=ghost signal=15
	must_become 10 "the file is small" [ -e "$ROOTFS/tmp/small" ]
	call Checkpoint id=ghost path="$SCRATCH/second"
	[ -s "$SCRATCH/second/inventory.img" ] || fail "no image: $(ls "$SCRATCH/second")"
	hand_end ghost
	hand_shutdown ghost
	rm "$ROOTFS"/tmp/{large,small}
}
GHOST="trap ': >/proc/1/fd/5; : >/tmp/small' TERM; exec 5>/tmp/ghost; "
GHOST+='dd if=/dev/zero bs=1M count=3 >&5; rm /tmp/ghost; : >/tmp/large; '
GHOST+='while :; do sleep 0.05; done'
scenario --mote failed runc crun

# An image that is none: the container can be deleted, and nothing of it is left.
no_image() {
	needs_criu "$1"
	mkdir empty
	echo '["/dev/null", "/dev/null", "/dev/null"]' >empty/descriptors.json
	begin "$1" absent
	hand_create absent checkpoint="$SCRATCH/empty"
	refused 2 "OCI runtime restore failed: criu failed" Start id=absent
	same "status" 1 "$(field status State id=absent)"
	call Delete id=absent >/dev/null
	hand_shutdown absent
	sink_has "$(printf '%s absent\n' create delete)"
}
scenario --mote no_image runc crun

run_scenarios "$@"
