# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What `make run` and `make bench` share; to be sourced from the root of the tree.
#
# A script runs twice. The first time it is the supervisor (supervise): it makes a folder of its own
# below /tmp, runs itself again inside new mount and PID namespaces, and, however that ends (done,
# failed, Ctrl-C), has every process and mount die with the namespaces and then removes what is left
# outside of them: sockets, cgroups, runtime state, the folder. The second time (MOTE_FOLDER is set)
# it does the work: a private containerd, containers, figures. Nothing is found by its name: a
# daemon that the machine runs anyway is neither used nor disturbed.
#
# After set_up these are set:
#   folder      all of this run, private      namespace  containerd's, and the name of its cgroup
#   rootfs      busybox                       address    containerd's socket
#   mote_shim, stock_shim    the programs     mote_label, stock_label    their names in tables
#   newest_shim, rust_shim   those that test/bench/build-peers made; empty where it could not
#   newest_label, rust_label
# MOTE_SHIM in the environment is another program to be measured in place of the one in build/.

# shellcheck source=test/bench/knobs.sh
. test/bench/knobs.sh

mote_shim=${MOTE_SHIM:-$PWD/build/containerd-shim-mote-v2}
tools=$PWD/build/gcc/test/bench
template=$PWD/test/bench/config.json.in
daemons=$PWD/build/daemons
containers=$(knob_number CONTAINERS 50) || exit 1
seconds_max=$(sed -n 's/^#define DEADLINE_SECONDS //p' test/bench/deadline.h)

# Of others; no containerd of the release can drive them.
newest_version=2.4.2
newest_shim=$PWD/build/bench/containerd-shim-runc-v2
newest_label="Go $newest_version"
rust_version=0.2.0
rust_shim=$PWD/build/bench/containerd-shim-runc-v2-rs
rust_label="Rust $rust_version"

say() { printf '\n%s\n' "$*"; }

# One line that is overwritten, where there is a terminal to see it.
progress() {
	[ -t 2 ] || return 0
	printf '\r\033[K%s' "$*" >&2
}

die() {
	progress ''
	printf '%s\n' "$*" >&2
	exit 1
}

# ---- the supervisor ----

wait_until_gone() {
	local tries=200
	while [ -e "/proc/$1" ] && [ $((tries--)) -gt 0 ]; do sleep 0.05; done
}

# The namespaces end with their first process; it is gone only when all others in them are.
end_namespaces() {
	local first
	[ -n "$inside" ] || return 0
	first=$(cat "/proc/$inside/task/$inside/children" 2>/dev/null)
	kill -KILL "$inside" 2>/dev/null
	wait "$inside" 2>/dev/null
	for first in $first; do
		kill -KILL "$first" 2>/dev/null
		wait_until_gone "$first"
	done
	inside=
}

remove_cgroups() {
	local tries=40
	while [ $((tries--)) -gt 0 ]; do
		find /sys/fs/cgroup -depth -type d \
			\( -name "$namespace" -o -path "*/$namespace/*" \) -exec rmdir {} + 2>/dev/null && return
		sleep 0.05
	done
}

remove_sockets() {
	local id daemon hash
	while read -r id daemon; do
		hash=$(printf '%s/%s/%s' "${daemon:-$address}" "$namespace" "$id" | sha256sum)
		rm -f "/run/containerd/s/${hash%% *}" "/run/containerd/s/${hash%% *}.lock"
	done <"$folder/ids"
}

clean_up() {
	trap '' INT TERM HUP
	progress ''
	end_namespaces
	remove_cgroups
	remove_sockets
	rm -rf "/run/containerd/runc/$namespace"
	rmdir "${new_folders[@]}" 2>/dev/null
	rm -rf --one-file-system "$folder"
}

supervise() {
	local status=0 name
	if [ "$(id -u)" != 0 ]; then
		command -v sudo >/dev/null || die "containers need root: run this as root"
		exec sudo -- "$0" "$@"
	fi
	new_folders=()
	for name in /run/containerd/runc /run/containerd/s /run/containerd; do
		[ -e "$name" ] || new_folders+=("$name")
	done
	folder=$(mktemp -d /tmp/mote.XXXXXX) || exit 1
	namespace=mote-$$
	address=$folder/c.sock
	inside=
	: >"$folder/ids"
	trap clean_up EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	MOTE_FOLDER=$folder MOTE_NAMESPACE=$namespace \
		unshare --mount --pid --fork --mount-proc --kill-child -- "$0" "$@" &
	inside=$!
	wait "$inside" || status=$?
	exit "$status"
}

# ---- inside: the place ----

