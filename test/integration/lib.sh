# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The harness of the integration tests. A script sources it, declares scenarios and runs them:
#
#     scenario [--mote] NAME [VARIANT...]
#     run_scenarios "$@"
#
# NAME is a function, called once for each VARIANT with the variant as $1 (once without, if there is
# none). Variants name a runtime: runc, crun, skeleton. --mote: only our shim can pass; skipped when
# MOTE_RUNTIME names another one.
#
# Three processes make a script run, all of them this script:
#   outer     makes the temporary folder, runs inner, afterwards removes what namespaces don't: the
#             folder and the cgroups. Killing it, Ctrl-C too, ends all the others.
#   inner     pid 1 of a pid namespace, in a mount namespace with a /run of its own. Starts the
#             private containerd, runs the scenarios, checks after each that nothing is left.
#   scenario  bash -e with a time limit; its output is shown if it fails.
#
# Environment: MOTE_RUNTIME  the runtime to test (io.containerd.mote.v2)
#              MOTE_BUILD    the folder with the shims (build)
#              MOTE_DAEMONS  sourced to find containerd, ctr, runc, crun (build/daemons/env.sh)
#              MOTE_DAEMON   another containerd: a folder of build/daemons, trixie, 2.1.9, ...
#              MOTE_ONLY     run only the scenarios whose name matches this regular expression
#              MOTE_PATIENCE how many times longer to wait for anything, on a slow machine (1)

set -u
LIB=$(readlink -f "${BASH_SOURCE[0]}")
TOP=${LIB%/test/integration/*}
SCRIPT=$(readlink -f "$0")
SCRIPT_NAME=$(basename "$SCRIPT" .sh)
export MOTE_BUILD=${MOTE_BUILD:-$TOP/build}
export MOTE_DAEMON=${MOTE_DAEMON:-}
export MOTE_DAEMONS=${MOTE_DAEMONS:-$TOP/build/daemons${MOTE_DAEMON:+/$MOTE_DAEMON}/env.sh}
export MOTE_RUNTIME=${MOTE_RUNTIME:-io.containerd.mote.v2}
SCENARIO_LIMIT=${SCENARIO_LIMIT:-45}
SCENARIOS=()

if [ -n "${MOTE_WORK:-}" ]; then
	NAMESPACE=${MOTE_WORK##*/}
	SOCKET=$MOTE_WORK/c.sock
	STATE=$MOTE_WORK/state
	ROOTFS=$MOTE_WORK/rootfs
	SCRATCH=$MOTE_WORK/scratch
	EVENTS=$MOTE_WORK/events
	TASK=$MOTE_BUILD/test/task
	SINK=$MOTE_BUILD/test/sink
	PTY=$MOTE_BUILD/test/pty
	PATTERN=$MOTE_BUILD/test/pattern
	BUNDLES=$STATE/io.containerd.runtime.v2.task/$NAMESPACE
	CGROUP=${MOTE_WORK##*/}
fi

# shellcheck source=scenario.sh
. "${LIB%/*}/scenario.sh"

is_ours() { [ "$MOTE_RUNTIME" != io.containerd.runc.v2 ]; }

# scenario [--mote] NAME [VARIANT...]
scenario() {
	local only=any name variant
	if [ "$1" = --mote ]; then
		only=mote
		shift
	fi
	name=$1
	shift
	if [ $# -eq 0 ]; then
		SCENARIOS+=("$only $name ")
	fi
	for variant in "$@"; do
		SCENARIOS+=("$only $name $variant")
	done
}

run_scenarios() { # "$@"
	case ${MOTE_STAGE:-outer} in
	outer) outer ;;
	inner) inner ;;
	*) scenario_main "$@" ;;
	esac
}

# ---- outer ------------------------------------------------------------------------------------

