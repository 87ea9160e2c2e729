#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The delete verb without containerd, which runs it at every end: normal, early, or by a signal.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/hand.sh"

# delete_answers ID STATUS PID: the verb succeeds in silence and answers so
delete_answers() {
	status_of hand_delete "$1"
	same "exit code of delete ($(<err))" 0 "$STATUS"
	same "standard error of delete" "" "$(<err)"
	"$TASK" decode Delete <out >decoded
	same "exit_status" "$2" "$(sed -n 's/^exit_status=//p' decoded)"
	same "pid" "$3" "$(sed -n 's/^pid=//p' decoded)"
	holds "exited_at" "exited_at=1" "$(<decoded)"
}

delete_nothing() {
	hand_shim "$1"
	hand_bundle nothing
	delete_answers nothing 137 ""
	delete_answers nothing 137 ""
	[ -e "$HAND/nothing/config.json" ] || fail "delete removed the bundle's files"
}
scenario --mote delete_nothing runc crun skeleton

delete_after_normal_end() {
	hand_shim "$1"
	sink_start
	hand_bundle normal /bin/busybox sh -c "exit 3"
	hand_start normal
	hand_create normal
	call Start id=normal >/dev/null
	hand_end normal
	hand_shutdown normal
	status_of hand_delete normal
	same "exit code of delete ($(<err))" 0 "$STATUS"
	same "standard error of delete" "" "$(<err)"
}
scenario --mote delete_after_normal_end runc crun skeleton

# The exit that the pair recorded before both were killed is what delete tells.
delete_after_both_killed() {
	hand_shim "$1"
	sink_start
	hand_bundle recorded /bin/busybox sh -c "exit 3"
	hand_bundle running
	local pid number
	for number in recorded running; do
		hand_start $number
		hand_create $number
		call Start id=$number >/dev/null
		[ $number = running ] || must_become 5 "it stops" state_is recorded STOPPED
		pid=$(field pid State id=$number)
		# shellcheck disable=SC2046
		kill -KILL $(shim_pids)
		must_become 3 "the shim has gone" no_shim
		delete_answers $number "$([ $number = recorded ] && echo 3 || echo 137)" "$pid"
		must_become 5 "the container's process is gone" process_gone "$pid"
	done
}
scenario --mote delete_after_both_killed runc crun skeleton

delete_of_a_foreign_bundle() {
	hand_shim "$1"
	hand_bundle mine
	mkdir foreign
	hand_failure 1 "$NAME: " hand_verb mine delete -bundle "$SCRATCH/foreign/../../../etc"
	hand_failure 1 "$NAME: " hand_verb mine delete -bundle "$SCRATCH/absent"
}
scenario --mote delete_of_a_foreign_bundle runc

run_scenarios "$@"
