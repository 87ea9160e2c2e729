# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# A shim driven without containerd, sourced after lib.sh by the scripts that need it: bundles made
# by hand in BUNDLE/ID, the start and delete verbs run as containerd runs them, calls by the
# program `task`, events taken by the program `sink`. What a scenario starts here ends with it.

HAND=${SCRATCH:-}/bundles
HAND_SINK=${SCRATCH:-}/sink.sock
HAND_EVENTS=${SCRATCH:-}/events
HAND_ADDRESS=${SCRATCH:-}/absent.sock
HAND_JOBS=()

# hand_shim VARIANT: sets SHIM, and OPTIONS, the fields of a Create
hand_shim() {
	OPTIONS=()
	case $1 in
	skeleton) SHIM=$MOTE_WORK/bin/containerd-shim-skeleton-v2 ;;
	crun) OPTIONS=(options.binary_name=crun) ;;&
	*) SHIM=$(type -P "containerd-shim-$(is_ours && echo mote || echo runc)-v2") ;;
	esac
	NAME=io.containerd.$(basename "$SHIM" | cut -d- -f3).v2
	trap hand_cleanup EXIT
}

hand_cleanup() {
	[ ${#HAND_JOBS[@]} -eq 0 ] || kill "${HAND_JOBS[@]}" 2>/dev/null || true
}

# hand_bundle ID [COMMAND...]: COMMAND is run in ROOTFS, or in HAND_ROOT, relative to the bundle
hand_bundle() {
	local id=$1 bundle=$HAND/$1 word args=
	shift
	[ $# -gt 0 ] || set -- /bin/busybox sleep 1000
	for word in "$@"; do
		args+=${args:+, }\"$word\"
	done
	mkdir -p "$bundle/rootfs"
	mkfifo "$bundle/log"
	# Opened for both, as containerd does: the shim's open finds a reader.
	cat <>"$bundle/log" >"$SCRATCH/log.$id" &
	HAND_JOBS+=($!)
	hand_config "$id" "$args" >"$bundle/config.json"
}

hand_config() {
	cat <<-END
		{"ociVersion": "1.0.2",
		 "process": {"args": [$2], "cwd": "/", "env": ["PATH=/bin"],
		   "user": {"uid": 0, "gid": 0},
		   "capabilities": {"bounding": ["CAP_KILL"], "effective": ["CAP_KILL"],
		     "permitted": ["CAP_KILL"]}},
		 "root": {"path": "${HAND_ROOT:-$ROOTFS}"},
		 "annotations": {${HAND_ANNOTATION:-}}, "hooks": {${HAND_HOOKS:-}},
		 "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}
		   ${HAND_MOUNT:+, $HAND_MOUNT}],
		 "linux": {"cgroupsPath": "/$NAMESPACE/$1",
		   "namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"},
		     {"type": "uts"}]}}
	END
}

# hand_verb ID VERB [FLAG...]: runs the shim as containerd does; standard input is the caller's
hand_verb() {
	local id=$1 verb=$2
	shift 2
	(cd "$HAND/$id" && exec env NAMESPACE="$NAMESPACE" TTRPC_ADDRESS="$HAND_SINK" \
		GRPC_ADDRESS="$HAND_ADDRESS" MAX_SHIM_VERSION=2 GOMAXPROCS=2 timeout 10 "$SHIM" \
		-namespace "$NAMESPACE" -address "$HAND_ADDRESS" -publish-binary /bin/false -id \
		"$id" \
		"$@" "$verb")
}

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

# hand_start ID: sets ADDRESS. Without command substitution's subshell a failure ends the scenario.
hand_start() {
	local answer=$SCRATCH/answer.$1
	hand_verb "$1" start >"$answer" 2>&1 </dev/null || fail "start: $(<"$answer")"
	ADDRESS=$(<"$answer")
	[[ $ADDRESS == unix:///run/containerd/s/* ]] || fail "start answered '$ADDRESS'"
}

hand_delete() { hand_verb "$1" delete -bundle "$HAND/$1" </dev/null; }

# begin VARIANT ID [COMMAND...]: up to the answer of start
begin() {
	hand_shim "$1"
	sink_start
	shift
	hand_bundle "$@"
	hand_start "$1"
}

# call METHOD [FIELD=VALUE]...: prints the answer's fields; an error status ends the scenario
call() { "$TASK" "$ADDRESS" "$@"; }

# refused CODE TEXT METHOD [FIELD=VALUE]...: the call must end with this status
refused() {
	local code=$1 text=$2 status=0
	shift 2
	"$TASK" "$ADDRESS" "$@" >"$SCRATCH/answer" 2>&1 || status=$?
	same "how $* ended" 1 $status
	holds "error of $*" "error $code " "$(<"$SCRATCH/answer")"
	holds "error of $*" "$text" "$(<"$SCRATCH/answer")"
	same "lines of the error of $*" 1 "$(wc -l <"$SCRATCH/answer")"
}

# field NAME METHOD [FIELD=VALUE]...: one field of the answer, "" if it isn't in it
field() {
	local name=$1 answer
	shift
	answer=$(call "$@") || return 1
	sed -n "s/^$name=//p" <<<"$answer"
}

# Task status in words, without containerd.
state_is() {
	local number
	case $2 in
	CREATED) number=1 ;;
	RUNNING) number=2 ;;
	STOPPED) number=3 ;;
	esac
	[ "$(field status State id="$1")" = "$number" ]
}

hand_create() { call Create id="$1" bundle="$HAND/$1" "${OPTIONS[@]}" "${@:2}" >/dev/null; }

# The whole of a container's end, by the calls that containerd makes for it.
hand_end() {
	# It may end by itself just now.
	"$TASK" "$ADDRESS" Kill id="$1" signal=9 all=1 2>/dev/null || true
	must_become 5 "$1 stops" state_is "$1" STOPPED
	call Delete id="$1" >/dev/null
}

hand_shutdown() {
	call Shutdown id="$1"
	must_become 6 "the shim ends" no_shim
}

sink_start() {
	"$SINK" "$HAND_SINK" >>"$HAND_EVENTS" 2>/dev/null &
	SINK_PID=$!
	HAND_JOBS+=("$SINK_PID")
	wait_for 5 [ -S "$HAND_SINK" ]
}

sink_stop() {
	kill "$SINK_PID"
	wait "$SINK_PID" 2>/dev/null || true
	rm -f "$HAND_SINK"
}

# sink_has LINES: waits until that many came, then compares the topics and containers
sink_has() {
	wait_for 10 sink_count "$(wc -l <<<"$1")" || true
	same "events" "$1" "$(sink_lines)"
}
# TOPIC CONTAINER of each
sink_lines() { sed 's|^/tasks/||; s/ [^ ]* / /' "$HAND_EVENTS" | cut -d' ' -f1-2; }
sink_count() { [ "$(wc -l <"$HAND_EVENTS")" -ge "$1" ]; }

# hand_failure EXIT_CODE TEXT COMMAND...: fails with this code and one line on standard error that
# holds TEXT, nothing on standard output, and leaves no process or socket
hand_failure() {
	local code=$1 text=$2
	shift 2
	status_of "$@" </dev/null
	hand_failed "$code" "$text" "$*"
}

hand_failed() {
	same "exit code of $3 ($(cat err))" "$1" "$STATUS"
	same "standard output of $3" "" "$(<out)"
	holds "standard error of $3" "$2" "$(<err)"
	[ "$(wc -l <err)" -le 1 ] || fail "more than one line: $(<err)"
	must_become 3 "no process is left" no_shim
	same "sockets left" "" "$(find /run/containerd/s -type s 2>/dev/null)"
}