outer() {
	local reason=
	if [ "$(id -u)" -ne 0 ]; then
		reason="needs root"
	elif ! unshare --mount --pid --fork true 2>/dev/null; then
		reason="needs the right to make mount and pid namespaces"
	fi
	if [ -n "$reason" ]; then
		each_scenario report_skip "$reason"
		exit 0
	fi
	if [ -n "$MOTE_DAEMON" ] && [ ! -e "$MOTE_DAEMONS" ]; then
		report_skip "no containerd in $(dirname "$MOTE_DAEMONS")" "$SCRIPT_NAME"
		exit 0
	fi
	MOTE_WORK=$(mktemp -d /tmp/mote-test.XXXXXX)
	export MOTE_WORK MOTE_STAGE=inner
	trap outer_cleanup EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	# Job control, because without it a background job ignores SIGINT and so does all below it.
	set -m
	unshare --mount --pid --fork --mount-proc --kill-child -- bash "$SCRIPT" </dev/null &
	OUTER_CHILD=$!
	wait $OUTER_CHILD
}

outer_cleanup() {
	local status=$? deadline=$((SECONDS + 10))
	trap '' INT TERM HUP
	kill -KILL "${OUTER_CHILD:-0}" 2>/dev/null
	wait 2>/dev/null
	# The last process of a killed pid namespace may leave its cgroup a moment later.
	until cgroups_removed || [ $SECONDS -ge $deadline ]; do
		sleep 0.1
	done
	rm -rf --one-file-system "$MOTE_WORK"
	exit $status
}

cgroups_removed() {
	local folder
	for folder in /sys/fs/cgroup/"${MOTE_WORK##*/}" /sys/fs/cgroup/*/"${MOTE_WORK##*/}"; do
		if [ -d "$folder" ]; then
			find "$folder" -depth -type d -exec rmdir {} + 2>/dev/null || return 1
		fi
	done
}

# ---- reports ----------------------------------------------------------------------------------

# A script may have another.
type -t scenario_label >/dev/null ||
	scenario_label() { echo "$SCRIPT_NAME.$1${2:+_$2}"; }

each_scenario() {
	local entry only name variant
	for entry in "${SCENARIOS[@]}"; do
		IFS=' ' read -r only name variant <<<"$entry"
		"$@" "$(scenario_label "$name" "$variant")" "$only" "$name" "$variant"
	done
}

report_skip() { echo "skip $2: $1"; }
report_fail() { echo "not ok $2: $1"; }

# ---- inner ------------------------------------------------------------------------------------

inner() {
	local reason
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	if ! reason=$(inner_missing); then
		each_scenario report_fail "$reason"
		exit 1
	fi
	# shellcheck disable=SC1090
	. "$MOTE_DAEMONS"
	if ! inner_prepare || ! daemon_start; then
		reason=$(tail -n 1 "$MOTE_WORK/containerd.log")
		each_scenario report_fail "containerd did not start: $reason"
		exit 1
	fi
	events_start
	MOUNTS_BEFORE=$(mounts_now)
	FAILED=0
	each_scenario inner_scenario
	daemon_stop KILL
	[ $FAILED -eq 0 ]
}

inner_missing() {
	local file
	if [ ! -r "$MOTE_DAEMONS" ]; then
		echo "$MOTE_DAEMONS is missing"
		return 1
	fi
	is_ours || return 0
	for file in containerd-shim-mote-v2 containerd-shim-skeleton-v2 test/{task,sink,pty,pattern}; do
		if [ ! -x "$MOTE_BUILD/$file" ]; then
			echo "$MOTE_BUILD/$file is missing"
			return 1
		fi
	done
}

# /run of our own: the sockets, runc's and crun's state and the FIFOs are ours alone, whatever else
# runs on this machine. tmpfs below the temporary folder: an upper folder of overlay may not be on
# overlay, which the root of a container host often is.
inner_prepare() {
	mount -t tmpfs -o mode=755 tmpfs /run || return 1
	mount -t tmpfs -o mode=755 tmpfs "$MOTE_WORK" || return 1
	mkdir -p "$MOTE_WORK"/{bin,root,state,scratch} /run/lock || return 1
	if is_ours; then
		ln -s "$MOTE_BUILD"/containerd-shim-{mote,skeleton}-v2 "$MOTE_WORK/bin/" || return 1
		ln -s "$MOTE_BUILD/containerd-shim-mote-v2" \
			"$MOTE_WORK/bin/containerd-shim-runc-v2" || return 1
	fi
	if mountpoint -q /sys/fs/cgroup/unified; then
		hide_unified_cgroup || return 1
	fi
	crun_takes_spec || crun_persuade || return 1
	criu_take criu || true
	PATH=$MOTE_WORK/bin:$PATH
	export PATH
	rootfs_make "$ROOTFS"
}

