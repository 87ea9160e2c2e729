#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Creates that hang, die or lie: a Delete ends them, and what they had done is undone.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/hand.sh"

# group VARIANT ID...: a shim with a running container `other` beside those that are to be tried
group() {
	local id
	hand_shim "$1"
	sink_start
	HAND_ANNOTATION='"io.containerd.runc.v2.group": "cancel"'
	for id in other "${@:2}"; do
		hand_bundle "$id"
		hand_start "$id"
	done
	hand_create other
	call Start id=other >/dev/null
}

group_end() {
	same "status of the other" 2 "$(field status State id=other)"
	hand_end other
	hand_shutdown other
}

# create_behind ID [FIELD...]: a Create in the background, of the runtime in the file runtime; its
# client in CLIENT, its output in the file created.ID
create_behind() {
	"$TASK" "$ADDRESS" Create id="$1" bundle="$HAND/$1" options.binary_name="$PWD/runtime" \
		"${@:2}" >"created.$1" 2>&1 &
	CLIENT=$!
}

# created_is CLIENT ID TEXT: how a Create in the background ended
created_is() {
	local status=0
	wait "$1" || status=$?
	same "how Create of $2 ended" 1 $status
	holds "its error" "$3" "$(<"created.$2")"
}

gone() { refused 5 "container not created: not found" State id="$1"; }
runtime_has() { ls "/run/containerd/runc/$NAMESPACE" 2>/dev/null || true; }
# Until then the name is taken: Create answers AlreadyExists.
name_is_free() { hand_create "$1"; }

# The runtime has made the container, and its root is mounted.
undone() {
	group "$1" late
	wrapper_make runtime "$1" "*' create '*) $1 \"\$@\"; exec sleep 1000 ;;"
	create_behind late rootfs="bind,$ROOTFS,rbind"
	must_become 5 "it hangs" some_of "sleep 1000"
	[ -n "$(mounts_at "$HAND/late/rootfs")" ] || fail "there is no mount at rootfs"
	refused 5 "container not created: not found" Delete id=late
	created_is $CLIENT late "error 1 the container was deleted while it was created: canceled"
	gone late
	must_become 5 "the name is free" name_is_free late
	hand_end late
	same "mounts at rootfs" "" "$(mounts_at "$HAND/late/rootfs")"
	same "containers of the runtime" other "$(runtime_has)"
	group_end
	sink_has "$(printf '%s\n' 'create other' 'start other' 'create late' 'exit late' 'delete late' \
		'exit other' 'delete other')"
}
scenario --mote undone runc crun

# The same when nobody asked for it.
worker_killed() {
	group "$1" late
	wrapper_make runtime "$1" "*' create '*) $1 \"\$@\"; echo \$PPID >$PWD/worker; exec sleep 1000 ;;"
	create_behind late rootfs="bind,$ROOTFS,rbind"
	must_become 5 "it hangs" some_of "sleep 1000"
	kill -KILL "$(<worker)"
	created_is $CLIENT late "error 2 the shim's worker ended without an answer"
	must_become 2 "the runtime has ended" none_of "sleep 1000"
	same "mounts at rootfs" "" "$(mounts_at "$HAND/late/rootfs")"
	same "containers of the runtime" other "$(runtime_has)"
	gone late
	name_is_free late
	hand_end late
	group_end
}
scenario --mote worker_killed runc crun

# What undoes it hangs as well.
undo_hangs() {
	group "$1" never
	wrapper_make runtime "$1" "*' create '*) exec sleep 1001 ;;" "*' delete '*) exec sleep 1002 ;;"
	create_behind never
	must_become 5 "it hangs" some_of "sleep 1001"
	timeout 2 "$TASK" "$ADDRESS" Delete id=never >out 2>&1 || [ $? -eq 1 ] || fail "Delete waits"
	created_is $CLIENT never "error 1 "
	must_become 2 "the create has ended" none_of "sleep 1001"
	must_become 2 "it is being undone" some_of "sleep 1002"
	refused 5 "container not created: not found" Delete id=never
	must_become 15 "that has ended as well" none_of "sleep 1002"
	must_become 2 "the name is free" name_is_free never
	hand_end never
	group_end
}
scenario --mote undo_hangs runc

