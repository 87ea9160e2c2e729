#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Bad input on the command line, on standard input, in the bundle; a disk that is full. Each gets
# one line and an exit code, and leaves nothing.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/hand.sh"

unknown_flag() {
	hand_shim "$1"
	status_of "$SHIM" -namespace x -no-such-flag start </dev/null
	same "exit code" 2 "$STATUS"
	same "standard output" "" "$(<out)"
	holds "standard error" "no-such-flag" "$(<err)"
	status_of "$SHIM" -namespace </dev/null
	same "exit code of a flag without its value" 2 "$STATUS"
}
scenario unknown_flag runc skeleton

no_namespace() {
	hand_shim "$1"
	hand_bundle nothing
	cd "$HAND/nothing" || exit
	TTRPC_ADDRESS=$HAND_SINK hand_failure 1 "$NAME: shim namespace cannot be empty" \
		"$SHIM" -address x -id nothing start
}
scenario no_namespace runc skeleton

no_id() {
	hand_shim "$1"
	hand_bundle nothing
	cd "$HAND/nothing" || exit
	TTRPC_ADDRESS=$HAND_SINK hand_failure 1 "$NAME: " "$SHIM" -address x -namespace \
		"$NAMESPACE" start
}
scenario --mote no_id runc

unknown_verb() {
	hand_shim "$1"
	hand_bundle verb
	hand_failure 1 "$NAME: " hand_verb verb begin
}
scenario --mote unknown_verb runc

no_config() {
	hand_shim "$1"
	hand_bundle none
	rm "$HAND/none/config.json"
	hand_failure 1 "config.json" hand_verb none start
	holds "form of the error" "$NAME: " "$(<err)"
	[ ! -e "$HAND/none/address" ] || fail "a file address was left"
}
scenario --mote no_config runc skeleton

malformed_config() {
	hand_shim "$1"
	local text
	hand_bundle malformed
	for text in '{' '[]' '"x"' '{"annotations": 7}' '{"annotations": {"a": 7}} x' ''; do
		printf %s "$text" >"$HAND/malformed/config.json"
		hand_failure 1 "config.json" hand_verb malformed start
	done
}
scenario --mote malformed_config runc

malformed_input() {
	hand_shim "$1"
	local text
	hand_bundle malformed
	for text in '\xff\xff\xff\xff' '\x0a\x7fshort' '{"json": true}' '\x08' \
		'\x12\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01'; do
		# shellcheck disable=SC2059
		printf "$text" >input
		status_of hand_verb malformed start <input
		hand_failed 1 "$NAME: " "start with input $text"
	done
}
scenario --mote malformed_input runc skeleton

# Options that are of the right type and are not.
malformed_options() {
	hand_shim "$1"
	hand_bundle malformed
	{
		string_field 1 containerd.runc.v1.Options
		string_field 2 "$(printf '\x1a\x7fshort')"
	} >input
	status_of hand_verb malformed start <input
	hand_failed 1 "$NAME: " "start with malformed options"
}
scenario --mote malformed_options runc

long_socket_path() {
	hand_shim "$1"
	local folder=$MOTE_WORK/0123456789012345678901234567890123456789
	hand_bundle long
	bootstrap_params long "$folder" >input
	status_of hand_verb long start <input
	hand_failed 1 "$NAME: " "start with a long folder"
	[ ! -e "$folder" ] || rmdir "$folder"
}
scenario --mote long_socket_path runc

socket_folder_not_usable() {
	hand_shim "$1"
	hand_bundle file
	mkdir -p /run/containerd
	rm -rf /run/containerd/s
	: >/run/containerd/s
	status_of hand_verb file start </dev/null
	rm /run/containerd/s
	hand_failed 1 "$NAME: " "start with a file for a folder"
	mkdir /run/containerd/s
	mount -t tmpfs -o ro,mode=700 tmpfs /run/containerd/s
	status_of hand_verb file start </dev/null
	umount /run/containerd/s
	hand_failed 1 "read-only file system" "start with a read-only folder"
}
scenario --mote socket_folder_not_usable runc

bundle_on_full_disk() {
	hand_shim "$1"
	mkdir disk
	mount -t tmpfs -o size=64k tmpfs disk
	HAND=$SCRATCH/disk
	hand_bundle full
	cat /dev/zero >disk/fill 2>/dev/null || true
	status_of hand_verb full start </dev/null
	hand_cleanup
	wait
	umount disk
	hand_failed 1 "no space left on device" "start on a full disk"
}
scenario --mote bundle_on_full_disk runc

run_scenarios "$@"