# crun before 1.9 takes a hybrid host for cgroup v2 and fails, so there the controllers alone are
# put into a new folder of cgroups: without "unified", for runtimes would make plain folders in
# it.
hide_unified_cgroup() {
	local new=$MOTE_WORK/cgroup entry
	mkdir "$new" && mount -t tmpfs -o mode=755 tmpfs "$new" || return 1
	for entry in /sys/fs/cgroup/*; do
		if [ -L "$entry" ]; then
			cp -P "$entry" "$new/"
		elif [ "$entry" != /sys/fs/cgroup/unified ] && mountpoint -q "$entry"; then
			mkdir "$new/${entry##*/}" && mount --bind "$entry" "$new/${entry##*/}" ||
				return 1
		fi
	done
	umount -R -l /sys/fs/cgroup && mount --move "$new" /sys/fs/cgroup
}

# crun before 1.9 refuses a spec of 1.1 and later, which containerd 1.7 and later write, though it knows
# all that is in it.
crun_takes_spec() {
	case $(containerd --version | cut -d' ' -f3) in
	1.[0-6].*) true ;;
	*) false ;;
	esac
}
crun_persuade() {
	# shellcheck disable=SC2016 # for the wrapper to expand
	wrapper_make "$MOTE_WORK/bin/crun" "$(type -P crun)" "*' --bundle '*)" \
		'words="$*"; bundle=${words#*--bundle }' \
		'sed -i "s/\"ociVersion\":\"1[.][0-9.]*\"/\"ociVersion\":\"1.0.2\"/" \
			"${bundle%% *}/config.json" ;;'
}

rootfs_make() {
	local busybox
	busybox=$(command -v busybox) || return 1
	mkdir -p "$1"/{bin,dev,proc,sys,tmp,etc,mnt} || return 1
	cp "$busybox" "$1/bin/busybox" && "$1/bin/busybox" --install "$1/bin" || return 1
	echo "root:x:0:0::/:/bin/sh" >"$1/etc/passwd"
	# For a runtime that mounts no /dev.
	mknod "$1/dev/null" c 1 3 && mknod "$1/dev/zero" c 1 5
}

inner_scenario() {
	local name=$1 only=$2 function=$3 variant=$4 log=$MOTE_WORK/log left status
	[[ $name =~ ${MOTE_ONLY:-} ]] || return
	if ! is_ours && { [ "$only" = mote ] || [ "$variant" = skeleton ]; }; then
		report_skip "not for $MOTE_RUNTIME" "$name"
		return
	fi
	wc -c <"$MOTE_WORK/containerd.log" >"$MOTE_WORK/log.offset"
	: >"$EVENTS"
	rm -f "$log"
	MOTE_STAGE=scenario timeout --kill-after=5 "$SCENARIO_LIMIT" \
		bash "$SCRIPT" "$function" "$variant" >"$log" 2>&1
	status=$?
	left=
	if [ $status -eq 0 ] || [ $status -eq 77 ]; then
		wait_for 8 nothing_left || left=$(left_behind)
	fi
	inner_report "$name" $status "$left"
	rm -rf --one-file-system "${SCRATCH:?}"
	mkdir "$SCRATCH"
}