# As before, but it was the only container: Shutdown does not wait.
shutdown_while_undoing() {
	begin "$1" never
	wrapper_make runtime "$1" "*' create '*) exec sleep 1001 ;;" "*' delete '*) exec sleep 1002 ;;"
	create_behind never
	must_become 5 "it hangs" some_of "sleep 1001"
	refused 5 "container not created: not found" Delete id=never
	must_become 2 "it is being undone" some_of "sleep 1002"
	hand_shutdown never
	wait $CLIENT || true
	must_become 2 "nothing of it is left" none_of "sleep 100"
	wrapper_make runtime "$1"
	hand_delete never >out
}
scenario --mote shutdown_while_undoing runc

# More than can be under way at once, so that some have not begun.
many() {
	local number ids clients=()
	mapfile -t ids < <(printf 'many%s\n' {10..49})
	group "$1" "${ids[@]}"
	wrapper_make runtime "$1" "*' create '*) exec sleep 1000 ;;"
	for number in {10..49}; do
		create_behind "many$number"
		clients+=("$CLIENT")
	done
	must_become 10 "many hang" many_hang
	call Kill id=other signal=0
	same "status of the other" 2 "$(field status State id=other)"
	for number in {49..10}; do
		refused 5 "container not created: not found" Delete id="many$number"
	done
	for number in {10..49}; do
		created_is "${clients[number - 10]}" "many$number" "error 1 "
	done
	must_become 10 "they have ended" none_of "sleep 1000 "
	must_become 5 "a name is free" name_is_free many10
	hand_end many10
	group_end
}
many_hang() { [ "$(pids_of "sleep 1000 " | wc -l)" -ge 10 ]; }
scenario --mote many runc

# A Delete that meets a create at any of its steps: one of the two says that there is no container.
races() {
	group "$1" race
	cp "$(type -P "$1")" runtime
	local number delay
	for number in {1..20}; do
		printf -v delay '0.%03d' $((number * 3))
		create_behind race
		sleep "$delay"
		status_of "$TASK" "$ADDRESS" Delete id=race
		if [ "$STATUS" -eq 0 ]; then
			wait $CLIENT || fail "deleted, but its create failed: $(<created.race)"
		else
			holds "error of Delete" "container not created: not found" "$(<err)"
			wait $CLIENT && call Delete id=race >/dev/null
		fi
		must_become 5 "the name is free" name_is_free race
		call Delete id=race >/dev/null
	done
	same "containers of the runtime" other "$(runtime_has)"
	group_end
}
scenario --mote races runc crun

# The monitor sends signals to what the runtime named: it must be the runtime's own.
foreign_pids() {
	group "$1" liar
	local other monitor server pid
	other=$(field pid State id=other)
	monitor=$(monitor_pid other)
	server=$(server_pid other)
	# shellcheck disable=SC2016
	for pid in 1 "$$" "$other" "$monitor" "$server" '$PPID' '$$' 4194304; do
		echo "pid $pid"
		wrapper_make runtime "$1" "*' create '*) while [ \"\$1\" != --pid-file ]; do shift; done
			printf %s \"$pid\" >\"\$2\"; exit 0 ;;"
		create_behind liar
		created_is $CLIENT liar "error 2 "
		gone liar
		[ -e "/proc/$other" ] && [ -e "/proc/$monitor" ] && [ -e "/proc/$server" ] ||
			fail "somebody was killed"
	done
	name_is_free liar
	hand_end liar
	group_end
}
scenario --mote foreign_pids runc

run_scenarios "$@"
