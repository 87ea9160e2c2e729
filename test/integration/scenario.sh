# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What scenarios use; sourced by lib.sh. A scenario ends at the first command that fails. Its last
# line of output is the reason that the report shows, so checks say what was expected and what came.

scenario_main() {
	set -eE -o pipefail
	trap 'failed_at "$BASH_COMMAND" "$LINENO"' ERR
	cd "$SCRATCH"
	"$1" "$2"
}

# Names the script's own line, whichever function of this file the command failed in.
failed_at() {
	local command=$1 line=$2 depth
	trap - ERR
	[ "$BASH_SUBSHELL" -eq 0 ] || return 0
	for ((depth = 1; depth < ${#BASH_SOURCE[@]}; depth++)); do
		[ "${BASH_SOURCE[depth]##*/}" = scenario.sh ] || break
		line=${BASH_LINENO[depth]}
	done
	echo "$SCRIPT_NAME.sh:$line: failed: $command" >&2
}

fail() {
	trap - ERR
	echo "$*"
	exit 1
}

skip() {
	trap - ERR
	echo "$*"
	exit 77
}

# same WHAT EXPECTED GOT
same() { [ "$2" = "$3" ] || fail "$1: expected '$2', got '$3'"; }

# holds WHAT PATTERN TEXT: TEXT matches the glob pattern somewhere
holds() {
	# shellcheck disable=SC2053
	[[ $3 == *$2* ]] || fail "$1: expected '$2' in '$3'"
}

# wait_for SECONDS COMMAND...: until the command succeeds; fails after the time
wait_for() {
	local deadline=$((SECONDS + $1 * ${MOTE_PATIENCE:-1} + 1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $deadline ] || return 1
		sleep 0.05
	done
}

# must_become SECONDS WHAT COMMAND...
must_become() {
	local seconds=$1 what=$2
	shift 2
	wait_for "$seconds" "$@" || fail "$what: not so after $seconds seconds"
}

# has_bytes FILE SIZE: at least
has_bytes() { [ "$(wc -c <"$1")" -ge "$2" ]; }

# status_of COMMAND...: runs it, sets STATUS; output to the files out and err
status_of() {
	STATUS=0
	"$@" >out 2>err || STATUS=$?
}

# ---- containerd -------------------------------------------------------------------------------

# The function is not for the background: $! would be the shell's pid, not ctr's. ctr_words is.
ctr_words() { CTR=("$(type -P ctr)" --address "$SOCKET" --namespace "$NAMESPACE"); }
ctr() { command ctr --address "$SOCKET" --namespace "$NAMESPACE" "$@"; }

# ctr 2.2 and later write one on a machine with cgroup v1.
without_warnings() { sed /level=warning.*DEPRECATION/d "$@"; }

# daemon_version: 2.1.4; scripts that need it keep it in DAEMON_VERSION
daemon_version() (
	# shellcheck disable=SC1090
	. "$MOTE_DAEMONS"
	version=$(containerd --version | cut -d' ' -f3)
	version=${version#v}
	echo "${version%%[~+-]*}"
)
# daemon_is_at_least VERSION
daemon_is_at_least() {
	[ "$(printf '%s\n' "$1" "$DAEMON_VERSION" | sort -V | head -n 1)" = "$1" ]
}

# daemon_config_head [PLUGIN]: how each begins; disabled are the plugin and what no script needs
daemon_config_head() {
	cat <<-END
		version = 2
		root = "$MOTE_WORK/root"
		state = "$STATE"
		disabled_plugins = [
		  $(printf '"io.containerd.%s", ' "$@" internal.v1.{opt,tracing} \
			snapshotter.v1.{aufs,btrfs,devmapper,zfs} tracing.processor.v1.otlp)
		]
		[grpc]
		  address = "$SOCKET"
	END
}
# A script may have another.
daemon_config() { daemon_config_head grpc.v1.cri; }

daemon_start() {
	daemon_config >"$MOTE_WORK/config.toml"
	# containerd looks for shims in its working directory first: in / another one may lie.
	(cd "$MOTE_WORK" && exec containerd --config config.toml) >>"$MOTE_WORK/containerd.log" 2>&1 &
	echo $! >"$MOTE_WORK/daemon.pid"
	disown $!
	wait_for 20 ctr version
}

# daemon_stop SIGNAL
daemon_stop() {
	local pid
	pid=$(<"$MOTE_WORK/daemon.pid")
	kill -"$1" "$pid"
	wait_for 10 process_gone "$pid"
}

# mounts_at FOLDER: the types of what is mounted there
mounts_at() {
	awk -v at="$1" '$5 == at' /proc/self/mountinfo | sed 's/.* - //' | cut -d' ' -f1
}

# pids_of TEXT: the processes whose command line, with blanks between the words, begins so
pids_of() {
	local file
	for file in /proc/[0-9]*/cmdline; do
		[[ $(tr '\0' ' ' 2>/dev/null <"$file") != "$1"* ]] || cut -d/ -f3 <<<"$file"
	done
}
none_of() { [ -z "$(pids_of "$1")" ]; }
some_of() { ! none_of "$1"; }

process_gone() { [ ! -e "/proc/$1" ]; }

# containerd and the event reader
daemon_pids() { cat "$MOTE_WORK"/{daemon,events}.pid 2>/dev/null | tr '\n' ' '; }

# One reader for the whole script: its file holds a line `TIME NAMESPACE TOPIC JSON` per event. The
# reader is connected when an event that we make ourselves has arrived.
events_start() {
	: >"$EVENTS"
	ctr_words
	"${CTR[@]}" events >>"$EVENTS" 2>/dev/null &
	echo $! >"$MOTE_WORK/events.pid"
	disown $!
	wait_for 10 events_probe
}

events_probe() {
	ctr namespace label "$NAMESPACE" "probe=$RANDOM"
	grep -q namespaces/update "$EVENTS"
}

# events_of ID: the topics of the container, in order of arrival
events_of() {
	awk -v id="\"container_id\":\"$1\"" 'index($0, id)' "$EVENTS" | grep -o '/tasks/[a-z-]*' |
		cut -d/ -f3 | tr '\n' ' '
}

# events_are ID TOPICS: waits until as many came, then compares, so that surplus ones show
events_are() {
	wait_for 10 events_count "$1" "$(wc -w <<<"$2")" || true
	same "events of $1" "$2 " "$(events_of "$1")"
}

events_count() { [ "$(events_of "$1" | wc -w)" -ge "$2" ]; }

# ---- runtimes and containers ------------------------------------------------------------------

# runtime_flags VARIANT: sets RUNTIME, the flags of ctr. crun by its --runc-binary, which ctr takes
# for the stock runtime's name only: there, too, it is our shim that runs.
runtime_flags() {
	case $1 in
	crun) RUNTIME=(--runtime io.containerd.runc.v2 --runc-binary crun) ;;
	skeleton) RUNTIME=(--runtime io.containerd.skeleton.v2) ;;
	*) RUNTIME=(--runtime "$MOTE_RUNTIME") ;;
	esac
}

# wrapper_make FILE RUNTIME CASE...: a runtime that is RUNTIME but for the cases, whose pattern is
# matched against " WORD WORD ... " of its command line
wrapper_make() {
	local file=$1 runtime=$2
	shift 2
	{
		echo '#!/bin/bash'
		echo 'case " $* " in'
		printf '%s\n' "$@"
		echo 'esac'
		echo "exec $runtime \"\$@\""
	} >"$file"
	chmod +x "$file"
}

# criu_take FOLDER: makes the criu that is unpacked there the one that runtimes find
criu_take() {
	local folder=$TOP/build/daemons/$1
	[ -x "$folder/usr/sbin/criu" ] &&
		wrapper_make "$MOTE_WORK/bin/criu" "$folder/usr/sbin/criu" "*) . $folder/env.sh ;;"
}

# needs_criu RUNTIME: skips what criu, by its own check, can't do here, or the runtime not without it.
# Where this release's is too old for the kernel that of a later one may do.
needs_criu() {
	local said
	[ "$1" != crun ] || crun --version | grep -q +CRIU || skip "this crun was built without criu"
	type -P criu >/dev/null || skip "there is no criu"
	said=$(criu check 2>&1) || { criu_take criu-later && criu check >/dev/null 2>&1; } ||
		skip "criu: $(grep Error <<<"$said" | grep -v 'exited, status' | head -n 1)"
}

task_status() { ctr task ls | awk -v id="$1" '$1 == id { print $3 }'; }
task_pid() { ctr task ls | awk -v id="$1" '$1 == id { print $2 }'; }
task_is() { [ "$(task_status "$1")" = "$2" ]; }

# remove_task ID: deletes the stopped task; sets EXIT_CODE to what the shim gave for it
remove_task() {
	local output
	output=$(ctr task rm "$1" 2>&1) || fail "ctr task rm $1: $output"
	EXIT_CODE=0
	if [[ $output =~ non-zero\ exit\ code\ ([0-9]+) ]]; then
		EXIT_CODE=${BASH_REMATCH[1]}
	fi
}

# remove_container ID...: kills what runs, deletes task and container
remove_container() {
	local id
	for id in "$@"; do
		case $(task_status "$id") in
		"") ;;
		STOPPED) ctr task rm "$id" >/dev/null 2>&1 || true ;;
		*) ctr task rm --force "$id" >/dev/null 2>&1 || true ;;
		esac
		ctr container rm "$id"
	done
}