inner_report() {
	local name=$1 status=$2 left=$3 log=$MOTE_WORK/log
	if [ -n "$left" ]; then
		echo "not ok $name: left behind: ${left//$'\n'/; }"
	elif [ "$status" -eq 0 ]; then
		echo "ok $name"
		return
	elif [ "$status" -eq 77 ]; then
		report_skip "$(tail -n 1 "$log")" "$name"
		return
	elif [ "$status" -eq 124 ] || [ "$status" -eq 137 ]; then
		echo "not ok $name: not done after $SCENARIO_LIMIT seconds"
	else
		echo "not ok $name: $(tail -n 1 "$log")"
	fi
	FAILED=1
	tail -n 40 "$log" | sed 's/^/#   /'
	daemon_log | tail -n 15 | sed 's/^/#   containerd: /'
	inner_reset
}

# What containerd and the shims wrote during the scenario, without the lines that are always there.
daemon_log() {
	tail -c +"$(($(<"$MOTE_WORK/log.offset") + 1))" "$MOTE_WORK/containerd.log" |
		grep -v -e "loading plugin" -e "starting signal loop" -e "cleaning up" -e \
		"shim disconnected"
}

# After a failure nothing of the old state may disturb the next scenario.
inner_reset() {
	local pid target
	for pid in $(processes_now) $(daemon_pids); do
		kill -KILL "$pid" 2>/dev/null
	done
	wait_for 5 processes_gone
	while read -r target; do
		umount -l "$target" 2>/dev/null
	done < <(comm -13 <(echo "$MOUNTS_BEFORE") <(mounts_now) | cut -d' ' -f2 | tac)
	find /run/containerd "$MOTE_WORK/root" "$STATE" -mindepth 1 -delete 2>/dev/null
	wait_for 5 cgroups_removed
	daemon_start
	events_start
}

# ---- what is left -----------------------------------------------------------------------------

mounts_now() { cut -d' ' -f3,5 /proc/self/mountinfo | sort; }

# Every process of the namespace but pid 1, containerd, the event reader, and what this script runs
# at this moment to find that out.
processes_now() {
	local entry pid known
	known=" 1 $(daemon_pids) "
	for entry in /proc/[0-9]*; do
		pid=${entry#/proc/}
		[[ $known == *" $pid "* ]] || process_is_script "$pid" || echo "$pid"
	done
}

# A shell that runs this script, the child of such a shell, or gone since.
process_is_script() {
	local stat parent
	read -r -d '' stat 2>/dev/null <"/proc/$1/stat"
	[ -n "${stat:-}" ] || return 0
	read -r _ parent _ <<<"${stat##*)}"
	shell_runs_script "$1" || { [ "$parent" -gt 1 ] && shell_runs_script "$parent"; }
}

shell_runs_script() {
	local words
	mapfile -d '' -t words 2>/dev/null <"/proc/$1/cmdline"
	[ "${words[0]:-}" = bash ] && [ "${words[1]:-}" = "$SCRIPT" ]
}

processes_gone() { [ -z "$(processes_now)" ]; }

left_processes() {
	local pid
	for pid in $(processes_now); do
		echo "process $pid $(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline")"
	done
}

# Sockets, lock files, FIFOs and the runtimes' state: /run/containerd is ours alone. The stock shim
# leaves its socket when it is killed.
left_files() {
	if is_ours; then
		find /run/containerd -mindepth 1 ! -type d 2>/dev/null
	fi
	find /run/containerd/runc/"$NAMESPACE" /run/containerd/fifo -mindepth 1 -maxdepth 1 \
		2>/dev/null
	find "$BUNDLES" "$MOTE_WORK/root/io.containerd.runtime.v2.task/$NAMESPACE" -mindepth 1 \
		-maxdepth 1 2>/dev/null
	find /sys/fs/cgroup/"$CGROUP" /sys/fs/cgroup/*/"$CGROUP" -mindepth 1 -type d \
		2>/dev/null
}

left_behind() {
	comm -13 <(echo "$MOUNTS_BEFORE") <(mounts_now) | sed 's/^/mount /'
	left_files
	ctr container ls -q | sed 's/^/container /'
	left_processes
}

nothing_left() { [ -z "$(left_behind 2>/dev/null)" ]; }
