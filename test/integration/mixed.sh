#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The stock shim beside ours: each cleans up what the other left, by the files in the bundle alone.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/hand.sh"

# mixed_shims VARIANT: sets OURS, STOCK and OPTIONS, in which every option matters to delete
mixed_shims() {
	hand_shim "$1"
	OURS=$SHIM
	STOCK=$TOP/build/daemons/usr/bin/containerd-shim-runc-v2
	[ -x "$STOCK" ] || skip "no stock shim in build/daemons"
	OPTIONS=(options.root="$SCRATCH/state" options.binary_name="$(type -P "$1")"
		rootfs="bind,$ROOTFS,rbind,rw")
	HAND_ROOT=rootfs
}

# mixed_left ID: a running container whose shim was killed; sets PID
mixed_left() {
	hand_bundle "$1"
	hand_start "$1"
	hand_create "$1"
	call Start id="$1" >/dev/null
	PID=$(field pid State id="$1")
	[ -d "$SCRATCH/state/$NAMESPACE/$1" ] || fail "the runtime has no state of $1"
	same "mounts" 1 "$(mounts_at "$HAND/$1/rootfs" | wc -l)"
	# shellcheck disable=SC2046
	kill -KILL $(shim_pids)
	must_become 5 "the shim has gone" no_shim
}

# mixed_delete ID: by SHIM, which takes all away but the bundle
mixed_delete() {
	status_of hand_delete "$1"
	same "exit code of delete ($(<err))" 0 "$STATUS"
	"$TASK" decode Delete <out >decoded
	same "pid" "pid=$PID" "$(grep '^pid=' decoded)"
	same "exit_status" "exit_status=137" "$(grep '^exit_status=' decoded)"
	must_become 5 "the container's process is gone" process_gone "$PID"
	same "state of the runtime" "" "$(ls "$SCRATCH/state/$NAMESPACE")"
	same "mounts" "" "$(mounts_at "$HAND/$1/rootfs")"
	[ -e "$HAND/$1/config.json" ] || fail "delete removed the bundle's files"
}

stock_after_ours() {
	mixed_shims "$1"
	sink_start
	mixed_left ours
	SHIM=$STOCK
	mixed_delete ours
	# Nothing is left for ours to do but the socket, of which the stock shim does not know.
	SHIM=$OURS
	status_of hand_delete ours
	same "standard error of delete" "" "$(<err)"
}
scenario --mote stock_after_ours runc crun

ours_after_stock() {
	mixed_shims "$1"
	sink_start
	SHIM=$STOCK
	mixed_left stock
	SHIM=$OURS
	mixed_delete stock
	same "standard error of delete" "" "$(<err)"
	same "sockets left" "" "$(find /run/containerd/s -type s)"
}
scenario --mote ours_after_stock runc crun

# What both read: the same bytes from both, but that Go writes <, > and & as numbers.
same_files() {
	mixed_shims "$1"
	sink_start
	OPTIONS+=(options.no_pivot_root=1 options.no_new_keyring=1 options.shim_cgroup=/x/y
		options.criu_image_path=/a options.criu_work_path='/b"c')
	mixed_left ours
	mixed_delete ours
	SHIM=$STOCK
	mixed_left stock
	SHIM=$OURS
	mixed_delete stock
	local name
	for name in options.json runtime; do
		same "$name" "$(<"$HAND/stock/$name")" "$(<"$HAND/ours/$name")"
		same "mode of $name" "$(stat -c %a "$HAND/stock/$name")" \
			"$(stat -c %a "$HAND/ours/$name")"
	done
}
scenario --mote same_files runc

run_scenarios "$@"