# ---- the shim's processes ---------------------------------------------------------------------

# Pids of every process that runs a shim's binary, started for container $1 if given.
shim_pids() {
	local entry
	for entry in /proc/[0-9]*; do
		case $(readlink "$entry/exe" 2>/dev/null) in
		*/containerd-shim-*) shim_is_for "$entry" "${1:-}" && echo "${entry#/proc/}" ;;
		esac
	done
	return 0
}

shim_is_for() { [ -z "$2" ] || [[ " $(tr '\0' ' ' 2>/dev/null <"$1/cmdline")" == *" -id $2 "* ]]; }

status_field() { awk -v field="$2:" '$1 == field { print $2 }' "/proc/$1/status" 2>/dev/null; }

has_rights() { [ "$(status_field "$1" CapEff)" != 0000000000000000 ]; }

# Of the pair, the server is the one without capabilities.
server_pid() {
	local pid
	for pid in $(shim_pids "${1:-}"); do
		has_rights "$pid" || echo "$pid"
	done
}

# The monitor has them, and is nobody's worker: its parent is no shim.
monitor_pid() {
	local pid parent
	for pid in $(shim_pids "${1:-}"); do
		parent=$(readlink "/proc/$(status_field "$pid" PPid)/exe")
		if has_rights "$pid" && [[ $parent != */containerd-shim-* ]]; then
			echo "$pid"
		fi
	done
}

no_shim() { [ -z "$(shim_pids "${1:-}")" ]; }
