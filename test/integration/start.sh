#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The start verb, -v and -info, without containerd: answers, sockets, what start leaves running.
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
	same "bytes of the answer" ${#ADDRESS} "$(wc -c <"$SCRATCH/answer.plain")"
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
		ADDRESS=$(cd "$HAND/forms" &&
			TTRPC_ADDRESS=$HAND_SINK "$SHIM" $forms start </dev/null 2>&1) ||
			fail "start with $forms: $ADDRESS"
		same "task_pid over the socket" "" "$(field task_pid Connect id=forms)"
		hand_shutdown forms
	done
}
scenario --mote flag_forms runc

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
	"$TASK" --service containerd.task.v3.Task "$ADDRESS" Connect id=boot >three
	same "answer over v3" "$(call Connect id=boot)" "$(<three)"
	hand_shutdown boot
}
scenario --mote bootstrap_answer runc skeleton

bootstrap_socket_folder() {
	hand_shim "$1"
	hand_bundle folder
	bootstrap_params folder "$MOTE_WORK/s" | hand_verb folder start >answer 2>&1 ||
		fail "$(<answer)"
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

# Asked for while a shim is on its way out, start makes another one: it never leads to the old one.
dying_shim() {
	hand_shim "$1"
	local number old new pids
	for number in {1..10}; do
		hand_bundle "dying$number"
		HAND_ANNOTATION='"io.containerd.runc.v2.group": "dying"'
		hand_config "dying$number" '"/bin/true"' >"$HAND/dying$number/config.json"
		hand_start "dying$number"
		pids=$(shim_pids)
		call Shutdown id="dying$number" # answered when the socket is gone
		hand_start "dying$number"
		old=$(comm -12 <(sort <<<"$pids") <(field shim_pid Connect id=dying))
		same "who answers, of the shim that was told to go" "" "$old"
		call Shutdown id="dying$number"
	done
	must_become 6 "the shims end" no_shim
	same "sockets left" "" "$(find /run/containerd/s -type s)"
}
scenario --mote dying_shim runc

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
			same "descriptor $number of $pid" /dev/null \
				"$(readlink "/proc/$pid/fd/$number")"
		done
		ls -l "/proc/$pid/fd" >list
		! grep -e "$SCRATCH/answer.descriptors" -e "$SCRATCH/leaked" list ||
			fail "kept by $pid: $(<list)"
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

# The shim's processes are in it when start answers, in every hierarchy that has it.
shim_cgroup() {
	shim_cgroups_make
	hand_shim "$1"
	local options
	options=$(string_field 3 "/$NAMESPACE/shim")
	shim_cgroup_check specific < <(
		string_field 1 containerd.runc.v1.Options
		string_field 2 "$options"
	)
	# As clients send them that do not know the type: a table in TOML, or the path of one.
	printf '# of the shim\nBinaryName = "%s"\nShimCgroup = "/%s/shim"\n[other]\n' "$1" \
		"$NAMESPACE" >options.toml
	options=$(string_field 3 "$(<options.toml)")
	shim_cgroup_check body < <(
		string_field 1 runtimeoptions.v1.Options
		string_field 2 "$options"
	)
	options=$(string_field 2 "$SCRATCH/options.toml")
	shim_cgroup_check path < <(
		string_field 1 type.googleapis.com/runtimeoptions.v1.Options
		string_field 2 "$options"
	)
	# Since containerd 2.3 options are an extension among others.
	options=$(string_field 1 runtimeoptions.v1.Options && string_field 2 "$options")
	shim_cgroup_check extension < <(
		bootstrap_params extension
		string_field 8 "$(string_field 1 "$(string_field 1 some.other.Type)")"
		string_field 8 "$(string_field 1 "$options")"
	)
	must_become 5 "the cgroups are empty" cgroups_removed
}

# shim_cgroup_check ID: standard input is that of start
shim_cgroup_check() {
	local id=$1 pid folder
	hand_bundle "$id"
	hand_verb "$id" start >answer 2>&1 || fail "start of $id: $(tr -d '\0' <answer)"
	ADDRESS=$(<"$HAND/$id/address")
	shim_pids | sort >pids
	same "processes of the shim" 2 "$(wc -l <pids)"
	for folder in "${SHIM_CGROUPS[@]}"; do
		same "processes in $folder" "$(<pids)" "$(sort "$folder/cgroup.procs")"
	done
	for pid in $(<pids); do
		same "cgroups of $pid" "${#SHIM_CGROUPS[@]}" \
			"$(grep -c ":/$NAMESPACE/shim\$" "/proc/$pid/cgroup")"
	done
	hand_shutdown "$id"
}

# Sets SHIM_CGROUPS: of cgroup v2 one, of v1 one in each hierarchy.
shim_cgroups_make() {
	local folder
	SHIM_CGROUPS=()
	for folder in /sys/fs/cgroup /sys/fs/cgroup/*; do
		[ -e "$folder/cgroup.procs" ] && [ ! -L "$folder" ] || continue
		[ -e /sys/fs/cgroup/cgroup.procs ] && [ "$folder" != /sys/fs/cgroup ] && continue
		mkdir -p "$folder/$NAMESPACE/shim"
		cpuset_inherit "$folder/$NAMESPACE"
		cpuset_inherit "$folder/$NAMESPACE/shim"
		SHIM_CGROUPS+=("$folder/$NAMESPACE/shim")
	done
}
cpuset_inherit() {
	local file
	for file in cpuset.cpus cpuset.mems; do
		[ ! -e "$1/$file" ] || [ -e /sys/fs/cgroup/cgroup.procs ] ||
			cat "$1/../$file" >"$1/$file"
	done
}
scenario --mote shim_cgroup runc crun

# What can't be read, or names a cgroup that isn't there, ends the start and leaves nothing.
shim_cgroup_refused() {
	hand_shim "$1"
	sink_start
	hand_bundle refused
	local options row
	for row in 'ShimCgroup = "/no/such"|cannot join shim cgroup "/no/such": no such file' \
		'ShimCgroup = "/a/../../b"|cannot join shim cgroup "/a/../../b": invalid argument' \
		'ShimCgroup = 1|runtime options: line 1: a string is wanted' \
		'ShimCgroup|runtime options: line 1: key = value is wanted'; do
		options=$(string_field 3 "${row%|*}")
		refused_start refused "${row#*|}" runtimeoptions.v1.Options "$options"
	done
	options=$(string_field 2 "$SCRATCH/no/such.toml")
	refused_start refused "$SCRATCH/no/such.toml: no such file" runtimeoptions.v1.Options \
		"$options"
	refused_start refused "runtime options: not a valid message" runtimeoptions.v1.Options x
}
refused_start() { # ID TEXT TYPE VALUE
	STATUS=0
	{
		string_field 1 "$3"
		string_field 2 "$4"
	} | hand_verb "$1" start >out 2>err || STATUS=$?
	hand_failed 1 "$2" "start with ${4//[^[:print:]]/}"
	[ ! -e "$HAND/$1/address" ] || fail "the file address is left"
}
scenario --mote shim_cgroup_refused runc

run_scenarios "$@"
