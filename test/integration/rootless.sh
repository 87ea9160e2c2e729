#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The shim of a containerd that an ordinary user runs in a user namespace, where he is root.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/hand.sh"

USER_ID=65534

as_user() { setpriv --reuid $USER_ID --regid $USER_ID --clear-groups "$@"; }

# rootless_shim VARIANT ID: a bundle and a folder for sockets that are the user's
rootless_shim() {
	hand_shim "$1"
	as_user unshare --user --map-root-user true 2>/dev/null ||
		skip "users may not make user namespaces here"
	OOM_SCORE=$(</proc/self/oom_score_adj)
	hand_bundle "$2" /bin/busybox sh -c 'exit 12'
	mkdir sockets
	chmod 755 "$MOTE_WORK" "$SCRATCH" "$HAND"
	chown -R $USER_ID:$USER_ID "$HAND/$2" sockets
}

# rootless_verb ID VERB [FLAG...]: as hand_verb, in a user namespace of its own
rootless_verb() {
	local id=$1 verb=$2
	shift 2
	(cd "$HAND/$id" && TTRPC_ADDRESS=$HAND_SINK as_user unshare --user --map-root-user \
		"$SHIM" -namespace "$NAMESPACE" -address "$HAND_ADDRESS" -id "$id" "$@" "$verb")
}

rootless_start() {
	bootstrap_params "$1" "$SCRATCH/sockets" | rootless_verb "$1" start >answer 2>err ||
		fail "start: $(<err)"
	same "what start says beside its answer" "" "$(<err)"
	ADDRESS=$(<"$HAND/$1/address")
	holds "address" "unix://$SCRATCH/sockets/" "$ADDRESS"
}

user_call() { "$TASK" --uid $USER_ID --gid $USER_ID "$ADDRESS" "$@"; }

rootless_residents() {
	rootless_shim "$1" user
	rootless_start user
	same "mode of the socket" 600 "$(stat -c %a "${ADDRESS#unix://}")"
	same "processes of the shim" 2 "$(shim_pids | wc -l)"
	local pid
	for pid in $(shim_pids); do
		same "user of $pid" $USER_ID "$(status_field "$pid" Uid)"
		[ "$(<"/proc/$pid/oom_score_adj")" -gt "$OOM_SCORE" ] ||
			fail "the shim is not the likelier victim of the OOM killer"
	done
	same "the server's capabilities" 1 "$(server_pid "" | wc -l)"
	holds "Connect" "shim_pid=" "$(user_call Connect id=user)"
	# Root of the host is another user there.
	STATUS=0
	"$TASK" "$ADDRESS" Connect id=user >out 2>err || STATUS=$?
	same "how a call of another user ends" 3 "$STATUS"
	user_call Shutdown id=user
	must_become 6 "the shim ends" no_shim
	same "sockets left" "" "$(ls sockets)"
}
scenario --mote rootless_residents runc skeleton

# A whole life, with the runtime that needs no cgroup.
rootless_life() {
	rootless_shim "$1" life
	rootless_start life
	user_call Create id=life bundle="$HAND/life" >/dev/null
	user_call Start id=life >/dev/null
	holds "Wait" "exit_status=12" "$(user_call Wait id=life)"
	holds "Delete" "exit_status=12" "$(user_call Delete id=life)"
	user_call Shutdown id=life
	must_become 6 "the shim ends" no_shim
	STATUS=0
	rootless_verb life delete -bundle "$HAND/life" >out 2>err </dev/null || STATUS=$?
	same "exit code of delete ($(<err))" 0 "$STATUS"
	same "standard error of delete" "" "$(<err)"
}
scenario --mote rootless_life skeleton

run_scenarios "$@"