make_rootfs() {
	local name busybox=
	for name in "$daemons/bin/busybox" "$daemons/usr/bin/busybox" /bin/busybox; do
		[ -x "$name" ] && busybox=$name && break
	done
	[ -n "$busybox" ] || die "busybox missing; 'make deps' gets it"
	mkdir -p "$rootfs"/{bin,dev,etc,proc,run,sys,tmp}
	cp "$busybox" "$rootfs/bin/busybox"
	for name in sh true sleep echo id uname dd; do ln -s busybox "$rootfs/bin/$name"; done
}

# crun 1.8 mistakes a cgroup v1 host for one with v2 when the hybrid mount is there.
hide_hybrid_cgroup() {
	if mountpoint -q /sys/fs/cgroup/unified && [ ! -e /sys/fs/cgroup/cgroup.controllers ]; then
		umount /sys/fs/cgroup/unified
	fi
}

# "runc" is what a shim without options looks for: a link in a folder that is first in PATH.
use_runtime() {
	ln -sfn "$(PATH=${PATH#"$folder/bin:"} command -v "$1")" "$folder/bin/runc"
}

# What containerd and the runtimes keep below /run is in memory on any host that boots with systemd;
# where this runs it may be on a disk, and every file of a container would cost its journal.
mount_memory() {
	local name
	for name in /run "$folder"/{state,fifo,life,others}; do
		mkdir -p "$name"
		mount -t tmpfs -o mode=755 tmpfs "$name"
	done
}

set_up() {
	folder=$MOTE_FOLDER
	namespace=$MOTE_NAMESPACE
	rootfs=$folder/rootfs
	address=$folder/c.sock
	trap 'exit 143' TERM
	[ -x "$mote_shim" ] || die "$mote_shim missing; 'make' builds it"
	[ -r "$daemons/env.sh" ] || die "$daemons/env.sh missing; 'make deps' makes it"
	# shellcheck source=/dev/null
	. "$daemons/env.sh"
	hide_hybrid_cgroup
	mount_memory
	mkdir -p "$folder/bin"
	PATH=$folder/bin:$PATH
	make_rootfs
	use_runtime runc
	ln -s "$mote_shim" "$folder/bin/containerd-shim-mote-v2"
	[ -x "$newest_shim" ] || newest_shim=
	[ -x "$rust_shim" ] || rust_shim=
	stock_shim=$(readlink -f "$(command -v containerd-shim-runc-v2)")
	mote_label=mote
	stock_label="Go $("$stock_shim" -v | sed -n 's/^ *Version: *\([0-9.]*\).*/\1/p')"
}

describe_machine() {
	local cgroup=v1
	[ -e /sys/fs/cgroup/cgroup.controllers ] && cgroup=v2
	printf '%s, %s CPUs, Linux %s, cgroup %s\n' \
		"$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)" \
		"$(uname -r)" "$cgroup"
	containerd --version | sed 's/ github[^ ]*//'
	runc --version | head -n 1
	crun --version | head -n 1
}

# ---- inside: containerd ----

write_config() {
	cat <<-END
		version = 2
		root = "$folder/root"
		state = "$folder/state"
		disabled_plugins = [
			"io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt",
			"io.containerd.internal.v1.restart", "io.containerd.nri.v1.nri",
			"io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
			"io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
		]
		[grpc]
			address = "$address"
	END
}

start_containerd() {
	local tries=200 daemon
	write_config >"$folder/config.toml"
	containerd --config "$folder/config.toml" >"$folder/containerd.log" 2>&1 </dev/null &
	daemon=$!
	until ctr_ version >/dev/null 2>&1; do
		if ! kill -0 "$daemon" 2>/dev/null || [ $((tries--)) -eq 0 ]; then
			die "containerd does not start: $(tail -n 3 "$folder/containerd.log")"
		fi
		sleep 0.05
	done
}

ctr_() {
	timeout --foreground "$seconds_max" ctr --address "$address" --namespace "$namespace" "$@"
}

# attempt WHAT COMMAND...: after a failure, reason says of what, for people.
attempt() {
	local what=$1 failure=0
	shift
	"$@" </dev/null >"$folder/out" 2>&1 || failure=$?
	case $failure in
	0) return ;;
	124) reason="$what did not answer within $seconds_max s" ;;
	*) reason="$what: $(paste -sd ' ' "$folder/out")" ;;
	esac
	return 1
}

# run_container ID NAME-OF-RUNTIME ctr's flags... -- command...
run_container() {
	local id=$1 name=$2 flags=()
	shift 2
	while [ "$1" != -- ]; do
		flags+=("$1")
		shift
	done
	shift
	echo "$id" >>"$folder/ids"
	ctr_ run --runtime "io.containerd.$name.v2" --fifo-dir "$folder/fifo" "${flags[@]}" \
		--rootfs "$rootfs" "$id" "$@" </dev/null
}

# ---- inside: many idle containers ----

