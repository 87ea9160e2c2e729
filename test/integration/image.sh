#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Containers of an image, whose root is mounted by the shim: overlay, and binds as the native
# snapshotter makes them.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/images.sh"

# in_image SNAPSHOTTER ID COMMAND...
in_image() {
	local snapshotter=$1 id=$2
	shift 2
	ctr run --rm --snapshotter "$snapshotter" "${RUNTIME[@]}" "$IMAGE" "$id" "$@"
}

written_and_gone() {
	runtime_flags "$2"
	image_import "$1" >/dev/null
	same "first container" "image new" "$(in_image "$1" first /bin/sh -c \
		'echo new >/tmp/file; echo $FROM $(cat /tmp/file)')"
	same "second container" "no" \
		"$(in_image "$1" second /bin/sh -c '[ -e /tmp/file ] && echo yes || echo no')"
	image_remove
}
overlay() { written_and_gone overlayfs "$1"; }
native() { written_and_gone native "$1"; }
scenario overlay runc crun
scenario native runc crun

read_only() {
	runtime_flags "$1"
	image_import overlayfs >/dev/null
	! ctr run --rm --read-only "${RUNTIME[@]}" "$IMAGE" readonly /bin/sh -c \
		'echo x >/tmp/file' \
		>out 2>&1 || fail "it could write"
	holds "output" "Read-only file system" "$(<out)"
	image_remove
}
scenario read_only runc crun

# The root is mounted by Create and unmounted by Delete, at the bundle's rootfs.
mounted() {
	runtime_flags "$1"
	image_import overlayfs >/dev/null
	ctr run -d --null-io --snapshotter overlayfs "${RUNTIME[@]}" "$IMAGE" mounted /bin/sleep \
		1000
	same "mounts at rootfs" overlay "$(rootfs_mounts mounted)"
	ctr task kill --signal SIGKILL mounted
	must_become 5 "task stops" task_is mounted STOPPED
	same "mounts at rootfs before Delete" overlay "$(rootfs_mounts mounted)"
	ctr task rm mounted >/dev/null 2>&1
	same "mounts at rootfs after Delete" "" "$(rootfs_mounts mounted)"
	ctr container rm mounted
	image_remove
}
rootfs_mounts() { mounts_at "$BUNDLES/$1/rootfs"; }
scenario mounted runc crun

killed() {
	runtime_flags "$1"
	image_import overlayfs >/dev/null
	ctr run -d --null-io --snapshotter overlayfs "${RUNTIME[@]}" "$IMAGE" killed /bin/sleep 1000
	# shellcheck disable=SC2046
	kill -KILL $(shim_pids)
	must_become 10 "the bundle is gone" [ ! -e "$BUNDLES/killed" ]
	same "mounts at rootfs" "" "$(rootfs_mounts killed)"
	must_become 5 "containerd lets the container go" ctr container rm killed
	image_remove
}
scenario killed runc crun

# A command that isn't there: the root was mounted and must not stay so.
no_command() {
	runtime_flags "$1"
	image_import overlayfs >/dev/null
	status_of in_image overlayfs nothing /no/such/command
	same "exit code" 1 "$STATUS"
	holds "error" "OCI runtime create failed" "$(<err)"
	same "mounts at rootfs" "" "$(rootfs_mounts nothing)"
	image_remove
}
scenario no_command runc crun

# As its users do it: an image of the running container, with what it has in its memory and what it
# wrote, of which another one is made. VARIANT is the name of our shim: own or stock.
checkpoint() {
	local image=local.test/checkpoint:1 last
	needs_criu runc
	runtime_flags runc
	[ "$1" != stock ] || RUNTIME=(--runtime io.containerd.runc.v2)
	image_import native >/dev/null
	ctr run -d --null-io --net-host --snapshotter native "${RUNTIME[@]}" "$IMAGE" first /bin/sh \
		-c 'i=0; while :; do i=$((i + 1)); echo $i >>/tmp/counted; sleep 0.05; done'
	must_become 10 "it counts" counted_to first 5
	ctr container checkpoint --image --task --rw first $image
	last=$(counted first)
	must_become 10 "the first counts on" counted_to first $((last + 5))
	events_are first "create start paused checkpointed resumed"
	remove_container first
	ctr container restore --live --rw second $image
	# What containerd unpacked for the shim it leaves behind.
	rm -r "$(grep -o '"checkpoint":"[^"]*ctrd-checkpoint[^"]*' "$EVENTS" | cut -d'"' -f4)"
	must_become 10 "the second counts" counted_to second $((last + 5))
	last=$(counted second)
	same "what was counted" "$(seq "$last")" \
		"$(head -n "$last" "$BUNDLES/second/rootfs/tmp/counted")"
	status_of ctr task exec --exec-id more second /bin/sh -c 'exit 5'
	same "exit code of an exec" 5 "$STATUS"
	ctr task kill --signal SIGKILL second
	must_become 10 "it stops" task_is second STOPPED
	remove_task second
	same "exit code" 137 "$EXIT_CODE"
	ctr container rm second
	ctr image rm --sync $image >/dev/null
	image_remove
}
counted() { tail -n 1 "$BUNDLES/$1/rootfs/tmp/counted"; }
counted_to() { [ "$(counted "$1")" -ge "$2" ]; }
scenario checkpoint own stock

run_scenarios "$@"
