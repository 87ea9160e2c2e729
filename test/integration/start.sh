#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The command line: start, delete, -v, -info, without containerd. Bad input, and what it gets.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/hand.sh"

# ---- answers ----

plain_answer() {
	hand_shim "$1"
	hand_bundle plain
	hand_start plain
	local path=${ADDRESS#unix://} hash
	hash=$(printf %s "$HAND_ADDRESS/$NAMESPACE/plain" | sha256sum | cut -d' ' -f1)
	same "address" "unix:///run/containerd/s/$hash" "$ADDRESS"
	same "bytes of the answer" ${#ADDRESS} "$(wc -c <"$SCRATCH/answer")"
	same "mode of the socket" 600 "$(stat -c %a "$path")"
	same "file address" "$ADDRESS" "$(<"$HAND/plain/address")"
	same "bytes of the file address" ${#ADDRESS} "$(wc -c <"$HAND/plain/address")"
	hand_shutdown plain
	[ ! -e "$path" ] || fail "the socket is still there"
}
scenario plain_answer runc skeleton

# Arguments as any client of Go's flag package may write them.
flag_forms() {
	hand_shim "$1"
	hand_bundle forms
	local forms
	for forms in "--namespace=$NAMESPACE --id=forms --address=$HAND_ADDRESS" \
		"-namespace=$NAMESPACE -debug -id forms --address $HAND_ADDRESS" \
		"--namespace $NAMESPACE -debug=false -id=forms -address unix://$HAND_ADDRESS"; do
		# shellcheck disable=SC2086
		ADDRESS=$(cd "$HAND/forms" && TTRPC_ADDRESS=$HAND_SINK "$SHIM" $forms start </dev/null 2>&1) ||
			fail "start with $forms: $ADDRESS"
		same "task_pid over the socket" "" "$(field task_pid Connect id=forms)"
		hand_shutdown forms
	done
}
scenario --mote flag_forms runc

# bytes of one protobuf string field, numbers up to 15, up to 127 bytes
string_field() { printf "\\x$(printf %x $(($1 * 8 + 2)))\\x$(printf %x ${#2})%s" "$2"; }

# bootstrap_params ID [SOCKET_DIR]: what containerd 2.3 writes
bootstrap_params() {
	string_field 1 "$1"
	string_field 2 "$NAMESPACE"
	printf '\x18\xfc\xff\xff\xff\xff\xff\xff\xff\xff\x01' # log_level -4, debug
	string_field 4 2.3.4
	string_field 5 "$HAND_SINK"
	string_field 6 "$HAND_ADDRESS"
	string_field 7 /usr/bin/containerd
	[ -z "${2:-}" ] || string_field 9 "$2"
}

bootstrap_answer() {
	hand_shim "$1"
	hand_bundle boot
	bootstrap_params boot | hand_verb boot start >answer 2>&1 || fail "start: $(<answer)"
	ADDRESS=$(<"$HAND/boot/address")
	{
		printf '\x08\x03'
		string_field 2 "$ADDRESS"
		string_field 3 ttrpc
	} >expected
	same "answer in hex" "$(od -An -tx1 expected)" "$(od -An -tx1 answer)"
	same "shim's pid over v3" "$(field shim_pid Connect id=boot)" \
		"$("$TASK" --service containerd.task.v3.Task "$ADDRESS" Connect id=boot | sed -n 's/^shim_pid=//p')"
	hand_shutdown boot
}
scenario --mote bootstrap_answer runc skeleton

bootstrap_socket_folder() {
	hand_shim "$1"
	hand_bundle folder
	bootstrap_params folder "$MOTE_WORK/s" | hand_verb folder start >answer 2>&1 || fail "$(<answer)"
	ADDRESS=$(<"$HAND/folder/address")
	holds "address" "unix://$MOTE_WORK/s/" "$ADDRESS"
	same "task_pid" "" "$(field task_pid Connect id=folder)"
	hand_shutdown folder
	same "sockets left" "" "$(ls "$MOTE_WORK/s")"
}
scenario --mote bootstrap_socket_folder runc

# What containerd up to 2.2 writes: options, here of a type that nobody knows.
options_on_input() {
	hand_shim "$1"
	hand_bundle options
	{
		string_field 1 some.other.Options
		string_field 2 content
	} | hand_verb options start >answer 2>&1 || fail "start: $(<answer)"
	ADDRESS=$(<answer)
	same "file address" "$ADDRESS" "$(<"$HAND/options/address")"
	hand_shutdown options
}
scenario --mote options_on_input runc

version() {
	hand_shim "$1"
	status_of "$SHIM" -v
	same "exit code of -v" 0 "$STATUS"
	holds "output of -v" "Version: " "$(<out)"
	same "standard error of -v" "" "$(<err)"
}
scenario version runc skeleton

information() {
	hand_shim "$1"
	status_of "$SHIM" -info </dev/null
	same "exit code of -info ($(<err))" 0 "$STATUS"
	holds "output of -info" "$NAME" "$(tr -d '\0' <out)"
	[ "$1" = skeleton ] || holds "output of -info" '"ociVersionMin"' "$(tr -d '\0' <out)"
}
scenario --mote information runc skeleton

# ---- one socket, many starts ----

existing_socket() {
	hand_shim "$1"
	HAND_ANNOTATION='"io.containerd.runc.v2.group": "pod"'
	hand_bundle first
	hand_bundle second
	hand_start first
	local first=$ADDRESS shims
	shims=$(shim_pids)
	hand_start second
	same "address of the second" "$first" "$ADDRESS"
	same "shim's processes" "$shims" "$(shim_pids)"
	same "file address of the second" "$first" "$(<"$HAND/second/address")"
	hand_shutdown second
}
scenario existing_socket runc

pod_annotation() {
	hand_shim "$1"
	HAND_ANNOTATION='"io.kubernetes.cri.sandbox-id": "sandbox", "x": "y"'
	hand_bundle pod
	hand_start pod
	same "address" "unix:///run/containerd/s/$(printf %s "$HAND_ADDRESS/$NAMESPACE/sandbox" |
		sha256sum | cut -d' ' -f1)" "$ADDRESS"
	hand_shutdown pod
}
scenario pod_annotation runc

two_starts_at_once() {
	hand_shim "$1"
	HAND_ANNOTATION='"io.containerd.runc.v2.group": "once"'
	local number first second
	for number in {1..10}; do
		hand_bundle "a$number"
		hand_bundle "b$number"
		hand_verb "a$number" start >a 2>&1 </dev/null &
		first=$!
		hand_verb "b$number" start >b 2>&1 </dev/null &
		second=$!
		wait $first || fail "first start: $(<a)"
		wait $second || fail "second start: $(<b)"
		same "both addresses" "$(<a)" "$(<b)"
		ADDRESS=$(<a)
		same "shim's processes" 2 "$(shim_pids | wc -l)"
		hand_shutdown "a$number"
	done
}
scenario --mote two_starts_at_once runc

stale_socket() {
	hand_shim "$1"
	hand_bundle stale
	hand_start stale
	# shellcheck disable=SC2046
	kill -KILL $(shim_pids)
	must_become 3 "the shim has gone" no_shim
	[ -S "${ADDRESS#unix://}" ] || : >"${ADDRESS#unix://}"
	hand_start stale
	same "task_pid" "" "$(field task_pid Connect id=stale)"
	hand_shutdown stale
}
scenario stale_socket runc

# ---- what start leaves behind ----

# containerd reads the answer up to the end of the pipe.
pipe_ends() {
	hand_shim "$1"
	hand_bundle pipe
	mkfifo pipe
	timeout 5 cat pipe >answer &
	local reader=$! status=0
	hand_verb pipe start >"$SCRATCH/pipe" 2>&1 </dev/null
	wait $reader || status=$?
	same "exit code of the pipe's reader" 0 $status
	ADDRESS=$(<answer)
	hand_shutdown pipe
}
scenario pipe_ends runc skeleton

descriptors() {
	hand_shim "$1"
	hand_bundle descriptors
	exec 7>leaked
	hand_start descriptors
	exec 7>&-
	local pid
	for pid in $(shim_pids); do
		for number in 0 1 2; do
			same "descriptor $number of $pid" /dev/null "$(readlink "/proc/$pid/fd/$number")"
		done
		ls -l "/proc/$pid/fd" >list
		! grep -e "$SCRATCH/answer" -e "$SCRATCH/leaked" list || fail "kept by $pid: $(<list)"
	done
	hand_shutdown descriptors
}
scenario --mote descriptors runc skeleton

oom_score() {
	hand_shim "$1"
	hand_bundle score
	echo 100 >/proc/self/oom_score_adj
	# start's parent must be who has the score: no timeout(1) in between
	ADDRESS=$(cd "$HAND/score" && TTRPC_ADDRESS=$HAND_SINK "$SHIM" -namespace "$NAMESPACE" \
		-address "$HAND_ADDRESS" -id score start </dev/null 2>&1)
	local pid
	for pid in $(shim_pids); do
		same "oom_score_adj" 101 "$(<"/proc/$pid/oom_score_adj")"
	done
	hand_shutdown score
}
scenario oom_score runc

shim_cgroup() {
	hand_shim "$1"
	hand_bundle cgroup
	local folder pid options
	for folder in /sys/fs/cgroup /sys/fs/cgroup/*; do
		[ -e "$folder/cgroup.procs" ] && [ ! -L "$folder" ] || continue
		[ -e /sys/fs/cgroup/cgroup.procs ] && [ "$folder" != /sys/fs/cgroup ] && continue
		mkdir -p "$folder/$NAMESPACE/shim"
		cpuset_inherit "$folder/$NAMESPACE"
		cpuset_inherit "$folder/$NAMESPACE/shim"
	done
	options=$(string_field 3 "/$NAMESPACE/shim")
	{
		string_field 1 containerd.runc.v1.Options
		string_field 2 "$options"
	} | hand_verb cgroup start >answer 2>&1 || fail "start: $(<answer)"
	ADDRESS=$(<answer)
	for pid in $(shim_pids); do
		holds "cgroups of $pid" "/$NAMESPACE/shim" "$(<"/proc/$pid/cgroup")"
	done
	hand_shutdown cgroup
	must_become 5 "the cgroups are empty" cgroups_removed
}
cpuset_inherit() {
	local file
	for file in cpuset.cpus cpuset.mems; do
		[ ! -e "$1/$file" ] || [ -e /sys/fs/cgroup/cgroup.procs ] || cat "$1/../$file" >"$1/$file"
	done
}
scenario --mote shim_cgroup runc

# ---- bad input ----

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
	TTRPC_ADDRESS=$HAND_SINK hand_failure 1 "$NAME: " "$SHIM" -address x -namespace "$NAMESPACE" start
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
	for text in '\xff\xff\xff\xff' '\x0a\x7fshort' '{"json": true}' '\x08' '\x12\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01'; do
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
	mount -t tmpfs -o ro tmpfs /run/containerd/s
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

# ---- delete ----

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