# fleet_up PREFIX NAME-OF-RUNTIME LABEL ctr's flags...: after a failure, reason says of what.
# first=N: those before N are there already
fleet_up() {
	local prefix=$1 name=$2 label=$3 i
	shift 3
	for ((i = ${first:-1}; i <= containers; i++)); do
		progress "starting containers with $label: $i of $containers"
		attempt "ctr run" run_container "$prefix-$i" "$name" --detach "$@" \
			-- /bin/sleep 1000000 || return
	done
	progress ''
}

# As fleet_up.
fleet_down() {
	local prefix=$1 i
	progress "removing the containers $prefix-1 to $prefix-$containers"
	for ((i = 1; i <= containers; i++)); do
		attempt "ctr tasks delete" ctr_ tasks delete --force "$prefix-$i" &&
			attempt "ctr containers delete" ctr_ containers delete "$prefix-$i" || return
	done
	progress ''
}

# fleet_abandon PREFIX PROGRAM: removes all of both that there is, whatever the shims do.
fleet_abandon() {
	local id end=$((SECONDS + seconds_max))
	progress "killing the containers $1-*"
	{
		processes_of "$2"
		find /sys/fs/cgroup -path "*/$namespace/$1-*" -name cgroup.procs -exec cat {} +
	} | xargs --no-run-if-empty kill -KILL 2>/dev/null
	ctr_ containers list --quiet | grep "^$1-" | while [ $SECONDS -lt $end ] && read -r id; do
		{ ctr_ tasks delete --force "$id"; ctr_ containers delete "$id"; } \
			</dev/null >"$folder/out" 2>&1
	done
	progress ''
}

# The processes that run a program, also if it was built anew meanwhile; the namespace has no others
# than this run's.
processes_of() {
	find /proc -maxdepth 2 -name exe \( -lname "$1" -o -lname "$1 (deleted)" \) 2>/dev/null |
		sed 's|/proc/\([0-9]*\)/exe|\1|'
}

# The sums of build/gcc/test/bench/pages -s over all processes of a program.
measure() {
	local found
	mapfile -t found < <(processes_of "$1")
	[ ${#found[@]} -gt 0 ] || die "no process runs $1"
	"$tools/pages" -s "${found[@]}" || die "a process of $1 ended while it was measured"
}

# drive TOOL REPETITIONS RUNTIME flags and shims...: life, calls or flow
drive() {
	local tool=$1 repetitions=$2 runtime_path
	runtime_path=$(PATH=${PATH#"$folder/bin:"} command -v "$3")
	shift 3
	find "$folder/life" -mindepth 1 -delete
	"$tools/$tool" -n "$repetitions" -N "$namespace" -t "$template" -r "$runtime_path" \
		-f "$rootfs" -d "$folder/life" "$@"
}
life() { drive life "$@"; }

# ---- tables ----

# memory_table LABEL=SUMS...: the sums of measure() of each shim, ours first, divided by count (the
# number of containers); behind the sums there may be the time of `start`. With goals=1 it also says
# what was to be reached.
memory_table() {
	printf '%s\n' "$@" | awk -F= -v n="${count:-$containers}" -v goals="${goals:-}" '
		function ratio(x, y) {
			if (x == 0 || y == 0) return x == y ? "1" : "-"
			return x < y ? sprintf("1/%.1f", y / x) : sprintf("%.1f", x / y)
		}
		# first, second: the columns of the sums that a row adds up
		function row(name, format, first, second, goal,    i, value, ours) {
			printf "  %-38s", name
			for (i = 1; i <= NR; i++) {
				value = sums[i, first] + (second ? sums[i, second] : 0)
				printf " " format, value
				if (i == 1) ours = value
				else printf " %9s", ratio(ours, value)
			}
			if (goals && goal != "")
				printf "  %5s  %s", goal, ours <= goal ? "met" : "missed"
			printf "\n"
		}
		{
			label[NR] = $1
			fields = split($2, field, " ")
			for (i = 1; i <= fields; i++) sums[NR, i] = i <= 11 ? field[i] / n : field[i]
		}
		END {
			printf "  %-38s", ""
			for (i = 1; i <= NR; i++) printf " %11s%s", label[i], (i > 1 ? "     ratio" : "")
			printf "%s\n", goals ? "   goal" : ""
			row("processes", "%11.1f", 1)
			row("threads", "%11.1f", 2)
			row("RSS, kB", "%11.0f", 3, 0, 300)
			row("PSS, kB", "%11.0f", 4, 0, 100)
			row("USS, kB", "%11.0f", 5, 0, 64)
			row("Pss_Anon + private file pages, kB", "%11.0f", 6, 7, 64)
			row("page tables, kB", "%11.0f", 8)
			row("kernel stacks (16 kB a thread), kB", "%11.0f", 9)
			row("page tables + kernel stacks, kB", "%11.0f", 8, 9, 100)
			row("descriptors", "%11.1f", 11)
			if (fields > 11) row("`start`, ms (median)", "%11.2f", 12)
		}'
}
